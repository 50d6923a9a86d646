//! What left a site's profile and is still there: found by its marks, told by `plan` and `status`, and taken away by
//! `up --prune` with the care of `down --cluster`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::Serialize;

use super::down::Request;
use super::presence::{Concern, presence};
use super::{addon, down, up};
use crate::engine::facts::Presence;
use crate::engine::survey::survey;
use crate::engine::within::within;
use crate::engine::{Facts, Failure, Tree};
use crate::env::Env;
use crate::gitops::declared::pruned;
use crate::gitops::departed::{DepartedCluster, departed, drop_entries};
use crate::gitops::teardown;
use crate::provider::{DepartedHost, MarkedHosts};
use crate::site::name::{AddonName, ClusterName};
use crate::site::{Cluster, Site};
use crate::{provider, seq};

pub use crate::gitops::addon::Removals;

/// What left the profile and is there.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Departed {
    /// What the hub knows of.
    #[serde(flatten)]
    on_hub: crate::gitops::departed::Departed,
    /// Clusters that the hub does not know: they have the site's mark on this machine, or on hosts.
    unregistered: BTreeSet<ClusterName>,
    /// Hosts that were taken out of a cluster.
    hosts: BTreeSet<DepartedHost>,
    /// Why it is not known whether there is more.
    unseen: Vec<String>,
}

/// It cannot be told what left the profile.
#[derive(Debug, thiserror::Error)]
enum DepartedError {
    #[error("cannot look for what is no longer in the profile: the hub `{0}` does not answer")]
    NoHub(ClusterName),
    #[error("cannot look for what is no longer in the profile: {0}")]
    Unseen(String),
}

/// Looks for what left the profile. A hub that does not answer knows of nothing; what cannot be asked is said.
pub async fn look(site: &Arc<Site>, env: &Arc<Env>, facts: &Facts) -> Departed {
    let unregistered = provider::departed_here(site, env).into_iter().collect();
    let mut found = Departed { unregistered, ..Departed::default() };
    if facts.access(&site.hub.name).is_ok() {
        let is_unseen = |cluster: &&Cluster| {
            cluster.foreign_context().is_some()
                && cluster.server.is_none()
                && facts.access(&cluster.name).is_err()
        };
        let unseen: Vec<_> = site.spokes.iter().filter(is_unseen).map(|spoke| spoke.name.clone()).collect();
        match departed(site, env, facts, &unseen).await {
            Ok(on_hub) => found.on_hub = on_hub,
            Err(failure) => found.unseen.push(failure.in_full()),
        }
    }
    match provider::departed_agents(site, env, facts).await {
        Ok(agents) => found.hosts = agents,
        Err(failure) => found.unseen.push(failure.in_full()),
    }
    if let (Some(named), Some(first)) = (&found.on_hub.undecided, found.on_hub.clusters.first()) {
        let DepartedCluster { name, server } = first;
        found
            .unseen
            .push(format!("whether `{name}` ({server}) is now called `{named}`: `{named}` does not answer"));
    }
    found.only_unregistered();
    found
}

/// What is to go, and the site with the clusters among it as spokes. Every host of the inventory is asked whether it has
/// the site's mark: what an earlier run could not finish is found again by that.
///
/// # Errors
/// When the hub does not answer and is not proven gone, something else cannot be asked, or a cluster may be one that the
/// profile has under another name.
pub async fn search(
    site: &Arc<Site>,
    env: &Arc<Env>,
    facts: &Facts,
) -> Result<(Departed, Arc<Site>), Failure> {
    let is_gone = matches!(facts.presence(&site.hub.name), Some(Presence::Gone(_)));
    if facts.access(&site.hub.name).is_err() && !is_gone {
        let hint = format!("bring the site up first: bridgehead up {}", site.name);
        return Err(Failure::from(DepartedError::NoHub(site.hub.name.clone())).with_hint(hint));
    }
    let mut found = look(site, env, facts).await;
    if let Some(why) = found.unseen.pop() {
        return Err(Failure::from(DepartedError::Unseen(why)).with_hint("make it answer, then run again"));
    }
    let hosts = MarkedHosts::look(site, env).await;
    found.unregistered.extend(hosts.departed(site));
    found.hosts.extend(hosts.departed_hosts(site));
    found.only_unregistered();
    let mut all = Site::clone(site);
    let clusters = found.clusters();
    all.spokes
        .extend(clusters.map(|(name, server)| provider::departed_cluster(site, env, &hosts, name, server)));
    Ok((found, Arc::new(all)))
}

