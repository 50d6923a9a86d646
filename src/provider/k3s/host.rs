//! What the steps are about: a cluster, and each of its hosts.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde::{Deserialize, Serialize};

use super::config;
use super::look::{self, HostLook, LookError, ServiceLook};
use super::release::{Architecture, ReleaseSource};
use super::unit;
use crate::engine::{Failure, StepId};
use crate::env::Env;
use crate::provider;
use crate::site::inventory::Host;
use crate::site::name::ClusterName;
use crate::site::{Cluster, K3s, Site};
use crate::ssh::Connection;

/// The binary.
pub(super) const BINARY: &str = "/usr/local/bin/k3s";
/// Its configuration.
pub(super) const CONFIG: &str = "/etc/rancher/k3s/config.yaml";
/// Images that it imports when it starts.
pub(super) const IMAGES: &str = "/var/lib/rancher/k3s/agent/images";

/// What a host does in its cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Role {
    /// It runs the control plane.
    Server,
    /// It runs workloads only.
    Agent,
}

impl Role {
    /// The name of its unit.
    pub(super) const fn unit(self) -> &'static str {
        match self {
            Self::Server => "k3s.service",
            Self::Agent => "k3s-agent.service",
        }
    }
}

/// As k3s calls it on its command line.
impl fmt::Display for Role {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Server => "server",
            Self::Agent => "agent",
        })
    }
}

/// A cluster, which its steps share.
#[derive(Debug, Clone)]
pub(in crate::provider) struct K3sCluster {
    pub(super) site: Arc<Site>,
    pub(super) name: ClusterName,
    pub(super) k3s: K3s,
    pub(super) env: Arc<Env>,
}

impl K3sCluster {
    pub(in crate::provider) fn new(
        site: &Arc<Site>,
        cluster: &Cluster,
        k3s: &K3s,
        env: &Arc<Env>,
    ) -> Arc<Self> {
        Arc::new(Self {
            site: Arc::clone(site),
            name: cluster.name.clone(),
            k3s: k3s.clone(),
            env: Arc::clone(env),
        })
    }

    /// What tells the site's hub from the hubs of other sites of its name. It is asked for once in a run.
    pub(super) async fn hub(&self) -> Option<String> {
        let ask = async || provider::of(&self.site, &self.site.hub, &self.env).identity().await.ok_or(());
        self.env.answers.once("the identity of the hub", ask).await.ok()
    }

    /// The hosts of the control plane, the first one first.
    pub(super) fn servers(self: &Arc<Self>) -> Vec<Member> {
        self.k3s.servers.iter().map(|host| self.member(host, Role::Server)).collect()
    }

    /// The other hosts.
    pub(super) fn agents(self: &Arc<Self>) -> Vec<Member> {
        self.k3s.agents.iter().map(|host| self.member(host, Role::Agent)).collect()
    }

    /// All hosts.
    pub(super) fn members(self: &Arc<Self>) -> Vec<Member> {
        [self.servers(), self.agents()].concat()
    }

    /// Where its release is.
    pub(super) fn source(&self) -> ReleaseSource<'_> {
        ReleaseSource { k3s: &self.k3s, env: &self.env }
    }

    fn member(self: &Arc<Self>, host: &Host, role: Role) -> Member {
        Member { cluster: Arc::clone(self), host: host.clone(), role }
    }
}

/// A host of a cluster.
#[derive(Debug, Clone)]
pub(super) struct Member {
    pub(super) cluster: Arc<K3sCluster>,
    pub(super) host: Host,
    pub(super) role: Role,
}

/// k3s is not released for this host's processor.
#[derive(Debug, thiserror::Error)]
#[error("{host} has a processor that k3s is not released for: {machine}")]
struct UnknownMachine {
    host: String,
    machine: String,
}

impl Member {
    /// A step of this host: `<cluster>/<part>/<host>/<name>`.
    pub(super) fn step(&self, part: &str, name: &str) -> StepId {
        StepId::of(&self.cluster.name, &format!("{part}/{}/{name}", self.host.name))
    }

