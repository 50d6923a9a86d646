//! Applications: what they say of themselves, and whether anything is left to wait for.

use std::fmt;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::tracking::ObjectName;

/// The finalizer with which deleting an Application deletes what it deployed.
pub(super) const RESOURCES_FINALIZER: &str = "resources-finalizer.argocd.argoproj.io";
/// The annotation that asks for a comparison now. Argo CD takes it off again.
pub(super) const REFRESH: &str = "argocd.argoproj.io/refresh";

/// How long the comparison that follows a sync may take before its result counts as final.
const COMPARISON: SignedDuration = SignedDuration::from_secs(5);
/// After this, Argo CD has compared again by itself (every 2 to 3 minutes): an error that is older stays.
const RESYNC: SignedDuration = SignedDuration::from_secs(200);

/// An Application, as far as it matters here.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Application {
    pub(super) metadata: ObjectMeta,
    pub(super) spec: Spec,
    #[serde(default)]
    pub(super) status: Status,
    /// What Argo CD has been asked to do and has not finished.
    operation: Option<IgnoredAny>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Spec {
    pub(super) destination: Destination,
    source: Option<Source>,
    sources: Vec<Source>,
    sync_policy: SyncPolicy,
}

/// Where an Application deploys to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(super) struct Destination {
    pub(super) name: Option<String>,
    pub(super) server: Option<String>,
    pub(super) namespace: Option<String>,
}

/// Where an Application's manifests come from.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Source {
    #[serde(rename = "repoURL")]
    pub(super) repository: String,
    pub(super) target_revision: Option<String>,
    path: Option<String>,
    chart: Option<String>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct SyncPolicy {
    automated: Option<Automated>,
    sync_options: Vec<String>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Automated {
    enabled: Option<bool>,
    prune: bool,
    self_heal: bool,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Status {
    sync: SyncStatus,
    health: Health,
    conditions: Vec<Condition>,
    operation_state: Option<OperationState>,
    resources: Vec<Resource>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct SyncStatus {
    status: String,
    revision: String,
    revisions: Vec<String>,
    compared_to: ComparedTo,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct ComparedTo {
    destination: Destination,
    source: Source,
    sources: Vec<Source>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct Health {
    status: String,
    message: Option<String>,
}

/// A condition of an Application or an ApplicationSet.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Condition {
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) message: String,
    pub(super) status: Option<String>,
    last_transition_time: Option<Timestamp>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct OperationState {
    phase: String,
    message: String,
    retry_count: u32,
    finished_at: Option<Timestamp>,
}

/// An object that an Application manages, as its status lists it.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Resource {
    pub(super) group: String,
    pub(super) kind: String,
    pub(super) namespace: Option<String>,
    pub(super) name: String,
    status: Option<String>,
    health: Option<Health>,
    hook: bool,
    requires_pruning: bool,
}

/// Whether anything is left to wait for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Standing {
    /// It is as its own policy wants it.
    Settled,
    /// Argo CD is still at it; the text says with what.
    Waiting(String),
    /// Argo CD has given up by itself: one more try may be asked for.
    Stuck(String, Retry),
}

/// What to ask Argo CD for once more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Retry {
    /// To compare with the repository.
    Comparison,
    /// To sync.
    Sync,
}

/// An Application in a few words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ApplicationSummary {
    /// Its name.
    pub name: String,
    /// Argo CD's word for how it compares with the repository, such as `Synced`.
    pub sync: String,
    /// Argo CD's word for how its objects are, such as `Healthy`.
    pub health: String,
    /// Why it is not synced and healthy, if it is not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl fmt::Display for ApplicationSummary {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} ({}, {})", self.name, self.sync, self.health)?;
        self.reason.as_ref().map_or(Ok(()), |reason| write!(formatter, ": {reason}"))
    }
}

impl Application {
    /// Its name.
    pub(super) fn name(&self) -> &str {
        self.metadata.name.as_deref().unwrap_or_default()
    }

    /// The ApplicationSet that made it and keeps it as it is.
    pub(super) fn owner(&self) -> Option<&str> {
        let mut owners = self.metadata.owner_references.iter().flatten();
        let owner = owners.find(|owner| owner.kind == "ApplicationSet" && owner.controller == Some(true));
        owner.map(|owner| owner.name.as_str())
    }

    /// Whether it is on its way out.
    pub(super) fn is_deleting(&self) -> bool {
        self.metadata.deletion_timestamp.is_some()
    }

