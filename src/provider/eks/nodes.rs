//! The steps `<cluster>/provision/nodes/<group>`: its managed node groups; and `<cluster>/provision/ready`: their nodes.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use aws_sdk_eks::types::{AmiTypes, CapacityTypes, Nodegroup, NodegroupScalingConfig, NodegroupStatus};
use k8s_openapi::api::core::v1::Node;
use serde_json::{Value, json};

use super::asked::{Asked, once_known};
use super::cluster::EksCluster;
use super::control_plane::{self, tags};
use super::issues::Issues;
use super::roles::NODE;
use crate::aws::{Account, Answer as _, AwsError, Identity};
use crate::engine::facts::Network;
use crate::engine::{Change, Facts, Failure, Observed, Step, StepId, Stop, Writer};
use crate::k8s::{Kind, api};
use crate::provider::nodes::unready;
use crate::site::name::ClusterName;
use crate::site::{EksNodes, NodeGroup};

/// The label by which a node says of which group it is.
const GROUP_LABEL: &str = "eks.amazonaws.com/nodegroup";

pub(super) struct MakeNodeGroup {
    cluster: Arc<EksCluster>,
    group: NodeGroup,
    asked: Asked,
}

/// What is to be done about a group.
pub(super) enum Work {
    Create(Network),
    Change(Vec<Update>),
}

/// One update. EKS takes one at a time.
pub(super) enum Update {
    Scaling,
    Version(String),
    Tags { arn: String, tags: BTreeMap<String, String> },
}

#[derive(Debug, thiserror::Error)]
#[error("{group} is {status}{issues}")]
struct Unhealthy {
    group: String,
    status: String,
    issues: String,
}

/// A group, if it is there.
pub(super) async fn look(
    account: &Account,
    cluster: &str,
    name: &str,
) -> Result<Option<Nodegroup>, AwsError> {
    let answer = account.eks.describe_nodegroup().cluster_name(cluster).nodegroup_name(name).send().await;
    let answer =
        answer.map_err(|error| AwsError::of("look at", subject(cluster, name), &error)).if_present()?;
    Ok(answer.and_then(|answer| answer.nodegroup))
}

pub(super) fn subject(cluster: &str, name: &str) -> String {
    format!("node group {name} of {}", control_plane::subject(cluster))
}

impl MakeNodeGroup {
    pub(super) fn new(cluster: &Arc<EksCluster>, group: &NodeGroup) -> Self {
        Self { cluster: Arc::clone(cluster), group: group.clone(), asked: Asked::default() }
    }

    fn subject(&self) -> String {
        subject(&self.cluster.id(), &self.group.name)
    }

    async fn look(&self, facts: &Facts) -> Result<Observed<Work>, Stop> {
        let (account, _) = self.cluster.account().await?;
        let Some(found) = look(&account, &self.cluster.id(), &self.group.name).await? else {
            let NodeGroup { instance_types, min, max, desired, .. } = &self.group;
            let detail = format!("{desired} machines ({min} to {max}) of {}", instance_types.join(" or "));
            let change = Change::create(self.subject()).with_detail(detail).with_content(&self.content());
            return match facts.network(&self.cluster.name).cloned() {
                Ok(network) => Ok(self.asked.settle(Observed::differs(vec![change], Work::Create(network)))),
                Err(_) => Ok(Observed { facts: Facts::default(), changes: vec![change], work: None }),
            };
        };
        match found.status.clone().unwrap_or_else(|| "UNKNOWN".into()) {
            NodegroupStatus::Active => {
                let version = facts.minor_version(&self.cluster.name);
                Ok(self.differences(&found, version.as_deref()))
            }
            status @ (NodegroupStatus::CreateFailed
            | NodegroupStatus::DeleteFailed
            | NodegroupStatus::Degraded) => {
                let status = status.as_str().to_owned();
                let error = Unhealthy {
                    group: self.subject(),
                    status,
                    issues: Issues::of_node_group(&found).lines(),
                };
                let hint = format!(
                    "mend the cause; a group that could not be made goes with `aws eks delete-nodegroup --region {} --cluster-name {} --nodegroup-name {}`, and the same command again makes it anew",
                    self.cluster.eks.region,
                    self.cluster.id(),
                    self.group.name
                );
                Err(Failure::from(error).with_hint(hint).into())
            }
            status => {
                let detail = format!("{}{}", status.as_str(), Issues::of_node_group(&found).in_line());
                Ok(Observed::waits(vec![Change::wait(self.subject(), detail)]))
            }
        }
    }

