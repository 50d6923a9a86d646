//! The order of `down`: its own tree, not `up` backwards.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::kubeconfig;
use super::presence::{Concern, presence};
use crate::engine::{Failure, Tree};
use crate::env::Env;
use crate::gitops::declared::removed;
use crate::gitops::registration::{owned, unregister};
use crate::gitops::teardown::{self, Going};
use crate::site::name::ClusterName;
use crate::site::{Cluster, Role, Site};
use crate::{provider, seq};

pub use crate::provider::Said;

/// The hub cannot go alone.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is the hub: without it the spokes of `{1}` cannot go cleanly")]
struct HubAlone(ClusterName, crate::site::name::SiteName);

/// What is to be taken down, and how.
#[derive(Debug, Clone)]
pub struct Request {
    /// The spokes; `None`: the whole site.
    pub spokes: Option<BTreeSet<ClusterName>>,
    /// What the person says of clusters that this machine may not reach.
    pub said: Said,
    /// Whether what others made goes as well.
    pub with_others: bool,
}

impl Request {
    fn concern(&self) -> Concern {
        self.spokes.clone().map_or(Concern::Site, Concern::Named)
    }
}

/// Takes away the whole site, or only the spokes that are named.
///
/// # Errors
/// When the hub is among the spokes that are named.
pub fn tree(site: &Arc<Site>, env: &Arc<Env>, request: &Request) -> Result<Tree, Failure> {
    let checks = checks(site, env, request);
    let Some(named) = &request.spokes else { return Ok(seq![checks, whole(site, env, request.with_others)]) };
    if named.contains(&site.hub.name) {
        let error = HubAlone(site.hub.name.clone(), site.name.clone());
        return Err(Failure::from(error)
            .with_hint(format!("take the whole site down: bridgehead down {}", site.name)));
    }
    Ok(seq![checks, spokes(site, env, named, request.with_others)])
}

/// What has to be so before anything is changed: every cluster is accounted for, and nobody else would lose theirs.
#[must_use]
pub fn checks(site: &Arc<Site>, env: &Arc<Env>, request: &Request) -> Tree {
    let going = |spoke: &&Cluster| request.spokes.as_ref().is_none_or(|named| named.contains(&spoke.name));
    let going = site.spokes.iter().filter(going).map(|spoke| &spoke.name);
    let ours = seq![presence(site, env, &request.concern(), &request.said), ours(site, env, going)];
    if request.with_others {
        return ours;
    }
    let going = match &request.spokes {
        Some(names) => Going::Spokes(names.iter().cloned().collect()),
        None if stays(&site.hub) => Going::Site,
        None => Going::Hub,
    };
    seq![ours, teardown::unused(site, env, going)]
}

/// What we have on spokes that are accounted for is this site's, and not that of another one of its name.
pub(super) fn ours<'a>(
    site: &Arc<Site>,
    env: &Arc<Env>,
    spokes: impl Iterator<Item = &'a ClusterName>,
) -> Tree {
    Tree::Par(spokes.map(|spoke| owned(site, env, spoke).into()).collect())
}

/// What Argo CD deployed goes first, while it can still be asked to; then the spokes; then the hub.
fn whole(site: &Arc<Site>, env: &Arc<Env>, with_others: bool) -> Tree {
    seq![
        teardown::site(site, env, with_others),
        removed(site, env),
        Tree::Par(site.spokes.iter().map(|spoke| remove(site, spoke, env, with_others)).collect()),
        remove(site, &site.hub, env, with_others),
        provider::remove_site_folder(site, env),
        kubeconfig::forget(site),
    ]
}

/// Takes a spoke away that is in no profile. One that somebody else made is found by its Secret alone, which goes last.
pub(super) fn departed(site: &Arc<Site>, env: &Arc<Env>, spoke: &Cluster, with_others: bool) -> Tree {
    let between = |name: &ClusterName| if stays(spoke) { unregister(site, env, name).into() } else { seq![] };
    let registered = teardown::spokes(site, env, std::slice::from_ref(&spoke.name), with_others, between);
    if stays(spoke) { registered } else { seq![registered, remove(site, spoke, env, with_others)] }
}

/// Takes away some spokes that are accounted for; everything else goes on.
fn spokes(site: &Arc<Site>, env: &Arc<Env>, named: &BTreeSet<ClusterName>, with_others: bool) -> Tree {
    let going: Vec<_> = site.spokes.iter().filter(|spoke| named.contains(&spoke.name)).collect();
    let going_names: Vec<_> = going.iter().map(|spoke| spoke.name.clone()).collect();
    seq![
        teardown::spokes(site, env, &going_names, with_others, |_| seq![]),
        Tree::Par(going.into_iter().map(|spoke| remove(site, spoke, env, with_others)).collect()),
    ]
}

fn stays(cluster: &Cluster) -> bool {
    cluster.foreign_context().is_some()
}

fn remove(site: &Arc<Site>, cluster: &Cluster, env: &Arc<Env>, with_others: bool) -> Tree {
    let remove = provider::of(site, cluster, env).remove();
    match cluster.role {
        Role::Hub if stays(cluster) => seq![teardown::argocd(site, env, with_others), remove],
        Role::Hub => remove,
        Role::Spoke => seq![unregister(site, env, &cluster.name), remove],
    }
}
