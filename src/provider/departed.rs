//! What makes clusters and hosts that left the profile: told by the marks of this machine and of hosts, and by where a
//! kubeconfig leads to.

use std::collections::BTreeSet;
use std::fmt;
use std::path::Path;
use std::sync::Arc;

use futures::future::try_join_all;
use serde::Serialize;

use super::{MarkedHosts, all, local, of};
use crate::engine::{Facts, Failure, Tree};
use crate::env::Env;
use crate::k8s::kubeconfig;
use crate::seq;
use crate::site::name::{ClusterName, HostName};
use crate::site::{Cluster, Existing, Site};

/// The clusters of this machine that have the site's mark, its folder, and are not in its profile.
#[must_use]
pub fn departed_here(site: &Site, env: &Env) -> Vec<ClusterName> {
    local::departed(site, env)
}

/// A cluster that left the profile, and is reached at `server`, as a spoke.
#[must_use]
pub fn departed_cluster(
    site: &Site,
    env: &Env,
    hosts: &MarkedHosts,
    name: &ClusterName,
    server: &str,
) -> Cluster {
    if let Some(local) = local::departed_cluster(site, env, name) {
        return Cluster::departed(name, local);
    }
    if let Some(k3s) = hosts.cluster(name, server) {
        return Cluster::departed(name, k3s);
    }
    let kubeconfig = site.kube.kubeconfig.clone();
    // No context is called like a URL: whoever looks for the cluster says that there is none.
    let context = context_to(&kubeconfig, site, server).filter(|_| !is_of_eks(server));
    let context = context.unwrap_or_else(|| server.to_owned());
    Cluster::departed(name, Existing { kubeconfig, context })
}

/// A host that has been taken out of a cluster's profile and is part of it all the same.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct DepartedHost {
    /// The cluster.
    pub cluster: ClusterName,
    /// The host's alias.
    pub host: HostName,
    /// Whether it runs the control plane.
    pub is_server: bool,
}

impl fmt::Display for DepartedHost {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { cluster, host, is_server } = self;
        write!(formatter, "{} {host} of {cluster}", if *is_server { "server" } else { "agent" })
    }
}

/// The agents among such hosts, as far as the clusters know them.
///
/// # Errors
/// When a cluster that answers cannot be asked.
pub async fn departed_agents(
    site: &Arc<Site>,
    env: &Arc<Env>,
    facts: &Facts,
) -> Result<BTreeSet<DepartedHost>, Failure> {
    let agents = site.clusters().zip(all(site, env)).map(async |(cluster, provider)| {
        let cluster = &cluster.name;
        let agents = provider.departed_agents(facts).await?.into_iter();
        let agents = agents.map(|host| DepartedHost { cluster: cluster.clone(), host, is_server: false });
        Ok::<_, Failure>(agents.collect::<Vec<_>>())
    });
    Ok(try_join_all(agents).await?.into_iter().flatten().collect())
}

/// Takes such a host out of its cluster. A server stays, and it is said what to do about it.
#[must_use]
pub fn remove_host(site: &Arc<Site>, env: &Arc<Env>, departed: &DepartedHost) -> Tree {
    let (cluster, host) = (site.cluster(&departed.cluster), site.inventory.get(&departed.host));
    let Some((cluster, host)) = cluster.zip(host) else { return seq![] };
    of(site, cluster, env).remove_host(host, departed.is_server)
}

/// Whether EKS has given out the address. Such a cluster may be one that the site has made, which would be left running if
/// it were taken for somebody else's: it goes while its profile names it.
fn is_of_eks(server: &str) -> bool {
    server.contains(".eks.amazonaws.com")
}

/// The person's own context that leads to an API server. What the site has merged there says nothing of who made the
/// cluster.
fn context_to(path: &Path, site: &Site, server: &str) -> Option<String> {
    let files = kubeconfig::read(path).ok()?;
    let contexts = files.iter().flat_map(|file| {
        let ours = file.contexts_of(&site.name);
        file.contexts().filter(move |context| !ours.iter().any(|our| our == context)).collect::<Vec<_>>()
    });
    let leads_there = |context: &&str| {
        kubeconfig::access(path, &files, context).is_ok_and(|access| access.server == server)
    };
    contexts.into_iter().find(leads_there).map(ToOwned::to_owned)
}
