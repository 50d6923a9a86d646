//! The provider `existing`: clusters that somebody else made. They are used as they are, and stay.

mod context;
mod preflight;

use std::sync::Arc;

use super::Lifecycle;
use super::presence::{Sighting, unreachable};
use crate::engine::facts::WithoutApi;
use crate::engine::{BoxFuture, Failure, Tree};
use crate::env::Env;
use crate::k8s::api;
use crate::seq;
use crate::site::{Cluster, Existing, Site};
use context::Context;
use preflight::Preflight;

/// A cluster, as its steps know it.
#[derive(Debug, Clone)]
pub(super) struct ExistingCluster {
    site: Arc<Site>,
    cluster: Cluster,
    existing: Existing,
    env: Arc<Env>,
}

impl ExistingCluster {
    pub(super) fn new(site: &Arc<Site>, cluster: &Cluster, existing: &Existing, env: &Arc<Env>) -> Self {
        let (site, env) = (Arc::clone(site), Arc::clone(env));
        Self { site, cluster: cluster.clone(), existing: existing.clone(), env }
    }
}

impl Lifecycle for ExistingCluster {
    /// Its namespace `kube-system` is there as long as the cluster is, and has a UID.
    fn identity(&self) -> BoxFuture<'_, Option<String>> {
        Box::pin(async {
            let client = self.env.clients.get(&context::access(self).ok()?).await.ok()?;
            api::cluster_uid(&client).await.ok()?
        })
    }

    /// The kubeconfig leads to the hub, and a spoke's address is of use to the hub's Argo CD.
    fn preflight_access(&self) -> Tree {
        Preflight(self.clone()).into()
    }

    /// Its context leads to a cluster that answers, and its address is of use to the hub.
    fn check_usable(&self) -> BoxFuture<'_, Result<(), Failure>> {
        Box::pin(async {
            preflight::check(self)?;
            Context(self.clone()).look().await.map(drop)
        })
    }

    /// There is nothing to make: a cluster that does not answer is a failure.
    fn provision(&self) -> Tree {
        Context(self.clone()).into()
    }

    /// Its context says how to reach it. We did not make it, so we can never prove that it is gone.
    fn sight(&self) -> BoxFuture<'_, Sighting> {
        let sighting = match context::access(self) {
            Ok(access) => Sighting::At(access, WithoutApi::Nothing),
            Err(failure) => Sighting::Unknown(unreachable(&failure, false, WithoutApi::Nothing)),
        };
        Box::pin(std::future::ready(sighting))
    }

    /// The cluster stays; what is ours there has been taken from it by now.
    fn remove(&self) -> Tree {
        seq![]
    }
}
