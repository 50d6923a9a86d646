//! What left a site's profile and is still there: found by its marks, told by `plan` and `status`, and taken away by
//! `up --prune` with the care of `down --cluster`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::Serialize;

use super::down::Request;
use super::presence::{Concern, presence};
use super::{down, up};
use crate::engine::survey::survey;
use crate::engine::within::within;
use crate::engine::{Facts, Failure, Tree};
use crate::env::Env;
use crate::gitops::departed::{DepartedCluster, departed, drop_entries};
use crate::gitops::secret::pruned;
use crate::gitops::teardown;
use crate::site::name::{AddonName, ClusterName, HostName};
use crate::site::{Cluster, Site};
use crate::{provider, seq};

pub use crate::gitops::addon::Removals;

/// What left the profile and is there.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Departed {
    /// What the hub knows of.
    #[serde(flatten)]
    on_hub: crate::gitops::departed::Departed,
    /// Clusters of this machine that the hub does not know.
    unregistered: Vec<ClusterName>,
    /// Hosts, with their clusters.
    agents: Vec<(ClusterName, HostName)>,
}

/// It cannot be told what left the profile.
#[derive(Debug, thiserror::Error)]
enum DepartedError {
    #[error("cannot look for what left the profile: the hub `{0}` does not answer")]
    NoHub(ClusterName),
    #[error(
        "cannot tell whether `{departed}`, which is registered at {server}, is what the profile calls `{named}` now: \
         `{named}` does not answer"
    )]
    Undecided { departed: ClusterName, server: String, named: ClusterName },
}

/// Finds out how the clusters are reached, for [`look`].
#[must_use]
pub fn reached(site: &Arc<Site>, env: &Arc<Env>) -> Tree {
    survey(up::clusters(site, env))
}

/// Looks for what left the profile. A hub that does not answer knows of nothing.
///
/// # Errors
/// When a cluster that answers cannot be asked.
pub async fn look(site: &Arc<Site>, env: &Arc<Env>, facts: &Facts) -> Result<Departed, Failure> {
    let mut found = Departed { unregistered: provider::departed_here(site, env), ..Departed::default() };
    if facts.access(&site.hub.name).is_ok() {
        let is_unseen = |cluster: &&Cluster| {
            cluster.foreign_context().is_some()
                && cluster.server.is_none()
                && facts.access(&cluster.name).is_err()
        };
        let unseen: Vec<_> = site.spokes.iter().filter(is_unseen).map(|spoke| spoke.name.clone()).collect();
        found.on_hub = departed(site, env, facts, &unseen).await?;
    }
    found.unregistered.retain(|name| found.on_hub.clusters.iter().all(|known| known.name != *name));
    found.agents = provider::departed_agents(site, env, facts).await?;
    Ok(found)
}

impl Departed {
    /// Whether there is nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.on_hub.is_empty() && self.unregistered.is_empty() && self.agents.is_empty()
    }

    /// Each thing in a line.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        let clusters = self.on_hub.clusters.iter();
        let clusters = clusters.map(|DepartedCluster { name, server }| format!("cluster {name} ({server})"));
        let unregistered = self.unregistered.iter().map(|name| format!("cluster {name} of this machine"));
        let agents = self.agents.iter().map(|(cluster, host)| format!("agent {host} of {cluster}"));
        let sets =
            self.on_hub.sets.iter().map(|set| format!("ApplicationSet {set}, with all that follows from it"));
        let addons = self.on_hub.addons.iter();
        let addons =
            addons.map(|(addon, clusters)| format!("addon {addon}, which is on: {}", list(clusters)));
        let repositories = self.on_hub.repositories.iter();
        let repositories = repositories.map(|(name, clusters)| {
            format!("repository {name} in the cluster Secrets of {}", list(clusters))
        });
        clusters
            .chain(unregistered)
            .chain(agents)
            .chain(sets)
            .chain(addons)
            .chain(repositories)
            .chain(self.on_hub.secrets.iter().cloned())
            .collect()
    }

    /// The addons that are on, and where.
    #[must_use]
    pub fn addons(&self) -> &BTreeMap<AddonName, Vec<ClusterName>> {
        &self.on_hub.addons
    }

    /// Whether cluster Secrets say something of addons or repositories that left the profile.
    #[must_use]
    pub fn has_entries(&self) -> bool {
        !self.on_hub.addons.is_empty() || !self.on_hub.repositories.is_empty()
    }

    fn clusters(&self) -> impl Iterator<Item = (&ClusterName, &str)> {
        let registered = self.on_hub.clusters.iter().map(|known| (&known.name, known.server.as_str()));
        registered.chain(self.unregistered.iter().map(|name| (name, "")))
    }
}

