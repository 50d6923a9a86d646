//! The step `<spoke>/provision/address`: the hub's Argo CD is not told an address that means its own machine.

use std::sync::Arc;

use crate::engine::{Access, BoxFuture, Facts, Failure, Observed, Step, StepId, Stop, Writer};
use crate::k8s::kubeconfig;
use crate::site::name::ClusterName;
use crate::site::{Cluster, Existing, Provider, Role, Site};

/// See the module.
pub(super) struct Address {
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

impl Address {
    pub(super) fn new(site: &Arc<Site>, cluster: &Cluster, existing: &Existing) -> Self {
        Self { site: Arc::clone(site), cluster: cluster.clone(), existing: existing.clone() }
    }
}

/// Fails if a spoke would be registered under an address that means the hub's own machine. What the kubeconfig does
/// not say is for the step to tell that reaches the cluster.
pub(super) fn check(site: &Site, cluster: &Cluster, existing: &Existing) -> Result<(), Failure> {
    let here = matches!(site.hub.provider, Provider::Local(_));
    if here || cluster.role == Role::Hub || cluster.server.is_some() {
        return Ok(());
    }
    let Existing { kubeconfig: path, context } = existing;
    let access = kubeconfig::read(path).and_then(|files| kubeconfig::access(path, &files, context));
    let Some(access) = access.ok().filter(Access::is_loopback) else { return Ok(()) };
    let server = access.proxy_url.unwrap_or(access.server);
    let (cluster, context) = (cluster.name.clone(), context.clone());
    let hint = format!(
        "say under `[spokes.{cluster}]` how the hub reaches it: `server = \"https://<address>:<port>\"`; nothing was changed"
    );
    Err(Failure::from(Loopback { cluster, context, server }).with_hint(hint))
}

impl Step for Address {
    fn id(&self) -> StepId {
        StepId::of(&self.cluster.name, "provision/address")
    }

    fn cluster(&self) -> Option<&ClusterName> {
        Some(&self.cluster.name)
    }

    fn observe<'a>(&'a self, _facts: &'a Facts) -> BoxFuture<'a, Result<Observed, Stop>> {
        Box::pin(async move {
            check(&self.site, &self.cluster, &self.existing)?;
            Ok(Observed::default())
        })
    }

    fn apply<'a>(&'a self, _facts: &'a Facts, _writer: &'a Writer) -> BoxFuture<'a, Result<(), Failure>> {
        Box::pin(async { Ok(()) })
    }
}
