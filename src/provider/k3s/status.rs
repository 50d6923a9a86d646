//! How the hosts of a cluster are, for people, and what their configuration would be.

use std::fmt;
use std::sync::Arc;

use futures::future::join_all;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Node;
use kube::Api;
use serde::Serialize;

use super::config::Own;
use super::look::HostLook;
use super::{K3sCluster, Member, config};
use crate::engine::{Facts, Failure};
use crate::env::Env;
use crate::provider::nodes;
use crate::site::name::HostName;
use crate::site::{Cluster, K3s, Site};

/// A host as it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HostStatus {
    /// Its alias.
    pub host: HostName,
    /// How it is reached.
    pub address: String,
    /// `server` or `agent`.
    pub role: String,
    /// The state of its unit; absent when it does not answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    /// The version that is installed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// `Ready`, or why its node is not; absent when nobody can be asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// Which of its certificates of k3s ends first; absent when it has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub certificate: Option<Certificate>,
    /// Why it cannot be looked at.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// A certificate of k3s, which renews it when it starts, in the last months before its end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Certificate {
    /// Its file on the host.
    pub path: String,
    /// When it ends.
    pub ends: Timestamp,
}

/// The day, UTC, and the file's name.
impl fmt::Display for Certificate {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.path.rsplit('/').next().unwrap_or_default();
        write!(formatter, "{} {name}", self.ends.strftime("%Y-%m-%d"))
    }
}

/// Looks at every host of a cluster, servers first; not yet at their nodes.
pub async fn hosts(site: &Arc<Site>, cluster: &Cluster, k3s: &K3s, env: &Arc<Env>) -> Vec<HostStatus> {
    let members = K3sCluster::new(site, cluster, k3s, env).members();
    join_all(members.iter().map(host)).await
}

/// Adds how the nodes are of hosts that were looked at, where `facts` say how to reach the API.
pub async fn add_nodes(
    site: &Arc<Site>,
    cluster: &Cluster,
    k3s: &K3s,
    env: &Arc<Env>,
    (hosts, facts): (&mut [HostStatus], &Facts),
) {
    let members = K3sCluster::new(site, cluster, k3s, env).members();
    let seen = hosts.iter_mut().zip(&members).filter(|(status, _)| status.error.is_none());
    join_all(seen.map(async |(status, member)| {
        if let Ok(look) = member.host_look(false).await {
            status.node = node(member, &member.node_name(&look), facts).await;
        }
    }))
    .await;
}

/// The configuration of every host of a cluster, without the token.
///
/// # Errors
/// When it cannot be written as YAML.
pub fn configurations(k3s: &K3s) -> Result<Vec<(HostName, String)>, Failure> {
    const SERVERS: &str = "# and, where it is new, `agent-token-file` and its address in `tls-san`\n";
    const AGENTS: &str = "# and `server` and `token`, once the server runs\n";
    let server = config::server(k3s, &Own { agent_token: false, address: None })? + SERVERS;
    let agent = config::agent(None)? + AGENTS;
    let servers = k3s.servers.iter().map(|host| (host.name.clone(), server.clone()));
    let agents = k3s.agents.iter().map(|host| (host.name.clone(), agent.clone()));
    Ok(servers.chain(agents).collect())
}

async fn host(member: &Member) -> HostStatus {
    let status = HostStatus {
        host: member.host.name.clone(),
        address: member.host.address.clone(),
        role: member.role.to_string(),
        unit: None,
        version: None,
        node: None,
        certificate: None,
        error: None,
    };
    let looks =
        async { Ok::<_, Failure>((member.host_look(false).await?, member.service_look(false).await?)) };
    match looks.await {
        Ok((look, service)) => HostStatus {
            unit: Some(service.state()),
            certificate: first_to_end(&look),
            version: look.version,
            ..status
        },
        Err(failure) => HostStatus { error: Some(failure.in_full()), ..status },
    }
}

fn first_to_end(look: &HostLook) -> Option<Certificate> {
    let (path, ends) = look.certificates.iter().min_by_key(|(_, ends)| **ends)?;
    Some(Certificate { path: path.clone(), ends: *ends })
}

async fn node(member: &Member, name: &str, facts: &Facts) -> Option<String> {
    let access = facts.access(&member.cluster.name).ok()?;
    let client = member.cluster.env.clients.get(access).await.ok()?;
    let node = Api::<Node>::all(client).get_opt(name).await.ok()?;
    Some(match node {
        None => "not registered".to_owned(),
        Some(node) => nodes::unready(&node).unwrap_or_else(|| "Ready".to_owned()),
    })
}
