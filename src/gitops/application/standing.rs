//! How an Application stands: whether anything is left to wait for, and why, and who could do something about it.

use jiff::{SignedDuration, Timestamp};

use super::{Application, ApplicationSummary, ComparedTo, Condition, OperationState, Resource, Status};
use crate::gitops::application_set::{ApplicationSet, Turn};
use crate::gitops::fleet::Fleet;
use crate::gitops::project::Project;

/// How long the comparison that follows a sync may take before its result counts as final.
const COMPARISON: SignedDuration = SignedDuration::from_secs(5);
/// How old a failed comparison may be before it counts as one that stays. Argo CD compares again by itself when the
/// Application changes, and else only every few minutes.
const GRACE: SignedDuration = SignedDuration::from_secs(30);
/// With this annotation, the controller leaves an Application alone altogether.
pub(in crate::gitops) const SKIP_RECONCILE: &str = "argocd.argoproj.io/skip-reconcile";

/// How an Application stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::gitops) enum Standing {
    /// It is synced and healthy.
    Settled,
    /// Argo CD is still at it; the text says with what.
    Waiting(String),
    /// What it deployed is not healthy yet; the text is what Argo CD says of it.
    Unhealthy(String),
    /// Argo CD has given up by itself: one more try may be asked for.
    Stuck(String, Retry),
    /// Argo CD will do nothing more by itself: waiting does not help, a person has to decide.
    Held(Held),
}

/// What to ask Argo CD for once more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::gitops) enum Retry {
    /// To compare with the repository.
    Comparison,
    /// To sync.
    Sync,
}

/// Why nobody but a person will do what is left to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::gitops) struct Held {
    /// Why.
    pub(in crate::gitops) reason: String,
    /// What to type, or to change.
    pub(in crate::gitops) remedy: String,
}

/// What besides an Application itself decides how it stands.
#[derive(Debug, Clone, Copy)]
pub(in crate::gitops) struct Surroundings<'a> {
    /// The set that made it.
    pub(in crate::gitops) set: Option<&'a ApplicationSet>,
    /// Its project.
    pub(in crate::gitops) project: Option<&'a Project>,
    /// What time it is by the server's clock.
    pub(in crate::gitops) now: Timestamp,
}

impl Fleet {
    /// How an Application stands.
    pub(in crate::gitops) fn standing(&self, application: &Application) -> Standing {
        let set = application.owner().and_then(|owner| self.set(owner));
        application.standing(Surroundings { set, project: self.project(application), now: self.now })
    }

    /// Whether Argo CD is still at an Application, so that what it deploys may change.
    pub(in crate::gitops) fn is_under_way(&self, application: &Application) -> bool {
        matches!(self.standing(application), Standing::Waiting(_) | Standing::Stuck(..))
    }

    /// Whether Argo CD has given up on it by itself.
    pub(in crate::gitops) fn is_stuck(&self, application: &Application) -> bool {
        matches!(self.standing(application), Standing::Stuck(..))
    }

    /// An Application in a few words.
    pub(in crate::gitops) fn summary(&self, application: &Application) -> ApplicationSummary {
        let reason = match self.standing(application) {
            Standing::Held(Held { reason, remedy }) => Some(format!("{reason}: {remedy}")),
            _ => application.reason(),
        };
        ApplicationSummary { reason, ..application.words() }
    }
}

impl Application {
    fn standing(&self, surroundings: Surroundings<'_>) -> Standing {
        if self.is_skipped() {
            return self.skipped();
        }
        if let Some(error) = self.error().filter(|_| !self.is_deleting()) {
            let reason = error.message.clone();
            return match error.last_transition_time {
                _ if self.is_refreshing() => Standing::Waiting(reason),
                // Nothing else tells Argo CD that it has become possible.
                _ if error.lacks_a_project()
                    && surroundings.project.is_some_and(|found| found.is_known(surroundings.now)) =>
                {
                    Standing::Stuck(reason, Retry::Comparison)
                }
                Some(since) if since + GRACE < surroundings.now => Standing::Stuck(reason, Retry::Comparison),
                _ => Standing::Waiting(reason),
            };
        }
        let is_known = matches!(self.status.sync.status.as_str(), "Synced" | "OutOfSync");
        match () {
            () if self.is_deleting() => self.waiting("it is being deleted"),
            () if self.is_operating() => self.operating(surroundings),
            () if !is_known || !self.is_compared() => {
                Standing::Waiting("it has not been compared with its repository yet".to_owned())
            }
            () if self.status.sync.status == "OutOfSync" => self.out_of_sync(surroundings),
            () => self.health(),
        }
    }

