//! ApplicationSets: which clusters they select, by which addon labels, and what becomes of what they made.
//!
//! Only the cluster generator and its combinations are understood. What Git, lists, plugins and pull requests
//! generate is not known here, and nothing is claimed about it.

mod name;

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta};
use kube::core::{Selector, SelectorExt};
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::application::{Condition, Destination, RESOURCES_FINALIZER};
use super::fleet::Registered;

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
#[serde(default)]
struct Generator {
    clusters: Option<Clusters>,
    git: Option<Git>,
    matrix: Option<Nested>,
    merge: Option<Nested>,
    /// Filters what was generated, whatever generated it.
    selector: Option<IgnoredAny>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Clusters {
    selector: LabelSelector,
    values: BTreeMap<String, String>,
    flat_list: bool,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct Git {
    #[serde(rename = "repoURL")]
    repository: String,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct Nested {
    generators: Vec<Generator>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct Status {
    conditions: Vec<Condition>,
}

/// The clusters for which an ApplicationSet makes Applications.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Selection {
    /// Their names in Argo CD.
    pub(super) clusters: BTreeSet<String>,
    /// Whether each of them gets an Application; otherwise something else decides that too.
    pub(super) exact: bool,
}

impl ApplicationSet {
    /// Its name.
    pub(super) fn name(&self) -> &str {
        self.metadata.name.as_deref().unwrap_or_default()
    }

    /// The clusters that it selects; `None` where that is not for the clusters' labels to say.
    pub(super) fn selection(&self, registered: &[Registered]) -> Option<Selection> {
        let generators = self.spec.generators.iter();
        let selections: Option<Vec<Selection>> =
            generators.map(|generator| generator.selection(registered)).collect();
        let selections = selections.filter(|selections| !selections.is_empty())?;
        self.follows_clusters().then(|| Selection {
            exact: selections.iter().all(|selection| selection.exact),
            clusters: selections.into_iter().flat_map(|selection| selection.clusters).collect(),
        })
    }

    /// Whether its Applications go to the clusters that it selects, and not always to the same one.
    fn follows_clusters(&self) -> bool {
        let Destination { name, server, .. } = &self.spec.template.spec.destination;
        [name, server].into_iter().flatten().any(|text| text.contains("{{"))
    }

    /// The addons whose labels its selectors want to be `"true"`.
    pub(super) fn addons(&self) -> BTreeSet<String> {
        let selectors = self.spec.generators.iter().flat_map(Generator::selecting);
        selectors.flat_map(|clusters| wanted_addons(&clusters.selector)).collect()
    }

    /// Whether what its Applications deployed stays when they go.
    pub(super) fn preserves(&self) -> bool {
        let finalizers = &self.spec.template.metadata.finalizers;
        // The controller adds the finalizer only where the template says nothing of finalizers.
        match finalizers.is_empty() {
            true => self.spec.sync_policy.preserve_resources_on_deletion,
            false => !finalizers.iter().any(|finalizer| finalizer.starts_with(RESOURCES_FINALIZER)),
        }
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

    /// Whether one of its generators reads the repository.
    pub(super) fn reads(&self, repository: &str) -> bool {
        self.spec.generators.iter().any(|generator| generator.reads(repository))
    }

    /// The project of its Applications, if that is the same for all.
    pub(super) fn project(&self) -> Option<&str> {
        Some(self.spec.template.spec.project.as_str()).filter(|project| !project.contains("{{"))
    }

    /// The names of the Applications that it makes for a cluster, or would if it selected it; without those that
    /// something but the cluster decides.
    pub(super) fn application_names(&self, cluster: &Registered) -> BTreeSet<String> {
        let name = &self.spec.template.metadata.name;
        let generators = self.spec.generators.iter();
        generators.filter_map(|generator| name::render(name, cluster, generator.values(cluster))).collect()
    }
}

impl Generator {
    fn selection(&self, registered: &[Registered]) -> Option<Selection> {
        if self.selector.is_some() {
            return None;
        }
        if let Some(clusters) = &self.clusters {
            let selected = registered.iter().filter(|cluster| clusters.selects(cluster));
            let selected = selected.map(|cluster| cluster.name.clone()).collect();
            return Some(Selection { clusters: selected, exact: !clusters.flat_list });
        }
        if let Some(merge) = &self.merge {
            // The others only override parameters of what the first one generates.
            return merge.generators.first()?.selection(registered);
        }
        let children = self.matrix.as_ref()?.generators.iter();
        let known: Vec<_> = children.filter_map(|child| child.selection(registered)).collect();
        let clusters = known.into_iter().flat_map(|selection| selection.clusters).collect::<BTreeSet<_>>();
        (!clusters.is_empty() || self.selecting().next().is_some())
            .then_some(Selection { clusters, exact: false })
    }

    /// The cluster generators that decide which clusters are selected.
    fn selecting(&self) -> Box<dyn Iterator<Item = &Clusters> + '_> {
        let merged = self.merge.iter().filter_map(|merge| merge.generators.first());
        let crossed = self.matrix.iter().flat_map(|matrix| &matrix.generators);
        Box::new(self.clusters.iter().chain(merged.chain(crossed).flat_map(Self::selecting)))
    }

    /// The values that Applications of a cluster are made with, whether or not it is selected now.
    fn values<'a>(&'a self, cluster: &Registered) -> BTreeMap<&'a str, &'a str> {
        let own = self.clusters.iter().flat_map(|clusters| &clusters.values);
        let mut values: BTreeMap<_, _> = own.map(|(key, value)| (key.as_str(), value.as_str())).collect();
        let crossed = self.matrix.iter().flat_map(|matrix| &matrix.generators);
        let merged = self.merge.iter().flat_map(|merge| merge.generators.iter().enumerate());
        // The first one of a merge selects; the others override where they select too.
        let merged = merged.filter(|(at, generator)| *at == 0 || generator.overrides(cluster));
        for generator in crossed.chain(merged.map(|(_, generator)| generator)) {
            values.extend(generator.values(cluster));
        }
        values
    }

    fn overrides(&self, cluster: &Registered) -> bool {
        self.clusters.as_ref().is_some_and(|clusters| clusters.selects(cluster))
    }

    fn reads(&self, repository: &str) -> bool {
        let nested = self.merge.iter().chain(&self.matrix).flat_map(|nested| &nested.generators);
        self.git.as_ref().is_some_and(|git| git.repository == repository)
            || nested.into_iter().any(|generator| generator.reads(repository))
    }
}

impl Clusters {
    /// With a selector, the implicit local cluster is left out: it has no labels. A selector that the server
    /// accepted and we do not understand selects nothing.
    fn selects(&self, cluster: &Registered) -> bool {
        match Selector::try_from(self.selector.clone()) {
            Ok(selector) if cluster.secret.is_none() => selector.selects_all(),
            Ok(selector) => selector.matches(&cluster.labels),
            Err(_) => false,
        }
    }
}

fn wanted_addons(selector: &LabelSelector) -> BTreeSet<String> {
    let labels = selector.match_labels.iter().flatten().filter(|(_, value)| *value == "true");
    let expressions =
        selector.match_expressions.iter().flatten().filter(|expression| {
            expression.operator == "In" && expression.values.iter().flatten().eq(["true"])
        });
    let keys = labels.map(|(key, _)| key).chain(expressions.map(|expression| &expression.key));
    keys.filter_map(|key| key.strip_prefix(ADDON_LABEL_PREFIX)).map(ToOwned::to_owned).collect()
}

#[cfg(test)]
mod tests;
