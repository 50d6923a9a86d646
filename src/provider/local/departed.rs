//! Clusters that this machine has because of a site, and that its profile does not name any more.

use super::layout::Layout;
use crate::env::Env;
use crate::files;
use crate::site::name::ClusterName;
use crate::site::{Local, Site};

/// Their names: each has a folder in the site's.
pub(in crate::provider) fn departed(site: &Site, env: &Env) -> Vec<ClusterName> {
    let names = files::names(&env.site_folder(&site.name)).unwrap_or_default();
    let names = names.iter().filter_map(|name| name.parse().ok());
    names.filter(|name| departed_cluster(site, env, name).is_some()).collect()
}

/// The cluster of a name, if it is one of them.
pub(in crate::provider) fn departed_cluster(site: &Site, env: &Env, name: &ClusterName) -> Option<Local> {
    let layout = Layout::new(env.cluster_folder(&site.name, name));
    let is_there = layout.ports().exists() || layout.lock().exists();
    // How many nodes it has matters only to those that make it.
    (site.cluster(name).is_none() && is_there).then_some(Local { nodes: 1 })
}
