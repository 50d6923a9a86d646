//! What of the profile the cluster Secrets do not say yet, besides one addon.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::adopted;
use super::content::{annotations, labels};
use super::departed::Entries;
use super::existing::list;
use super::owned::{Field, Owners, Texts};
use super::registered::Registration;
use super::switch::Keys;
use crate::engine::{Facts, Stop};
use crate::env::Env;
use crate::gitops::Scope;
use crate::k8s::{MANAGED_BY_LABEL, Object};
use crate::site::name::{AddonName, ClusterName};
use crate::site::{Cluster, Site};

/// A cluster whose Secret differs from what the profile says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pending {
    /// The cluster.
    pub cluster: ClusterName,
    /// How many of its labels and annotations differ; none of a cluster that is not registered.
    pub entries: usize,
}

/// The clusters whose Secrets an `up` would change, apart from the keys of `addon`. Only the hub is asked.
///
/// # Errors
/// When the hub cannot be asked.
pub async fn pending(
    site: &Arc<Site>,
    env: &Arc<Env>,
    facts: &Facts,
    addon: &AddonName,
) -> Result<Vec<Pending>, Stop> {
    let scope = Scope::new(site, env);
    let hub = scope.client(scope.hub(), facts).await?;
    let secrets = list(&scope, &hub).await?;
    let of = |cluster: &Cluster| {
        let live = secrets.registration_of(site, &cluster.name);
        let entries =
            live.as_ref().map_or(0, |(live, how)| differing(site, cluster, facts, addon, (live, how)));
        (live.is_none() || entries > 0).then(|| Pending { cluster: cluster.name.clone(), entries })
    };
    Ok(site.clusters().filter_map(of).collect())
}

fn differing(
    site: &Site,
    cluster: &Cluster,
    facts: &Facts,
    addon: &AddonName,
    (live, registration): (&Object, &Registration),
) -> usize {
    let keys = Keys::of(addon, cluster);
    let mut aside: BTreeSet<_> = keys.annotations.into_iter().map(|(key, _)| key).collect();
    aside.insert(keys.label);
    if facts.cluster(&cluster.name).is_none_or(|facts| facts.version.is_none()) {
        // Nobody has asked the cluster.
        aside.insert("kubernetes_version".to_owned());
    }
    // Where the address of a repository is not known, nothing can be said of the annotations.
    let known = annotations(site, cluster, facts).ok();
    let fields = if known.is_some() { &[Field::Labels, Field::Annotations][..] } else { &[Field::Labels] };
    let mut desired = (labels(cluster, facts), known.unwrap_or_default());
    Entries::of(site, cluster, live).stay(&mut desired.0, &mut desired.1);
    let desired = if registration.is_made {
        adopted::whole(live, &desired.0, &desired.1, &Texts::new())
    } else {
        adopted::object(&site.name, live, desired.0, desired.1)
    };
    fields.iter().map(|field| count(*field, &field.of(&desired), live, &aside)).sum()
}

fn count(field: Field, desired: &Texts, live: &Object, aside: &BTreeSet<String>) -> usize {
    let (now, ours) = (field.of(live), Owners::of(live).ours(live, field));
    let is_mark = |key: &str| key.starts_with("bridgehead/") || key == MANAGED_BY_LABEL;
    let written = desired.iter().filter(|(key, value)| now.get(*key) != Some(*value)).map(|(key, _)| key);
    let removed = ours.keys().filter(|key| !desired.contains_key(*key));
    written.chain(removed).filter(|key| !is_mark(key) && !aside.contains(*key)).count()
}
