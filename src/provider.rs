//! Providers: what makes a cluster. The only place where a site's choice of provider is matched.

mod api_server;
mod departed;
pub mod existing;
pub mod k3s;
pub mod local;
mod nodes;
mod presence;

use std::sync::Arc;

use crate::components::{self, Needed};
use crate::engine::{Failure, Tree};
use crate::env::Env;
use crate::site::{Cluster, Provider, Site};
use crate::{par, seq};
use presence::{Look, Sighting};

pub use departed::{departed, departed_agents, departed_here, remove_agent};
pub use presence::Said;

/// What the site's providers need before any cluster, and the repositories that this machine serves.
#[must_use]
pub fn prepare(site: &Arc<Site>, env: &Arc<Env>) -> Tree {
    let existing = site.clusters().filter_map(|cluster| match cluster.provider {
        Provider::Existing(ref existing) => Some(existing::prepare(site, cluster, existing)),
        Provider::Local(_) | Provider::K3s(_) => None,
    });
    let checks = std::iter::once(preflight(site, env)).chain(existing);
    seq![Tree::Par(checks.collect()), par![components(site, env), repositories(site, env)],]
}

/// The repositories that this machine serves, as they are now.
#[must_use]
pub fn repositories(site: &Site, env: &Arc<Env>) -> Tree {
    let step = |(name, repository)| local::source::step(env, &site.name, name, repository).into();
    Tree::Par(site.repositories.iter().map(step).collect())
}

/// What has to be true of the site's hosts before anything is changed anywhere.
#[must_use]
pub fn preflight(site: &Arc<Site>, env: &Arc<Env>) -> Tree {
    let clusters = site.clusters().filter_map(|cluster| match cluster.provider {
        Provider::K3s(ref k3s) => Some(k3s::preflight(site, cluster, k3s, env)),
        Provider::Local(_) | Provider::Existing(_) => None,
    });
    Tree::Par(clusters.collect())
}

/// The programs that the site's clusters are made of, and Argo CD's manifest.
#[must_use]
pub fn components(site: &Site, env: &Env) -> Tree {
    let is_local = |cluster: &Cluster| matches!(cluster.provider, Provider::Local(_));
    let needed = if site.clusters().any(is_local) { Needed::All } else { Needed::Manifest };
    components::step(env, needed).into()
}

/// Makes a cluster until its API serves. Its steps yield how to reach it.
#[must_use]
pub fn serve(site: &Arc<Site>, cluster: &Cluster, env: &Arc<Env>) -> Tree {
    match cluster.provider {
        Provider::Local(ref local) => local::provision::serve(site, cluster, local, env),
        Provider::K3s(ref k3s) => k3s::serve(site, cluster, k3s, env),
        Provider::Existing(ref existing) => existing::serve(site, cluster, existing, env),
    }
}

/// Makes further hosts join a cluster, beside [`serve`], whose steps they wait for.
#[must_use]
pub fn join(site: &Arc<Site>, cluster: &Cluster, env: &Arc<Env>) -> Tree {
    match cluster.provider {
        Provider::K3s(ref k3s) => k3s::join(site, cluster, k3s, env),
        Provider::Local(_) | Provider::Existing(_) => Tree::Seq(Vec::new()),
    }
}

/// Waits until workloads can run in a cluster whose API serves.
#[must_use]
pub fn ready(site: &Arc<Site>, cluster: &Cluster, env: &Arc<Env>) -> Tree {
    match cluster.provider {
        Provider::Local(ref local) => local::provision::ready(cluster, local, env),
        Provider::K3s(ref k3s) => k3s::ready(site, cluster, k3s, env),
        Provider::Existing(_) => existing::ready(cluster, env),
    }
}

/// Makes sure that a cluster that somebody else made can be a spoke.
///
/// # Errors
/// When its context cannot be used, or it does not answer.
pub async fn check(site: &Arc<Site>, cluster: &Cluster, env: &Arc<Env>) -> Result<(), Failure> {
    match cluster.provider {
        Provider::Existing(ref existing) => existing::check(site, cluster, existing, env).await,
        Provider::Local(_) | Provider::K3s(_) => Ok(()),
    }
}

/// What a profile calls a cluster's provider.
#[must_use]
pub fn name(cluster: &Cluster) -> &'static str {
    match cluster.provider {
        Provider::Local(_) => "local",
        Provider::K3s(_) => "k3s",
        Provider::Existing(_) => "existing",
    }
}

/// The context by which a cluster is reached that somebody else made. Such a cluster stays when its site goes.
#[must_use]
pub fn foreign_context(cluster: &Cluster) -> Option<&str> {
    match cluster.provider {
        Provider::Existing(ref existing) => Some(&existing.context),
        Provider::Local(_) | Provider::K3s(_) => None,
    }
}

/// Finds out whether a cluster is there that something is to be taken away from, and how it is reached. It never fails:
/// what cannot be seen is for others to judge, in view of all clusters.
#[must_use]
pub fn find(site: &Arc<Site>, cluster: &Cluster, env: &Arc<Env>, said: &Said) -> Tree {
    Look::new(site, cluster, env, said).into()
}

/// What its provider can say of a cluster that is to be taken down.
async fn sight(site: &Site, cluster: &Cluster, env: &Arc<Env>) -> Sighting {
    match cluster.provider {
        Provider::Local(ref local) => local::remove::sight(site, cluster, local, env).await,
        Provider::K3s(ref k3s) => k3s::sight(site, cluster, k3s, env).await,
        Provider::Existing(ref existing) => existing::sight(site, cluster, existing),
    }
}

/// Takes a cluster away and proves that nothing of it is left.
#[must_use]
pub fn remove(site: &Arc<Site>, cluster: &Cluster, env: &Arc<Env>) -> Tree {
    match cluster.provider {
        Provider::Local(_) => local::remove::remove(site, cluster, env),
        Provider::K3s(ref k3s) => k3s::remove(site, cluster, k3s, env),
        Provider::Existing(_) => existing::remove(),
    }
}

/// Takes away what the site keeps on this machine besides its clusters.
#[must_use]
pub fn finish(site: &Arc<Site>, env: &Arc<Env>) -> Tree {
    local::remove::site(site, env)
}

/// Where a Service of a cluster answers from this machine, as `host:port`; `None` if it does not.
pub async fn service_address(site: &Site, cluster: &Cluster, env: &Env, service: &str) -> Option<String> {
    match cluster.provider {
        Provider::Local(_) => {
            let state = local::state::supervisor_state(env, &site.name, &cluster.name).await.ok()??;
            state.services.get(service).map(|port| format!("127.0.0.1:{port}"))
        }
        Provider::K3s(_) | Provider::Existing(_) => None,
    }
}
