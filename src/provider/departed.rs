//! What makes clusters and hosts that left the profile: told by the marks of this machine and of hosts, and by where a
//! kubeconfig leads to.

use std::path::Path;
use std::sync::Arc;

use super::{k3s, local};
use crate::engine::{Facts, Failure, Tree};
use crate::env::Env;
use crate::k8s::kubeconfig;
use crate::seq;
use crate::site::inventory::Host;
use crate::site::name::{ClusterName, HostName};
use crate::site::{Cluster, Existing, Provider, Site};

/// The clusters of this machine that have the site's mark, its folder, and are not in its profile.
#[must_use]
pub fn departed_here(site: &Site, env: &Env) -> Vec<ClusterName> {
    local::departed(site, env)
}

/// What makes a cluster that left the profile, and is reached at `server`.
pub async fn departed(site: &Arc<Site>, env: &Arc<Env>, name: &ClusterName, server: &str) -> Provider {
    if let Some(local) = local::departed_cluster(site, env, name) {
        return Provider::Local(local);
    }
    if let Some(k3s) = k3s::departed_cluster(site, env, name).await {
        return Provider::K3s(k3s);
    }
    let kubeconfig = site.kube.kubeconfig.clone();
    let context = context_to(&kubeconfig, site, server);
    // A context that is not there: whoever looks for the cluster says so.
    let context = context.unwrap_or_else(|| format!("{}/{name}", site.name));
    Provider::Existing(Existing { kubeconfig, context })
}

/// The agents that have been taken out of a cluster's profile and are part of it all the same.
///
/// # Errors
/// When the cluster cannot be asked.
pub async fn departed_agents(
    site: &Arc<Site>,
    cluster: &Cluster,
    env: &Arc<Env>,
    facts: &Facts,
) -> Result<Vec<HostName>, Failure> {
    match &cluster.provider {
        Provider::K3s(k3s) => k3s::departed_agents(site, cluster, k3s, env, facts).await,
        Provider::Local(_) | Provider::Existing(_) => Ok(Vec::new()),
    }
}

/// Takes such an agent out of its cluster.
#[must_use]
pub fn remove_agent(site: &Arc<Site>, cluster: &Cluster, env: &Arc<Env>, host: &HostName) -> Tree {
    match &cluster.provider {
        Provider::K3s(k3s) => k3s::remove_agent(site, cluster, k3s, env, host),
        Provider::Local(_) | Provider::Existing(_) => seq![],
    }
}

/// The hosts of the inventory that no cluster of the profile is on.
pub(super) fn free_hosts(site: &Site) -> impl Iterator<Item = &Host> {
    let is_taken = |host: &Host| {
        site.clusters().any(|cluster| match &cluster.provider {
            Provider::K3s(k3s) => k3s.has(&host.name),
            Provider::Local(_) | Provider::Existing(_) => false,
        })
    };
    site.inventory.values().filter(move |host| !is_taken(host))
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
