//! The step `<cluster>/provision/control-plane`: the cluster of EKS itself.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use aws_sdk_eks::types::{
    AuthenticationMode, BlockStorage, Cluster, ClusterHealth, ClusterStatus, ComputeConfigRequest,
    CreateAccessConfigRequest, ElasticLoadBalancing, KubernetesNetworkConfigRequest, LogSetup, LogType,
    Logging, StorageConfigRequest, SupportType, UpdateStatus, UpgradePolicyRequest, VpcConfigRequest,
    VpcConfigResponse,
};
use jiff::Timestamp;
use semver::Version;
use serde_json::{Value, json};

use super::asked::{Asked, once_known};
use super::cluster::EksCluster;
use super::roles::{CONTROL_PLANE, NODE};
use crate::aws::{Account, Answer as _, AwsError, Identity};
use crate::engine::facts::Network;
use crate::engine::wait::Pace;
use crate::engine::{Change, Facts, Failure, Observed, Step, StepId, Stop, Writer};
use crate::site::name::ClusterName;
use crate::site::{EksEndpoint, EksNodes};

/// How long one update of a control plane may take.
const UPDATE: Duration = Duration::from_hours(1);

pub(super) struct ControlPlane {
    cluster: Arc<EksCluster>,
    asked: Asked,
}

/// What is to be done about the cluster.
pub(super) enum Work {
    Create { network: Network },
    Change(Vec<Update>),
}

/// One update. EKS takes one at a time, of one kind.
pub(super) enum Update {
    Version(String),
    Endpoint(EksEndpoint),
    Logging(Vec<String>),
    Protection(bool),
    Tags(BTreeMap<String, String>),
}

