//! Step `<hub>/gitops/refresh`: Argo CD looks at once at a repository that this machine has just served anew.
//!
//! Left alone it would look every few minutes. What it has looked at is seen from the revisions that it compared
//! with; an ApplicationSet has none, so what it was last asked to look at is kept in an annotation.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;

use super::Scope;
use super::application::{Application, REFRESH, termination};
use super::application_set::ApplicationSet;
use super::fleet::Fleet;
use super::hub::Hub;
use crate::engine::{BoxFuture, Change, Facts, Failure, Observed, Step, StepId, Stop, Writer};
use crate::env::Env;
use crate::k8s::Kind;
use crate::site::Site;
use crate::site::name::ClusterName;

/// The annotation that makes the controller generate again. It takes it off when it has.
const SET_REFRESH: &str = "argocd.argoproj.io/application-set-refresh";
/// The commit that an ApplicationSet was last made to look at.
const COMMIT: &str = "bridgehead/commit";

/// The step.
pub fn refresh(site: &Arc<Site>, env: &Arc<Env>) -> impl Step + use<> {
    Refresh(Scope::new(site, env))
}

struct Refresh(Scope);

/// What stands at a repository that this machine serves.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Served {
    url: String,
    revision: String,
    commit: String,
}

impl Served {
    /// Every repository that this machine serves.
    fn all(site: &Site, facts: &Facts) -> Vec<Self> {
        let repositories = site.repositories.iter().filter_map(|(name, repository)| {
            let facts = facts.repository(name)?;
            let revision = repository.revision.clone();
            Some(Self { url: facts.url.clone(), revision, commit: facts.commit.clone()? })
        });
        repositories.collect()
    }

    /// The commit that an Application has not been compared with although it reads it: from which, to which.
    fn behind<'a>(served: &'a [Self], application: &'a Application) -> Option<(&'a str, &'a str)> {
        application.revisions().find_map(|(source, revision)| {
            let target = source.target_revision.as_deref().unwrap_or_default();
            let reads = |served: &&Self| {
                served.url == source.repository && ["", "HEAD", &served.revision].contains(&target)
            };
            let commit = served.iter().find(reads)?.commit.as_str();
            (revision != commit).then_some((revision, commit))
        })
    }
}

impl Refresh {
    fn difference(&self, hub: &Hub, served: &[Served], application: &Application) -> Option<Change> {
        let (from, to) = Served::behind(served, application)?;
        let subject = hub.subject(&Kind::APPLICATION, application.name());
        if application.is_refreshing() {
            return Some(Change::wait(subject, format!("it is being compared with {}", short(to))));
        }
        // What has not been compared at all is about to be, with the newest commit.
        let error = application.error_message();
        if from.is_empty() && error.is_none() {
            return None;
        }
        let error = error.map(|error| format!(": {error}")).unwrap_or_default();
        Some(Change::update(subject, format!("compare with {} instead of {}{error}", short(to), short(from))))
    }

    fn set_difference(&self, hub: &Hub, served: &[Served], set: &ApplicationSet) -> Option<Change> {
        let commit = commit_of(served, set)?;
        let annotation = |key| set.metadata.annotations.as_ref().and_then(|annotations| annotations.get(key));
        let subject = hub.subject(&Kind::APPLICATION_SET, set.name());
        if annotation(COMMIT).is_none_or(|seen| seen != commit) {
            return Some(Change::update(subject, format!("generate from {}", short(commit))));
        }
        annotation(SET_REFRESH).map(|_| Change::wait(subject, format!("it generates from {}", short(commit))))
    }
}

impl Step for Refresh {
    fn id(&self) -> StepId {
        StepId::of(self.0.hub(), "gitops/refresh")
    }

    fn cluster(&self) -> Option<&ClusterName> {
        Some(self.0.hub())
    }

    fn observe<'a>(&'a self, facts: &'a Facts) -> BoxFuture<'a, Result<Observed, Stop>> {
        Box::pin(async move {
            let served = Served::all(&self.0.site, facts);
            if served.is_empty() {
                return Ok(Observed::default());
            }
            let hub = Hub::of(&self.0, facts).await?;
            let fleet = Fleet::look(&hub, &self.0.site).await?;
            let applications = fleet.applications.iter();
            let changes = applications.filter_map(|application| self.difference(&hub, &served, application));
            let sets = fleet.sets.iter().filter_map(|set| self.set_difference(&hub, &served, set));
            Ok(Observed::differs(changes.chain(sets).collect()))
        })
    }

    fn apply<'a>(&'a self, facts: &'a Facts, writer: &'a Writer) -> BoxFuture<'a, Result<(), Failure>> {
        Box::pin(async move {
            let served = Served::all(&self.0.site, facts);
            let hub = Hub::of(&self.0, facts).await.map_err(Stop::into_failure)?;
            let fleet = Fleet::look(&hub, &self.0.site).await?;
            for application in &fleet.applications {
                let change = self.difference(&hub, &served, application);
                if change.is_some_and(|change| !change.is_wait()) {
                    let mut patch = json!({"metadata": {"annotations": {REFRESH: "normal"}}});
                    // A sync of the old commit that is being retried would hold up that of the new one.
                    if let Some(termination) = termination(application) {
                        patch["status"] = termination;
                    }
                    writer.perform(hub.change(&Kind::APPLICATION, application.name(), &patch)).await?;
                }
            }
            for set in &fleet.sets {
                let change = self.set_difference(&hub, &served, set);
                if let Some(commit) =
                    commit_of(&served, set).filter(|_| change.is_some_and(|change| !change.is_wait()))
                {
                    let annotations = json!({SET_REFRESH: "true", COMMIT: commit});
                    let patch = json!({"metadata": {"annotations": annotations}});
                    writer.perform(hub.change(&Kind::APPLICATION_SET, set.name(), &patch)).await?;
                }
            }
            Ok(())
        })
    }

    fn patience(&self) -> Duration {
        Duration::from_mins(1)
    }
}

fn commit_of<'a>(served: &'a [Served], set: &ApplicationSet) -> Option<&'a str> {
    served.iter().find(|served| set.reads(&served.url)).map(|served| served.commit.as_str())
}

/// As much of a commit as people use.
fn short(commit: &str) -> &str {
    match commit {
        "" => "nothing",
        commit => commit.get(..7).unwrap_or(commit),
    }
}
