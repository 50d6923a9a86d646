//! Taking a `local` cluster away, and proving that nothing of it is left.

mod audit;
mod files;
mod site;
mod supervisor;

use std::sync::Arc;

use super::layout::Layout;
use crate::engine::Tree;
use crate::env::Env;
use crate::seq;
use crate::site::name::ClusterName;
use crate::site::{Cluster, Site};

/// Takes a cluster away. What is already gone is no difference, so it can be run again after any interruption.
#[must_use]
pub fn remove(site: &Arc<Site>, cluster: &Cluster, env: &Arc<Env>) -> Tree {
    let subject = Subject {
        cluster: cluster.name.clone(),
        layout: Layout::new(env.cluster_folder(&site.name, &cluster.name)),
    };
    seq![supervisor::Supervisor(subject.clone()), files::Files(subject.clone()), audit::Audit(subject)]
}

/// Takes away what a site keeps on this machine besides its clusters.
#[must_use]
pub fn site(site: &Arc<Site>, env: &Arc<Env>) -> Tree {
    site::SiteFolder { folder: env.site_folder(&site.name) }.into()
}

/// What the steps of one cluster are about.
#[derive(Debug, Clone)]
struct Subject {
    cluster: ClusterName,
    layout: Layout,
}
