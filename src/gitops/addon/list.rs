//! The matrix of clusters and addons.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures::{StreamExt, stream};
use serde::Serialize;

use super::{AT_ONCE, applications, deployed, seen_hub, uninstalls};
use crate::engine::{Facts, Stop};
use crate::env::Env;
use crate::gitops::Scope;
use crate::gitops::application::ApplicationSummary;
use crate::gitops::application_set::{ADDON_LABEL_PREFIX, ApplicationSet};
use crate::gitops::fleet::{Fleet, Registered};
use crate::gitops::tracking::{Found, ObjectName, Tracked, Tracking};
use crate::site::name::{AddonName, ClusterName};
use crate::site::{Cluster, Site};

/// One addon on every cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Addon {
    /// The addon.
    pub addon: AddonName,
    /// The ApplicationSets that its label switches; none means that the label does nothing.
    pub sets: Vec<SetName>,
    /// The clusters, the hub first.
    pub clusters: Vec<Cell>,
}

/// An ApplicationSet that an addon's label switches.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SetName {
    /// Its name.
    pub name: String,
    /// Whether what its Applications deployed stays when they go.
    pub preserves: bool,
}

/// One addon on one cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Cell {
    /// The cluster.
    pub cluster: ClusterName,
    /// What the profile says.
    pub profile: bool,
    /// The label's value on the live cluster Secret, if it has one.
    pub label: Option<String>,
    /// Its Applications.
    pub applications: Vec<ApplicationSummary>,
    /// What Applications that are gone have left behind; `None` if the cluster could not be asked.
    pub left_behind: Option<Vec<LeftBehind>>,
    /// Why nothing is known of its cluster, or not of everything there.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unseen: Vec<String>,
}

/// What an Application that is gone has left behind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LeftBehind {
    /// The Application's name.
    pub application: String,
    /// The objects, without those that ask to stay.
    pub objects: Vec<ObjectName>,
}

impl Cell {
    /// Whether profile, label and cluster agree, everything was seen, and nothing is unhealthy or left behind.
    #[must_use]
    pub fn is_as_it_should_be(&self) -> bool {
        self.profile == (self.label.as_deref() == Some("true"))
            && self.applications.iter().all(|application| application.reason.is_none())
            && self.left_behind.as_ref().is_some_and(Vec::is_empty)
            && self.unseen.is_empty()
    }
}

/// The matrix of all clusters, or of some: every addon that the profile, a live cluster Secret or an ApplicationSet knows.
///
/// # Errors
/// When the hub cannot be asked.
pub async fn list(
    site: &Arc<Site>,
    env: &Arc<Env>,
    facts: &Facts,
    clusters: Option<&BTreeSet<ClusterName>>,
) -> Result<Vec<Addon>, Stop> {
    let scope = Scope::new(site, env);
    let hub = seen_hub(&scope, facts).await?;
    let fleet = Fleet::look(&hub, site).await?;
    let tracking = Tracking::of(&hub).await?;
    let addons = known(site, &fleet);
    let is_meant = |cluster: &ClusterName| clusters.is_none_or(|clusters| clusters.contains(cluster));
    let meant = fleet.ours().filter(|registered| registered.cluster.as_ref().is_some_and(is_meant));
    let looks = meant.map(async |registered| {
        let absent = addons.iter().flat_map(|addon| gone(site, &fleet, addon, registered)).collect();
        (registered.key(), deployed(&scope, facts, &tracking, registered, &absent).await)
    });
    let left = stream::iter(looks).buffer_unordered(AT_ONCE).collect::<Left<'_>>().await;
    let meant: Vec<_> = site.clusters().filter(|cluster| is_meant(&cluster.name)).collect();
    Ok(addons.iter().map(|addon| row(site, &fleet, addon, (&meant, &left))).collect())
}

/// What was found in each cluster, or why it could not be asked, by the cluster's key.
type Left<'a> = BTreeMap<&'a str, Result<Found, String>>;

/// The addons that anything knows of.
fn known(site: &Site, fleet: &Fleet) -> BTreeSet<AddonName> {
    let profile = site.clusters().flat_map(|cluster| cluster.addons.keys().cloned());
    let labels = fleet.ours().flat_map(|cluster| cluster.labels.keys());
    let labels = labels.filter_map(|key| key.strip_prefix(ADDON_LABEL_PREFIX)?.parse().ok());
    let sets = fleet.sets.iter().flat_map(ApplicationSet::addons);
    profile.chain(labels).chain(sets.filter_map(|name| name.parse().ok())).collect()
}

/// The names of an addon's Applications that could be there and are not.
fn gone(site: &Site, fleet: &Fleet, addon: &AddonName, cluster: &Registered) -> BTreeSet<String> {
    let names = applications(site, fleet, addon, cluster).into_iter();
    let is_absent = |name: &String| {
        fleet.application(name).is_none_or(|application| uninstalls(site, application).is_some())
    };
    names.filter(is_absent).collect()
}

fn row(site: &Site, fleet: &Fleet, addon: &AddonName, (clusters, left): (&[&Cluster], &Left<'_>)) -> Addon {
    let sets = fleet.sets_of(addon);
    let sets = sets.map(|set| SetName { name: set.name().to_owned(), preserves: set.preserves() });
    Addon {
        addon: addon.clone(),
        sets: sets.collect(),
        clusters: clusters.iter().map(|cluster| cell(site, fleet, addon, cluster, left)).collect(),
    }
}

fn cell(site: &Site, fleet: &Fleet, addon: &AddonName, cluster: &Cluster, left: &Left<'_>) -> Cell {
    let mut cell = Cell {
        cluster: cluster.name.clone(),
        profile: cluster.addons.get(addon).copied().unwrap_or_default(),
        label: None,
        applications: Vec::new(),
        left_behind: None,
        unseen: Vec::new(),
    };
    if let Some(registered) = fleet.registered(&cluster.name) {
        cell.applications = fleet.of_addon(addon, registered).map(|each| fleet.summary(each)).collect();
        cell.label = registered.labels.get(&format!("{ADDON_LABEL_PREFIX}{addon}")).cloned();
        match left.get(registered.key()) {
            Some(Ok(found)) => {
                let names = gone(site, fleet, addon, registered);
                cell.left_behind = Some(left_behind(&names, &found.objects));
                cell.unseen = found.unlisted.iter().map(ToString::to_string).collect();
            }
            Some(Err(reason)) => cell.unseen = vec![reason.clone()],
            None => {}
        }
    }
    cell
}

fn left_behind(names: &BTreeSet<String>, tracked: &[Tracked]) -> Vec<LeftBehind> {
    let of = |name: &String| {
        let mine = tracked.iter().filter(|found| found.application == *name && !found.stays);
        let objects: Vec<_> = mine.map(|found| found.object.clone()).collect();
        (!objects.is_empty()).then(|| LeftBehind { application: name.clone(), objects })
    };
    names.iter().filter_map(of).collect()
}
