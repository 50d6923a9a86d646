//! Providers: what makes a cluster. A site's choice of provider is matched here, in [`of`], and nowhere else outside
//! of [`site`](crate::site).

mod api_server;
mod departed;
mod eks;
mod existing;
pub mod k3s;
pub mod local;
mod nodes;
mod presence;

use std::collections::BTreeSet;
use std::sync::Arc;

use sha2::{Digest as _, Sha256};

use crate::components::{self, Needed};
use crate::engine::{BoxFuture, Facts, Failure, Tree};
use crate::env::Env;
use crate::site::inventory::Host;
use crate::site::name::HostName;
use crate::site::{Cluster, Provider, Site};
use crate::{par, seq};
use eks::EksCluster;
use existing::ExistingCluster;
use k3s::K3sCluster;
use local::{LocalCluster, RemoveSiteFolder};

pub use departed::{DepartedHost, departed_agents, departed_cluster, departed_here, remove_host};
pub use k3s::MarkedHosts;
pub use presence::{Said, Sighting, locate};

/// What a provider does for one of its clusters, from before the first change to the proof that nothing is left.
///
/// Whatever has a default is something that most providers do not need.
pub trait Lifecycle: Send + Sync {
    /// What tells the cluster from any other, so that the hosts of its spokes can say whose they are: it has to be known
    /// before anything is made. `None` where it cannot be told now.
    fn identity(&self) -> BoxFuture<'_, Option<String>>;

    /// The programs that it needs on this machine.
    fn components(&self) -> Needed {
        Needed::Manifest
    }

    /// Checks the cluster's hosts before anything is changed.
    fn preflight_hosts(&self) -> Tree {
        seq![]
    }

    /// Checks, before anything is changed, how this machine and the hub would reach the cluster.
    fn preflight_access(&self) -> Tree {
        seq![]
    }

    /// Checks that a cluster that somebody else made can become a spoke.
    ///
    /// # Errors
    /// When it cannot be reached, or would be registered under an address of no use.
    fn check_usable(&self) -> BoxFuture<'_, Result<(), Failure>> {
        Box::pin(async { Ok(()) })
    }

    /// Makes the cluster until its API serves, which is all that it takes to write objects. Its steps yield how to reach
    /// it and how further hosts join.
    fn provision(&self) -> Tree;

    /// Makes further hosts join, beside [`provision`](Self::provision), whose steps they wait for.
    fn join(&self) -> Tree {
        seq![]
    }

    /// Waits until workloads can run in a cluster whose API serves.
    fn ready(&self) -> Tree {
        seq![]
    }

    /// What the provider can tell of a cluster that is to be taken down, without asking the cluster's API.
    fn sight(&self) -> BoxFuture<'_, Sighting>;

    /// Which hosts are agents of the cluster that its profile does not name any more.
    ///
    /// # Errors
    /// When the cluster cannot be asked for its nodes.
    fn departed_agents<'a>(
        &'a self,
        _facts: &'a Facts,
    ) -> BoxFuture<'a, Result<BTreeSet<HostName>, Failure>> {
        Box::pin(async { Ok(BTreeSet::new()) })
    }

    /// Takes a host out of the cluster that left its profile. A server stays, and the tree says what to do about it.
    fn remove_host(&self, _host: &Host, _is_server: bool) -> Tree {
        seq![]
    }

    /// Takes the cluster away and proves that nothing of it is left.
    fn remove(&self) -> Tree;

    /// Where a Service, named `namespace/name:port`, answers from this machine, as `host:port`; `None` if it does not.
    fn service_address<'a>(&'a self, _service: &'a str) -> BoxFuture<'a, Option<String>> {
        Box::pin(async { None })
    }
}

/// A cluster of a site in the hands of its provider.
#[must_use]
pub fn of(site: &Arc<Site>, cluster: &Cluster, env: &Arc<Env>) -> Box<dyn Lifecycle> {
    match &cluster.provider {
        Provider::Local(local) => Box::new(LocalCluster::new(site, cluster, local, env)),
        Provider::K3s(k3s) => Box::new(K3sCluster::new(site, cluster, k3s, env)),
        Provider::Eks(eks) => Box::new(EksCluster::new(site, cluster, eks, env)),
        Provider::Existing(existing) => Box::new(ExistingCluster::new(site, cluster, existing, env)),
    }
}

/// What may be told of something that nobody else need know, such as a machine's id (see `machine-id(5)`).
fn fingerprint(text: &str) -> String {
    Sha256::digest(text.as_bytes()).iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

fn all(site: &Arc<Site>, env: &Arc<Env>) -> impl Iterator<Item = Box<dyn Lifecycle>> {
    site.clusters().map(|cluster| of(site, cluster, env))
}

/// Everything that comes before the first cluster: the preflights, then the components, and the repositories that this
/// machine serves.
#[must_use]
pub fn prepare(site: &Arc<Site>, env: &Arc<Env>) -> Tree {
    let access = all(site, env).map(|cluster| cluster.preflight_access());
    let preflights = std::iter::once(preflight_hosts(site, env)).chain(access);
    seq![Tree::Par(preflights.collect()), par![components(site, env), repositories(site, env)],]
}

/// Checks the hosts of all clusters before anything is changed anywhere.
#[must_use]
pub fn preflight_hosts(site: &Arc<Site>, env: &Arc<Env>) -> Tree {
    Tree::Par(all(site, env).map(|cluster| cluster.preflight_hosts()).collect())
}

/// Gets the programs that the site's clusters are made of, and Argo CD's manifest.
#[must_use]
pub fn components(site: &Arc<Site>, env: &Arc<Env>) -> Tree {
    let needed = all(site, env).map(|cluster| cluster.components()).max();
    components::step(env, needed.unwrap_or(Needed::Manifest)).into()
}

/// The repositories that this machine serves, as they are now.
#[must_use]
pub fn repositories(site: &Site, env: &Arc<Env>) -> Tree {
    let step = |(name, repository)| local::source::step(env, &site.name, name, repository).into();
    Tree::Par(site.repositories.iter().map(step).collect())
}

/// Takes away what the site keeps on this machine besides its clusters.
#[must_use]
pub fn remove_site_folder(site: &Site, env: &Env) -> Tree {
    RemoveSiteFolder::new(env.site_folder(&site.name)).into()
}
