//! The step `<cluster>/preflight/account`: the credentials lead to the account that the cluster is to be in, before
//! anything is changed anywhere.

use std::sync::Arc;

use super::cluster::EksCluster;
use crate::engine::{Facts, Observed, Step, StepId, Stop};
use crate::site::name::ClusterName;

pub(super) struct Preflight(pub(super) Arc<EksCluster>);

impl Step for Preflight {
    type Work = ();

    fn id(&self) -> StepId {
        self.0.step("preflight/account")
    }

    fn cluster(&self) -> Option<&ClusterName> {
        Some(&self.0.name)
    }

    fn purpose(&self) -> &'static str {
        "the credentials lead to the right account"
    }

    async fn observe(&self, _: &Facts) -> Result<Observed, Stop> {
        self.0.account().await?;
        Ok(Observed::default())
    }
}
