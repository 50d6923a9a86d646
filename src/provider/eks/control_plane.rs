//! The step `<cluster>/provision/control-plane`: the cluster of EKS itself.

mod settings;
mod update;

use std::sync::Arc;
use std::time::Duration;

use aws_sdk_eks::types::{
    AuthenticationMode, BlockStorage, Cluster, ClusterStatus, ComputeConfigRequest,
    CreateAccessConfigRequest, ElasticLoadBalancing, KubernetesNetworkConfigRequest, StorageConfigRequest,
    SupportType, UpgradePolicyRequest,
};
use jiff::Timestamp;
use semver::Version;
use serde_json::{Value, json};

use super::asked::{Asked, once_known};
use super::cluster::EksCluster;
use super::issues::Issues;
use super::roles::{CONTROL_PLANE, NODE};
use crate::aws::{Account, Answer as _, AwsError, Identity};
use crate::engine::facts::Network;
use crate::engine::{Change, Facts, Failure, Observed, Step, StepId, Stop, Writer};
use crate::site::EksNodes;
use crate::site::name::ClusterName;
use settings::{described, endpoint, logging, logs, vpc_config};
use update::Update;

pub(super) struct ControlPlane {
    cluster: Arc<EksCluster>,
    asked: Asked,
}

/// What is to be done about the cluster.
pub(super) enum Work {
    Create { network: Network },
    Change(Vec<Update>),
}

#[derive(Debug, thiserror::Error)]
enum ControlPlaneError {
    #[error("EKS could not make the cluster {id} ({status}){issues}")]
    Failed { id: String, status: String, issues: String },
    #[error("`{cluster}` is of Kubernetes {live} and the profile says {wanted}: {why}")]
    Version { cluster: ClusterName, live: String, wanted: String, why: &'static str },
}

/// The cluster, if it is there.
pub(super) async fn look(account: &Account, cluster: &EksCluster) -> Result<Option<Cluster>, Failure> {
    let id = cluster.id();
    let answer = account.eks.describe_cluster().name(&id).send().await;
    let answer = answer.map_err(|error| AwsError::of("look at", subject(&id), &error)).if_present()?;
    let Some(found) = answer.and_then(|answer| answer.cluster) else { return Ok(None) };
    if cluster.owns(tags(found.tags.as_ref())) {
        Ok(Some(found))
    } else {
        Err(cluster.not_ours(subject(&id)))
    }
}

pub(super) fn subject(id: &str) -> String {
    format!("EKS cluster {id}")
}

type Tags = std::collections::HashMap<String, String>;

pub(super) fn tags(tags: Option<&Tags>) -> impl Iterator<Item = (&str, &str)> {
    tags.into_iter().flatten().map(|(key, value)| (key.as_str(), value.as_str()))
}

impl ControlPlane {
    pub(super) fn new(cluster: &Arc<EksCluster>) -> Self {
        Self { cluster: Arc::clone(cluster), asked: Asked::default() }
    }

    async fn look(&self, facts: &Facts) -> Result<Observed<Work>, Stop> {
        let (account, _) = self.cluster.account().await?;
        let id = self.cluster.id();
        let Some(found) = look(&account, &self.cluster).await? else {
            let network = facts.network(&self.cluster.name).cloned();
            let change =
                Change::create(subject(&id)).with_detail(self.described()).with_content(&self.content());
            return match network {
                Ok(network) => {
                    Ok(self.asked.settle(Observed::differs(vec![change], Work::Create { network })))
                }
                // Planned before its network is there, it is shown all the same.
                Err(_) => Ok(Observed { facts: Facts::default(), changes: vec![change], work: None }),
            };
        };
        match found.status.clone().unwrap_or_else(|| "UNKNOWN".into()) {
            ClusterStatus::Active => self.differences(&id, &found),
            ClusterStatus::Failed => {
                let error = ControlPlaneError::Failed {
                    id,
                    status: "FAILED".to_owned(),
                    issues: Issues::of_cluster(&found).lines(),
                };
                let hint =
                    format!("bridgehead down {} takes it away; mend the cause first", self.cluster.site.name);
                Err(Failure::from(error).with_hint(hint).into())
            }
            status => Ok(Observed::waits(vec![Change::wait(subject(&id), waiting(&status, &found))])),
        }
    }