    /// What a person calls something on this host.
    pub(super) fn subject_of(&self, what: impl fmt::Display) -> String {
        format!("{what} on {}", self.host.name)
    }

    pub(super) fn is_agent(&self) -> bool {
        self.role == Role::Agent
    }

    /// The connection to it.
    pub(super) async fn connection(&self) -> Result<Arc<Connection>, LookError> {
        Ok(self.cluster.env.hosts.get(&self.host).await?)
    }

    /// Where this machine finds it: what `ssh` makes of its address, which may be a name of the user's `ssh_config`.
    pub(super) async fn address(&self) -> Result<String, LookError> {
        let answers = &self.cluster.env.answers;
        let key = self.key("address");
        if let Some(known) = answers.known(&key) {
            return Ok(known.expose().clone());
        }
        let address = self.cluster.env.hosts.address(&self.host).await?;
        answers.learn(&key, &address);
        Ok(address)
    }

    /// Runs a script that has to end well, and returns what it printed.
    pub(super) async fn run(&self, operation: &str, script: &str) -> Result<String, LookError> {
        Ok(self.connection().await?.run(operation, script).await?.text()?)
    }

    /// What the host is like. Only a fresh look asks it again in this run.
    pub(super) async fn host_look(&self, fresh: bool) -> Result<HostLook, LookError> {
        HostLook::parse(self.host.name.as_str(), &self.look(self.key("host"), fresh).await?)
    }

    /// How its service is.
    pub(super) async fn service_look(&self, fresh: bool) -> Result<ServiceLook, LookError> {
        let text = if fresh {
            let said = self.run("look at the service", &look::service_script(self.role)).await?;
            self.cluster.env.answers.learn(&self.key("service"), &said);
            said
        } else {
            self.look(self.key("service"), false).await?
        };
        ServiceLook::parse(self.host.name.as_str(), &text)
    }

    /// Looks at everything in one round trip, unless what is asked for is known.
    async fn look(&self, key: String, fresh: bool) -> Result<String, LookError> {
        let answers = &self.cluster.env.answers;
        if let Some(known) = answers.known(&key).filter(|_| !fresh) {
            return Ok(known.expose().clone());
        }
        let files = [BINARY.to_owned(), unit::path(self.role), format!("{IMAGES}/k3s-airgap-images-*")];
        let files = if self.cluster.k3s.images { &files[..] } else { &files[..2] };
        let script = look::script(self.role, &self.ports(), files);
        let said = self.run("look around", &script).await?;
        answers.learn(&self.key("host"), &said);
        answers.learn(&self.key("service"), &said);
        Ok(said)
    }

    fn key(&self, what: &str) -> String {
        format!("{what} {}", self.host.name)
    }

    /// The ports that have to be free, as `host.sh` wants them.
    fn ports(&self) -> String {
        let k3s = &self.cluster.k3s;
        let mut ports = vec![("tcp", 10250)];
        if !self.is_agent() {
            ports.extend([("tcp", config::port(k3s)), ("tcp", 2379), ("tcp", 2380)]);
        }
        if config::has_vxlan(k3s) {
            ports.push(("udp", 8472));
        }
        ports.iter().map(|(protocol, port)| format!(" {protocol}:{port:04X} ")).collect()
    }

    /// The release's name for its processor.
    pub(super) fn architecture(&self, look: &HostLook) -> Result<Architecture, Failure> {
        Architecture::of_machine(&look.machine).ok_or_else(|| {
            let host = self.host.name.to_string();
            Failure::from(UnknownMachine { host, machine: look.machine.clone() })
        })
    }

    /// The name of its node.
    pub(super) fn node_name(&self, look: &HostLook) -> String {
        let given = config::node_name(&self.cluster.k3s).filter(|_| !self.is_agent());
        given.unwrap_or(&look.name).to_owned()
    }
}

/// Whether a step has looked before: its first look may be one that another step made; whatever comes later has to
/// see what has changed since.
#[derive(Debug, Default)]
pub(super) struct Memory(AtomicBool);

impl Memory {
    /// Whether this is not the first look.
    pub(super) fn is_second(&self) -> bool {
        self.0.swap(true, Ordering::Relaxed)
    }
}