#[derive(Debug, thiserror::Error)]
enum ControlPlaneError {
    #[error("EKS could not make the cluster {id} ({status}){issues}")]
    Failed { id: String, status: String, issues: String },
    #[error("`{cluster}` is of Kubernetes {live} and the profile says {wanted}: {why}")]
    Version { cluster: ClusterName, live: String, wanted: String, why: &'static str },
    #[error("the update of the cluster {id} ended as {status}{errors}")]
    Update { id: String, status: String, errors: String },
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

/// What AWS says is wrong, one line each.
fn issues(cluster: &Cluster) -> String {
    let issues = cluster.health.as_ref().map(ClusterHealth::issues).unwrap_or_default();
    let text = |issue: &aws_sdk_eks::types::ClusterIssue| {
        let code = issue.code.as_ref().map(|code| code.as_str().to_owned()).unwrap_or_default();
        format!("\n  {code}: {}", issue.message().unwrap_or_default())
    };
    issues.iter().map(text).collect()
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
                let error =
                    ControlPlaneError::Failed { id, status: "FAILED".to_owned(), issues: issues(&found) };
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

    async fn update(&self, account: &Account, update: Update, writer: &Writer) -> Result<(), Failure> {
        let id = self.cluster.id();
        let failed = |error| AwsError::of("update", subject(&id), &error);
        let config = || account.eks.update_cluster_config().name(&id);
        let begun = match update {
            Update::Version(version) => {
                let update = account.eks.update_cluster_version().name(&id).version(version);
                let update = writer.perform(update.send()).await;
                update.map_err(|error| AwsError::of("update the version of", subject(&id), &error))?.update
            }
            Update::Endpoint(endpoint) => {
                let update = config().resources_vpc_config(vpc_config(&endpoint).build());
                writer.perform(update.send()).await.map_err(failed)?.update
            }
            Update::Logging(logs) => {
                writer.perform(config().logging(logging(&logs)).send()).await.map_err(failed)?.update
            }
            Update::Protection(protect) => {
                writer.perform(config().deletion_protection(protect).send()).await.map_err(failed)?.update
            }
            Update::Tags(tags) => {
                let arn = look(account, &self.cluster).await?.and_then(|found| found.arn).unwrap_or_default();
                let tag =
                    account.eks.tag_resource().resource_arn(arn).set_tags(Some(tags.into_iter().collect()));
                let tagged = writer.perform(tag.send()).await;
                tagged.map_err(|error| AwsError::of("tag", subject(&id), &error))?;
                None
            }
        };
        match begun.and_then(|update| update.id) {
            Some(update) => self.end(account, &update, writer).await,
            None => Ok(()),
        }
    }

    /// Waits until an update has ended: the next one is refused before that.
    async fn end(&self, account: &Account, update: &str, writer: &Writer) -> Result<(), Failure> {
        let id = self.cluster.id();
        let mut pace = Pace::new(UPDATE).with_longest_pause(Duration::from_secs(10));
        loop {
            let answer = account.eks.describe_update().name(&id).update_id(update).send().await;
            let answer =
                answer.map_err(|error| AwsError::of("look at an update of", subject(&id), &error))?;
            let found = answer.update;
            let status = found.as_ref().and_then(|update| update.status.clone());
            match status {
                Some(UpdateStatus::Successful) => return Ok(()),
                Some(status @ (UpdateStatus::Failed | UpdateStatus::Cancelled)) => {
                    let errors = found.and_then(|update| update.errors).unwrap_or_default();
                    let errors = errors
                        .iter()
                        .filter_map(|error| error.error_message())
                        .map(|text| format!("\n  {text}"));
                    let (status, errors) = (status.as_str().to_owned(), errors.collect());
                    return Err(ControlPlaneError::Update { id, status, errors }.into());
                }
                status => {
                    let status = status.map_or("UNKNOWN".to_owned(), |status| status.as_str().to_owned());
                    writer.progress(format!("the update is {status}"));
                    let goes_on = tokio::select! {
                        goes_on = pace.pause() => goes_on,
                        () = writer.cancelled() => false,
                    };
                    if !goes_on {
                        let errors =
                            "\n  it goes on at AWS; run the same command again to follow it".to_owned();
                        return Err(ControlPlaneError::Update { id, status, errors }.into());
                    }
                }
            }
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
                    self.update(&account, update, writer).await?;
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
    format!("{status}{}{}", since.unwrap_or_default(), issues(cluster).replace("\n  ", "; "))
}

fn vpc_config(endpoint: &EksEndpoint) -> aws_sdk_eks::types::builders::VpcConfigRequestBuilder {
    VpcConfigRequest::builder()
        .endpoint_public_access(endpoint.public.is_some())
        .endpoint_private_access(endpoint.private)
        .set_public_access_cidrs(endpoint.public.clone())
}

fn endpoint(cluster: &Cluster) -> EksEndpoint {
    let config = cluster.resources_vpc_config();
    let mut cidrs = config.map(|config| config.public_access_cidrs().to_vec()).unwrap_or_default();
    cidrs.sort();
    EksEndpoint {
        public: config.is_some_and(VpcConfigResponse::endpoint_public_access).then_some(cidrs),
        private: config.is_some_and(VpcConfigResponse::endpoint_private_access),
    }
}

fn described(endpoint: &EksEndpoint) -> String {
    let public = endpoint.public.as_ref().map(|cidrs| format!("public (from {})", cidrs.join(", ")));
    let private = endpoint.private.then(|| "private".to_owned());
    public.into_iter().chain(private).collect::<Vec<_>>().join(" and ")
}

fn logging(wanted: &[String]) -> Logging {
    let all = LogType::values();
    let (on, off): (Vec<_>, Vec<_>) =
        all.iter().partition(|kind| wanted.iter().any(|wanted| wanted == *kind));
    let setup = |kinds: Vec<&&str>, enabled| {
        let kinds = kinds.into_iter().map(|kind| LogType::from(*kind)).collect();
        LogSetup::builder().enabled(enabled).set_types(Some(kinds)).build()
    };
    let mut logging = Logging::builder();
    if !on.is_empty() {
        logging = logging.cluster_logging(setup(on, true));
    }
    if !off.is_empty() {
        logging = logging.cluster_logging(setup(off, false));
    }
    logging.build()
}

fn logs(cluster: &Cluster) -> Vec<String> {
    let setups = cluster.logging.as_ref().map(Logging::cluster_logging).unwrap_or_default();
    let on = setups.iter().filter(|setup| setup.enabled().unwrap_or_default());
    let mut logs: Vec<_> = on.flat_map(LogSetup::types).map(|kind| kind.as_str().to_owned()).collect();
    logs.sort();
    logs
}
