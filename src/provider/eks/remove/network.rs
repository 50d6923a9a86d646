//! The step `<cluster>/remove/network`: the stack of its network is gone, after what its cluster has left in there.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::aws::{Account, AwsError, Resource};
use crate::engine::{Change, Facts, Failure, Observed, Step, StepId, Stop, Writer};
use crate::provider::eks::cluster::EksCluster;
use crate::provider::eks::stack::{self, NetworkStack, Standing, faults};
use crate::site::EksNetwork;
use crate::site::name::ClusterName;

/// Descriptions of the interfaces that the nodes' own network plugin makes, and leaves where a node dies before it
/// (Amazon EKS Best Practices Guide, "Amazon VPC CNI").
const LEAKED_INTERFACE: &str = "aws-K8S-";

pub(super) struct RemoveNetwork {
    cluster: Arc<EksCluster>,
    /// Whether this run has asked for the stack to go. One that is stuck after that is told.
    asked: AtomicBool,
}

/// The network cannot go.
#[derive(Debug, thiserror::Error)]
#[error("{stack} cannot be deleted ({state}){causes}")]
struct Held {
    stack: String,
    state: String,
    causes: String,
}

impl RemoveNetwork {
    pub(super) fn new(cluster: &Arc<EksCluster>) -> Self {
        Self { cluster: Arc::clone(cluster), asked: AtomicBool::new(false) }
    }

    /// What the cluster, which is gone by now, has left in its network: interfaces that nothing uses, and the security
    /// groups that EKS, or a controller in the cluster, has marked as the cluster's own.
    async fn leaked(&self, account: &Account, vpc: &str) -> Result<Vec<Resource>, AwsError> {
        let interfaces = account.network_interfaces(vpc).await?;
        let interfaces = interfaces
            .into_iter()
            .filter(|interface| interface.is_free && interface.description.starts_with(LEAKED_INTERFACE));
        let groups = account.security_groups(vpc).await?;
        let groups = groups.into_iter().filter(|group| self.is_of_cluster(group));
        Ok(interfaces.chain(groups).collect())
    }

    fn is_of_cluster(&self, resource: &Resource) -> bool {
        let id = self.cluster.id();
        let owned = format!("kubernetes.io/cluster/{id}");
        resource.tags.iter().any(|(key, value)| {
            (*key == owned && value == "owned")
                || (["aws:eks:cluster-name", "elbv2.k8s.aws/cluster"].contains(&key.as_str()) && *value == id)
        })
    }

    async fn failure(&self, account: &Account, found: &NetworkStack) -> Result<Failure, AwsError> {
        let name = self.cluster.stack();
        let mut causes = faults(account, &name).await?;
        if let Some(vpc) = found.outputs.get("Vpc") {
            let there = [
                account.load_balancers(vpc).await?,
                account.network_interfaces(vpc).await?,
                account.security_groups(vpc).await?,
            ];
            causes.extend(there.concat().iter().map(|resource| format!("in {vpc}: {resource}")));
        }
        let causes = causes.iter().map(|cause| format!("\n  {cause}")).collect();
        let error = Held { stack: stack::subject(&name), state: found.state(), causes };
        Ok(Failure::from(error)
            .with_hint("delete what holds it, then run the same command again: the rest is gone"))
    }
}

impl Step for RemoveNetwork {
    /// What is to go before the stack does.
    type Work = Vec<Resource>;

    fn id(&self) -> StepId {
        self.cluster.step("remove/network")
    }

    fn cluster(&self) -> Option<&ClusterName> {
        Some(&self.cluster.name)
    }

    fn purpose(&self) -> &'static str {
        "its network is gone, if we made it"
    }

    async fn observe(&self, _: &Facts) -> Result<Observed<Vec<Resource>>, Stop> {
        if matches!(self.cluster.eks.network, EksNetwork::Given(_)) {
            return Ok(Observed::default());
        }
        let (account, _) = self.cluster.account().await?;
        let Some(found) = NetworkStack::look(&account, &self.cluster).await? else {
            return Ok(Observed::default());
        };
        let subject = stack::subject(&self.cluster.stack());
        let asked = self.asked.load(Ordering::Relaxed);
        match found.standing() {
            Standing::Busy => return Ok(Observed::waits(vec![Change::wait(subject, found.state())])),
            Standing::Stuck if asked => return Err(self.failure(&account, &found).await?.into()),
            _ if asked => return Ok(Observed::waits(vec![Change::wait(subject, found.state())])),
            _ => {}
        }
        let leaked = match found.outputs.get("Vpc") {
            Some(vpc) => self.leaked(&account, vpc).await?,
            None => Vec::new(),
        };
        let mut changes: Vec<_> =
            leaked.iter().map(|resource| Change::delete(resource.to_string())).collect();
        changes.push(Change::delete(subject));
        Ok(Observed::differs(changes, leaked))
    }

    async fn apply(&self, leaked: Vec<Resource>, _: &Facts, writer: &Writer) -> Result<(), Failure> {
        let (account, _) = self.cluster.account().await?;
        for resource in &leaked {
            let deleted = match resource.kind {
                "network interface" => writer.perform(account.delete_network_interface(&resource.id)).await,
                _ => writer.perform(account.delete_security_group(&resource.id)).await,
            };
            // Two groups that name each other; the stack says so if it stays.
            if let Err(error) = deleted.as_ref()
                && error.code() == Some("DependencyViolation")
            {
                writer.progress(format!("{resource} is still used: {}", error.text()));
                continue;
            }
            deleted?;
        }
        stack::delete(&account, &self.cluster.stack(), writer).await?;
        self.asked.store(true, Ordering::Relaxed);
        Ok(())
    }

    fn patience(&self) -> Duration {
        Duration::from_mins(20)
    }

    fn longest_pause(&self) -> Duration {
        Duration::from_secs(5)
    }
}
