//! The provider `k3s`: clusters of k3s on hosts that are reached over SSH, without k3s' install script.
//!
//! Everything about a host is found out by a look at it (`look`); nothing is remembered but the mark on the host.

mod access;
mod config;
mod departed;
mod files;
mod host;
mod look;
mod mark;
mod node;
mod preflight;
mod release;
mod remove;
mod service;
mod sight;
pub mod status;
mod unit;

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::engine::tree::gate;
use crate::engine::{BoxFuture, Facts, Failure, Tree};
use crate::provider::presence::Sighting;
use crate::provider::{Lifecycle, fingerprint};
use crate::seq;
use crate::site::inventory::Host;
use crate::site::name::HostName;

use access::{ReachApi, reach_api_id};
use files::{PutFiles, put_files_id};
use host::{BINARY, CONFIG, IMAGES, Member, Memory, Role};
use node::AwaitNode;
use preflight::Preflight;
use release::FetchRelease;
use remove::Uninstall;
use service::RunService;

pub use departed::MarkedHosts;
pub(super) use host::K3sCluster;

impl Lifecycle for Arc<K3sCluster> {
    /// It is where its first server is.
    fn identity(&self) -> BoxFuture<'_, Option<String>> {
        Box::pin(async {
            let machine = self.servers().first()?.host_look(false).await.ok()?.machine_id;
            machine.map(|machine| fingerprint(&machine))
        })
    }

    /// Looks at all hosts at once.
    fn preflight_hosts(&self) -> Tree {
        Preflight::new(self).into()
    }

    fn provision(&self) -> Tree {
        let servers = self.servers();
        let servers = servers.iter().map(|server| seq![PutFiles::new(server), RunService::new(server)]);
        seq![FetchRelease::new(self), Tree::Seq(servers.collect()), ReachApi::new(self)]
    }

    /// Agents join side by side. They get their files while the server is starting, which gets its own first: everybody
    /// waits for it, and all share this machine's line. A host that fails holds up nothing else.
    fn join(&self) -> Tree {
        let agents = self.agents().into_iter().map(|agent| {
            seq![
                Tree::Seq(self.servers().iter().map(|server| gate(put_files_id(server))).collect()),
                PutFiles::new(&agent),
                gate(reach_api_id(self)),
                RunService::new(&agent),
                AwaitNode::new(&agent),
            ]
        });
        Tree::Par(agents.collect())
    }

    /// Workloads can run on the servers.
    fn ready(&self) -> Tree {
        Tree::Par(self.servers().iter().map(|server| AwaitNode::new(server).into()).collect())
    }

    /// Asks all hosts at once, because k3s is to be taken off all of them. The cluster is gone when no server has both
    /// the site's mark and k3s' data.
    fn sight(&self) -> BoxFuture<'_, Sighting> {
        Box::pin(async {
            match sight::servers(self).await {
                Ok(servers) if servers.is_empty() => {
                    Sighting::Gone("no server has k3s' data with the site's mark".to_owned())
                }
                Ok(_) => ReachApi::new(self).sight().await,
                Err(unreachable) => Sighting::Unknown(unreachable),
            }
        })
    }

    fn departed_agents<'a>(&'a self, facts: &'a Facts) -> BoxFuture<'a, Result<BTreeSet<HostName>, Failure>> {
        Box::pin(departed::agents(self, facts))
    }

    fn remove_host(&self, host: &Host, is_server: bool) -> Tree {
        if is_server { departed::keep_server(self, host) } else { departed::remove_agent(self, host) }
    }

    /// Agents side by side, then the servers, the first one last.
    fn remove(&self) -> Tree {
        let agents = self.agents().iter().map(|agent| Uninstall::new(agent).into()).collect();
        let servers = self.servers().iter().rev().map(|server| Uninstall::new(server).into()).collect();
        seq![Tree::Par(agents), Tree::Seq(servers)]
    }
}
