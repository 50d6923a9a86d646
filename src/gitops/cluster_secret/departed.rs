//! Entries of a cluster Secret by which something is deployed, and that left the profile: labels that switch an addon on,
//! and what is said of a repository.
//!
//! They stay as they are until they are pruned: without them Argo CD would take away, or no longer find, what nobody has
//! been asked about.

use std::collections::BTreeSet;

use super::existing::registration_of;
use super::owned::{Field, Owners, Texts};
use super::rewrite::{Rewrite, rewrite};
use crate::engine::{Facts, Failure, Observed, Step, StepId, Stop, Writer};
use crate::gitops::application_set::ADDON_LABEL_PREFIX;
use crate::gitops::{Scope, catalogue};
use crate::k8s::Object;
use crate::site::name::{AddonName, ClusterName, RepositoryName};
use crate::site::{Cluster, Site};

/// What follows a repository's name in the keys of its annotations.
pub(super) const REPOSITORY_KEYS: [&str; 4] = ["_repo_url", "_repo_basepath", "_repo_path", "_repo_revision"];

/// Which entries of ours left the profile of a cluster.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::gitops) struct Entries {
    /// The addons that are on.
    pub(in crate::gitops) addons: BTreeSet<AddonName>,
    /// The repositories.
    pub(in crate::gitops) repositories: BTreeSet<RepositoryName>,
    labels: Texts,
    annotations: Texts,
}

impl Entries {
    /// Finds them in a live Secret.
    pub(in crate::gitops) fn of(site: &Site, cluster: &Cluster, live: &Object) -> Self {
        let owners = Owners::of(live);
        let [mut labels, mut annotations] =
            [Field::Labels, Field::Annotations].map(|field| owners.ours(live, field));
        labels.retain(|key, value| {
            value == "true" && addon(key).is_some_and(|addon| !cluster.addons.contains_key(&addon))
        });
        let addons: BTreeSet<_> = labels.keys().filter_map(|key| addon(key)).collect();
        let places = addons.iter().flat_map(catalogue::annotations).map(|(key, _)| key);
        let places: BTreeSet<_> = places.filter(|key| !cluster.annotations.contains_key(key)).collect();
        let left = |key: &String| {
            repository(key).filter(|name| {
                !site.repositories.contains_key(name) && !cluster.annotations.contains_key(key)
            })
        };
        let repositories = annotations.keys().filter_map(left).collect();
        annotations.retain(|key, _| left(key).is_some() || places.contains(key));
        Self { addons, repositories, labels, annotations }
    }

    /// Adds them to what the profile says.
    pub(super) fn stay(self, labels: &mut Texts, annotations: &mut Texts) {
        for (entries, desired) in [(self.labels, labels), (self.annotations, annotations)] {
            for (key, value) in entries {
                desired.entry(key).or_insert(value);
            }
        }
    }

    fn go(&self, labels: &mut Texts, annotations: &mut Texts) {
        labels.retain(|key, _| !self.labels.contains_key(key));
        annotations.retain(|key, _| !self.annotations.contains_key(key));
    }
}

fn addon(label: &str) -> Option<AddonName> {
    label.strip_prefix(ADDON_LABEL_PREFIX)?.parse().ok()
}

fn repository(annotation: &str) -> Option<RepositoryName> {
    REPOSITORY_KEYS.into_iter().find_map(|suffix| annotation.strip_suffix(suffix))?.parse().ok()
}

/// The step `<cluster>/registration/entries`: no entry of the cluster's Secret is left that left the profile.
pub(in crate::gitops) struct Dropped {
    pub(in crate::gitops) scope: Scope,
    pub(in crate::gitops) cluster: Cluster,
}

impl Step for Dropped {
    type Work = Rewrite;

    fn id(&self) -> StepId {
        StepId::of(&self.cluster.name, "registration/entries")
    }

    fn cluster(&self) -> Option<&ClusterName> {
        Some(&self.cluster.name)
    }

    fn purpose(&self) -> &'static str {
        "its cluster Secret says nothing that the profile no longer says"
    }

    async fn observe(&self, facts: &Facts) -> Result<Observed<Rewrite>, Stop> {
        let hub = self.scope.client(self.scope.hub(), facts).await?;
        let Some((live, is_made)) = registration_of(&self.scope, &hub, &self.cluster.name).await? else {
            return Ok(Observed::default());
        };
        let left = Entries::of(&self.scope.site, &self.cluster, &live);
        let rewritten = rewrite(hub, &self.scope.site, (&live, is_made), |labels, annotations| {
            left.go(labels, annotations);
        });
        Ok(rewritten.map_or_else(Observed::default, |(change, work)| Observed::differs(vec![change], work)))
    }

    async fn apply(&self, work: Rewrite, _: &Facts, writer: &Writer) -> Result<(), Failure> {
        work.apply(writer).await
    }
}
