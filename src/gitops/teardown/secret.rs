//! The step that ends a cluster's registration on the hub.

use serde_json::Value;

use crate::engine::{Change, Facts, Failure, Observed, Step, StepId, Stop, Writer};
use crate::gitops::Scope;
use crate::gitops::cluster_secret::{given_back, registration_of};
use crate::gitops::hub::Hub;
use crate::k8s::{Kind, Object};
use crate::site::name::ClusterName;

/// The step `<cluster>/registration/secret` of a teardown: the Secret is gone if we made it; one of somebody else's is
/// as it was before we used it.
pub(super) struct Unregistered {
    scope: Scope,
    cluster: ClusterName,
}

/// What is to be done about a Secret.
pub(super) enum Work {
    Delete(Hub, String),
    /// Give it back, by this merge patch.
    GiveBack(Hub, String, Value),
}

impl Unregistered {
    pub(super) fn new(scope: &Scope, cluster: &ClusterName) -> Self {
        Self { scope: scope.clone(), cluster: cluster.clone() }
    }
}

fn given(hub: Hub, secret: &Object) -> Observed<Work> {
    let (patch, [labels, annotations]) = given_back(secret);
    let detail = format!("put back {labels} labels and {annotations} annotations as they were");
    let change = Change::update(secret.to_string(), detail)
        .with_content(&[&patch["metadata"]["labels"], &patch["metadata"]["annotations"]]);
    Observed::differs(vec![change], Work::GiveBack(hub, secret.name().to_owned(), patch))
}

impl Step for Unregistered {
    type Work = Work;

    fn id(&self) -> StepId {
        StepId::of(&self.cluster, "registration/secret")
    }

    fn cluster(&self) -> Option<&ClusterName> {
        Some(&self.cluster)
    }

    fn purpose(&self) -> &'static str {
        "the cluster Secret is gone, or its owner's again"
    }

    async fn observe(&self, facts: &Facts) -> Result<Observed<Work>, Stop> {
        let Some(hub) = Hub::standing(&self.scope, facts).await? else { return Ok(Observed::default()) };
        let Some((secret, is_made)) = registration_of(&self.scope, &hub.client, &self.cluster).await? else {
            return Ok(Observed::default());
        };
        if !is_made {
            return Ok(given(hub, &secret));
        }
        if secret.get(&["metadata", "deletionTimestamp"]).is_some() {
            return Ok(Observed::waits(vec![Change::wait(secret.to_string(), "it is being deleted")]));
        }
        let change = Change::delete(secret.to_string());
        Ok(Observed::differs(vec![change], Work::Delete(hub, secret.name().to_owned())))
    }

    async fn apply(&self, work: Work, _: &Facts, writer: &Writer) -> Result<(), Failure> {
        match work {
            Work::Delete(hub, name) => writer.perform(hub.delete(&Kind::SECRET, &name)).await?,
            Work::GiveBack(hub, name, patch) => {
                writer.perform(hub.change(&Kind::SECRET, &name, &patch)).await?;
            }
        }
        Ok(())
    }
}