fn list(clusters: &[ClusterName]) -> String {
    clusters.iter().map(ClusterName::as_str).collect::<Vec<_>>().join(", ")
}

/// The site with the clusters that left its profile as spokes.
///
/// # Errors
/// When the hub does not answer, or a cluster may be one that the profile has under another name.
pub async fn with_departed(
    site: &Arc<Site>,
    env: &Arc<Env>,
    facts: &Facts,
    departed: &Departed,
) -> Result<Arc<Site>, Failure> {
    if facts.access(&site.hub.name).is_err() {
        let hint = format!("bring the site up first: bridgehead up {}", site.name);
        return Err(Failure::from(DepartedError::NoHub(site.hub.name.clone())).with_hint(hint));
    }
    if let (Some(named), Some(first)) = (&departed.on_hub.undecided, departed.on_hub.clusters.first()) {
        let (server, named) = (first.server.clone(), named.clone());
        let error = DepartedError::Undecided { departed: first.name.clone(), server, named: named.clone() };
        return Err(Failure::from(error).with_hint(format!("make `{named}` answer, then run again")));
    }
    let mut all = Site::clone(site);
    for (name, server) in departed.clusters() {
        all.spokes.push(provider::departed_cluster(site, env, name, server).await);
    }
    Ok(Arc::new(all))
}

/// `up`, and before it everything goes that left the profile but addons: what is left of those is known only once their
/// labels are gone. What cannot go keeps the site from nothing else.
#[must_use]
pub fn up_and_prune(
    site: &Arc<Site>,
    all: &Arc<Site>,
    env: &Arc<Env>,
    departed: &Departed,
    request: &Request,
) -> Tree {
    let prune = within("departed", prune(site, all, env, departed, request));
    seq![Tree::Each(vec![prune]), up::tree(site, env)]
}

fn prune(site: &Arc<Site>, all: &Arc<Site>, env: &Arc<Env>, departed: &Departed, request: &Request) -> Tree {
    let going: BTreeSet<_> = departed.clusters().map(|(name, _)| name.clone()).collect();
    let sets = &departed.on_hub.sets;
    let concern = if sets.is_empty() {
        Concern::Named(going.clone())
    } else {
        Concern::Named(all.spokes.iter().map(|spoke| spoke.name.clone()).collect())
    };
    let mut parts = vec![presence(all, env, &concern, &request.said)];
    if !going.is_empty() {
        parts.push(down::ours(all, env, going.iter()));
    }
    if !going.is_empty() && !request.with_others {
        parts.push(teardown::unused(all, env, teardown::Going::Spokes(going.iter().cloned().collect())));
    }
    if !sets.is_empty() {
        parts.push(within("sets", teardown::sets(all, env, sets)));
    }
    if !going.is_empty() {
        parts.push(down::spokes(all, env, &going, request.with_others));
    }
    parts.push(pruned(site, env).into());
    parts.extend(site.clusters().filter_map(|cluster| prune_agents(site, cluster, env, departed)));
    Tree::Seq(parts)
}

fn prune_agents(site: &Arc<Site>, cluster: &Cluster, env: &Arc<Env>, departed: &Departed) -> Option<Tree> {
    let agents = departed.agents.iter().filter(|(of, _)| *of == cluster.name);
    let removed: Vec<_> = agents.map(|(_, host)| provider::remove_agent(site, cluster, env, host)).collect();
    (!removed.is_empty())
        .then(|| seq![survey(provider::of(site, cluster, env).provision()), Tree::Par(removed)])
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
    seq![reached(site, env), within("departed", drop_entries(site, env, &departed.on_hub, removals))]
}
