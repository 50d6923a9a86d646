//! The step `<cluster>/provision/<host>/node`: the host's node is ready.

use std::time::Duration;

use k8s_openapi::api::core::v1;
use kube::Api;

use super::Member;
use crate::engine::{Change, Facts, Observed, Step, StepId, Stop};
use crate::provider::nodes;
use crate::site::name::ClusterName;

#[derive(Debug, thiserror::Error)]
#[error("cannot look at the node {node} of {cluster}")]
struct NodeError {
    node: String,
    cluster: ClusterName,
    source: Box<kube::Error>,
}

pub(super) struct AwaitNode(Member);

impl AwaitNode {
    pub(super) fn new(member: &Member) -> Self {
        Self(member.clone())
    }

    async fn look(&self, facts: &Facts) -> Result<Observed, Stop> {
        let Member { cluster, .. } = &self.0;
        let client = cluster.env.clients.get(facts.access(&cluster.name)?).await?;
        let node = self.0.node_name(&self.0.host_look(false).await?);
        let found = Api::<v1::Node>::all(client).get_opt(&node).await.map_err(|source| NodeError {
            node: node.clone(),
            cluster: cluster.name.clone(),
            source: source.into(),
        })?;
        let reason = match found {
            None => Some("not registered yet".to_owned()),
            Some(node) => nodes::unready(&node),
        };
        let changes = reason.map(|reason| Change::wait(format!("node {node}"), reason));
        Ok(Observed::waits(changes.into_iter().collect()))
    }
}

impl Step for AwaitNode {
    type Work = ();

    fn id(&self) -> StepId {
        self.0.step("provision", "node")
    }

    fn cluster(&self) -> Option<&ClusterName> {
        Some(&self.0.cluster.name)
    }

    fn purpose(&self) -> &'static str {
        "the node is ready"
    }

    async fn observe(&self, facts: &Facts) -> Result<Observed, Stop> {
        self.look(facts).await
    }

    fn patience(&self) -> Duration {
        Duration::from_mins(5)
    }
}
