//! Flows: the product's order, and the answers that need more than one layer.

pub mod addon;
pub mod argocd;
pub mod cluster;
pub mod departed;
pub mod down;
pub mod k3s;
pub mod kubeconfig;
pub mod lease;
pub mod presence;
mod profile;
pub mod rke2;
pub mod secret;
pub mod status;
pub mod summary;
mod table;
pub mod up;

use serde_json::Value;

use crate::engine::facts::Missing;
use crate::engine::{Access, Facts, Failure};
use crate::k8s;
use crate::site::name::{ClusterName, SiteName};
use crate::site::{Cluster, Site};

/// An answer could not be put together.
#[derive(Debug, thiserror::Error)]
pub enum FlowError {
    /// A cluster does not answer.
    #[error("the {0} is not known: the cluster does not answer")]
    Missing(Missing),
    /// Argo CD keeps the made-up password only until somebody deletes it, which it advises.
    #[error(
        "Argo CD no longer keeps the password that it made up: it has been changed or its Secret deleted"
    )]
    NoPassword,
    /// No host of the site has k3s.
    #[error("no cluster of `{0}` is of the provider k3s")]
    NoK3s(SiteName),
}

/// Whether nothing of the site is worth a question before it is changed or taken away.
#[must_use]
pub fn is_disposable(site: &Site) -> bool {
    site.clusters().all(Cluster::is_on_this_machine)
}

/// One kubeconfig of the site's clusters that answer, the hub's first, and the names of those that do not.
///
/// # Errors
/// When no cluster answers.
pub fn kubeconfig<'a>(site: &'a Site, facts: &Facts) -> Result<(Value, Vec<&'a ClusterName>), Failure> {
    let clusters: Vec<_> = site.clusters().collect();
    let document = kubeconfig_of(site, facts, &clusters)?;
    let names = clusters.iter().map(|cluster| &cluster.name);
    Ok((document, names.filter(|name| facts.access(name).is_err()).collect()))
}

/// One kubeconfig of those of some clusters that answer.
fn kubeconfig_of(site: &Site, facts: &Facts, clusters: &[&Cluster]) -> Result<Value, Failure> {
    let known = clusters.iter().filter_map(|cluster| Some((*cluster, facts.access(&cluster.name).ok()?)));
    let contexts: Vec<_> = known.map(|(cluster, access)| (site.context(cluster), access)).collect();
    if let (true, Some(first)) = (contexts.is_empty(), clusters.first()) {
        access(site, facts, &first.name)?;
    }
    Ok(k8s::kubeconfig::of(contexts.iter().map(|(name, access)| (name.as_str(), *access))))
}

/// How to reach a cluster that has to be up for an answer.
fn access<'a>(site: &Site, facts: &'a Facts, cluster: &ClusterName) -> Result<&'a Access, Failure> {
    facts.access(cluster).map_err(|missing| {
        let hint = format!("bring the site up first: bridgehead up {}", site.name);
        Failure::from(FlowError::Missing(missing)).with_hint(hint)
    })
}
