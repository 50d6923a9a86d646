//! Step `<hub>/gitops/refresh`: Argo CD looks at once at a repository that this machine has just served anew.
//!
//! Left alone it would look every few minutes. What it has looked at is seen from the revisions that Applications
//! were compared with. An ApplicationSet has none; it generates again when an Application shows a new commit.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::Scope;
use super::application::{Application, REFRESH};
use super::application_set::ApplicationSet;
use super::fleet::Fleet;
use super::hub::Hub;
use super::request::{Request, Requests};
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
        Some(Change::ask(subject, format!("compare with {commit} instead of {}{error}", short(compared))))
    }

    /// Whether an Application shows that the commit is news to Argo CD.
    fn is_news(&self, fleet: &Fleet) -> bool {
        let mut applications = fleet.applications.iter();
        applications.any(|each| !each.is_refreshing() && self.behind(each).is_some())
    }

    fn of_set(&self, hub: &Hub, set: &ApplicationSet, is_news: bool) -> Option<Change> {
        if !set.reads(&self.url) {
            return None;
        }
        let subject = hub.subject(&Kind::APPLICATION_SET, set.name());
        let annotations = set.metadata.annotations.as_ref();
        if annotations.is_some_and(|annotations| annotations.contains_key(SET_REFRESH)) {
            return Some(Change::wait(subject, "it is being generated again"));
        }
        is_news.then(|| Change::ask(subject, format!("generate from {}", short(&self.commit))))
    }
}

/// The requests that stand for a change that is not only waited for.
fn requests(change: &Change, requests: impl IntoIterator<Item = Request>) -> impl Iterator<Item = Request> {
    requests.into_iter().filter(|_| !change.is_wait())
}

impl Step for Refresh {
    type Work = Requests;

    fn id(&self) -> StepId {
        StepId::of(self.scope.hub(), "gitops/refresh")
    }

    fn cluster(&self) -> Option<&ClusterName> {
        Some(self.scope.hub())
    }

    fn purpose(&self) -> &'static str {
        "Argo CD has seen what this machine serves now"
    }

    /// Sets first: whoever stops in between finds the Applications still behind, and asks again for both.
    async fn observe(&self, facts: &Facts) -> Result<Observed<Requests>, Stop> {
        let served = Served::all(&self.scope.site, facts, self.asked.load(Ordering::Relaxed));
        if served.is_empty() {
            return Ok(Observed::default());
        }
        let hub = Hub::of(&self.scope, facts).await?;
        let fleet = Fleet::look(&hub, &self.scope.site).await?;
        let (mut changes, mut work) = (Vec::new(), Requests::to(&hub));
        let news: Vec<_> = served.iter().map(|one| (one, one.is_news(&fleet))).collect();
        for set in &fleet.sets {
            if let Some(change) = news.iter().find_map(|(one, is_news)| one.of_set(&hub, set, *is_news)) {
                let request = Request::annotate(Kind::APPLICATION_SET, set.name(), SET_REFRESH, "true");
                requests(&change, [request]).for_each(|request| work.push(request));
                changes.push(change);
            }
        }
        for application in &fleet.applications {
            if let Some(change) = served.iter().find_map(|one| one.of_application(&hub, application)) {
                requests(&change, comparison(application)).for_each(|request| work.push(request));
                changes.push(change);
            }
        }
        Ok(Observed::differs(changes, work))
    }

    async fn apply(&self, work: Requests, _facts: &Facts, writer: &Writer) -> Result<(), Failure> {
        work.carry_out(writer).await?;
        self.asked.store(true, Ordering::Relaxed);
        Ok(())
    }

    fn patience(&self) -> Duration {
        Duration::from_mins(1)
    }
}

/// Asks for a comparison. A sync of the old commit that is being retried would hold up that of the new one.
fn comparison(application: &Application) -> impl Iterator<Item = Request> {
    let asked = Request::annotate(Kind::APPLICATION, application.name(), REFRESH, "normal");
    std::iter::once(asked).chain(Request::termination(application))
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
    use serde_json::{Value, json};

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
