//! Entries of a cluster Secret by which something is deployed, and that left the profile: the labels of addons, and what
//! is said of a repository.
//!
//! They stay as they are until they are pruned: without them Argo CD would take away, or no longer find, what nobody has
//! been asked about.

use std::collections::BTreeSet;

use super::adopted::Before;
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
    /// The addons, on or off: one that is off may not be quite gone.
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
        // What an owner had before us is there as ours, and is not ours to take away.
        let before = Before::read(&Field::Annotations.of(live)).unwrap_or_default();
        labels.retain(|key, value| {
            let left = addon(key).is_some_and(|addon| !cluster.addons.contains_key(&addon));
            left && !cluster.labels.contains_key(key) && before.had(Field::Labels, key) != Some(value)
        });
        annotations.retain(|key, value| before.had(Field::Annotations, key) != Some(value));
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

    /// The same with these addons alone, and nothing of others.
    fn only(mut self, going: &BTreeSet<AddonName>) -> Self {
        let stays: Vec<_> = self.addons.iter().filter(|addon| !going.contains(*addon)).cloned().collect();
        self.labels.retain(|key, _| addon(key).is_some_and(|addon| going.contains(&addon)));
        for (key, _) in stays.iter().flat_map(catalogue::annotations) {
            self.annotations.remove(&key);
        }
        self.addons.retain(|addon| going.contains(addon));
        self
    }

    /// Adds them to what the profile says.
    pub(super) fn stay(self, labels: &mut Texts, annotations: &mut Texts) {
        for (entries, desired) in [(self.labels, labels), (self.annotations, annotations)] {
            for (key, value) in entries {
                desired.entry(key).or_insert(value);
            }
        }
    }

    fn go(&self, how: Ending, labels: &mut Texts, annotations: &mut Texts) {
        if how == Ending::SwitchOff {
            labels.extend(self.labels.keys().map(|key| (key.clone(), "false".to_owned())));
            return;
        }
        labels.retain(|key, _| !self.labels.contains_key(key));
        annotations.retain(|key, _| !self.annotations.contains_key(key));
    }
}

fn addon(label: &str) -> Option<AddonName> {
    // That of Argo CD itself is no addon: it is always there.
    label.strip_prefix(ADDON_LABEL_PREFIX).filter(|name| *name != "argocd")?.parse().ok()
}

fn repository(annotation: &str) -> Option<RepositoryName> {
    REPOSITORY_KEYS.into_iter().find_map(|suffix| annotation.strip_suffix(suffix))?.parse().ok()
}

/// What becomes of such entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::gitops) enum Ending {
    /// The labels say that the addons are off.
    SwitchOff,
    /// Nothing of them is left.
    Remove,
}

/// The steps `<cluster>/registration/switched-off` and `<cluster>/registration/entries`.
pub(in crate::gitops) struct EditEntries {
    pub(in crate::gitops) scope: Scope,
    pub(in crate::gitops) cluster: Cluster,
    pub(in crate::gitops) how: Ending,
    /// The addons that go; the entries of others stay.
    pub(in crate::gitops) addons: BTreeSet<AddonName>,
}

impl Step for EditEntries {
    type Work = Rewrite;

    fn id(&self) -> StepId {
        let path = match self.how {
            Ending::SwitchOff => "registration/switched-off",
            Ending::Remove => "registration/entries",
        };
        StepId::of(&self.cluster.name, path)
    }

    fn cluster(&self) -> Option<&ClusterName> {
        Some(&self.cluster.name)
    }

    fn purpose(&self) -> &'static str {
        match self.how {
            Ending::SwitchOff => "its cluster Secret switches the addons off that left the profile",
            Ending::Remove => "its cluster Secret has no entries that left the profile",
        }
    }

    async fn observe(&self, facts: &Facts) -> Result<Observed<Rewrite>, Stop> {
        let hub = self.scope.client(self.scope.hub(), facts).await?;
        let Some((live, is_made)) = registration_of(&self.scope, &hub, &self.cluster.name).await? else {
            return Ok(Observed::default());
        };
        let left = Entries::of(&self.scope.site, &self.cluster, &live).only(&self.addons);
        let rewritten = rewrite(hub, &self.scope.site, (&live, is_made), |labels, annotations| {
            left.go(self.how, labels, annotations);
        });
        Ok(rewritten.map_or_else(Observed::default, |(change, work)| Observed::differs(vec![change], work)))
    }

    async fn apply(&self, work: Rewrite, _: &Facts, writer: &Writer) -> Result<(), Failure> {
        work.apply(writer).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_addon_that_cannot_go_now_keeps_its_entries_and_no_others() {
        let names = |names: &[&str]| names.iter().map(|name| name.parse().expect("valid")).collect();
        let texts = |keys: &[&str]| keys.iter().map(|key| ((*key).to_owned(), "x".to_owned())).collect();
        let entries = Entries {
            addons: names(&["cert_manager", "external_dns"]),
            repositories: BTreeSet::from(["workload".parse().expect("valid")]),
            labels: texts(&["enable_cert_manager", "enable_external_dns"]),
            annotations: texts(&["cert_manager_namespace", "external_dns_namespace", "workload_repo_url"]),
        };
        let left = entries.only(&names(&["external_dns"]));
        assert_eq!(left.addons, names(&["external_dns"]));
        assert_eq!(left.labels, texts(&["enable_external_dns"]));
        assert_eq!(left.annotations, texts(&["external_dns_namespace", "workload_repo_url"]));
        assert_eq!(left.repositories.len(), 1);
    }
}
