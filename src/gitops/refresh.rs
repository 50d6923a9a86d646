//! Step `<hub>/gitops/refresh`: Argo CD looks at once at a repository that this machine has just served anew.
//!
//! Left alone it would look every few minutes. What it has looked at is seen from the revisions that Applications
//! were compared with. An ApplicationSet has none; it generates again when an Application shows a new commit.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::{Value, json};

use super::Scope;
use super::application::{Application, REFRESH, termination};
use super::application_set::ApplicationSet;
use super::fleet::Fleet;
use super::hub::Hub;
use crate::engine::{Change, Facts, Failure, Observed, Step, StepId, Stop, Writer};
use crate::env::Env;
use crate::k8s::Kind;
use crate::site::Site;
use crate::site::name::ClusterName;

/// The annotation that makes the controller generate again. It takes it off when it has.
const SET_REFRESH: &str = "argocd.argoproj.io/application-set-refresh";

/// The step.
pub fn refresh(site: &Arc<Site>, env: &Arc<Env>) -> impl Step + use<> {
    Refresh { scope: Scope::new(site, env), asked: AtomicBool::new(false) }
}

struct Refresh {
    scope: Scope,
    /// Whether this run has asked for comparisons. Those that fail then are no more to ask for: the commit may be
    /// about to take their Application away, and if not, the step that waits for Applications says so.
    asked: AtomicBool,
}

/// What stands at a repository that this machine serves.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Served {
    url: String,
    revision: String,
    commit: String,
    /// Whether comparisons that failed have been with this commit.
    is_failed: bool,
}

impl Served {
    /// Every repository that this machine serves.
    fn all(site: &Site, facts: &Facts, is_failed: bool) -> Vec<Self> {
        let repositories = site.repositories.iter().filter_map(|(name, repository)| {
            let facts = facts.repository(name)?;
            let revision = repository.revision.clone();
            Some(Self { url: facts.url.clone(), revision, commit: facts.commit.clone()?, is_failed })
        });
        repositories.collect()
    }

    /// What an Application was last compared with, if it reads this and that was another commit.
    fn behind<'a>(&self, application: &'a Application) -> Option<&'a str> {
        let (_, compared) = application.revisions().find(|(source, compared)| {
            let target = source.target_revision.as_deref().unwrap_or_default();
            let is_read = source.repository == self.url && ["", "HEAD", &self.revision].contains(&target);
            is_read && *compared != self.commit
        })?;
        let is_behind = match application.error_message() {
            Some(_) => !self.is_failed || application.is_refreshing(),
            // What has never been compared is about to be, with the newest commit.
            None => !compared.is_empty(),
        };
        (is_behind && !application.is_deleting()).then_some(compared)
    }

    fn of_application(&self, hub: &Hub, application: &Application) -> Option<Change> {
        let compared = self.behind(application)?;
        let (subject, commit) = (hub.subject(&Kind::APPLICATION, application.name()), short(&self.commit));
        if application.is_refreshing() {
            return Some(Change::wait(subject, format!("it is being compared with {commit}")));
        }
        let error = application.error_message().map(|error| format!(": {error}")).unwrap_or_default();
        Some(Change::update(subject, format!("compare with {commit} instead of {}{error}", short(compared))))
    }

    fn of_set(&self, hub: &Hub, fleet: &Fleet, set: &ApplicationSet) -> Option<Change> {
        if !set.reads(&self.url) {
            return None;
        }
        let subject = hub.subject(&Kind::APPLICATION_SET, set.name());
        let annotations = set.metadata.annotations.as_ref();
        if annotations.is_some_and(|annotations| annotations.contains_key(SET_REFRESH)) {
            return Some(Change::wait(subject, "it is being generated again"));
        }
        let mut applications = fleet.applications.iter();
        let is_new = applications.any(|each| !each.is_refreshing() && self.behind(each).is_some());
        is_new.then(|| Change::update(subject, format!("generate from {}", short(&self.commit))))
    }
}

impl Step for Refresh {
    type Work = ();

    fn id(&self) -> StepId {
        StepId::of(self.scope.hub(), "gitops/refresh")
    }

    fn cluster(&self) -> Option<&ClusterName> {
        Some(self.scope.hub())
    }

