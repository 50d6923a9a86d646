//! ApplicationSets: which clusters they select, by which addon labels, and what becomes of what they made.
//!
//! Only the cluster generator and its combinations are understood. What Git, lists, plugins and pull requests
//! generate is not known here, and nothing is claimed about it.

mod generator;
mod name;
mod selection;
mod turn;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde::Deserialize;

use super::application::{Condition, Destination, RESOURCES_FINALIZER};
use generator::Generator;
pub(super) use selection::Selection;
pub(super) use turn::Turn;
use turn::{Strategy, Turns};

/// The prefix of the labels that switch addons.
pub(super) const ADDON_LABEL_PREFIX: &str = "enable_";

/// An ApplicationSet, as far as it matters here.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct ApplicationSet {
    pub(super) metadata: ObjectMeta,
    spec: Spec,
    #[serde(default)]
    status: Status,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Spec {
    generators: Vec<Generator>,
    strategy: Strategy,
    sync_policy: SyncPolicy,
    template: Template,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct SyncPolicy {
    preserve_resources_on_deletion: bool,
    applications_sync: Option<String>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct Template {
    metadata: TemplateMetadata,
    spec: TemplateSpec,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct TemplateMetadata {
    name: String,
    finalizers: Vec<String>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct TemplateSpec {
    project: String,
    destination: Destination,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Status {
    conditions: Vec<Condition>,
    application_status: Turns,
}

impl ApplicationSet {
    /// Its name.
    pub(super) fn name(&self) -> &str {
        self.metadata.name.as_deref().unwrap_or_default()
    }

    /// Whether what its Applications deployed stays when they go.
    pub(super) fn preserves(&self) -> bool {
        let finalizers = &self.spec.template.metadata.finalizers;
        // The controller adds the finalizer only where the template says nothing of finalizers.
        if finalizers.is_empty() {
            return self.spec.sync_policy.preserve_resources_on_deletion;
        }
        !finalizers.iter().any(|finalizer| finalizer.starts_with(RESOURCES_FINALIZER))
    }

    /// Whether it deletes Applications of clusters that it does not select any more.
    pub(super) fn deletes(&self) -> bool {
        let policy = self.spec.sync_policy.applications_sync.as_deref();
        !matches!(policy, Some("create-only" | "create-update"))
    }

    /// Why it could not make its Applications; `None` if it could.
    pub(super) fn error(&self) -> Option<&str> {
        let mut conditions = self.status.conditions.iter();
        let failed = |condition: &&Condition| {
            condition.kind == "ErrorOccurred" && condition.status.as_deref() == Some("True")
        };
        conditions.find(failed).map(|condition| condition.message.as_str())
    }

    /// Whether the controller has looked at it at all.
    pub(super) fn is_seen(&self) -> bool {
        !self.status.conditions.is_empty()
    }

    /// The project of its Applications, if that is the same for all.
    pub(super) fn project(&self) -> Option<&str> {
        Some(self.spec.template.spec.project.as_str()).filter(|project| !project.contains("{{"))
    }
}

#[cfg(test)]
mod tests;
