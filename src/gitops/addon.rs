//! Addons: what a label switches on a cluster, and what becomes of it when the label is switched.
//!
//! Switching a label off makes Argo CD take the addon's Applications away. What they deployed goes with them only if
//! their set says so. The ecosystem's sets say that it stays: then it is left behind, nobody looks after it any more,
//! and it has to be uninstalled. What was left behind is found by what Argo CD wrote on every object of a cluster,
//! not by anything that is remembered: an `off` that was killed is simply run again.

mod coming;
mod keep;
mod leftover;
mod list;
mod off;
mod on;

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::Serialize;

pub use coming::{Coming, coming};
pub use keep::{kept, release};
pub use list::{Addon, Cell, LeftBehind, SetName, list};
pub use off::off;
pub use on::on;

use super::Scope;
use super::application::{Application, Resource};
use super::fleet::{Fleet, Registered, is_marked};
use super::hub::{Hub, Life, life};
use super::tracking::{ObjectName, Tracking, is_tracked};
use crate::engine::{Facts, Failure, Stop};
use crate::env::Env;
use crate::site::Site;
use crate::site::name::{AddonName, ClusterName};

/// The label of an Application that exists only to be deleted with what an earlier one of its name left behind.
/// Its value is the addon.
const UNINSTALLS: &str = "bridgehead/uninstalls";

/// One Application of an addon that goes when the addon is switched off.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Removal {
    /// The cluster.
    pub cluster: ClusterName,
    /// The Application's name.
    pub application: String,
    /// Whether it is still there; otherwise only what it deployed is.
    pub exists: bool,
    /// Whether Argo CD deletes its objects with it. Otherwise they stay unless they are uninstalled.
    pub cascades: bool,
    /// What it deployed and what goes.
    pub objects: Vec<ObjectName>,
    /// What it deployed and what stays: CRDs, and what says so of itself.
    pub stays: Vec<ObjectName>,
    /// The namespace that it had made, which stays: nobody knows what else lives in it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
}

/// An addon cannot be switched off properly.
#[derive(Debug, thiserror::Error)]
enum AddonError {
    /// The cluster does not answer.
    #[error("what the addon deployed to {cluster} cannot be looked at: {how}")]
    Unreachable {
        /// The cluster.
        cluster: ClusterName,
        /// How that was found out.
        how: String,
    },
}

/// What goes when an addon is switched off on some clusters, from the live world. Nothing is changed.
///
/// # Errors
/// When it is not known how to reach the hub, or the hub or one of the clusters cannot be asked.
pub async fn removals(
    site: &Arc<Site>,
    env: &Arc<Env>,
    facts: &Facts,
    addon: &AddonName,
    clusters: &[ClusterName],
) -> Result<Vec<Removal>, Failure> {
    let scope = Scope::new(site, env);
    let hub = Hub::of(&scope, facts).await.map_err(Stop::into_failure)?;
    let fleet = Fleet::look(&hub, site).await?;
    let tracking = Tracking::of(&hub).await?;
    let mut removals = Vec::new();
    for cluster in clusters {
        let Some(registered) = fleet.registered(cluster) else { continue };
        let names = applications(site, &fleet, addon, registered);
        let client = match life(&scope, facts, cluster).await? {
            Life::Alive(client) => client,
            Life::Gone(how) | Life::Silent(how) => {
                let cluster = cluster.clone();
                let hint =
                    format!("`bridgehead down {} --cluster {cluster}` takes a dead cluster away", site.name);
                return Err(Failure::from(AddonError::Unreachable { cluster, how }).with_hint(hint));
            }
        };
        let tracked = tracking.objects(&client, &names).await?;
        for name in names {
            let mine = tracked.iter().filter(|found| found.application == name);
            let (stays, objects): (Vec<_>, Vec<_>) = mine.partition(|found| found.stays);
            let application = fleet.application(&name);
            if application.is_none() && objects.is_empty() {
                continue;
            }
            // Argo CD writes on no CRD whose it is, and deletes none.
            let definitions = application.into_iter().flat_map(Application::resources);
            let definitions = definitions.map(Resource::object).filter(|object| !is_tracked(&object.kind));
            let stays = stays.into_iter().map(|found| found.object.clone());
            removals.push(Removal {
                cluster: cluster.clone(),
                exists: application.is_some(),
                cascades: application.is_some_and(Application::cascades),
                objects: objects.into_iter().map(|found| found.object.clone()).collect(),
                stays: stays.chain(definitions).collect(),
                namespace: application.and_then(Application::made_namespace).map(ToOwned::to_owned),
                application: name,
            });
        }
    }
    Ok(removals)
}

/// The names of an addon's Applications of a cluster: those that are there, those that its sets would make, and
/// those that uninstall.
fn applications(site: &Site, fleet: &Fleet, addon: &AddonName, cluster: &Registered) -> BTreeSet<String> {
    let sets = || fleet.sets_of(addon);
    let made = fleet.of_addon(addon, cluster).map(|found| found.name().to_owned());
    let would_be = sets().flat_map(|set| set.application_names(cluster)).filter(|name| {
        // One of that name that is somebody else's is none of the addon's.
        fleet.application(name).is_none_or(|found| {
            uninstalls(site, found).is_some() || sets().any(|set| found.owner() == Some(set.name()))
        })
    });
    let uninstalling = fleet.applications.iter().filter(|found| {
        uninstalls(site, found) == Some(addon.as_str())
            && fleet.target(&found.spec.destination) == Some(cluster)
    });
    let uninstalling = uninstalling.map(|found| found.name().to_owned());
    made.chain(would_be).chain(uninstalling).collect()
}

/// The addon that an Application was made to uninstall.
fn uninstalls<'a>(site: &Site, application: &'a Application) -> Option<&'a str> {
    let labels = application.metadata.labels.as_ref()?;
    is_marked(site, &application.metadata).then(|| labels.get(UNINSTALLS).map(String::as_str)).flatten()
}