    fn differences(&self, id: &str, found: &Cluster) -> Result<Observed<Work>, Stop> {
        let eks = &self.cluster.eks;
        let (mut changes, mut updates) = (Vec::new(), Vec::new());
        let mut differs = |part: &str, detail: String, content: Value, update| {
            changes.push(Change::update(format!("{} ({part})", subject(id)), detail).with_content(&content));
            updates.push(update);
        };
        let live = found.version().unwrap_or_default();
        if let Some(wanted) = eks.version.as_deref().filter(|wanted| *wanted != live) {
            self.check_version(live, wanted)?;
            let detail = format!("Kubernetes {live} -> {wanted}");
            differs("version", detail, json!(wanted), Update::Version(wanted.to_owned()));
        }
        let endpoint = endpoint(found);
        if endpoint != eks.endpoint {
            let detail = format!("{} -> {}", described(&endpoint), described(&eks.endpoint));
            let content = json!([eks.endpoint.public, eks.endpoint.private]);
            differs("endpoint", detail, content, Update::Endpoint(eks.endpoint.clone()));
        }
        let (logs, mut wanted) = (logs(found), eks.logging.clone());
        wanted.sort();
        if logs != wanted {
            let list = |logs: &[String]| if logs.is_empty() { "none".to_owned() } else { logs.join(", ") };
            let detail = format!("{} -> {}", list(&logs), list(&wanted));
            differs("logging", detail, json!(wanted), Update::Logging(wanted));
        }
        let protect = self.cluster.site.protect;
        if found.deletion_protection().unwrap_or_default() != protect {
            let detail = if protect { "on" } else { "off" };
            differs("deletion protection", detail.to_owned(), json!(protect), Update::Protection(protect));
        }
        let missing = self.cluster.missing_tags(tags(found.tags.as_ref()));
        if !missing.is_empty() {
            let detail = missing.keys().cloned().collect::<Vec<_>>().join(", ");
            differs("tags", detail, json!(missing), Update::Tags(missing));
        }
        Ok(self.asked.settle(Observed::differs(changes, Work::Change(updates))))
    }

    /// EKS goes up one minor version at a time, and not down (Amazon EKS User Guide, "Update existing cluster to new
    /// Kubernetes version").
    fn check_version(&self, live: &str, wanted: &str) -> Result<(), Failure> {
        let parse = |text: &str| Version::parse(&format!("{text}.0")).ok();
        let (Some(from), Some(to)) = (parse(live), parse(wanted)) else { return Ok(()) };
        let why = if to.minor < from.minor {
            "a control plane does not go back"
        } else if to.minor > from.minor + 1 {
            "a control plane goes up one minor version at a time"
        } else {
            return Ok(());
        };
        let error = ControlPlaneError::Version {
            cluster: self.cluster.name.clone(),
            live: live.to_owned(),
            wanted: wanted.to_owned(),
            why,
        };
        let next = if to.minor < from.minor { from.minor } else { from.minor + 1 };
        Err(Failure::from(error).with_hint(format!("write `version = \"1.{next}\"`, and run again")))
    }

    fn described(&self) -> String {
        let eks = &self.cluster.eks;
        let version = eks
            .version
            .as_deref()
            .map_or("EKS's default version".to_owned(), |version| format!("Kubernetes {version}"));
        format!("{version} in {}, endpoint {}", eks.region, described(&eks.endpoint))
    }

    fn content(&self) -> Value {
        let eks = &self.cluster.eks;
        json!({
            "version": eks.version,
            "public": eks.endpoint.public,
            "private": eks.endpoint.private,
            "logging": eks.logging,
            "auto": eks.nodes == EksNodes::Auto,
            "protect": self.cluster.site.protect,
            "tags": self.cluster.tags(),
        })
    }

