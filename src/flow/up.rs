//! The order of `up`: the whole product in one tree.

use std::sync::Arc;

use crate::components;
use crate::engine::tree::gate;
use crate::engine::{StepId, Tree};
use crate::env::Env;
use crate::gitops::argocd::{self, ManifestSource};
use crate::site::{Cluster, Site};
use crate::{provider, seq};

/// Everything that must be true of a site.
#[must_use]
pub fn tree(site: &Arc<Site>, env: &Arc<Env>) -> Tree {
    seq![
        provider::prepare(site, env),
        Tree::Par(
            std::iter::once(hub(site, env))
                .chain(site.spokes.iter().map(|each| spoke(site, each, env)))
                .collect()
        ),
    ]
}

fn hub(site: &Arc<Site>, env: &Arc<Env>) -> Tree {
    seq![
        provider::serve(site, &site.hub, env),
        provider::ready(&site.hub, env),
        argocd::install(site, env, manifest(env)),
    ]
}

fn spoke(site: &Arc<Site>, spoke: &Cluster, env: &Arc<Env>) -> Tree {
    seq![
        provider::serve(site, spoke, env),
        provider::ready(spoke, env),
        gate(StepId::of(&site.hub.name, "argocd/namespace")),
    ]
}

fn manifest(env: &Arc<Env>) -> ManifestSource {
    let env = Arc::clone(env);
    Arc::new(move || {
        let env = Arc::clone(&env);
        Box::pin(async move { Ok(components::argocd_manifest(&env)?) })
    })
}
