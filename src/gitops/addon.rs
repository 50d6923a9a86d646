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
use std::fmt;
use std::sync::Arc;

use futures::{StreamExt, stream};
use serde::Serialize;

pub use coming::{Coming, coming};
pub use keep::{kept, release};
pub use list::{Addon, Cell, LeftBehind, SetName, list};
pub(super) use off::gone;
pub use off::off;
pub use on::on;

use super::Scope;
use super::application::{Application, Resource};
use super::expected::Expected;
use super::fleet::{Fleet, Registered, is_marked};
use super::hub::Hub;
use super::tracking::{Found, ObjectName, Tracking, Unlisted, is_tracked};
use crate::engine::facts::Presence;
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

/// Objects of a cluster that could not be looked at: whether an addon left any of them is not known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Unseen {
    /// The cluster.
    pub cluster: ClusterName,
    /// Which objects, and why.
    #[serde(flatten)]
    pub unlisted: Unlisted,
}

impl fmt::Display for Unseen {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.cluster, self.unlisted)
    }
}

/// What goes when an addon is switched off.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Removals {
    /// Its Applications.
    pub applications: Vec<Removal>,
    /// What could not be looked at.
    pub unseen: Vec<Unseen>,
}

/// An addon cannot be switched off properly.
#[derive(Debug, thiserror::Error)]
#[error("what the addon deployed cannot be looked at: {}", .0.join("; "))]
struct Unreachable(Vec<String>);

/// Nothing can be said without the hub.
#[derive(Debug, thiserror::Error)]
#[error("the hub `{0}` cannot be asked: {1}")]
struct UnseenHub(ClusterName, String);

/// What goes when an addon is switched off on some clusters, from the live world. Nothing is changed.
///
/// # Errors
/// When it is not known how to reach the hub, or the hub or some of the clusters cannot be asked.
pub async fn removals(
    site: &Arc<Site>,
    env: &Arc<Env>,
    facts: &Facts,
    addon: &AddonName,
    clusters: &[ClusterName],
) -> Result<Removals, Failure> {
    let scope = Scope::new(site, env);
    let hub = seen_hub(&scope, facts).await.map_err(Stop::into_failure)?;
    let fleet = Fleet::look(&hub, site).await?;
    let tracking = Tracking::of(&hub).await?;
    let looks = clusters.iter().filter_map(|cluster| fleet.registered(cluster)).map(async |registered| {
        let names = applications(site, &fleet, addon, registered);
        let found = deployed(&scope, facts, &tracking, registered, &names).await;
        found.map(|found| (registered, names, found))
    });
    let looks = stream::iter(looks).buffered(AT_ONCE).collect::<Vec<_>>().await;
    let (mut removals, mut unreachable) = (Removals::default(), Vec::new());
    for look in looks {
        match look {
            Ok((registered, names, found)) => removals.add(&fleet, registered, names, found),
            Err(reason) => unreachable.push(reason),
        }
    }
    if unreachable.is_empty() {
        return Ok(removals);
    }
    let hint = format!(
        "name the others with --cluster; `bridgehead down {} --cluster NAME` takes one away",
        site.name
    );
    Err(Failure::from(Unreachable(unreachable)).with_hint(hint))
}

/// How many clusters are asked at once.
const AT_ONCE: usize = 16;

/// What Applications deployed to a cluster, or why the cluster cannot be asked. Only one that was seen is asked.
async fn deployed(
    scope: &Scope,
    facts: &Facts,
    tracking: &Tracking,
    registered: &Registered,
    names: &BTreeSet<String>,
) -> Result<Found, String> {
    let Some(cluster) = &registered.cluster else { return Ok(Found::default()) };
    if let Some(unseen) = unseen(facts, cluster) {
        return Err(format!("{cluster}: {unseen}"));
    }
    let found = async {
        let client = scope.client(cluster, facts).await.map_err(Stop::into_failure)?;
        Ok::<_, Failure>(tracking.objects(&client, names).await?)
    };
    found.await.map_err(|failure| format!("{cluster}: {}", failure.in_full()))
}

