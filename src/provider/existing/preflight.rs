//! The step `<cluster>/provision/preflight`: what can be known to fail, fails before anything is changed.

use super::ExistingCluster;
use super::context::access;
use crate::engine::{Access, Facts, Failure, Observed, Step, StepId, Stop};
use crate::site::Role;
use crate::site::name::ClusterName;

/// See the module.
pub(super) struct Preflight(pub(super) ExistingCluster);

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

/// Fails if nothing can be done without the hub, which the kubeconfig does not lead to, or if a spoke would be
/// registered under an address that means the hub's own machine. A spoke that the kubeconfig does not lead to is for
/// the step to tell that reaches it: the others go on.
pub(super) fn check(of: &ExistingCluster) -> Result<(), Failure> {
    let ExistingCluster { site, cluster, existing, .. } = of;
    if cluster.role == Role::Hub {
        return access(of).map(drop);
    }
    if site.hub.is_on_this_machine() || cluster.server.is_some() {
        return Ok(());
    }
    let Some(access) = access(of).ok().filter(Access::is_loopback) else { return Ok(()) };
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
        StepId::of(&self.0.cluster.name, "provision/preflight")
    }

    fn cluster(&self) -> Option<&ClusterName> {
        Some(&self.0.cluster.name)
    }

    fn purpose(&self) -> &'static str {
        "its context can be used, also by the hub"
    }

    async fn observe(&self, _facts: &Facts) -> Result<Observed, Stop> {
        check(&self.0)?;
        Ok(Observed::default())
    }
}
