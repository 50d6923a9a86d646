//! The step that makes sure that a cluster can be registered, before its profile or anything else is changed.

use std::sync::Arc;

use crate::engine::{Facts, Observed, Step, StepId, Stop};
use crate::env::Env;
use crate::gitops::Scope;
use crate::gitops::cluster_secret::find;
use crate::site::Site;
use crate::site::name::ClusterName;

/// The step `<spoke>/registration/possible`: no Secret of the hub's Argo CD is in the way.
#[must_use]
pub fn possible(site: &Arc<Site>, env: &Arc<Env>, cluster: &ClusterName) -> Possible {
    Possible { scope: Scope::new(site, env), cluster: cluster.clone() }
}

/// See [`possible`].
#[derive(Debug)]
pub struct Possible {
    scope: Scope,
    cluster: ClusterName,
}

impl Step for Possible {
    type Work = ();

    fn id(&self) -> StepId {
        StepId::of(&self.cluster, "registration/possible")
    }

    fn cluster(&self) -> Option<&ClusterName> {
        Some(&self.cluster)
    }

    fn purpose(&self) -> &'static str {
        "no other cluster has its name or server in Argo CD"
    }

    async fn observe(&self, facts: &Facts) -> Result<Observed, Stop> {
        // A hub that is not there yet has nothing that could be in the way.
        if let (Some(cluster), Ok(_)) =
            (self.scope.site.cluster(&self.cluster), facts.access(self.scope.hub()))
        {
            let hub = self.scope.client(self.scope.hub(), facts).await?;
            find(&self.scope, &hub, cluster, facts).await?.their_credentials()?;
        }
        Ok(Observed::default())
    }
}
