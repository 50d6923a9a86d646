//! The provider `k3s`: clusters of k3s on hosts that are reached over SSH, without k3s' install script.
//!
//! Everything about a host is found out by a look at it ([`look`]); nothing is remembered but the mark on the host.

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

use std::sync::Arc;

use crate::engine::Tree;
use crate::engine::tree::gate;
use crate::env::Env;
use crate::provider::presence::Sighting;
use crate::seq;
use crate::site::{Cluster, K3s, Site};

pub(super) use departed::{departed_agents, departed_cluster, remove_agent};

use access::{Access, access_id};
use files::{Files, files_id};
use host::{BINARY, CONFIG, IMAGES, Member, Memory, Role, Subject};
use node::Node;
use preflight::Preflight;
use release::Release;
use remove::Remove;
use service::Service;

/// Looks at all hosts of the cluster at once, before anything of it is changed.
#[must_use]
pub fn preflight(site: &Arc<Site>, cluster: &Cluster, k3s: &K3s, env: &Arc<Env>) -> Tree {
    Preflight::new(&Subject::new(site, cluster, k3s, env)).into()
}

/// Makes the cluster until its API serves. Its last step yields how to reach it, and how further hosts join.
#[must_use]
pub fn serve(site: &Arc<Site>, cluster: &Cluster, k3s: &K3s, env: &Arc<Env>) -> Tree {
    let subject = Subject::new(site, cluster, k3s, env);
    let servers =
        subject.servers().into_iter().map(|server| seq![Files::new(&server), Service::new(&server)]);
    seq![Release::new(&subject), Tree::Seq(servers.collect()), Access::new(&subject)]
}

/// Makes hosts join the cluster, side by side. They get their files while the server is starting, which gets its own
/// first: everybody waits for it, and all share this machine's line. A host that fails holds up nothing else.
#[must_use]
pub fn join(site: &Arc<Site>, cluster: &Cluster, k3s: &K3s, env: &Arc<Env>) -> Tree {
    let subject = Subject::new(site, cluster, k3s, env);
    let agents = subject.agents().into_iter().map(|agent| {
        seq![
            Tree::Seq(subject.servers().iter().map(|server| gate(files_id(server))).collect()),
            Files::new(&agent),
            gate(access_id(&subject)),
            Service::new(&agent),
            Node::new(&agent),
        ]
    });
    Tree::Par(agents.collect())
}

/// Waits until workloads can run on the servers.
#[must_use]
pub fn ready(site: &Arc<Site>, cluster: &Cluster, k3s: &K3s, env: &Arc<Env>) -> Tree {
    let subject = Subject::new(site, cluster, k3s, env);
    Tree::Par(subject.servers().iter().map(|server| Node::new(server).into()).collect())
}

/// Whether the cluster is there: asked of all its hosts at once, because all of them are to be taken out of it. It is
/// gone when no server has both the site's mark and k3s' data.
pub(super) async fn sight(site: &Site, cluster: &Cluster, k3s: &K3s, env: &Arc<Env>) -> Sighting {
    let subject = Subject::new(site, cluster, k3s, env);
    match sight::servers(&subject).await {
        Ok(servers) if servers.is_empty() => {
            Sighting::Gone("no server has k3s' data with the site's mark".to_owned())
        }
        Ok(_) => Access::new(&subject).sight().await,
        Err(unreachable) => Sighting::Unknown(unreachable),
    }
}

/// Takes the cluster away: agents side by side, then the servers, the first one last.
#[must_use]
pub fn remove(site: &Arc<Site>, cluster: &Cluster, k3s: &K3s, env: &Arc<Env>) -> Tree {
    let subject = Subject::new(site, cluster, k3s, env);
    let agents = subject.agents().iter().map(|agent| Remove::new(agent).into()).collect();
    let servers = subject.servers().iter().rev().map(|server| Remove::new(server).into()).collect();
    seq![Tree::Par(agents), Tree::Seq(servers)]
}
