//! Generators: what an ApplicationSet makes its Applications from.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::selection::{ClusterSelector, Selection};
use crate::gitops::fleet::Registered;

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Generator {
    clusters: Option<Clusters>,
    git: Option<Git>,
    matrix: Option<Nested>,
    merge: Option<Nested>,
    /// Filters what was generated, whatever generated it.
    selector: Option<IgnoredAny>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Clusters {
    pub(super) selector: ClusterSelector,
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

impl Generator {
    /// The clusters that it selects; `None` where that is not for the clusters' labels to say.
    pub(super) fn selection(&self, registered: &[Registered]) -> Option<Selection> {
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
    pub(super) fn selecting(&self) -> Box<dyn Iterator<Item = &Clusters> + '_> {
        let merged = self.merge.iter().filter_map(|merge| merge.generators.first());
        let crossed = self.matrix.iter().flat_map(|matrix| &matrix.generators);
        Box::new(self.clusters.iter().chain(merged.chain(crossed).flat_map(Self::selecting)))
    }

    /// The values that Applications of a cluster are made with, whether or not it is selected now.
    pub(super) fn values<'a>(&'a self, cluster: &Registered) -> BTreeMap<&'a str, &'a str> {
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

    /// Whether it reads the repository.
    pub(super) fn reads(&self, repository: &str) -> bool {
        let nested = self.merge.iter().chain(&self.matrix).flat_map(|nested| &nested.generators);
        self.git.as_ref().is_some_and(|git| git.repository == repository)
            || nested.into_iter().any(|generator| generator.reads(repository))
    }
}
