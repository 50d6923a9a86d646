//! The step `<cluster>/provision/access`: the API answers from here and knows us, and how to reach it is known.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use aws_sdk_eks::types::{Cluster, ClusterStatus};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::cluster::EksCluster;
use super::control_plane;
use crate::aws::Identity;
use crate::engine::facts::{ClusterFacts, Metadata, Unreachable, WithoutApi};
use crate::engine::{Access, Change, Facts, Failure, Observed, Step, StepId, Stop};
use crate::k8s::{Kind, api};
use crate::provider::api_server;
use crate::provider::presence::{Sighting, unreachable};
use crate::site::name::ClusterName;

pub(super) struct ReachApi(pub(super) Arc<EksCluster>);

impl ReachApi {
    async fn look(&self) -> Result<Observed, Stop> {
        let (account, identity) = self.0.account().await?;
        let Some(found) = control_plane::look(&account, &self.0).await? else {
            return Ok(Observed::waits(vec![self.wait("EKS does not know it yet")]));
        };
        let Some(access) = access(&self.0, &found) else {
            return Ok(Observed::waits(vec![self.wait("EKS has not said where it is yet")]));
        };
        let client = self.0.env.clients.get(&access).await?;
        if let Some(reason) = api_server::unserving(&client).await {
            return Ok(Observed::waits(vec![self.wait(&reason)]));
        }
        // An access entry takes some seconds to be known there.
        if let Err(error) = api::get(&client, &Kind::NAMESPACE, None, "kube-system").await {
            return match error.status().map(|status| status.code) {
                Some(401 | 403) => Ok(Observed::waits(vec![self.wait("it does not know us yet")])),
                _ => Err(error.into()),
            };
        }
        let version = client.apiserver_version().await.ok().map(|version| version.git_version);
        let metadata = Some(self.metadata(&identity, &found));
        let known = ClusterFacts { access: Some(access), version, metadata, ..ClusterFacts::default() };
        Ok(Observed::ready(Facts::of(&self.0.name, known)))
    }

    /// What the ecosystem's addons want to know of a cluster at AWS.
    fn metadata(&self, identity: &Identity, found: &Cluster) -> Metadata {
        let id = self.0.id();
        let vpc = found.resources_vpc_config().and_then(|config| config.vpc_id()).unwrap_or_default();
        let annotations = [
            ("aws_cluster_name", id.as_str()),
            ("aws_region", &self.0.eks.region),
            ("aws_account_id", &identity.account),
            ("aws_vpc_id", vpc),
        ];
        Metadata {
            labels: BTreeMap::from([("aws_cluster_name".to_owned(), id.clone())]),
            annotations: annotations.map(|(key, value)| (key.to_owned(), value.to_owned())).into(),
        }
    }

    fn wait(&self, reason: &str) -> Change {
        Change::wait(format!("API server of {}", self.0.name), reason)
    }
}

impl Step for ReachApi {
    type Work = ();

    fn id(&self) -> StepId {
        self.0.step("provision/access")
    }

    fn cluster(&self) -> Option<&ClusterName> {
        Some(&self.0.name)
    }

    fn purpose(&self) -> &'static str {
        "its API serves, and it is known how to reach it"
    }

    async fn observe(&self, facts: &Facts) -> Result<Observed, Stop> {
        // Nothing is there to wait for while the cluster is only planned.
        facts.network(&self.0.name)?;
        self.look().await
    }

    fn patience(&self) -> Duration {
        Duration::from_mins(10)
    }
}

/// How an API is reached, once EKS has said so.
fn access(cluster: &EksCluster, found: &Cluster) -> Option<Access> {
    let authority = found.certificate_authority()?.data()?;
    let authority = String::from_utf8(STANDARD.decode(authority).ok()?).ok()?;
    Some(cluster.access(found.endpoint()?, authority))
}

/// What EKS can say of a cluster that is to be taken down. Gone is what AWS says is gone, in the account that is right.
pub(super) async fn sight(cluster: &Arc<EksCluster>) -> Sighting {
    let look = async {
        let (account, identity) = cluster.account().await?;
        Ok::<_, Failure>((control_plane::look(&account, cluster).await?, identity))
    };
    match look.await {
        Err(failure) => Sighting::Unknown(unreachable(&failure, false, WithoutApi::Nothing)),
        Ok((None, identity)) => Sighting::Gone(format!(
            "AWS knows no EKS cluster {} in {} of the account {}",
            cluster.id(),
            cluster.eks.region,
            identity.account
        )),
        Ok((Some(found), _)) => match (found.status.as_ref(), access(cluster, &found)) {
            (Some(ClusterStatus::Active | ClusterStatus::Updating), Some(access)) => {
                Sighting::At(access, WithoutApi::Destroy)
            }
            (status, _) => {
                let status = status.map_or("of no status", |status| status.as_str());
                let cause = format!("EKS says that it is {status}");
                Sighting::Unknown(Unreachable {
                    cause,
                    hint: None,
                    is_passing: true,
                    provider: WithoutApi::Destroy,
                })
            }
        },
    }
}
