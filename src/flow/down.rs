//! The order of `down`: its own tree, not `up` backwards.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::up::clusters;
use crate::engine::survey::survey;
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

/// What Argo CD deployed goes first, while it can still be asked to; then the spokes; then the hub.
fn whole(site: &Arc<Site>, env: &Arc<Env>) -> Tree {
    seq![
        survey(clusters(site, env)),
        teardown::site(site, env),
        removed(site, env),
        Tree::Par(site.spokes.iter().map(|spoke| remove(site, spoke, env)).collect()),
        remove(site, &site.hub, env),
        provider::finish(site, env),
    ]
}

fn spokes(site: &Arc<Site>, env: &Arc<Env>, named: &BTreeSet<ClusterName>) -> Tree {
    let going: Vec<_> = site.spokes.iter().filter(|spoke| named.contains(&spoke.name)).collect();
    let going_names: Vec<_> = going.iter().map(|spoke| spoke.name.clone()).collect();
    seq![
        survey(clusters(site, env)),
        teardown::spokes(site, env, &going_names),
        Tree::Par(going.into_iter().map(|spoke| remove(site, spoke, env)).collect()),
    ]
}

fn remove(site: &Arc<Site>, cluster: &Cluster, env: &Arc<Env>) -> Tree {
    match cluster.role {
        Role::Hub => provider::remove(site, cluster, env),
        Role::Spoke => seq![unregister(site, env, &cluster.name), provider::remove(site, cluster, env)],
    }
}
