//! The step `<cluster>/provision/context` of a teardown: the cluster was there to be asked.

use crate::engine::{Facts, Failure, Observed, Step, StepId, Stop, Writer};
use crate::site::Cluster;
use crate::site::name::ClusterName;

/// See the module.
pub(super) struct Reachable(ClusterName);

/// Nobody knows what is left.
#[derive(Debug, thiserror::Error)]
#[error("the cluster `{0}` does not answer, or its context cannot be used: what is ours there stays")]
struct Unreachable(ClusterName);

impl Reachable {
    pub(super) fn new(cluster: &Cluster) -> Self {
        Self(cluster.name.clone())
    }
}

impl Step for Reachable {
    type Work = ();

    fn id(&self) -> StepId {
        StepId::of(&self.0, "provision/context")
    }

    fn cluster(&self) -> Option<&ClusterName> {
        Some(&self.0)
    }

    async fn observe(&self, facts: &Facts) -> Result<Observed, Stop> {
        if facts.access(&self.0).is_ok() {
            return Ok(Observed::default());
        }
        let hint = "`bridgehead plan` says why; if the cluster is gone for good, take its table out of the profile, then run again";
        Err(Failure::from(Unreachable(self.0.clone())).with_hint(hint).into())
    }

    async fn apply(&self, _work: (), _facts: &Facts, _writer: &Writer) -> Result<(), Failure> {
        Ok(())
    }
}