    /// Whether it is left alone by its controller, even when it is deleted.
    pub(in crate::gitops) fn is_skipped(&self) -> bool {
        let annotations = self.metadata.annotations.as_ref();
        let value = annotations.and_then(|annotations| annotations.get(SKIP_RECONCILE));
        // What Go's `strconv.ParseBool` takes for true.
        value.is_some_and(|value| ["1", "t", "T", "true", "True", "TRUE"].contains(&value.as_str()))
    }

    fn skipped(&self) -> Standing {
        let namespace = self.metadata.namespace.as_deref().unwrap_or("argocd");
        held(
            format!("its annotation {SKIP_RECONCILE} makes Argo CD leave it alone"),
            format!("kubectl --namespace {namespace} annotate application {} {SKIP_RECONCILE}-", self.name()),
        )
    }

    /// Why it could not be compared with its repository, if so.
    pub(in crate::gitops) fn error_message(&self) -> Option<&str> {
        self.error().map(|condition| condition.message.as_str())
    }

    /// Why it is not synced and healthy, in Argo CD's words.
    pub(in crate::gitops) fn reason(&self) -> Option<String> {
        let Status { sync, health, operation_state, conditions, resources, .. } = &self.status;
        if self.is_deleting() {
            return Some(self.deletion());
        }
        if sync.status == "Synced" && health.status == "Healthy" {
            return None;
        }
        let condition = conditions.iter().find(|condition| condition.kind.ends_with("Error"));
        let operation = operation_state.iter().filter(|state| state.phase != "Succeeded");
        let said = condition.map(|condition| condition.message.clone()).into_iter();
        let said = said.chain(operation.map(|state| state.message.clone()));
        let said = said.chain(resources.iter().filter_map(Resource::unhealthy));
        let said = said.chain(health.message.clone());
        Some(said.into_iter().find(|text| !text.is_empty()).unwrap_or_else(|| self.in_words()))
    }

    fn waiting(&self, otherwise: &str) -> Standing {
        Standing::Waiting(self.reason().unwrap_or_else(|| otherwise.to_owned()))
    }

    fn health(&self) -> Standing {
        match self.status.health.status.as_str() {
            // What is suspended stays so until somebody resumes it.
            "Healthy" | "Suspended" => Standing::Settled,
            // A set rolls out what it made for any cluster: that is looked at where it was made.
            "Progressing" if self.only_sets_progress() => Standing::Settled,
            _ => Standing::Unhealthy(self.reason().unwrap_or_default()),
        }
    }

    /// Whether nothing of it can be on its way to health but ApplicationSets.
    fn only_sets_progress(&self) -> bool {
        let mut others = self.status.resources.iter().filter(|resource| !resource.is_healthy());
        others.all(|resource| resource.kind == "ApplicationSet")
    }

    /// A sync that is under way, or that waits for a sync window to open.
    fn operating(&self, surroundings: Surroundings<'_>) -> Standing {
        let state = self.status.operation_state.as_ref();
        if state.is_some_and(|state| state.message.ends_with("blocked by sync window")) {
            return self.denied(surroundings).unwrap_or_else(|| self.waiting("it is being synced"));
        }
        self.waiting("it is being synced")
    }

    fn out_of_sync(&self, surroundings: Surroundings<'_>) -> Standing {
        if let Some(set) = surroundings.set
            && let Some(turn) = set.turn(self)
        {
            return self.rolling(set.name(), &turn);
        }
        if !self.is_automated() {
            let differs = self.in_words();
            return held(
                format!("{differs}, and its sync policy is manual"),
                format!("argocd app sync {}", self.name()),
            );
        }
        match self.attempted() {
            // The next comparison begins a sync, if nothing denies it.
            None => self.denied(surroundings).unwrap_or_else(|| self.unattempted()),
            Some(last) if last.finished_at.is_none_or(|at| at + COMPARISON >= surroundings.now) => {
                self.waiting("it is out of sync")
            }
            Some(last) if matches!(last.phase.as_str(), "Failed" | "Error") => {
                match self.denied(surroundings) {
                    Some(denied) => denied,
                    None => Standing::Stuck(last.message.clone(), Retry::Sync),
                }
            }
            Some(_) if self.is_left_alone() => held(
                format!("{}, and its sync policy leaves that as it is", self.in_words()),
                format!("argocd app sync {} --prune", self.name()),
            ),
            Some(_) => self.denied(surroundings).unwrap_or_else(|| self.waiting("it is out of sync")),
        }
    }

    /// Its turn in the rolling sync of its set.
    fn rolling(&self, set: &str, turn: &Turn<'_>) -> Standing {
        let reason = match turn {
            Turn::Unknown => {
                return Standing::Waiting(format!("the RollingSync of {set} has not looked at it yet"));
            }
            Turn::Step(step, message) => {
                return Standing::Waiting(format!("step {step} of the RollingSync of {set}: {message}"));
            }
            Turn::Closed(step) => format!("step {step} of the RollingSync of {set} has a maxUpdate of 0"),
            Turn::Never => format!("no step of the RollingSync of {set} selects it"),
        };
        held(reason, format!("argocd app sync {}", self.name()))
    }