    /// How many machines it has between the fewest and the most is not ours to say once it is there.
    fn differences(&self, found: &Nodegroup, cluster_version: Option<&str>) -> Observed<Work> {
        let (mut changes, mut updates) = (Vec::new(), Vec::new());
        let mut differs = |part: &str, detail: String, content: Value, update| {
            changes
                .push(Change::update(format!("{} ({part})", self.subject()), detail).with_content(&content));
            updates.push(update);
        };
        let scaling = found.scaling_config();
        let live = scaling.map(|scaling| (scaling.min_size().unwrap_or(0), scaling.max_size().unwrap_or(0)));
        let wanted = (i32::from(self.group.min), i32::from(self.group.max));
        if let Some(live) = live.filter(|live| *live != wanted) {
            let detail = format!("{} to {} machines -> {} to {}", live.0, live.1, wanted.0, wanted.1);
            differs("scaling", detail, json!([wanted.0, wanted.1]), Update::Scaling);
        }
        // Nodes follow their control plane.
        if let (Some(live), Some(wanted)) = (found.version(), cluster_version)
            && live != wanted
        {
            let detail = format!("Kubernetes {live} -> {wanted}");
            differs("version", detail, json!(wanted), Update::Version(wanted.to_owned()));
        }
        let missing = self.cluster.missing_tags(tags(found.tags.as_ref()));
        if !missing.is_empty() {
            let detail = missing.keys().cloned().collect::<Vec<_>>().join(", ");
            let arn = found.nodegroup_arn().unwrap_or_default().to_owned();
            differs("tags", detail, json!(missing), Update::Tags { arn, tags: missing });
        }
        self.asked.settle(Observed::differs(changes, Work::Change(updates)))
    }

    fn content(&self) -> Value {
        let NodeGroup { instance_types, image, is_spot, min, max, desired, disk, labels, .. } = &self.group;
        json!([instance_types, image, is_spot, min, max, desired, disk, labels, self.cluster.tags()])
    }

    fn scaling(&self, desired: Option<i32>) -> NodegroupScalingConfig {
        NodegroupScalingConfig::builder()
            .min_size(self.group.min.into())
            .max_size(self.group.max.into())
            .set_desired_size(desired)
            .build()
    }

    async fn create(
        &self,
        account: &Account,
        identity: &Identity,
        network: Network,
        writer: &Writer,
    ) -> Result<(), Failure> {
        let group = &self.group;
        let capacity = if group.is_spot { CapacityTypes::Spot } else { CapacityTypes::OnDemand };
        let create = account
            .eks
            .create_nodegroup()
            .cluster_name(self.cluster.id())
            .nodegroup_name(&group.name)
            .set_subnets(Some(network.node_subnets))
            .node_role(self.cluster.role_arn(identity, NODE))
            .scaling_config(self.scaling(Some(group.desired.into())))
            .set_instance_types(Some(group.instance_types.clone()))
            .ami_type(AmiTypes::from(group.image.as_str()))
            .capacity_type(capacity)
            .disk_size(group.disk.into())
            .set_labels(Some(group.labels.clone().into_iter().collect()))
            .set_tags(Some(self.cluster.tags().into_iter().collect()));
        let failed = |error: &_| AwsError::of("create", self.subject(), error);
        match once_known(writer, || create.clone().send(), failed).await {
            Err(error) if !error.is_conflict() => Err(error.into()),
            _ => Ok(()),
        }
    }

