//! The order of `down`: its own tree, not `up` backwards.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::kubeconfig;
use crate::engine::{Failure, Tree};
use crate::env::Env;
use crate::gitops::registration::unregister;
use crate::gitops::secret::removed;
use crate::gitops::teardown;
use crate::site::name::ClusterName;
use crate::site::{Cluster, Role, Site};
use crate::{provider, seq};

/// The hub cannot go alone.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is the hub: without it the spokes of `{1}` cannot go cleanly")]
struct HubAlone(ClusterName, crate::site::name::SiteName);

/// Takes away the whole site, or only the spokes that are named.
///
/// # Errors
/// When the hub is named.
pub fn tree(
    site: &Arc<Site>,
    env: &Arc<Env>,
    named: Option<&BTreeSet<ClusterName>>,
) -> Result<Tree, Failure> {
    let Some(named) = named else { return Ok(whole(site, env)) };
    if named.contains(&site.hub.name) {
        let error = HubAlone(site.hub.name.clone(), site.name.clone());
        return Err(Failure::from(error)
            .with_hint(format!("take the whole site down: bridgehead down {}", site.name)));
    }
    Ok(spokes(site, env, named))
}

/// What Argo CD deployed goes first, while it can still be asked to; then the spokes; then the hub. A hub that stays
/// is asked first whether all of that can go.
fn whole(site: &Arc<Site>, env: &Arc<Env>) -> Tree {
    seq![
        found(site, env),
        if stays(&site.hub) { teardown::unused(site, env) } else { seq![] },
        teardown::site(site, env),
        removed(site, env),
        Tree::Par(site.spokes.iter().map(|spoke| remove(site, spoke, env)).collect()),
        remove(site, &site.hub, env),
        provider::finish(site, env),
        kubeconfig::forget(site),
    ]
}

fn spokes(site: &Arc<Site>, env: &Arc<Env>, named: &BTreeSet<ClusterName>) -> Tree {
    let going: Vec<_> = site.spokes.iter().filter(|spoke| named.contains(&spoke.name)).collect();
    let going_names: Vec<_> = going.iter().map(|spoke| spoke.name.clone()).collect();
    seq![
        found(site, env),
        teardown::spokes(site, env, &going_names),
        Tree::Par(going.into_iter().map(|spoke| remove(site, spoke, env)).collect()),
    ]
}

fn found(site: &Arc<Site>, env: &Arc<Env>) -> Tree {
    Tree::Par(site.clusters().map(|cluster| provider::find(site, cluster, env)).collect())
}

fn stays(cluster: &Cluster) -> bool {
    provider::foreign_context(cluster).is_some()
}

fn remove(site: &Arc<Site>, cluster: &Cluster, env: &Arc<Env>) -> Tree {
    let remove = provider::remove(site, cluster, env);
    match cluster.role {
        Role::Hub if stays(cluster) => seq![teardown::argocd(site, env), remove],
        Role::Hub => remove,
        Role::Spoke => seq![unregister(site, env, &cluster.name), remove],
    }
}
