//! ApplicationSets: which clusters they select, by which addon labels, and what becomes of what they made.
//!
//! Only the cluster generator and its combinations are understood. What Git, lists, plugins and pull requests
//! generate is not known here, and nothing is claimed about it.

mod name;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta};
use kube::core::{Selector, SelectorExt};
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;

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
    strategy: Strategy,
    sync_policy: SyncPolicy,
    template: Template,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Strategy {
    #[serde(rename = "type")]
    kind: String,
    rolling_sync: RollingSync,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct RollingSync {
    steps: Vec<RolloutStep>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct RolloutStep {
    max_update: Option<Value>,
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
    selector: ClusterSelector,
    values: BTreeMap<String, String>,
    flat_list: bool,
}

/// A selector of clusters by their labels, understood once.
#[derive(Debug, Clone, Deserialize)]
#[serde(from = "LabelSelector")]
struct ClusterSelector {
    /// The addons whose labels it wants to be `"true"`.
    addons: BTreeSet<String>,
    /// None where the server accepted it and we do not understand it.
    selector: Option<Selector>,
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
#[serde(default, rename_all = "camelCase")]
struct Status {
    conditions: Vec<Condition>,
    application_status: Turns,
}

/// Where the Applications are in the rolling sync of their set, by name.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(from = "Vec<ApplicationStatus>")]
struct Turns(HashMap<String, ApplicationStatus>);

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct ApplicationStatus {
    application: String,
    message: String,
    step: String,
}

impl From<Vec<ApplicationStatus>> for Turns {
    fn from(turns: Vec<ApplicationStatus>) -> Self {
        Self(turns.into_iter().map(|turn| (turn.application.clone(), turn)).collect())
    }
}

/// The turn of one Application in the rolling sync of its set. Steps count from 1.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Turn<'a> {
    /// The set has not looked at it yet.
    Unknown,
    /// No step selects it.
    Never,
    /// Its step updates nothing by itself.
    Closed(usize),
    /// It is, or will be, synced in this step; the text is what the set says of it.
    Step(usize, &'a str),
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
        selectors.flat_map(|clusters| clusters.selector.addons.iter().cloned()).collect()
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

    /// The turn of an Application in its rolling sync: the set syncs it then, and nothing else does. `None` where the
    /// set does no such thing, or its controller is not told to.
    pub(super) fn turn(&self, application: &str) -> Option<Turn<'_>> {
        let Strategy { kind, rolling_sync: RollingSync { steps } } = &self.spec.strategy;
        let mut conditions = self.status.conditions.iter();
        let is_rolling = kind == "RollingSync" && !steps.is_empty();
        if !is_rolling || !conditions.any(|condition| condition.kind == "RolloutProgressing") {
            return None;
        }
        let Some(status) = self.status.application_status.0.get(application) else {
            return Some(Turn::Unknown);
        };
        let number = status.step.parse().unwrap_or_default();
        let step = steps.iter().enumerate().find(|(at, _)| at + 1 == number);
        Some(match step.map(|(_, step)| step.max_update.as_ref()) {
            None => Turn::Never,
            Some(Some(most)) if *most == 0 || *most == "0%" => Turn::Closed(number),
            Some(_) => Turn::Step(number, &status.message),
        })
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
            let selected = registered.iter().filter(|cluster| clusters.selector.selects(cluster));
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
        self.clusters.as_ref().is_some_and(|clusters| clusters.selector.selects(cluster))
    }

    fn reads(&self, repository: &str) -> bool {
        let nested = self.merge.iter().chain(&self.matrix).flat_map(|nested| &nested.generators);
        self.git.as_ref().is_some_and(|git| git.repository == repository)
            || nested.into_iter().any(|generator| generator.reads(repository))
    }
}

impl From<LabelSelector> for ClusterSelector {
    fn from(selector: LabelSelector) -> Self {
        Self { addons: wanted_addons(&selector), selector: Selector::try_from(selector).ok() }
    }
}

impl Default for ClusterSelector {
    fn default() -> Self {
        LabelSelector::default().into()
    }
}

impl ClusterSelector {
    /// With a selector, the implicit local cluster is left out: it has no labels. A selector that we do not
    /// understand selects nothing.
    fn selects(&self, cluster: &Registered) -> bool {
        #[cfg(test)]
        super::fleet::tests::compare();
        self.selector.as_ref().is_some_and(|selector| match cluster.secret {
            None => selector.selects_all(),
            Some(_) => selector.matches(&cluster.labels),
        })
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
