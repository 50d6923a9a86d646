//! The step `<cluster>/remove/leftovers`: what the cluster's workloads have made in the account and is still there is
//! named. It is not deleted: a volume may be all that is left of somebody's data.

use std::sync::Arc;

use crate::aws::{Account, AwsError, Resource};
use crate::engine::{Facts, Failure, Observed, Step, StepId, Stop};
use crate::provider::eks::cluster::EksCluster;
use crate::provider::eks::control_plane;
use crate::provider::eks::stack::NetworkStack;
use crate::site::EksNetwork;
use crate::site::name::ClusterName;

/// The tag by which EKS's own driver of block storage marks its volumes.
const VOLUME_TAG: &str = "ebs.csi.aws.com/cluster";

pub(super) struct Audit(pub(super) Arc<EksCluster>);

#[derive(Debug, thiserror::Error)]
#[error("`{cluster}` is gone, and its workloads have left in the account {account}:{things}")]
struct Left {
    cluster: ClusterName,
    account: String,
    things: String,
}

impl Audit {
    async fn left(&self, account: &Account) -> Result<Vec<Resource>, AwsError> {
        let id = self.0.id();
        let mut left = account.volumes(&format!("kubernetes.io/cluster/{id}")).await?;
        let volumes = account.volumes(VOLUME_TAG).await?;
        let is_of_cluster = |volume: &Resource| {
            volume.tags.iter().any(|(key, value)| {
                ["KubernetesCluster", "eks:eks-cluster-name"].contains(&key.as_str()) && *value == id
            })
        };
        left.extend(volumes.into_iter().filter(is_of_cluster));
        left.sort();
        left.dedup();
        Ok(left)
    }
}

impl Step for Audit {
    type Work = ();

    fn id(&self) -> StepId {
        self.0.step("remove/leftovers")
    }

    fn cluster(&self) -> Option<&ClusterName> {
        Some(&self.0.name)
    }

    fn purpose(&self) -> &'static str {
        "nothing of it is left in the account"
    }

    async fn observe(&self, _: &Facts) -> Result<Observed, Stop> {
        let (account, identity) = self.0.account().await?;
        // While it stands, what it has made is in use.
        let is_own = matches!(self.0.eks.network, EksNetwork::Own { .. });
        let stands = control_plane::look(&account, &self.0).await?.is_some();
        if stands || (is_own && NetworkStack::look(&account, &self.0).await?.is_some()) {
            return Ok(Observed::default());
        }
        let left = self.left(&account).await?;
        if left.is_empty() {
            return Ok(Observed::default());
        }
        let things = left.iter().map(|resource| format!("\n  {resource}")).collect();
        let error = Left { cluster: self.0.name.clone(), account: identity.account, things };
        let hint = "keep what you need and delete the rest; nothing else of it is there";
        Err(Failure::from(error).with_hint(hint).into())
    }
}