    /// Every field is sent whose default would be a trap: an account that has no access entries yet, an administrator
    /// that nobody named, addons that nobody can update, and a bill that multiplies when a version grows old.
    async fn create(
        &self,
        account: &Account,
        identity: &Identity,
        network: &Network,
        writer: &Writer,
    ) -> Result<(), Failure> {
        let EksCluster { eks, site, .. } = self.cluster.as_ref();
        let id = self.cluster.id();
        let access = CreateAccessConfigRequest::builder()
            .authentication_mode(AuthenticationMode::Api)
            .bootstrap_cluster_creator_admin_permissions(false)
            .build();
        let mut create = account
            .eks
            .create_cluster()
            .name(&id)
            .role_arn(self.cluster.role_arn(identity, CONTROL_PLANE))
            .set_version(eks.version.clone())
            .resources_vpc_config(
                vpc_config(&eks.endpoint).set_subnet_ids(Some(network.subnets.clone())).build(),
            )
            .access_config(access)
            .bootstrap_self_managed_addons(false)
            .upgrade_policy(UpgradePolicyRequest::builder().support_type(SupportType::Standard).build())
            .deletion_protection(site.protect)
            .logging(logging(&eks.logging))
            .set_tags(Some(self.cluster.tags().into_iter().collect()));
        if eks.nodes == EksNodes::Auto {
            let balancing = ElasticLoadBalancing::builder().enabled(true).build();
            let network = KubernetesNetworkConfigRequest::builder().elastic_load_balancing(balancing).build();
            let compute = ComputeConfigRequest::builder()
                .enabled(true)
                .node_pools("general-purpose")
                .node_pools("system")
                .node_role_arn(self.cluster.role_arn(identity, NODE))
                .build();
            let storage = BlockStorage::builder().enabled(true).build();
            create = create
                .compute_config(compute)
                .kubernetes_network_config(network)
                .storage_config(StorageConfigRequest::builder().block_storage(storage).build());
        }
        let failed = |error: &_| AwsError::of("create", subject(&id), error);
        match once_known(writer, || create.clone().send(), failed).await {
            // An earlier attempt was heard: the next look says whose it is.
            Err(error) if !error.is_conflict() => Err(error.into()),
            _ => Ok(()),
        }
    }
}

impl Step for ControlPlane {
    type Work = Work;

    fn id(&self) -> StepId {
        self.cluster.step("provision/control-plane")
    }

    fn cluster(&self) -> Option<&ClusterName> {
        Some(&self.cluster.name)
    }

    fn purpose(&self) -> &'static str {
        "the cluster of EKS is there, as the profile says"
    }

    async fn observe(&self, facts: &Facts) -> Result<Observed<Work>, Stop> {
        self.look(facts).await
    }

    async fn apply(&self, work: Work, _: &Facts, writer: &Writer) -> Result<(), Failure> {
        let (account, identity) = self.cluster.account().await?;
        match work {
            Work::Create { network } => {
                Box::pin(self.create(&account, &identity, &network, writer)).await?;
                self.asked.set();
            }
            Work::Change(updates) => {
                for update in updates {
                    update.make(&self.cluster, &account, writer).await?;
                }
                self.asked.set();
            }
        }
        Ok(())
    }

    /// A control plane takes 8 to 15 minutes.
    fn patience(&self) -> Duration {
        Duration::from_mins(40)
    }

    fn longest_pause(&self) -> Duration {
        Duration::from_secs(5)
    }
}

/// What is waited for, since when, and how long it usually takes.
fn waiting(status: &ClusterStatus, cluster: &Cluster) -> String {
    let status = status.as_str();
    let since = cluster.created_at.as_ref().filter(|_| status == "CREATING").map(|created| {
        let minutes = (Timestamp::now().as_second() - created.secs()) / 60;
        format!(" for {minutes} min (it usually takes 8 to 15)")
    });
    format!("{status}{}{}", since.unwrap_or_default(), Issues::of_cluster(cluster).in_line())
}
