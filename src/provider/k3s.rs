//! The provider `k3s`: clusters of k3s on hosts that are reached over SSH.

use std::sync::Arc;

use crate::engine::Tree;
use crate::env::Env;
use crate::site::{Cluster, K3s, Site};

/// Makes the cluster until its API serves. Its steps yield how to reach it.
#[must_use]
pub fn serve(_site: &Arc<Site>, _cluster: &Cluster, _k3s: &K3s, _env: &Arc<Env>) -> Tree {
    Tree::Seq(Vec::new())
}

/// Waits until workloads can run in it.
#[must_use]
pub fn ready(_cluster: &Cluster, _env: &Arc<Env>) -> Tree {
    Tree::Seq(Vec::new())
}

/// Takes it away.
#[must_use]
pub fn remove(_site: &Arc<Site>, _cluster: &Cluster, _k3s: &K3s, _env: &Arc<Env>) -> Tree {
    Tree::Seq(Vec::new())
}
