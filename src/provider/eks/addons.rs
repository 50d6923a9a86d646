//! The steps `<cluster>/provision/addons`: EKS's own addons are asked for, before there are nodes for them to run on; and
//! `<cluster>/provision/addons-ready`: they work.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use aws_sdk_eks::types::{Addon, AddonStatus, ResolveConflicts};
use futures::future::try_join_all;
use serde_json::json;

use super::asked::Asked;
use super::cluster::EksCluster;
use super::control_plane::{self, tags};
use super::issues::Issues;
use crate::aws::{Account, Answer as _, AwsError};
use crate::engine::{Change, Facts, Failure, Observed, Step, StepId, Stop, Writer};
use crate::site::EksNodes;
use crate::site::name::ClusterName;

/// What a cluster with node groups needs to work at all: as it is made here, EKS installs nothing by itself. In Auto Mode
/// all of it is built in.
const NEEDED: [&str; 4] = ["vpc-cni", "kube-proxy", "coredns", "eks-pod-identity-agent"];

/// The addons of a cluster and their versions, where the profile names them.
fn wanted(cluster: &EksCluster) -> BTreeMap<String, Option<String>> {
    let needed: &[&str] = if cluster.eks.nodes == EksNodes::Auto { &[] } else { &NEEDED };
    let mut wanted: BTreeMap<_, _> = needed.iter().map(|name| ((*name).to_owned(), None)).collect();
    wanted.extend(cluster.eks.addons.clone());
    wanted
}

async fn look(account: &Account, cluster: &EksCluster, name: &str) -> Result<Option<Addon>, AwsError> {
    let answer = account.eks.describe_addon().cluster_name(cluster.id()).addon_name(name).send().await;
    let answer =
        answer.map_err(|error| AwsError::of("look at", subject(cluster, name), &error)).if_present()?;
    Ok(answer.and_then(|answer| answer.addon))
}

fn subject(cluster: &EksCluster, name: &str) -> String {
    format!("EKS addon {name} of {}", control_plane::subject(&cluster.id()))
}

pub(super) struct AskForAddons {
    cluster: Arc<EksCluster>,
    asked: Asked,
}

/// What is to be done about one addon.
pub(super) enum Deed {
    Create { name: String, version: Option<String> },
    Update { name: String, version: String },
    Tag { name: String, arn: String, tags: BTreeMap<String, String> },
}

impl AskForAddons {
    pub(super) fn new(cluster: &Arc<EksCluster>) -> Self {
        Self { cluster: Arc::clone(cluster), asked: Asked::default() }
    }

    async fn look(
        &self,
        account: &Account,
        name: &str,
        version: Option<&str>,
    ) -> Result<Option<(Change, Deed)>, AwsError> {
        let subject = subject(&self.cluster, name);
        let name = name.to_owned();
        let Some(found) = look(account, &self.cluster, &name).await? else {
            let detail =
                version.map_or("EKS's default version".to_owned(), |version| format!("version {version}"));
            let change = Change::create(subject).with_detail(detail).with_content(&json!(version));
            return Ok(Some((change, Deed::Create { name, version: version.map(ToOwned::to_owned) })));
        };
        let live = found.addon_version().unwrap_or_default();
        if let Some(version) = version.filter(|version| *version != live) {
            let change = Change::update(subject, format!("version {live} -> {version}"));
            let deed = Deed::Update { name, version: version.to_owned() };
            return Ok(Some((change.with_content(&json!(version)), deed)));
        }
        let missing = self.cluster.missing_tags(tags(found.tags.as_ref()));
        if missing.is_empty() {
            return Ok(None);
        }
        let keys = missing.keys().cloned().collect::<Vec<_>>().join(", ");
        let change = Change::update(subject, format!("tags {keys}")).with_content(&missing);
        let arn = found.addon_arn().unwrap_or_default().to_owned();
        Ok(Some((change, Deed::Tag { name, arn, tags: missing })))
    }
}

impl Step for AskForAddons {
    type Work = Vec<Deed>;

    fn id(&self) -> StepId {
        self.cluster.step("provision/addons")
    }

    fn cluster(&self) -> Option<&ClusterName> {
        Some(&self.cluster.name)
    }

