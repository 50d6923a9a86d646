//! Who belongs to whom in a fleet, found out once: every question of it is answered without going through the fleet.

use std::collections::HashMap;

use super::Registered;
use crate::gitops::application::{Application, Destination};
use crate::gitops::application_set::{ApplicationSet, Selection};
use crate::site::name::{AddonName, ClusterName};

/// Positions in the fleet's lists, by what they are asked for.
#[derive(Debug, Default)]
pub(super) struct Index {
    /// Clusters by their name in the site, their name in Argo CD, and their server.
    clusters: HashMap<ClusterName, usize>,
    names: HashMap<String, usize>,
    servers: HashMap<String, usize>,
    /// Sets by name, and by the addon whose label they select by.
    sets: HashMap<String, usize>,
    addons: HashMap<String, Vec<usize>>,
    /// What each set selects.
    selections: Vec<Option<Selection>>,
    /// Applications by name, by the key of their cluster, and by the set that made them and that key.
    applications: HashMap<String, usize>,
    on: HashMap<String, Vec<usize>>,
    made: HashMap<(String, String), Vec<usize>>,
}

impl Index {
    pub(super) fn of(
        registered: &[Registered],
        sets: &[ApplicationSet],
        applications: &[Application],
    ) -> Self {
        let mut index = Self::default();
        for (at, cluster) in registered.iter().enumerate() {
            // Of two with one name or server, the first one counts.
            index.names.entry(cluster.name.clone()).or_insert(at);
            index.servers.entry(cluster.server.clone()).or_insert(at);
            if let Some(name) = &cluster.cluster {
                index.clusters.entry(name.clone()).or_insert(at);
            }
        }
        for (at, set) in sets.iter().enumerate() {
            index.sets.insert(set.name().to_owned(), at);
            index.selections.push(set.selection(registered));
            for addon in set.addons() {
                index.addons.entry(addon).or_default().push(at);
            }
        }
        for (at, application) in applications.iter().enumerate() {
            index.applications.insert(application.name().to_owned(), at);
            let Some(target) = index.target(&application.spec.destination) else { continue };
            let cluster = registered[target].key();
            index.on.entry(cluster.to_owned()).or_default().push(at);
            if let Some(owner) = application.owner() {
                index.made.entry((owner.to_owned(), cluster.to_owned())).or_default().push(at);
            }
        }
        index
    }

    /// The cluster that a destination means.
    pub(super) fn target(&self, destination: &Destination) -> Option<usize> {
        let Destination { name, server, .. } = destination;
        let named = name.as_ref().and_then(|name| self.names.get(name));
        let served = || server.as_ref().and_then(|server| self.servers.get(server.trim_end_matches('/')));
        named.or_else(served).copied()
    }

    pub(super) fn cluster(&self, name: &ClusterName) -> Option<usize> {
        self.clusters.get(name).copied()
    }

    pub(super) fn set(&self, name: &str) -> Option<usize> {
        self.sets.get(name).copied()
    }

    pub(super) fn application(&self, name: &str) -> Option<usize> {
        self.applications.get(name).copied()
    }

    pub(super) fn sets_of(&self, addon: &AddonName) -> &[usize] {
        self.addons.get(addon.as_str()).map_or(&[], Vec::as_slice)
    }

    pub(super) fn selection(&self, set: &ApplicationSet) -> Option<&Selection> {
        self.selections.get(self.set(set.name())?)?.as_ref()
    }

    pub(super) fn on(&self, cluster: &Registered) -> &[usize] {
        self.on.get(cluster.key()).map_or(&[], Vec::as_slice)
    }

    pub(super) fn made(&self, set: &ApplicationSet, cluster: &Registered) -> &[usize] {
        let key = (set.name().to_owned(), cluster.key().to_owned());
        self.made.get(&key).map_or(&[], Vec::as_slice)
    }
}
