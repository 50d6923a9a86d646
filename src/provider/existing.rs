//! The provider `existing`: clusters that somebody else made. They are used as they are, and stay.

mod context;
mod preflight;

use std::sync::Arc;

use super::presence::{Sighting, unknown};
use crate::engine::facts::WithoutApi;
use crate::engine::{Failure, Tree};
use crate::env::Env;
use crate::seq;
use crate::site::{Cluster, Existing, Site};

/// Makes sure of what can be known before anything is changed: that the kubeconfig leads to the hub, and that the
/// hub's Argo CD can do something with the address of a spoke.
#[must_use]
pub fn prepare(site: &Arc<Site>, cluster: &Cluster, existing: &Existing) -> Tree {
    seq![preflight::Preflight::new(site, cluster, existing)]
}

/// Makes sure that a context that is to be a spoke leads to a cluster that answers, and that the hub can do something
/// with it.
///
/// # Errors
/// When the context is not there, or cannot be used, or would be registered under an address of no use, or its
/// cluster does not answer.
pub async fn check(
    site: &Arc<Site>,
    cluster: &Cluster,
    existing: &Existing,
    env: &Arc<Env>,
) -> Result<(), Failure> {
    preflight::check(site, cluster, existing)?;
    context::Context::new(site, cluster, existing, env).look().await.map(drop)
}

/// Finds out how to reach the cluster. There is nothing to make: one that does not answer is a failure.
#[must_use]
pub fn serve(site: &Arc<Site>, cluster: &Cluster, existing: &Existing, env: &Arc<Env>) -> Tree {
    seq![context::Context::new(site, cluster, existing, env)]
}

/// Nothing to wait for: whose cluster it is has seen to its nodes.
#[must_use]
pub fn ready(_cluster: &Cluster, _env: &Arc<Env>) -> Tree {
    seq![]
}

/// How its context leads to the cluster. Whether it is there is nobody's to prove who did not make it.
pub(super) fn sight(site: &Site, cluster: &Cluster, existing: &Existing) -> Sighting {
    match context::access(site, &cluster.name, existing) {
        Ok(access) => Sighting::At(access, WithoutApi::Nothing),
        Err(failure) => Sighting::Unknown(unknown(&failure, false, WithoutApi::Nothing)),
    }
}

/// The cluster stays; what is ours there has been taken from it by now.
#[must_use]
pub fn remove() -> Tree {
    seq![]
}
