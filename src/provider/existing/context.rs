//! The step `<cluster>/provision/context`: the cluster that a context of the kubeconfig leads to.

use super::ExistingCluster;
use crate::engine::facts::ClusterFacts;
use crate::engine::{Access, Facts, Failure, Observed, Step, StepId, Stop};
use crate::k8s::kubeconfig::{self, KubeconfigError};
use crate::k8s::{ApiError, ClientError};
use crate::site::name::ClusterName;
use crate::site::{Existing, RKE2, Site};

/// See the module.
pub(super) struct Context(pub(super) ExistingCluster);

/// The cluster cannot be used.
#[derive(Debug, thiserror::Error)]
enum ContextError {
    #[error("cannot use the cluster `{cluster}`")]
    Kubeconfig { cluster: ClusterName, source: KubeconfigError },
    #[error("cannot use the cluster `{cluster}` (context `{context}`)")]
    Client { cluster: ClusterName, context: String, source: ClientError },
    #[error("the cluster `{cluster}` (context `{context}`) does not answer")]
    Silent { cluster: ClusterName, context: String, source: ApiError },
}

/// How its context leads to a cluster, as the kubeconfig says.
pub(super) fn access(of: &ExistingCluster) -> Result<Access, Failure> {
    let ExistingCluster { site, cluster, existing, env } = of;
    let Existing { kubeconfig: path, context } = existing;
    let access = env.kubeconfigs.read(path).and_then(|files| kubeconfig::access(path, &files, context));
    access.map_err(|source| {
        let hint = hint(site, context, &source);
        let cluster = cluster.name.clone();
        Failure::from(ContextError::Kubeconfig { cluster, source }).with_hint(hint)
    })
}

/// What to do about a context that cannot be used.
fn hint(site: &Site, context: &str, error: &KubeconfigError) -> String {
    let is_absent = matches!(error, KubeconfigError::Absent(_) | KubeconfigError::NoContext { .. });
    if is_absent && context == site.rke2_context() && site.hosts_for(RKE2).next().is_some() {
        return format!(
            "it is that of the inventory's RKE2 server: bridgehead rke2 kubeconfig {} --merge",
            site.name
        );
    }
    "the profile names the context in the cluster's table, and the file under `[kube]`; `kubectl config get-contexts` lists what there is".to_owned()
}

impl Context {
    /// How the cluster is reached, and its version.
    pub(super) async fn look(&self) -> Result<Observed, Failure> {
        let ExistingCluster { cluster, existing: Existing { context, .. }, env, .. } = &self.0;
        let access = access(&self.0)?;
        let named = || (cluster.name.clone(), context.clone());
        let client = env.clients.get(&access).await.map_err(|source| {
            let (cluster, context) = named();
            ContextError::Client { cluster, context, source }
        })?;
        let version = client.apiserver_version().await.map_err(|error| {
            let (cluster, context) = named();
            let source = ApiError::of("ask for the version of", &access.server, error);
            let hint = format!("check it with `kubectl --context {context} version`, then run again");
            Failure::from(ContextError::Silent { cluster, context, source }).with_hint(hint)
        })?;
        let known = ClusterFacts {
            access: Some(access),
            version: Some(version.git_version),
            ..ClusterFacts::default()
        };
        Ok(Observed::ready(Facts::of(&cluster.name, known)))
    }
}

impl Step for Context {
    type Work = ();

    fn id(&self) -> StepId {
        StepId::of(&self.0.cluster.name, "provision/context")
    }

    fn cluster(&self) -> Option<&ClusterName> {
        Some(&self.0.cluster.name)
    }

    fn purpose(&self) -> &'static str {
        "its API answers, and it is known how to reach it"
    }

    async fn observe(&self, _facts: &Facts) -> Result<Observed, Stop> {
        Ok(self.look().await?)
    }
}
