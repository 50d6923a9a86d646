//! The step `<cluster>/provision/preflight`: what can be known to fail, fails before anything is changed.

use std::sync::Arc;

use super::context::access;
use crate::engine::{Access, Facts, Failure, Observed, Step, StepId, Stop};
use crate::site::name::ClusterName;
use crate::site::{Cluster, Existing, Provider, Role, Site};

/// See the module.
pub(super) struct Preflight {
    site: Arc<Site>,
    cluster: Cluster,
    existing: Existing,
}

/// The address is of no use to the hub.
#[derive(Debug, thiserror::Error)]
#[error(
    "the context `{context}` reaches the cluster `{cluster}` at {server}: to the hub's Argo CD that is its own machine"
)]
struct Loopback {
    cluster: ClusterName,
    context: String,
    server: String,
}

impl Preflight {
    pub(super) fn new(site: &Arc<Site>, cluster: &Cluster, existing: &Existing) -> Self {
        Self { site: Arc::clone(site), cluster: cluster.clone(), existing: existing.clone() }
    }
}

/// Fails if nothing can be done without the hub, which the kubeconfig does not lead to, or if a spoke would be
/// registered under an address that means the hub's own machine. A spoke that the kubeconfig does not lead to is for
/// the step to tell that reaches it: the others go on.
pub(super) fn check(site: &Site, cluster: &Cluster, existing: &Existing) -> Result<(), Failure> {
    if cluster.role == Role::Hub {
        return access(site, &cluster.name, existing).map(drop);
    }
    let here = matches!(site.hub.provider, Provider::Local(_));
    let found = access(site, &cluster.name, existing).ok().filter(Access::is_loopback);
    let Some(access) = found.filter(|_| !here && cluster.server.is_none()) else { return Ok(()) };
    let server = access.proxy_url.unwrap_or(access.server);
    let (cluster, context) = (cluster.name.clone(), existing.context.clone());
    let hint = format!(
        "say under `[spokes.{cluster}]` how the hub reaches it: `server = \"https://<address>:<port>\"`; nothing was changed"
    );
    Err(Failure::from(Loopback { cluster, context, server }).with_hint(hint))
}

impl Step for Preflight {
    type Work = ();

    fn id(&self) -> StepId {
        StepId::of(&self.cluster.name, "provision/preflight")
    }

    fn cluster(&self) -> Option<&ClusterName> {
        Some(&self.cluster.name)
    }

    fn purpose(&self) -> &'static str {
        "its context can be used, also by the hub"
    }

    async fn observe(&self, _facts: &Facts) -> Result<Observed, Stop> {
        check(&self.site, &self.cluster, &self.existing)?;
        Ok(Observed::default())
    }
}