    fn purpose(&self) -> &'static str {
        "EKS's own addons are there, of the versions that the profile says"
    }

    async fn observe(&self, _: &Facts) -> Result<Observed<Self::Work>, Stop> {
        let (account, _) = self.cluster.account().await?;
        let wanted = wanted(&self.cluster);
        let looks = wanted.iter().map(|(name, version)| self.look(&account, name, version.as_deref()));
        let found = try_join_all(looks).await?;
        let (changes, deeds): (Vec<_>, Vec<_>) = found.into_iter().flatten().unzip();
        Ok(self.asked.settle(Observed::differs(changes, deeds)))
    }

    async fn apply(&self, deeds: Vec<Deed>, _: &Facts, writer: &Writer) -> Result<(), Failure> {
        let (account, _) = self.cluster.account().await?;
        let id = self.cluster.id();
        for deed in deeds {
            match deed {
                Deed::Create { name, version } => {
                    let create = account
                        .eks
                        .create_addon()
                        .cluster_name(&id)
                        .addon_name(&name)
                        .set_addon_version(version)
                        .resolve_conflicts(ResolveConflicts::Overwrite)
                        .set_tags(Some(self.cluster.tags().into_iter().collect()))
                        .send();
                    let created = writer.perform(create).await;
                    match created
                        .map_err(|error| AwsError::of("create", subject(&self.cluster, &name), &error))
                    {
                        Err(error) if !error.is_conflict() => return Err(error.into()),
                        _ => {}
                    }
                }
                Deed::Update { name, version } => {
                    let update = account
                        .eks
                        .update_addon()
                        .cluster_name(&id)
                        .addon_name(&name)
                        .addon_version(version)
                        .resolve_conflicts(ResolveConflicts::Preserve)
                        .send();
                    let updated = writer.perform(update).await;
                    updated.map_err(|error| AwsError::of("update", subject(&self.cluster, &name), &error))?;
                }
                Deed::Tag { name, arn, tags } => {
                    let subject = subject(&self.cluster, &name);
                    self.cluster.tag(&account, &subject, (arn, tags), writer).await?;
                }
            }
        }
        self.asked.set();
        Ok(())
    }
}

#[derive(Debug, thiserror::Error)]
#[error("{addon} is {status}{issues}")]
struct Unhealthy {
    addon: String,
    status: String,
    issues: String,
}

/// See the module.
pub(super) struct AwaitAddons(pub(super) Arc<EksCluster>);

impl AwaitAddons {
    async fn look(&self, account: &Account, name: &str) -> Result<Option<Change>, Failure> {
        let subject = subject(&self.0, name);
        let Some(found) = look(account, &self.0, name).await? else {
            return Ok(Some(Change::wait(subject, "EKS does not know it yet")));
        };
        let issues = Issues::of_addon(&found);
        match found.status.unwrap_or_else(|| "UNKNOWN".into()) {
            AddonStatus::Active => Ok(None),
            status @ (AddonStatus::CreateFailed | AddonStatus::UpdateFailed | AddonStatus::DeleteFailed) => {
                Err(Unhealthy { addon: subject, status: status.as_str().to_owned(), issues: issues.lines() }
                    .into())
            }
            status => {
                let detail = format!("{}{}", status.as_str(), issues.in_line());
                Ok(Some(Change::wait(subject, detail)))
            }
        }
    }
}

impl Step for AwaitAddons {
    type Work = ();

    fn id(&self) -> StepId {
        self.0.step("provision/addons-ready")
    }

    fn cluster(&self) -> Option<&ClusterName> {
        Some(&self.0.name)
    }

    fn purpose(&self) -> &'static str {
        "EKS's own addons work"
    }

    async fn observe(&self, _: &Facts) -> Result<Observed, Stop> {
        let (account, _) = self.0.account().await?;
        let wanted = wanted(&self.0);
        let found = try_join_all(wanted.keys().map(|name| self.look(&account, name))).await?;
        Ok(Observed::waits(found.into_iter().flatten().collect()))
    }

    fn patience(&self) -> Duration {
        Duration::from_mins(15)
    }

    fn longest_pause(&self) -> Duration {
        Duration::from_secs(5)
    }
}
