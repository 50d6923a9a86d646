//! The step that makes sure, before anything is taken away, that the account of ours on a spoke is not that of a site which
//! has only its name in common with this one.

use std::sync::Arc;

use super::Unregister;
use crate::engine::facts::Presence;
use crate::engine::{Facts, Observed, Step, StepId, Stop};
use crate::env::Env;
use crate::gitops::Scope;
use crate::site::Site;
use crate::site::name::ClusterName;

/// The step `<spoke>/registration/owned`.
#[must_use]
pub fn owned(site: &Arc<Site>, env: &Arc<Env>, cluster: &ClusterName) -> Owned {
    Owned(Unregister { scope: Scope::new(site, env), cluster: cluster.clone() })
}

/// See [`owned`].
#[derive(Debug)]
pub struct Owned(Unregister);

impl Step for Owned {
    type Work = ();

    fn id(&self) -> StepId {
        StepId::of(&self.0.cluster, "registration/owned")
    }

    fn cluster(&self) -> Option<&ClusterName> {
        Some(&self.0.cluster)
    }

    fn purpose(&self) -> &'static str {
        "the account there, if any, belongs to this site's hub"
    }

    /// Whatever differs is for the step that takes the account away.
    async fn observe(&self, facts: &Facts) -> Result<Observed, Stop> {
        if facts.presence(&self.0.cluster) == Some(&Presence::Seen) {
            self.0.look(facts).await?;
        }
        Ok(Observed::default())
    }
}
