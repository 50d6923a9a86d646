//! The order of `up`: the whole product in one tree.

use std::sync::Arc;

use crate::components;
use crate::engine::tree::{after, gate};
use crate::engine::{StepId, Tree};
use crate::env::Env;
use crate::gitops::argocd::{self, ManifestSource};
use crate::gitops::bootstrap::bootstrap;
use crate::gitops::cluster_secret::secret;
use crate::gitops::pause::resumed;
use crate::gitops::projects::projects;
use crate::gitops::refresh::refresh;
use crate::gitops::registration::register;
use crate::gitops::secret::{all, secrets};
use crate::gitops::settled::{applications, sets};
use crate::site::{Cluster, Site};
use crate::{par, provider, seq};

/// Everything that must be true of a site.
#[must_use]
pub fn tree(site: &Arc<Site>, env: &Arc<Env>) -> Tree {
    seq![
        provider::prepare(site, env),
        Tree::Each(
            std::iter::once(hub(site, env))
                .chain(site.spokes.iter().map(|each| spoke(site, each, env)))
                .collect()
        ),
        after(StepId::of(&site.hub.name, "gitops/bootstrap")),
        after(StepId::of(&site.hub.name, "registration/secret")),
        settled(site, env),
    ]
}

/// What Argo CD makes of it all: of the sets first, then of each cluster by itself. What becomes of the one need not
/// be waited for where only the other was asked for.
fn settled(site: &Arc<Site>, env: &Arc<Env>) -> Tree {
    let clusters = site.clusters().map(|cluster| {
        let is_registered = gate(StepId::of(&cluster.name, "registration/secret"));
        seq![is_registered, applications(site, env, &cluster.name)]
    });
    seq![
        // What an earlier run held still and could not let go on.
        Tree::Each(vec![resumed(site, env).into()]),
        Tree::Each(vec![refresh(site, env).into()]),
        Tree::Each(vec![sets(site, env).into()]),
        Tree::Par(clusters.collect()),
    ]
}

/// The part of `up` that makes the clusters: looked at, it tells how to reach them.
#[must_use]
pub fn clusters(site: &Arc<Site>, env: &Arc<Env>) -> Tree {
    Tree::Par(site.clusters().map(|cluster| provider::of(site, cluster, env).provision()).collect())
}

/// The part of `up` that installs Argo CD on a hub that is there.
#[must_use]
pub fn argocd(site: &Arc<Site>, env: &Arc<Env>) -> Tree {
    seq![
        provider::of(site, &site.hub, env).preflight_hosts(),
        provider::components(site, env),
        provider::of(site, &site.hub, env).provision(),
        argocd::install(site, env, &manifest(env)),
    ]
}

fn hub(site: &Arc<Site>, env: &Arc<Env>) -> Tree {
    let hub = &site.hub;
    let bridge = par![
        seq![argocd::install(site, env, &manifest(env)), projects(site, env), bootstrap(site, env)],
        seq![
            gate(StepId::of(&hub.name, "argocd/namespace")),
            par![secret(site, env, hub), secrets(site, env, all(site))],
        ],
    ];
    cluster(site, hub, env, bridge)
}

fn spoke(site: &Arc<Site>, spoke: &Cluster, env: &Arc<Env>) -> Tree {
    // The hub comes first: a spoke that somebody has registered there already needs no account.
    let bridge = seq![
        gate(StepId::of(&site.hub.name, "argocd/namespace")),
        register(site, env, &spoke.name),
        secret(site, env, spoke),
    ];
    cluster(site, spoke, env, bridge)
}

/// A cluster with what the bridge puts on it as soon as its API serves.
fn cluster(site: &Arc<Site>, cluster: &Cluster, env: &Arc<Env>, bridge: Tree) -> Tree {
    let cluster = provider::of(site, cluster, env);
    par![cluster.join(), seq![cluster.provision(), par![cluster.ready(), bridge]]]
}

fn manifest(env: &Arc<Env>) -> ManifestSource {
    let env = Arc::clone(env);
    Arc::new(move || {
        let env = Arc::clone(&env);
        Box::pin(async move { Ok(components::argocd_manifest(&env)?) })
    })
}