    /// Why no sync of it may begin now, if so.
    fn denied(&self, surroundings: Surroundings<'_>) -> Option<Standing> {
        let denial = surroundings.project?.denial(self, surroundings.now)?;
        let windows = format!("argocd proj windows list {}", self.spec.project);
        Some(held(denial, format!("{windows}; run again once the window lets it be synced")))
    }

    /// Out of sync with a revision that no sync has been tried with.
    fn unattempted(&self) -> Standing {
        let refused = self.status.conditions.iter().find(|condition| condition.kind == "SyncError");
        match refused.filter(|refused| refused.message.contains("will wipe out all resources")) {
            Some(refused) => held(&refused.message, format!("argocd app sync {} --prune", self.name())),
            None => self.waiting("it is out of sync"),
        }
    }

    /// The last sync, if it was of the revisions that it is compared with now. Argo CD does not try those again.
    fn attempted(&self) -> Option<&OperationState> {
        let last = self.status.operation_state.as_ref()?;
        let (compared, result) = (&self.status.sync, &last.sync_result);
        let is_same = match result {
            // One that ended without a result has failed for good.
            None => true,
            Some(result) if self.spec.sources.is_empty() => result.revision == compared.revision,
            Some(result) => result.revisions == compared.revisions,
        };
        is_same.then_some(last)
    }

    /// Whether its policy does nothing about what differs after a sync.
    fn is_left_alone(&self) -> bool {
        let policy = self.spec.sync_policy.automated.as_ref();
        let [heals, prunes] =
            [policy.is_some_and(|policy| policy.self_heal), policy.is_some_and(|policy| policy.prune)];
        let is_extra =
            |resource: &Resource| resource.requires_pruning || resource.status.as_deref() == Some("Synced");
        !heals || (!prunes && self.status.resources.iter().all(is_extra))
    }

    fn is_automated(&self) -> bool {
        self.spec.sync_policy.automated.as_ref().is_some_and(|automated| automated.enabled != Some(false))
    }

    /// Whether the last comparison was with what it is told to be now.
    fn is_compared(&self) -> bool {
        let ComparedTo { destination, source, sources } = &self.status.sync.compared_to;
        let is_same_source = if self.spec.sources.is_empty() {
            self.spec.source.as_ref().is_none_or(|told| told == source)
        } else {
            self.spec.sources == *sources
        };
        is_same_source && self.spec.destination == *destination
    }

    fn error(&self) -> Option<&Condition> {
        const ERRORS: [&str; 3] = ["ComparisonError", "InvalidSpecError", "UnknownError"];
        self.status.conditions.iter().find(|condition| ERRORS.contains(&condition.kind.as_str()))
    }

    /// Whether its deletion was tried, and failed.
    pub(in crate::gitops) fn has_failed_to_go(&self) -> bool {
        self.deletion_error().is_some()
    }

    fn deletion_error(&self) -> Option<&Condition> {
        self.status.conditions.iter().find(|condition| condition.kind == "DeletionError")
    }

    /// How its deletion gets on.
    fn deletion(&self) -> String {
        let operation = self.status.operation_state.as_ref().filter(|_| self.is_operating());
        match (self.deletion_error(), operation) {
            (Some(condition), _) => format!("it cannot be deleted: {}", condition.message),
            (None, Some(state)) => format!("it is being deleted after a sync: {}", state.message),
            (None, None) => "it is being deleted".to_owned(),
        }
    }

    fn in_words(&self) -> String {
        let ApplicationSummary { sync, health, .. } = self.words();
        let resources = &mut self.status.resources.iter();
        let differing = resources.find(|resource| resource.status.as_deref() == Some("OutOfSync"));
        let subject = differing.map(|resource| format!(": {} {}", resource.kind, resource.name));
        format!("it is {sync} and {health}{}", subject.unwrap_or_default())
    }
}

fn held(reason: impl Into<String>, remedy: impl Into<String>) -> Standing {
    Standing::Held(Held { reason: reason.into(), remedy: remedy.into() })
}

impl Condition {
    /// Whether it is that the Application's project is not there.
    fn lacks_a_project(&self) -> bool {
        self.kind == "InvalidSpecError" && self.message.ends_with("which does not exist")
    }
}

impl Resource {
    fn unhealthy(&self) -> Option<String> {
        let health =
            self.health.as_ref().filter(|health| !matches!(health.status.as_str(), "" | "Healthy"))?;
        let message = health.message.as_deref().unwrap_or_default();
        Some(format!("{} {} is {}: {message}", self.kind, self.name, health.status))
    }
}

#[cfg(test)]
mod tests;
