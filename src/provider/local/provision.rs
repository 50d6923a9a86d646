//! Making a `local` cluster: its files, its supervisor, and what a fresh cluster needs a moment for.

mod files;
mod ready;
mod supervisor;

use std::path::PathBuf;
use std::sync::Arc;

use super::layout::Layout;
use crate::components;
use crate::engine::{Access, Tree};
use crate::env::Env;
use crate::seq;
use crate::site::name::ClusterName;
use crate::site::{Cluster, Local, Site};
use files::Files;
use ready::Ready;
use supervisor::Supervisor;

/// Makes a cluster until its API serves, which is all that those need who write objects.
#[must_use]
pub fn serve(site: &Arc<Site>, cluster: &Cluster, local: &Local, env: &Arc<Env>) -> Tree {
    let subject = Subject::new(site, cluster, local, env);
    seq![Files(subject.clone()), Supervisor::new(subject)]
}

/// Waits until workloads can run in a cluster whose API serves.
#[must_use]
pub fn ready(cluster: &Cluster, local: &Local, env: &Arc<Env>) -> Tree {
    Ready::new(cluster.name.clone(), nodes(cluster, local), Arc::clone(env)).into()
}

/// How this machine's user reaches the API of a cluster, if its files are there.
pub(super) fn access(site: &Site, cluster: &Cluster, local: &Local, env: &Arc<Env>) -> Option<Access> {
    supervisor::access(&Subject::new(site, cluster, local, env))
}

/// What the steps of one cluster are about.
#[derive(Debug, Clone)]
struct Subject {
    cluster: ClusterName,
    nodes: Vec<String>,
    layout: Layout,
    components: PathBuf,
    env: Arc<Env>,
}

impl Subject {
    fn new(site: &Site, cluster: &Cluster, local: &Local, env: &Arc<Env>) -> Self {
        Self {
            cluster: cluster.name.clone(),
            nodes: nodes(cluster, local),
            layout: Layout::new(env.cluster_folder(&site.name, &cluster.name)),
            components: components::folder(env),
            env: Arc::clone(env),
        }
    }
}

fn nodes(cluster: &Cluster, local: &Local) -> Vec<String> {
    (1..=local.nodes).map(|number| format!("{}-node-{number}", cluster.name)).collect()
}