    /// Whether what it deployed goes with it.
    pub(super) fn cascades(&self) -> bool {
        let mut finalizers = self.metadata.finalizers.iter().flatten();
        finalizers.any(|finalizer| finalizer.starts_with(RESOURCES_FINALIZER))
    }

    /// Whether Argo CD is in the middle of a sync, which it finishes before it deletes anything.
    pub(super) fn is_operating(&self) -> bool {
        let phase = self.status.operation_state.as_ref().map(|state| state.phase.as_str());
        self.operation.is_some() || matches!(phase, Some("Running" | "Terminating"))
    }

    /// Whether a sync of it has failed and is being tried again.
    pub(super) fn is_retrying(&self) -> bool {
        let state = self.status.operation_state.as_ref();
        state.is_some_and(|state| state.phase == "Running" && state.retry_count > 0)
    }

    /// Whether a comparison has been asked for that has not happened.
    pub(super) fn is_refreshing(&self) -> bool {
        self.metadata.annotations.as_ref().is_some_and(|annotations| annotations.contains_key(REFRESH))
    }

    /// Whether its policy deletes what is no longer in its repository.
    pub(super) fn prunes(&self) -> bool {
        self.spec.sync_policy.automated.as_ref().is_some_and(|automated| automated.prune)
    }

    /// How its policy wants it synced.
    pub(super) fn sync_options(&self) -> &[String] {
        &self.spec.sync_policy.sync_options
    }

    /// Whether it makes its target namespace, which nothing ever removes.
    pub(super) fn makes_namespace(&self) -> bool {
        self.spec.sync_policy.sync_options.iter().any(|option| option == "CreateNamespace=true")
    }

    /// The objects that it manages in its cluster.
    pub(super) fn resources(&self) -> impl Iterator<Item = &Resource> {
        self.status.resources.iter().filter(|resource| !resource.hook)
    }

    /// Its sources, each with the revision that it was last compared with.
    pub(super) fn revisions(&self) -> impl Iterator<Item = (&Source, &str)> {
        let SyncStatus { revision, revisions, .. } = &self.status.sync;
        let single = self.spec.source.iter().map(move |source| (source, revision.as_str()));
        let several = self.spec.sources.iter().enumerate();
        let several = several.map(|(at, source)| (source, revisions.get(at).map_or("", String::as_str)));
        // Where both are given, Argo CD looks at `sources` only.
        single.filter(|_| self.spec.sources.is_empty()).chain(several)
    }

    /// It in a few words.
    pub(super) fn summary(&self) -> ApplicationSummary {
        ApplicationSummary { reason: self.reason(), ..self.words() }
    }

    /// What Argo CD calls its state.
    fn words(&self) -> ApplicationSummary {
        let or_unknown = |text: &str| if text.is_empty() { "Unknown".to_owned() } else { text.to_owned() };
        ApplicationSummary {
            name: self.name().to_owned(),
            sync: or_unknown(&self.status.sync.status),
            health: or_unknown(&self.status.health.status),
            reason: None,
        }
    }

    /// Whether anything is left to wait for.
    pub(super) fn standing(&self, now: Timestamp) -> Standing {
        let waiting = |reason: &str| Standing::Waiting(reason.to_owned());
        if self.is_deleting() {
            return Standing::Waiting(self.reason().unwrap_or_else(|| "it is being deleted".to_owned()));
        }
        if let Some(error) = self.error() {
            let reason = error.message.clone();
            return match error.last_transition_time {
                Some(since) if since + RESYNC < now => Standing::Stuck(reason, Retry::Comparison),
                _ => Standing::Waiting(reason),
            };
        }
        if self.is_operating() {
            return Standing::Waiting(self.reason().unwrap_or_else(|| "it is being synced".to_owned()));
        }
        if self.status.sync.status.is_empty() || !self.is_compared() {
            return waiting("it has not been compared with its repository yet");
        }
        if !self.is_automated() {
            return Standing::Settled;
        }
        match self.status.sync.status.as_str() {
            "Synced" => self.health(),
            "OutOfSync" => self.out_of_sync(now),
            _ => waiting("it has not been compared with its repository yet"),
        }
    }

    fn health(&self) -> Standing {
        match self.status.health.status.as_str() {
            // What is suspended stays so until somebody resumes it.
            "Healthy" | "Suspended" => Standing::Settled,
            _ => Standing::Waiting(self.reason().unwrap_or_else(|| "its health is not known yet".to_owned())),
        }
    }

