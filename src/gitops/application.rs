//! Applications: what they say of themselves.

mod standing;

use std::fmt;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

pub(super) use standing::{Held, Retry, SKIP_RECONCILE, Standing};

use super::tracking::ObjectName;

/// The finalizer with which deleting an Application deletes what it deployed.
pub(super) const RESOURCES_FINALIZER: &str = "resources-finalizer.argocd.argoproj.io";
/// The annotation that asks for a comparison now. Argo CD takes it off again.
pub(super) const REFRESH: &str = "argocd.argoproj.io/refresh";

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
    pub(super) project: String,
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
    sync_result: Option<SyncResult>,
}

/// What the last sync was of.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct SyncResult {
    revision: String,
    revisions: Vec<String>,
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
        #[cfg(test)]
        super::fleet::tests::compare();
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

    /// Whether a sync is under way that nobody has ended.
    pub(super) fn is_syncing(&self) -> bool {
        self.status.operation_state.as_ref().is_some_and(|state| state.phase == "Running")
    }

    /// When its last sync ended.
    pub(super) fn last_sync_finished(&self) -> Option<Timestamp> {
        self.status.operation_state.as_ref()?.finished_at
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

    /// Its target namespace, if it makes that where it is missing. Argo CD never removes it.
    pub(super) fn made_namespace(&self) -> Option<&str> {
        let makes = self.sync_options().iter().any(|option| option == "CreateNamespace=true");
        self.spec.destination.namespace.as_deref().filter(|_| makes)
    }

    /// The objects that it manages in its cluster.
    pub(super) fn resources(&self) -> impl Iterator<Item = &Resource> {
        self.status.resources.iter().filter(|resource| !resource.hook)
    }

    /// Whether it deploys what further Applications come from.
    pub(super) fn deploys_generators(&self) -> bool {
        let is_generator = |kind: &str| ["ApplicationSet", "Application"].contains(&kind);
        self.resources().any(|resource| resource.group == "argoproj.io" && is_generator(&resource.kind))
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
}

/// What to write into an Application's status to end the sync that it is in the middle of, if it is.
pub(super) fn termination(application: &Application) -> Option<Value> {
    application.is_syncing().then(|| json!({"operationState": {"phase": "Terminating"}}))
}

impl Resource {
    /// Whether Argo CD says that it is healthy. By default it keeps what it knows of single objects to itself.
    fn is_healthy(&self) -> bool {
        self.health.as_ref().is_some_and(|health| health.status == "Healthy")
    }

    /// The object that it stands for.
    pub(super) fn object(&self) -> ObjectName {
        let Self { group, kind, namespace, name, .. } = self;
        let namespace = namespace.clone().filter(|namespace| !namespace.is_empty());
        ObjectName { group: group.clone(), kind: kind.clone(), namespace, name: name.clone() }
    }
}
