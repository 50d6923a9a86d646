//! What makes clusters and hosts that left the profile: told by the marks of this machine and of hosts, and by where a
//! kubeconfig leads to.

use std::path::Path;
use std::sync::Arc;

use super::{all, k3s, local, of};
use crate::engine::{Facts, Failure, Tree};
use crate::env::Env;
use crate::k8s::kubeconfig;
use crate::seq;
use crate::site::inventory::Host;
use crate::site::name::{ClusterName, HostName};
use crate::site::{Cluster, Existing, Site};

/// The clusters of this machine that have the site's mark, its folder, and are not in its profile.
#[must_use]
pub fn departed_here(site: &Site, env: &Env) -> Vec<ClusterName> {
    local::departed(site, env)
}

/// A cluster that left the profile, and is reached at `server`, as a spoke.
pub async fn departed_cluster(site: &Arc<Site>, env: &Arc<Env>, name: &ClusterName, server: &str) -> Cluster {
    if let Some(local) = local::departed_cluster(site, env, name) {
        return Cluster::departed(name, local);
    }
    if let Some(k3s) = k3s::departed_cluster(site, env, name, &free_hosts(site)).await {
        return Cluster::departed(name, k3s);
    }
    let kubeconfig = site.kube.kubeconfig.clone();
    let context = context_to(&kubeconfig, site, server);
    // A context that is not there: whoever looks for the cluster says so.
    let context = context.unwrap_or_else(|| format!("{}/{name}", site.name));
    Cluster::departed(name, Existing { kubeconfig, context })
}

/// The agents that have been taken out of a cluster's profile and are part of it all the same, with their clusters.
///
/// # Errors
/// When a cluster that answers cannot be asked.
pub async fn departed_agents(
    site: &Arc<Site>,
    env: &Arc<Env>,
    facts: &Facts,
) -> Result<Vec<(ClusterName, HostName)>, Failure> {
    let (free, mut found) = (free_hosts(site), Vec::new());
    for (name, cluster) in site.clusters().map(|cluster| &cluster.name).zip(all(site, env)) {
        let agents = cluster.departed_agents(&free, facts).await?;
        found.extend(agents.into_iter().map(|host| (name.clone(), host)));
    }
    Ok(found)
}

/// Takes such an agent out of its cluster.
#[must_use]
pub fn remove_agent(site: &Arc<Site>, cluster: &Cluster, env: &Arc<Env>, host: &HostName) -> Tree {
    site.inventory.get(host).map_or_else(|| seq![], |host| of(site, cluster, env).remove_agent(host))
}

/// The hosts of the inventory that no cluster of the profile is on.
fn free_hosts(site: &Site) -> Vec<Host> {
    let is_taken =
        |host: &&Host| site.clusters().any(|cluster| cluster.k3s().is_some_and(|k3s| k3s.has(&host.name)));
    site.inventory.values().filter(|host| !is_taken(host)).cloned().collect()
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