    fn out_of_sync(&self, now: Timestamp) -> Standing {
        let automated = self.spec.sync_policy.automated.clone().unwrap_or_default();
        let last = self.status.operation_state.as_ref();
        let phase = last.map_or("", |last| last.phase.as_str());
        let compared = last.and_then(|last| last.finished_at).is_some_and(|at| at + COMPARISON < now);
        let prunes_only = self
            .status
            .resources
            .iter()
            .all(|resource| resource.requires_pruning || resource.status.as_deref() == Some("Synced"));
        match phase {
            "Failed" | "Error" if compared => {
                Standing::Stuck(last.map_or_else(String::new, |last| last.message.clone()), Retry::Sync)
            }
            // Its policy leaves what differs now alone, so it stays.
            "Succeeded" if compared && (!automated.self_heal || (prunes_only && !automated.prune)) => {
                Standing::Settled
            }
            _ => Standing::Waiting(self.reason().unwrap_or_else(|| "it is out of sync".to_owned())),
        }
    }

    fn is_automated(&self) -> bool {
        self.spec.sync_policy.automated.as_ref().is_some_and(|automated| automated.enabled != Some(false))
    }

    /// Whether the last comparison was with what it is told to be now.
    fn is_compared(&self) -> bool {
        let ComparedTo { destination, source, sources } = &self.status.sync.compared_to;
        let same_source = match self.spec.sources.is_empty() {
            true => self.spec.source.as_ref().is_none_or(|told| told == source),
            false => self.spec.sources == *sources,
        };
        same_source && self.spec.destination == *destination
    }

    /// Why it could not be compared with its repository, if so.
    pub(super) fn error_message(&self) -> Option<&str> {
        self.error().map(|condition| condition.message.as_str())
    }

    fn error(&self) -> Option<&Condition> {
        const ERRORS: [&str; 3] = ["ComparisonError", "InvalidSpecError", "UnknownError"];
        self.status.conditions.iter().find(|condition| ERRORS.contains(&condition.kind.as_str()))
    }

    /// Why it is not synced and healthy, in Argo CD's words.
    pub(super) fn reason(&self) -> Option<String> {
        let Status { sync, health, operation_state, conditions, .. } = &self.status;
        if self.is_deleting() {
            return Some(self.deletion());
        }
        let fine = sync.status == "Synced" && health.status == "Healthy";
        let condition = conditions.iter().find(|condition| condition.kind.ends_with("Error"));
        let operation = operation_state.as_ref().filter(|state| state.phase != "Succeeded");
        let unhealthy = self.status.resources.iter().find_map(Resource::unhealthy);
        let message = health.message.clone().filter(|message| !message.is_empty());
        condition
            .map(|condition| condition.message.clone())
            .or_else(|| operation.map(|state| state.message.clone()).filter(|message| !message.is_empty()))
            .filter(|_| !fine || condition.is_some())
            .or_else(|| unhealthy.filter(|_| !fine))
            .or_else(|| message.filter(|_| !fine))
            .or_else(|| (!fine).then(|| self.in_words()))
    }

    /// How its deletion gets on.
    fn deletion(&self) -> String {
        let failed = self.status.conditions.iter().find(|condition| condition.kind == "DeletionError");
        let operation = self.status.operation_state.as_ref().filter(|_| self.is_operating());
        match (failed, operation) {
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

/// What to write into an Application's status to end the sync that it is in the middle of, if it is.
pub(super) fn termination(application: &Application) -> Option<Value> {
    let state = application.status.operation_state.as_ref()?;
    (state.phase == "Running").then(|| json!({"operationState": {"phase": "Terminating"}}))
}

impl Resource {
    /// The object that it stands for.
    pub(super) fn object(&self) -> ObjectName {
        let Self { group, kind, namespace, name, .. } = self;
        let namespace = namespace.clone().filter(|namespace| !namespace.is_empty());
        ObjectName { group: group.clone(), kind: kind.clone(), namespace, name: name.clone() }
    }

    fn unhealthy(&self) -> Option<String> {
        let health =
            self.health.as_ref().filter(|health| !matches!(health.status.as_str(), "" | "Healthy"))?;
        let message = health.message.as_deref().unwrap_or_default();
        Some(format!("{} {} is {}: {message}", self.kind, self.name, health.status))
    }
}
