//! Making a `local` cluster: its files, its supervisor, and what a fresh cluster needs a moment for.

mod files;
mod ready;
mod supervisor;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::layout::Layout;
use crate::engine::Tree;
use crate::env::Env;
use crate::seq;
use crate::site::name::ClusterName;
use crate::site::{Cluster, Local, Provider, Site};
use files::Files;
use ready::Ready;
use supervisor::Supervisor;

/// Makes a cluster until its nodes are ready.
#[must_use]
pub fn provision(site: &Arc<Site>, cluster: &Cluster, env: &Arc<Env>, components: &Path) -> Tree {
    seq![serve(site, cluster, env, components), ready(cluster, env)]
}

/// Makes a cluster until its API serves, which is all that those need who write objects.
#[must_use]
pub fn serve(site: &Arc<Site>, cluster: &Cluster, env: &Arc<Env>, components: &Path) -> Tree {
    let subject = Subject::new(site, cluster, env, components);
    seq![Files(subject.clone()), Supervisor::new(subject)]
}

/// Waits until workloads can run in a cluster whose API serves.
#[must_use]
pub fn ready(cluster: &Cluster, env: &Arc<Env>) -> Tree {
    Ready::new(cluster.name.clone(), nodes(cluster), Arc::clone(env)).into()
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
    fn new(site: &Site, cluster: &Cluster, env: &Arc<Env>, components: &Path) -> Self {
        Self {
            cluster: cluster.name.clone(),
            nodes: nodes(cluster),
            layout: Layout::new(env.cluster_folder(&site.name, &cluster.name)),
            components: components.to_owned(),
            env: Arc::clone(env),
        }
    }
}

fn nodes(cluster: &Cluster) -> Vec<String> {
    let Provider::Local(Local { nodes }) = cluster.provider;
    (1..=nodes).map(|number| format!("{}-node-{number}", cluster.name)).collect()
}
