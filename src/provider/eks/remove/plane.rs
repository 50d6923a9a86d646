//! The step `<cluster>/remove/control-plane`: the cluster of EKS is gone, with its addons and access entries.

use std::sync::Arc;
use std::time::Duration;

use aws_sdk_eks::types::ClusterStatus;

use crate::aws::{Answer as _, AwsError};
use crate::engine::{Change, Facts, Failure, Observed, Step, StepId, Stop, Writer};
use crate::provider::eks::cluster::EksCluster;
use crate::provider::eks::control_plane::{look, subject};
use crate::site::name::ClusterName;

pub(super) struct RemoveControlPlane(pub(super) Arc<EksCluster>);

impl Step for RemoveControlPlane {
    type Work = ();

    fn id(&self) -> StepId {
        self.0.step("remove/control-plane")
    }

    fn cluster(&self) -> Option<&ClusterName> {
        Some(&self.0.name)
    }

    fn purpose(&self) -> &'static str {
        "the cluster of EKS is gone"
    }

    async fn observe(&self, _: &Facts) -> Result<Observed, Stop> {
        let (account, _) = self.0.account().await?;
        let Some(found) = look(&account, &self.0).await? else { return Ok(Observed::default()) };
        let subject = subject(&self.0.id());
        match found.status {
            Some(status @ (ClusterStatus::Deleting | ClusterStatus::Creating | ClusterStatus::Updating)) => {
                Ok(Observed::waits(vec![Change::wait(subject, status.as_str())]))
            }
            _ => Ok(Observed::differs(vec![Change::delete(subject)], ())),
        }
    }

    async fn apply(&self, (): (), _: &Facts, writer: &Writer) -> Result<(), Failure> {
        let (account, _) = self.0.account().await?;
        let id = self.0.id();
        let delete = account.eks.delete_cluster().name(&id).send();
        let deleted = writer.perform(delete).await;
        deleted.map_err(|error| AwsError::of("delete", subject(&id), &error)).if_present()?;
        Ok(())
    }

    /// It takes three to ten minutes; one that is still being made has to be finished first.
    fn patience(&self) -> Duration {
        Duration::from_mins(40)
    }

    fn longest_pause(&self) -> Duration {
        Duration::from_secs(5)
    }
}