    async fn update(&self, account: &Account, update: Update, writer: &Writer) -> Result<(), AwsError> {
        let (id, name) = (self.cluster.id(), &self.group.name);
        match update {
            Update::Scaling => {
                let desired =
                    look(account, &id, name).await?.and_then(|found| found.scaling_config?.desired_size);
                let desired =
                    desired.map(|desired| desired.clamp(self.group.min.into(), self.group.max.into()));
                let scaling = self.scaling(desired);
                let update = account.eks.update_nodegroup_config().cluster_name(&id).nodegroup_name(name);
                let update = writer.perform(update.scaling_config(scaling).send()).await;
                update.map(drop).map_err(|error| AwsError::of("scale", self.subject(), &error))
            }
            Update::Version(version) => {
                let update = account.eks.update_nodegroup_version().cluster_name(&id).nodegroup_name(name);
                let update = writer.perform(update.version(version).send()).await;
                update.map(drop).map_err(|error| AwsError::of("update", self.subject(), &error))
            }
            Update::Tags { arn, tags } => {
                self.cluster.tag(account, &self.subject(), (arn, tags), writer).await
            }
        }
    }
}

impl Step for MakeNodeGroup {
    type Work = Work;

    fn id(&self) -> StepId {
        self.cluster.step(&format!("provision/nodes/{}", self.group.name))
    }

    fn cluster(&self) -> Option<&ClusterName> {
        Some(&self.cluster.name)
    }

    fn purpose(&self) -> &'static str {
        "the node group is there, as the profile says"
    }

    async fn observe(&self, facts: &Facts) -> Result<Observed<Work>, Stop> {
        self.look(facts).await
    }

    async fn apply(&self, work: Work, _: &Facts, writer: &Writer) -> Result<(), Failure> {
        let (account, identity) = self.cluster.account().await?;
        match work {
            Work::Create(network) => self.create(&account, &identity, network, writer).await?,
            Work::Change(updates) => {
                // The rest is found by the next look, when the first update is through.
                for update in updates {
                    self.update(&account, update, writer).await?;
                }
            }
        }
        self.asked.set();
        Ok(())
    }

    /// Machines take two to four minutes; a version is rolled out one machine after the other.
    fn patience(&self) -> Duration {
        Duration::from_mins(45)
    }

    fn longest_pause(&self) -> Duration {
        Duration::from_secs(5)
    }
}

/// See the module.
pub(super) struct AwaitNodes(pub(super) Arc<EksCluster>);

impl AwaitNodes {
    /// What is missing for each group to have the fewest nodes that it may have, all of them ready.
    async fn missing(&self, facts: &Facts) -> Result<Vec<Change>, Stop> {
        let EksNodes::Groups(groups) = &self.0.eks.nodes else { return Ok(Vec::new()) };
        let access = facts.access(&self.0.name)?;
        let client = self.0.env.clients.get(access).await?;
        let nodes: Vec<Node> = api::list_of(&client, &Kind::NODE, None, "").await?;
        let of = |group: &NodeGroup| {
            let nodes: Vec<_> = nodes
                .iter()
                .filter(|node| {
                    let labels = node.metadata.labels.as_ref();
                    labels.and_then(|labels| labels.get(GROUP_LABEL)) == Some(&group.name)
                })
                .collect();
            let ready = nodes.iter().filter(|node| unready(node).is_none()).count();
            let wanted = usize::from(group.min.max(1).min(group.desired.max(group.min)));
            let reason = nodes.iter().find_map(|node| unready(node));
            let detail = match reason {
                Some(reason) => format!("{ready} of {wanted} are ready: {reason}"),
                None => format!("{ready} of {wanted} have joined"),
            };
            (ready < wanted).then(|| Change::wait(format!("nodes of the group {}", group.name), detail))
        };
        Ok(groups.iter().filter_map(of).collect())
    }
}

impl Step for AwaitNodes {
    type Work = ();

    fn id(&self) -> StepId {
        self.0.step("provision/ready")
    }

    fn cluster(&self) -> Option<&ClusterName> {
        Some(&self.0.name)
    }

    fn purpose(&self) -> &'static str {
        "its nodes are ready"
    }

    async fn observe(&self, facts: &Facts) -> Result<Observed, Stop> {
        Ok(Observed::waits(self.missing(facts).await?))
    }

    fn patience(&self) -> Duration {
        Duration::from_mins(10)
    }
}