    async fn observe(&self, facts: &Facts) -> Result<Observed, Stop> {
        let served = Served::all(&self.scope.site, facts, self.asked.load(Ordering::Relaxed));
        if served.is_empty() {
            return Ok(Observed::default());
        }
        let hub = Hub::of(&self.scope, facts).await?;
        let fleet = Fleet::look(&hub, &self.scope.site).await?;
        let sets = fleet.sets.iter().filter_map(|set| first(&served, |one| one.of_set(&hub, &fleet, set)));
        let applications = fleet.applications.iter();
        let applications = applications
            .filter_map(|application| first(&served, |one| one.of_application(&hub, application)));
        Ok(Observed::differs(sets.chain(applications).collect(), ()))
    }

    /// Sets first: whoever stops in between finds the Applications still behind, and asks again for both.
    async fn apply(&self, _work: (), facts: &Facts, writer: &Writer) -> Result<(), Failure> {
        let served = Served::all(&self.scope.site, facts, false);
        let hub = Hub::of(&self.scope, facts).await.map_err(Stop::into_failure)?;
        let fleet = Fleet::look(&hub, &self.scope.site).await?;
        let is_asked = |change: Option<Change>| change.is_some_and(|change| !change.is_wait());
        for set in &fleet.sets {
            if is_asked(first(&served, |one| one.of_set(&hub, &fleet, set))) {
                let patch = json!({"metadata": {"annotations": {SET_REFRESH: "true"}}});
                writer.perform(hub.change(&Kind::APPLICATION_SET, set.name(), &patch)).await?;
            }
        }
        for application in &fleet.applications {
            if is_asked(first(&served, |one| one.of_application(&hub, application))) {
                let patch = comparison(application);
                writer.perform(hub.change(&Kind::APPLICATION, application.name(), &patch)).await?;
            }
        }
        self.asked.store(true, Ordering::Relaxed);
        Ok(())
    }

    fn patience(&self) -> Duration {
        Duration::from_mins(1)
    }
}

/// What the first of the served repositories that has something to say says.
fn first(served: &[Served], says: impl Fn(&Served) -> Option<Change>) -> Option<Change> {
    served.iter().find_map(says)
}

/// Asks for a comparison. A sync of the old commit that is being retried would hold up that of the new one.
fn comparison(application: &Application) -> Value {
    let mut patch = json!({"metadata": {"annotations": {REFRESH: "normal"}}});
    if let Some(termination) = termination(application) {
        patch["status"] = termination;
    }
    patch
}

/// As much of a commit as people use.
fn short(commit: &str) -> &str {
    match commit {
        "" => "nothing",
        commit => commit.get(..7).unwrap_or(commit),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const URL: &str = "file:///served.git";

    fn served(is_failed: bool) -> Served {
        Served { url: URL.to_owned(), revision: "main".to_owned(), commit: "new".to_owned(), is_failed }
    }

    fn application(sources: &Value, status: &Value) -> Application {
        let value = json!({ "metadata": { "name": "a" }, "spec": { "sources": sources }, "status": status });
        serde_json::from_value(value).expect("it is an Application")
    }

    fn source(url: &str, target: &str) -> Value {
        json!({ "repoURL": url, "targetRevision": target })
    }

    #[test]
    fn any_of_several_sources_may_be_behind() {
        let values = json!([source("https://charts.example", "1.0.0"), source(URL, "main")]);
        let compared = |revisions: &[&str]| json!({ "sync": { "revisions": revisions } });
        let behind = |revisions: &[&str]| {
            served(false).behind(&application(&values, &compared(revisions))).map(ToOwned::to_owned)
        };
        assert_eq!(behind(&["1.0.0", "old"]).as_deref(), Some("old"));
        assert_eq!(behind(&["1.0.0", "new"]), None);
        // It has not been compared at all, and is about to be.
        assert_eq!(behind(&[]), None);
    }

    #[test]
    fn what_follows_another_branch_or_repository_is_not_behind() {
        let status = json!({ "sync": { "revisions": ["old"] } });
        let behind = |source: Value| served(false).behind(&application(&json!([source]), &status)).is_some();
        assert!(behind(source(URL, "HEAD")) && behind(json!({ "repoURL": URL })));
        assert!(!behind(source(URL, "v1.0.0")) && !behind(source("https://other.example", "main")));
    }

    #[test]
    fn a_comparison_that_failed_is_asked_for_once() {
        let condition = json!({ "type": "ComparisonError", "message": "no such path" });
        let status = json!({ "sync": { "revisions": ["main"] }, "conditions": [condition] });
        let failed = application(&json!([source(URL, "main")]), &status);
        assert_eq!(served(false).behind(&failed), Some("main"));
        assert_eq!(served(true).behind(&failed), None);
    }
}