/// Why nothing is known of a cluster; `None` if it was seen. One that does not answer may well be there.
fn unseen(facts: &Facts, cluster: &ClusterName) -> Option<String> {
    match facts.presence(cluster) {
        Some(Presence::Seen) => None,
        Some(Presence::Gone(proof)) => Some(format!("it is gone: {proof}")),
        Some(Presence::Unreachable(why) | Presence::ThroughArgoCd(why)) => Some(why.cause.clone()),
        Some(Presence::Lost) => Some("it is taken for lost".to_owned()),
        None => Some("nobody has looked for it".to_owned()),
    }
}

/// The hub, which has to have been seen.
async fn seen_hub(scope: &Scope, facts: &Facts) -> Result<Hub, Stop> {
    let hub = scope.hub();
    let Some(unseen) = unseen(facts, hub) else { return Hub::of(scope, facts).await };
    let hint = match facts.presence(hub) {
        Some(Presence::Unreachable(why)) => why.hint.clone(),
        _ => Some(format!("bring the site up first: bridgehead up {}", scope.site.name)),
    };
    let failure = Failure::from(UnseenHub(hub.clone(), unseen));
    Err(match hint {
        Some(hint) => failure.with_hint(hint).into(),
        None => failure.into(),
    })
}

impl Removals {
    fn add(&mut self, fleet: &Fleet, registered: &Registered, names: BTreeSet<String>, found: Found) {
        let Some(cluster) = &registered.cluster else { return };
        let unseen = found.unlisted.into_iter();
        self.unseen.extend(unseen.map(|unlisted| Unseen { cluster: cluster.clone(), unlisted }));
        for name in names {
            let mine = found.objects.iter().filter(|object| object.application == name);
            let (stays, objects): (Vec<_>, Vec<_>) = mine.partition(|object| object.stays);
            let application = fleet.application(&name);
            if application.is_none() && objects.is_empty() {
                continue;
            }
            // Argo CD writes on no CRD whose it is, and deletes none.
            let definitions = application.into_iter().flat_map(Application::resources);
            let definitions = definitions.map(Resource::object).filter(|object| !is_tracked(&object.kind));
            let stays = stays.into_iter().map(|object| object.object.clone());
            self.applications.push(Removal {
                cluster: cluster.clone(),
                exists: application.is_some(),
                cascades: application.is_some_and(Application::cascades),
                objects: objects.into_iter().map(|object| object.object.clone()).collect(),
                stays: stays.chain(definitions).collect(),
                namespace: application.and_then(Application::made_namespace).map(ToOwned::to_owned),
                application: name,
            });
        }
    }
}

/// The names of an addon's Applications of a cluster: those that are there, those that its sets would make, and
/// those that uninstall.
fn applications(site: &Site, fleet: &Fleet, addon: &AddonName, cluster: &Registered) -> BTreeSet<String> {
    let sets = || fleet.sets_of(addon);
    let expected: Vec<_> = fleet.expected_of(addon, cluster).collect();
    let made = expected.iter().flat_map(|expected| &expected.made).map(|made| made.name().to_owned());
    let would_be = expected.iter().flat_map(Expected::names).filter(|name| {
        // One of that name that is somebody else's is none of the addon's.
        fleet.application(name).is_none_or(|found| {
            uninstalls(site, found).is_some() || sets().any(|set| found.owner() == Some(set.name()))
        })
    });
    let uninstalling = uninstalling(site, fleet, addon, cluster).map(|found| found.name().to_owned());
    made.chain(would_be).chain(uninstalling).collect()
}

/// The Applications that uninstall an addon on a cluster.
fn uninstalling<'a>(
    site: &'a Site,
    fleet: &'a Fleet,
    addon: &'a AddonName,
    cluster: &'a Registered,
) -> impl Iterator<Item = &'a Application> {
    fleet.on(cluster).filter(|found| uninstalls(site, found) == Some(addon.as_str()))
}

/// The addon that an Application was made to uninstall.
fn uninstalls<'a>(site: &Site, application: &'a Application) -> Option<&'a str> {
    let labels = application.metadata.labels.as_ref()?;
    is_marked(site, &application.metadata).then(|| labels.get(UNINSTALLS).map(String::as_str)).flatten()
}
