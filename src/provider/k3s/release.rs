//! The step `<cluster>/provision/release`: what hosts lack of the release is on this machine, checked.

mod artifact;
mod download;
mod source;
mod version;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

pub(super) use artifact::{Architecture, Artifact};
pub(super) use source::ReleaseSource;
use source::Wanted;
use version::{Refusal, Version};

use super::{K3sCluster, Member};
use crate::engine::{Change, Facts, Failure, Observed, Step, StepId, Stop, Writer};
use crate::site::name::ClusterName;

/// A host must not get the release that the profile names.
#[derive(Debug, thiserror::Error)]
#[error("{host} has k3s {installed}, and {tag} is wanted: {refusal}")]
struct Refused {
    host: String,
    installed: String,
    tag: String,
    refusal: Refusal,
}

/// Nothing that it does changes a host: what was seen of them before stays true.
pub(super) struct FetchRelease {
    cluster: Arc<K3sCluster>,
}

impl FetchRelease {
    pub(super) fn new(cluster: &Arc<K3sCluster>) -> Self {
        Self { cluster: Arc::clone(cluster) }
    }

    /// The files that this machine lacks of those that hosts lack.
    async fn look(&self) -> Result<Observed<Work>, Stop> {
        let source = self.cluster.source();
        let tag = source.tag().await?;
        let (mut changes, mut missing) = (Vec::new(), Vec::new());
        for wanted in self.lacking(&source, &tag).await? {
            if !source.is_cached(&tag, &wanted).await? {
                let subject = format!("file {} of the release {tag} on this machine", wanted.file);
                changes.push(Change::create(subject).with_content(&wanted.sum));
                missing.push(wanted);
            }
        }
        Ok(Observed::differs(changes, Work { tag, missing }))
    }

    /// The files that any host lacks, with their checksums. Of hosts that do not answer only the server counts
    /// here: the others' own steps say so.
    async fn lacking(&self, source: &ReleaseSource<'_>, tag: &str) -> Result<BTreeSet<Wanted>, Stop> {
        let members = self.cluster.members();
        let looks = members.iter().map(|member| async move { (member, member.host_look(false).await) });
        let mut lacking = BTreeSet::new();
        for (member, look) in futures::future::join_all(looks).await {
            let look = match look {
                Err(_) if member.is_agent() => continue,
                look => look?,
            };
            refuse(member, look.version.as_deref(), tag)?;
            let architecture = member.architecture(&look)?;
            for Artifact { file, path, .. } in architecture.artifacts(self.cluster.k3s.images) {
                let sum = source.sum(tag, architecture, &file).await?;
                if look.checksums.get(&path) != Some(&sum) {
                    lacking.insert(Wanted { architecture, file, sum });
                }
            }
        }
        Ok(lacking)
    }
}

/// Files to be fetched of a release.
pub(super) struct Work {
    tag: String,
    missing: Vec<Wanted>,
}

impl Step for FetchRelease {
    type Work = Work;

    fn id(&self) -> StepId {
        StepId::of(&self.cluster.name, "provision/release")
    }

    fn cluster(&self) -> Option<&ClusterName> {
        Some(&self.cluster.name)
    }

    fn purpose(&self) -> &'static str {
        "the release is on this machine, and checked"
    }

    async fn observe(&self, _: &Facts) -> Result<Observed<Work>, Stop> {
        self.look().await
    }

    async fn apply(&self, Work { tag, missing }: Work, _: &Facts, writer: &Writer) -> Result<(), Failure> {
        let source = self.cluster.source();
        for wanted in &missing {
            writer.perform(source.fetch(&tag, wanted, writer)).await?;
        }
        Ok(())
    }

    fn patience(&self) -> Duration {
        Duration::from_mins(10)
    }
}

fn refuse(member: &Member, installed: Option<&str>, tag: &str) -> Result<(), Failure> {
    let Some(installed) = installed else { return Ok(()) };
    let (Some(from), Some(to)) = (Version::parse(installed), Version::parse(tag)) else { return Ok(()) };
    let Some(refusal) = from.refuses(&to) else { return Ok(()) };
    let hint = match &refusal {
        Refusal::Downgrade => {
            "name at least the version that is installed, or take the cluster down first".to_owned()
        }
        Refusal::SkippedMinor(next) => {
            format!("name a release of {next} in the profile, then run `up` again")
        }
    };
    let error = Refused {
        host: member.host.name.to_string(),
        installed: installed.to_owned(),
        tag: tag.to_owned(),
        refusal,
    };
    Err(Failure::from(error).with_hint(hint))
}
