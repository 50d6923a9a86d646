//! What a set should have made on a cluster, compared with what it has made: the one place that says so.

use std::collections::BTreeSet;

use super::application::Application;
use super::application_set::ApplicationSet;
use super::fleet::{Fleet, Registered};
use crate::site::name::AddonName;

/// Whether a set makes Applications for a cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    /// It makes at least one.
    Yes,
    /// It selects the cluster, but something else decides too, such as the folders of a repository.
    Perhaps,
    /// It does not select the cluster.
    No,
    /// That is not for the clusters' labels to say.
    Unknown,
}

/// One set on one cluster.
#[derive(Clone)]
pub(super) struct Expected<'a> {
    set: &'a ApplicationSet,
    cluster: &'a Registered,
    /// Whether it should have made Applications.
    pub(super) wanted: Wanted,
    /// Those that it has made.
    pub(super) made: Vec<&'a Application>,
}

impl Fleet {
    /// What a set should have made on a cluster, and what it has made.
    pub(super) fn expected<'a>(&'a self, set: &'a ApplicationSet, cluster: &'a Registered) -> Expected<'a> {
        let wanted = match self.selection(set) {
            None => Wanted::Unknown,
            Some(selection) if !selection.clusters.contains(&cluster.name) => Wanted::No,
            Some(selection) if selection.exact => Wanted::Yes,
            Some(_) => Wanted::Perhaps,
        };
        Expected { set, cluster, wanted, made: self.made_for(set, cluster).collect() }
    }

    /// The same of every set that an addon's label switches.
    pub(super) fn expected_of<'a>(
        &'a self,
        addon: &AddonName,
        cluster: &'a Registered,
    ) -> impl Iterator<Item = Expected<'a>> {
        self.sets_of(addon).map(|set| self.expected(set, cluster))
    }
}

impl<'a> Expected<'a> {
    /// Whether the set has anything to do with the cluster.
    pub(super) fn is_concerned(&self) -> bool {
        matches!(self.wanted, Wanted::Yes | Wanted::Perhaps) || !self.made.is_empty()
    }

    /// Whether an Application is to come.
    pub(super) fn is_missing(&self) -> bool {
        self.wanted == Wanted::Yes && self.made.is_empty()
    }

    /// The Applications that the set takes away by itself.
    pub(super) fn leaving(&self) -> impl Iterator<Item = &'a Application> + use<'a, '_> {
        let goes = self.wanted == Wanted::No && self.set.deletes();
        self.made.iter().copied().filter(move |_| goes)
    }

    /// The names of the Applications that it makes for the cluster, or would if it selected it.
    pub(super) fn names(&self) -> BTreeSet<String> {
        self.set.application_names(self.cluster)
    }

    /// The set.
    pub(super) fn set(&self) -> &'a ApplicationSet {
        self.set
    }
}
