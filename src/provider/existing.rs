//! The provider `existing`: clusters that somebody else made.

use std::sync::Arc;

use crate::engine::Tree;
use crate::env::Env;
use crate::site::{Cluster, Existing, Site};

/// Makes the cluster until its API serves. Its steps yield how to reach it.
#[must_use]
pub fn serve(_site: &Arc<Site>, _cluster: &Cluster, _existing: &Existing, _env: &Arc<Env>) -> Tree {
    Tree::Seq(Vec::new())
}

/// Waits until workloads can run in it.
#[must_use]
pub fn ready(_cluster: &Cluster, _env: &Arc<Env>) -> Tree {
    Tree::Seq(Vec::new())
}

/// Takes it away.
#[must_use]
pub fn remove(_site: &Arc<Site>, _cluster: &Cluster, _env: &Arc<Env>) -> Tree {
    Tree::Seq(Vec::new())
}
