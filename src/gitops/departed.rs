//! What is there because of a site and that its profile does not name any more: found on the hub by the site's marks, never
//! remembered.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use kube::Client;
use serde::Serialize;

use super::application_set::ApplicationSet;
use super::cluster_secret::{self, EditEntries, Ending, Entries, HUB_SERVER, list, registers_as};
use super::{Scope, addon, bootstrap, declared, part, pause};
use crate::engine::{Facts, Failure, Stop, Tree};
use crate::env::Env;
use crate::k8s::{ApiError, Kind, Object, api, marked_as};
use crate::seq;
use crate::site::name::{AddonName, ClusterName, RepositoryName};
use crate::site::{Cluster, Site};

/// What left the profile of a site, and is there.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Departed {
    /// Clusters that are registered.
    pub clusters: Vec<DepartedCluster>,
    /// A cluster of the profile that may be one of them, under another name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub undecided: Option<ClusterName>,
    /// ApplicationSets of repositories.
    pub sets: BTreeSet<String>,
    /// Secrets and projects that were declared, as a person calls them.
    pub declared: BTreeSet<String>,
    /// Addons that have a label, and where.
    pub addons: BTreeMap<AddonName, Vec<ClusterName>>,
    /// Repositories that cluster Secrets still speak of, and which.
    pub repositories: BTreeMap<RepositoryName, Vec<ClusterName>>,
}

/// A cluster that is registered and in no profile.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DepartedCluster {
    /// Its name.
    pub name: ClusterName,
    /// The URL by which Argo CD reaches it.
    pub server: String,
}

/// Looks on a hub that answers. `unseen`: clusters that somebody else made and whose address is not known; each may be one
/// that is registered under another name.
///
/// # Errors
/// When the hub cannot be asked, or a template is malformed.
pub async fn departed(
    site: &Arc<Site>,
    env: &Arc<Env>,
    facts: &Facts,
    unseen: &[ClusterName],
) -> Result<Departed, Failure> {
    let scope = Scope::new(site, env);
    let hub = scope.standing_hub(facts).await.map_err(Stop::into_failure)?;
    let (registrations, sets, declared) =
        futures::join!(list(&scope, &hub), sets(&scope, &hub), declared::departed(&scope, &hub));
    let (registrations, sets, declared) = (registrations?, sets?, declared?);
    let wanted = bootstrap::objects(site, env.root.as_deref())?;
    let wanted: BTreeSet<_> = wanted.iter().map(|set| set.name().to_owned()).collect();
    let mut departed = Departed { sets: &sets - &wanted, declared, ..Departed::default() };
    departed.look_into(site, facts, &registrations, unseen);
    Ok(departed)
}

async fn sets(scope: &Scope, hub: &Client) -> Result<BTreeSet<String>, ApiError> {
    let mark = marked_as(&scope.site.name, part::BOOTSTRAP);
    let sets =
        api::list_of::<ApplicationSet>(hub, &Kind::APPLICATION_SET, Some(scope.namespace()), &mark).await?;
    Ok(sets.iter().map(|set| set.name().to_owned()).collect())
}

impl Departed {
    /// Whether there is nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self { undecided: self.undecided.clone(), ..Self::default() }
    }

    fn look_into(&mut self, site: &Site, facts: &Facts, registrations: &[Object], unseen: &[ClusterName]) {
        let known = |secret| Some((registers_as(site, secret)?.cluster, secret));
        let registered: HashMap<_, _> = registrations.iter().filter_map(known).collect();
        self.undecided = unseen.iter().find(|name| !registered.contains_key(*name)).cloned();
        let servers = site.clusters().flat_map(|cluster| {
            let known = facts.access(&cluster.name).ok().map(|access| access.server.as_str());
            [cluster.server.as_deref(), known].into_iter().flatten()
        });
        let servers: BTreeSet<_> = servers.chain([HUB_SERVER]).collect();
        for secret in registrations {
            let Some(name) = cluster_secret::departed(site, secret) else { continue };
            let server = secret.data("server").unwrap_or_default().trim_end_matches('/').to_owned();
            // The Secret of a cluster that has another name now is taken over by `up`.
            if !servers.contains(server.as_str()) {
                self.clusters.push(DepartedCluster { name, server });
            }
        }
        for cluster in site.clusters() {
            let Some(secret) = registered.get(&cluster.name) else { continue };
            let left = Entries::of(site, cluster, secret);
            for addon in left.addons {
                self.addons.entry(addon).or_default().push(cluster.name.clone());
            }
            for repository in left.repositories {
                self.repositories.entry(repository).or_default().push(cluster.name.clone());
            }
        }
    }
}

/// Takes the entries of cluster Secrets away that left the profile, and what the addons deployed that they switched on.
/// `removals`: what a person was shown of that, by addon.
#[must_use]
pub fn drop_entries(
    site: &Arc<Site>,
    env: &Arc<Env>,
    departed: &Departed,
    removals: &BTreeMap<AddonName, addon::Removals>,
) -> Tree {
    let scope = Scope::new(site, env);
    let named: BTreeSet<_> =
        departed.addons.values().chain(departed.repositories.values()).flatten().collect();
    let edit = |how| {
        let concerned = site.clusters().filter(|cluster| named.contains(&cluster.name));
        let edit = |cluster: &Cluster| EditEntries {
            scope: scope.clone(),
            cluster: cluster.clone(),
            how,
            addons: departed.addons.keys().cloned().collect(),
        };
        Tree::Par(concerned.map(|cluster| edit(cluster).into()).collect())
    };
    let gone = departed.addons.iter().map(|(name, clusters)| {
        let shown = removals.get(name).map_or(&[][..], |removals| &removals.applications);
        addon::gone(&scope, name, clusters, shown)
    });
    seq![
        edit(Ending::SwitchOff),
        pause::resumed(site, env),
        Tree::Par(gone.collect()),
        // The labels go last: by them the addons are found that are not quite gone yet.
        edit(Ending::Remove),
    ]
}
