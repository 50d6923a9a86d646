//! The step `<cluster>/provision/ready`: workloads can run.

use std::collections::BTreeMap;
use std::sync::Arc;

use k8s_openapi::api::core::v1::{Node, ServiceAccount};
use kube::Api;
use kube::Client;
use kube::api::{DeleteParams, ListParams};

use crate::engine::{Change, Facts, Failure, Observed, Step, StepId, Stop, Writer};
use crate::env::Env;
use crate::provider::nodes::unready;
use crate::site::name::ClusterName;

#[derive(Debug, thiserror::Error)]
#[error("cannot {operation} of {cluster}")]
struct ReadyError {
    operation: &'static str,
    cluster: ClusterName,
    source: kube::Error,
}

pub(super) struct Ready {
    cluster: ClusterName,
    nodes: Vec<String>,
    env: Arc<Env>,
}

impl Ready {
    pub(super) const fn new(cluster: ClusterName, nodes: Vec<String>, env: Arc<Env>) -> Self {
        Self { cluster, nodes, env }
    }

    fn failed(&self, operation: &'static str) -> impl FnOnce(kube::Error) -> ReadyError {
        let cluster = self.cluster.clone();
        move |source| ReadyError { operation, cluster, source }
    }

    async fn client(&self, facts: &Facts) -> Result<Client, Stop> {
        Ok(self.env.clients.get(facts.access(&self.cluster)?).await?)
    }

    /// Every node of the cluster, and why it is not ready.
    async fn nodes(&self, client: &Client) -> Result<BTreeMap<String, Option<String>>, ReadyError> {
        let nodes = Api::<Node>::all(client.clone()).list(&ListParams::default()).await;
        let nodes = nodes.map_err(self.failed("list the nodes"))?;
        Ok(nodes
            .into_iter()
            .map(|node| (node.metadata.name.clone().unwrap_or_default(), unready(&node)))
            .collect())
    }

    fn differences(&self, nodes: &BTreeMap<String, Option<String>>) -> Vec<Change> {
        let subject = |name: &String| format!("node {name}");
        let surplus = nodes.keys().filter(|name| !self.nodes.contains(name));
        let wanted = self.nodes.iter().filter_map(|name| match nodes.get(name) {
            None => Some(Change::wait(subject(name), "not registered yet")),
            Some(Some(reason)) => Some(Change::wait(subject(name), reason)),
            Some(None) => None,
        });
        wanted.chain(surplus.map(|name| Change::delete(subject(name)))).collect()
    }
}

impl Step for Ready {
    type Work = ();

    fn id(&self) -> StepId {
        StepId::of(&self.cluster, "provision/ready")
    }

    fn cluster(&self) -> Option<&ClusterName> {
        Some(&self.cluster)
    }

    async fn observe(&self, facts: &Facts) -> Result<Observed, Stop> {
        let client = self.client(facts).await?;
        let mut changes = self.differences(&self.nodes(&client).await?);
        // Made by the controllers in every namespace; pods are refused without it.
        let accounts = Api::<ServiceAccount>::namespaced(client, "default");
        let account = accounts.get_opt("default").await.map_err(self.failed("look at the ServiceAccount"))?;
        if account.is_none() {
            changes.push(Change::wait("ServiceAccount default/default", "not made by the controllers yet"));
        }
        Ok(Observed::differs(changes, ()))
    }

    /// Removes nodes that the profile no longer counts. Everything else comes by itself.
    async fn apply(&self, _work: (), facts: &Facts, writer: &Writer) -> Result<(), Failure> {
        let client = match self.client(facts).await {
            Ok(client) => client,
            Err(Stop::Failed(failure)) => return Err(failure),
            // Then there is nothing to remove either.
            Err(Stop::Blocked(_)) => return Ok(()),
        };
        let nodes = Api::<Node>::all(client.clone());
        for name in self.nodes(&client).await?.keys().filter(|name| !self.nodes.contains(name)) {
            writer
                .perform(nodes.delete(name, &DeleteParams::default()))
                .await
                .map_err(self.failed("remove a node"))?;
        }
        Ok(())
    }
}
