//! Which clusters an ApplicationSet selects, and what it makes for them.

use std::collections::BTreeSet;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use kube::core::{Selector, SelectorExt};
use serde::Deserialize;

use super::generator::Generator;
use super::{ADDON_LABEL_PREFIX, ApplicationSet, name};
use crate::gitops::application::Destination;
use crate::gitops::fleet::Registered;

/// The clusters for which an ApplicationSet makes Applications.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::gitops) struct Selection {
    /// Their names in Argo CD.
    pub(in crate::gitops) clusters: BTreeSet<String>,
    /// Whether each of them gets an Application; otherwise something else decides that too.
    pub(in crate::gitops) exact: bool,
}

/// A selector of clusters by their labels, understood once.
#[derive(Debug, Clone, Deserialize)]
#[serde(from = "LabelSelector")]
pub(super) struct ClusterSelector {
    /// The addons whose labels it wants to be `"true"`.
    pub(super) addons: BTreeSet<String>,
    /// None where the server accepted it and we do not understand it.
    selector: Option<Selector>,
}

impl ApplicationSet {
    /// The clusters that it selects; `None` where that is not for the clusters' labels to say.
    pub(in crate::gitops) fn selection(&self, registered: &[Registered]) -> Option<Selection> {
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
    pub(in crate::gitops) fn addons(&self) -> BTreeSet<String> {
        let selectors = self.spec.generators.iter().flat_map(Generator::selecting);
        selectors.flat_map(|clusters| clusters.selector.addons.iter().cloned()).collect()
    }

    /// Whether one of its generators reads the repository.
    pub(in crate::gitops) fn reads(&self, repository: &str) -> bool {
        self.spec.generators.iter().any(|generator| generator.reads(repository))
    }

    /// The names of the Applications that it makes for a cluster, or would if it selected it; without those that
    /// something but the cluster decides.
    pub(in crate::gitops) fn application_names(&self, cluster: &Registered) -> BTreeSet<String> {
        let name = &self.spec.template.metadata.name;
        let generators = self.spec.generators.iter();
        generators.filter_map(|generator| name::render(name, cluster, generator.values(cluster))).collect()
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
    pub(super) fn selects(&self, cluster: &Registered) -> bool {
        #[cfg(test)]
        crate::gitops::fleet::tests::compare();
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
