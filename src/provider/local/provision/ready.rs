//! The step `<cluster>/provision/ready`: workloads can run.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{Node, ServiceAccount};
use kube::Api;
use kube::Client;
use kube::api::{DeleteParams, ListParams};

use crate::engine::{Change, Facts, Failure, Observed, Step, StepId, Stop, Writer};
use crate::provider::local::LocalCluster;
use crate::provider::nodes::unready;
use crate::site::name::ClusterName;

#[derive(Debug, thiserror::Error)]
#[error("cannot {operation} of {cluster}")]
struct ReadyError {
    operation: &'static str,
    cluster: ClusterName,
    source: kube::Error,
}

pub(in crate::provider::local) struct AwaitNodes(pub(in crate::provider::local) LocalCluster);

impl AwaitNodes {
    fn failed(&self, operation: &'static str) -> impl FnOnce(kube::Error) -> ReadyError {
        let cluster = self.0.name.clone();
        move |source| ReadyError { operation, cluster, source }
    }

    async fn client(&self, facts: &Facts) -> Result<Client, Stop> {
        Ok(self.0.env.clients.get(facts.access(&self.0.name)?).await?)
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

    /// The nodes that the profile does not count any more.
    fn surplus(&self, nodes: &BTreeMap<String, Option<String>>) -> Vec<String> {
        nodes.keys().filter(|name| !self.0.nodes.contains(name)).cloned().collect()
    }

    fn differences(&self, nodes: &BTreeMap<String, Option<String>>, surplus: &[String]) -> Vec<Change> {
        let subject = |name: &String| format!("node {name}");
        let wanted = self.0.nodes.iter().filter_map(|name| match nodes.get(name) {
            None => Some(Change::wait(subject(name), "not registered yet")),
            Some(Some(reason)) => Some(Change::wait(subject(name), reason)),
            Some(None) => None,
        });
        wanted.chain(surplus.iter().map(|name| Change::delete(subject(name)))).collect()
    }
}

/// Nodes to be removed, and from which cluster. Everything else comes by itself.
pub(in crate::provider::local) struct Work {
    client: Client,
    surplus: Vec<String>,
}

impl Step for AwaitNodes {
    type Work = Work;

    fn id(&self) -> StepId {
        StepId::of(&self.0.name, "provision/ready")
    }

    fn cluster(&self) -> Option<&ClusterName> {
        Some(&self.0.name)
    }

    fn purpose(&self) -> &'static str {
        "its nodes are ready"
    }

    async fn observe(&self, facts: &Facts) -> Result<Observed<Work>, Stop> {
        let client = self.client(facts).await?;
        let nodes = self.nodes(&client).await?;
        let surplus = self.surplus(&nodes);
        let mut changes = self.differences(&nodes, &surplus);
        // Made by the controllers in every namespace; pods are refused without it.
        let accounts = Api::<ServiceAccount>::namespaced(client.clone(), "default");
        let account = accounts.get_opt("default").await.map_err(self.failed("look at the ServiceAccount"))?;
        if account.is_none() {
            changes.push(Change::wait("ServiceAccount default/default", "not made by the controllers yet"));
        }
        let work = (!surplus.is_empty()).then_some(Work { client, surplus });
        Ok(Observed { facts: Facts::default(), changes, work })
    }

    async fn apply(&self, work: Work, _: &Facts, writer: &Writer) -> Result<(), Failure> {
        let nodes = Api::<Node>::all(work.client);
        for name in &work.surplus {
            let removed = writer.perform(nodes.delete(name, &DeleteParams::default())).await;
            removed.map_err(self.failed("remove a node"))?;
        }
        Ok(())
    }
}
