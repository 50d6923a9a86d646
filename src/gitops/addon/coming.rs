//! What comes when an addon is switched on, as far as the hub knows it before.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::engine::{Facts, Failure, Stop};
use crate::env::Env;
use crate::gitops::Scope;
use crate::gitops::application_set::{ADDON_LABEL_PREFIX, ApplicationSet};
use crate::gitops::fleet::{Fleet, Registered};
use crate::gitops::hub::Hub;
use crate::site::Site;
use crate::site::name::{AddonName, ClusterName};

/// What switching an addon on brings to one cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Coming {
    /// The cluster.
    pub cluster: ClusterName,
    /// The label's value on the live cluster Secret; `None` if it has none, or the cluster is not registered.
    pub label: Option<String>,
    /// Whether Argo CD knows the cluster.
    pub is_registered: bool,
    /// The ApplicationSets that will select it.
    pub sets: Vec<ComingSet>,
    /// The ApplicationSets that the label switches, and that want something else of the cluster as well.
    pub unmoved: Vec<String>,
}

/// An ApplicationSet that will select a cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ComingSet {
    /// Its name.
    pub name: String,
    /// The Applications that it will make, as far as their names are for the cluster to decide.
    pub applications: BTreeSet<String>,
}

/// What comes when an addon is switched on on some clusters. Only the hub is asked; nothing is changed.
///
/// # Errors
/// When the hub does not answer.
pub async fn coming(
    site: &Arc<Site>,
    env: &Arc<Env>,
    facts: &Facts,
    addon: &AddonName,
    clusters: &[ClusterName],
) -> Result<Vec<Coming>, Failure> {
    let scope = Scope::new(site, env);
    scope.standing_hub(facts).await.map_err(Stop::into_failure)?;
    let hub = Hub::of(&scope, facts).await.map_err(Stop::into_failure)?;
    let fleet = Fleet::look(&hub, site).await?;
    Ok(clusters.iter().map(|cluster| on_cluster(&fleet, addon, cluster)).collect())
}

fn on_cluster(fleet: &Fleet, addon: &AddonName, cluster: &ClusterName) -> Coming {
    let mut coming = Coming {
        cluster: cluster.clone(),
        label: None,
        is_registered: false,
        sets: Vec::new(),
        unmoved: Vec::new(),
    };
    let Some(registered) = fleet.registered(cluster) else { return coming };
    coming.is_registered = true;
    let mut switched = registered.clone();
    coming.label = switched.labels.insert(format!("{ADDON_LABEL_PREFIX}{addon}"), "true".to_owned());
    for set in fleet.sets_of(addon) {
        let name = set.name().to_owned();
        if selects(set, &switched) {
            coming.sets.push(ComingSet { name, applications: set.application_names(&switched) });
        } else {
            coming.unmoved.push(name);
        }
    }
    coming
}

/// Whether a set will select a cluster, or it is not for the cluster's labels to say.
fn selects(set: &ApplicationSet, cluster: &Registered) -> bool {
    let selection = set.selection(std::slice::from_ref(cluster));
    selection.is_none_or(|selection| selection.clusters.contains(&cluster.name))
}