impl Departed {
    /// Whether there is nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.on_hub.is_empty() && self.unregistered.is_empty() && self.hosts.is_empty()
    }

    /// Each thing in a line.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        let clusters = self.clusters().map(|(name, server)| match server {
            "" => format!("cluster {name}, which is not registered"),
            server => format!("cluster {name} ({server})"),
        });
        let sets = self.on_hub.sets.iter();
        let sets = sets.map(|set| format!("ApplicationSet {set}, with everything it deployed"));
        let addons = self.on_hub.addons.iter();
        let addons = addons.map(|(addon, clusters)| format!("addon {addon}, on {}", list(clusters)));
        let repositories = self.on_hub.repositories.iter().map(|(name, clusters)| {
            format!("repository {name}, still in the cluster Secrets of {}", list(clusters))
        });
        clusters
            .chain(self.hosts.iter().map(ToString::to_string))
            .chain(sets)
            .chain(addons)
            .chain(repositories)
            .chain(self.on_hub.declared.iter().cloned())
            .collect()
    }

    /// Why it is not known whether there is more.
    #[must_use]
    pub fn unseen(&self) -> &[String] {
        &self.unseen
    }

    /// Whether clusters go.
    #[must_use]
    pub fn has_clusters(&self) -> bool {
        self.clusters().next().is_some()
    }

    /// The addons that have a label, and where.
    #[must_use]
    pub fn addons(&self) -> &BTreeMap<AddonName, Vec<ClusterName>> {
        &self.on_hub.addons
    }

    /// Leaves some addons as they are.
    pub fn leave_addons(&mut self, stays: impl Fn(&AddonName) -> bool) {
        self.on_hub.addons.retain(|addon, _| !stays(addon));
    }

    /// Whether cluster Secrets say something of addons or repositories that left the profile.
    #[must_use]
    pub fn has_entries(&self) -> bool {
        !self.on_hub.addons.is_empty() || !self.on_hub.repositories.is_empty()
    }

    /// The clusters, and where they are registered, if they are.
    fn clusters(&self) -> impl Iterator<Item = (&ClusterName, &str)> {
        let registered = self.on_hub.clusters.iter().map(|known| (&known.name, known.server.as_str()));
        registered.chain(self.unregistered.iter().map(|name| (name, "")))
    }

    fn only_unregistered(&mut self) {
        let registered = &self.on_hub.clusters;
        self.unregistered.retain(|name| registered.iter().all(|known| known.name != *name));
    }
}

fn list(clusters: &[ClusterName]) -> String {
    clusters.iter().map(ClusterName::as_str).collect::<Vec<_>>().join(", ")
}

/// `up`, and before it everything goes that left the profile but addons: what is left of those is known only once their
/// labels are off. What cannot go keeps nothing else from going, and the site from nothing.
#[must_use]
pub fn up_and_prune(
    site: &Arc<Site>,
    all: &Arc<Site>,
    env: &Arc<Env>,
    departed: &Departed,
    request: &Request,
) -> Tree {
    let mut parts = Vec::new();
    // One after the other: each holds the generator still, and lets it go on.
    for spoke in departed.clusters().filter_map(|(name, _)| all.cluster(name)) {
        parts.push((format!("cluster/{}", spoke.name), prune_cluster(all, env, spoke, request)));
    }
    if !departed.on_hub.sets.is_empty() {
        let spokes = site.spokes.iter().map(|spoke| spoke.name.clone()).collect();
        let presence = presence(all, env, &Concern::Named(spokes), &request.said);
        parts.push(("sets".to_owned(), seq![presence, teardown::sets(all, env, &departed.on_hub.sets)]));
    }
    if !departed.on_hub.declared.is_empty() {
        let hub = presence(site, env, &Concern::Named(BTreeSet::new()), &request.said);
        parts.push(("declared".to_owned(), seq![hub, pruned(site, env)]));
    }
    for departed in &departed.hosts {
        let Some(cluster) = site.cluster(&departed.cluster) else { continue };
        // A server says itself whether it is one, whatever the cluster that the profile has says.
        let reached =
            if departed.is_server { seq![] } else { survey(provider::of(site, cluster, env).provision()) };
        let name = format!("host/{}", departed.host);
        parts.push((name, seq![reached, provider::remove_host(site, env, departed)]));
    }
    let alone = |(name, part): (String, Tree)| Tree::Each(vec![within(&format!("departed/{name}"), part)]);
    let mut parts: Vec<_> = parts.into_iter().map(alone).collect();
    parts.push(up::tree(site, env));
    Tree::Seq(parts)
}

/// As `down --cluster` does it.
fn prune_cluster(all: &Arc<Site>, env: &Arc<Env>, spoke: &Cluster, request: &Request) -> Tree {
    let named = Request { spokes: Some(BTreeSet::from([spoke.name.clone()])), ..request.clone() };
    seq![down::checks(all, env, &named), down::departed(all, env, spoke, request.with_others)]
}

/// Takes away what cluster Secrets still say of addons and repositories that left the profile, and what those addons
/// deployed.
#[must_use]
pub fn prune_entries(
    site: &Arc<Site>,
    env: &Arc<Env>,
    departed: &Departed,
    removals: &BTreeMap<AddonName, Removals>,
) -> Tree {
    seq![addon::found(site, env), within("departed", drop_entries(site, env, &departed.on_hub, removals))]
}
