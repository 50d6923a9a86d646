//! The part of `up` that makes clusters of k3s, and answers about their hosts.

use std::fmt;
use std::sync::Arc;

use futures::future::join_all;
use serde::Serialize;

use super::FlowError;
use super::table::Table;
use crate::engine::{Facts, Failure, Tree};
use crate::env::Env;
use crate::provider::k3s::status::{self, HostStatus};
use crate::site::name::{ClusterName, HostName};
use crate::site::{Cluster, K3s, Site};
use crate::{par, provider, seq};

/// The site's clusters of k3s.
#[derive(Debug, Serialize)]
#[serde(transparent)]
pub struct Clusters(Vec<Hosts>);

/// The hosts of one cluster, servers first.
#[derive(Debug, Serialize)]
struct Hosts {
    cluster: ClusterName,
    hosts: Vec<HostStatus>,
}

/// Makes the site's clusters of k3s until workloads can run.
///
/// # Errors
/// When it has none.
pub fn install(site: &Arc<Site>, env: &Arc<Env>) -> Result<Tree, Failure> {
    let clusters = clusters(site)?.into_iter().map(|(cluster, _)| {
        let cluster = provider::of(site, cluster, env);
        seq![cluster.preflight_hosts(), par![seq![cluster.provision(), cluster.ready()], cluster.join()],]
    });
    Ok(Tree::Par(clusters.collect()))
}

/// How the hosts of the site's clusters of k3s are. `walk` looks at the part of `up` that tells how to reach their APIs:
/// of clusters only whose servers can be looked at.
///
/// # Errors
/// When it has none.
pub async fn status(
    site: &Arc<Site>,
    env: &Arc<Env>,
    walk: impl AsyncFnOnce(&Tree) -> Facts,
) -> Result<Clusters, Failure> {
    let clusters = clusters(site)?;
    let looks = clusters.iter().map(async |(cluster, k3s)| Hosts {
        cluster: cluster.name.clone(),
        hosts: status::hosts(site, cluster, k3s, env).await,
    });
    let mut all = join_all(looks).await;
    let answering = clusters.iter().zip(&all).filter(|((_, k3s), found)| {
        found.hosts.iter().take(k3s.servers.len()).all(|host| host.error.is_none())
    });
    let provision = answering.map(|((cluster, _), _)| provider::of(site, cluster, env).provision());
    let facts = walk(&Tree::Par(provision.collect())).await;
    for ((cluster, k3s), found) in clusters.iter().zip(&mut all) {
        status::add_nodes(site, cluster, k3s, env, (&mut found.hosts, &facts)).await;
    }
    Ok(Clusters(all))
}

/// What k3s' configuration file would be on every host, without the token.
///
/// # Errors
/// When the site has no cluster of k3s.
pub fn configurations(site: &Site) -> Result<Vec<(HostName, String)>, Failure> {
    let all = clusters(site)?.into_iter().map(|(_, k3s)| status::configurations(k3s));
    Ok(all.collect::<Result<Vec<_>, _>>()?.concat())
}

fn clusters(site: &Site) -> Result<Vec<(&Cluster, &K3s)>, Failure> {
    let clusters: Vec<_> = site.clusters().filter_map(|cluster| Some((cluster, cluster.k3s()?))).collect();
    if clusters.is_empty() {
        return Err(FlowError::NoK3s(site.name.clone()).into());
    }
    Ok(clusters)
}

impl Clusters {
    /// Whether every host could be looked at.
    #[must_use]
    pub fn are_known(&self) -> bool {
        self.0.iter().flat_map(|cluster| &cluster.hosts).all(|host| host.error.is_none())
    }
}

impl fmt::Display for Clusters {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut table = Table::new([
            "CLUSTER",
            "HOST",
            "ADDRESS",
            "ROLE",
            "VERSION",
            "NODE",
            "FIRST CERTIFICATE TO END",
            "UNIT",
        ]);
        for Hosts { cluster, hosts } in &self.0 {
            for HostStatus { host, address, role, unit, version, node, certificate, error } in hosts {
                let unit = match error {
                    Some(error) => format!("cannot be asked: {error}"),
                    None => unit.clone().unwrap_or_else(|| "-".to_owned()),
                };
                let [version, node] = [version, node].map(|known| known.as_deref().unwrap_or("-"));
                let certificate = certificate.as_ref().map_or_else(|| "-".to_owned(), ToString::to_string);
                table.row([
                    cluster.as_str(),
                    host.as_str(),
                    address,
                    role,
                    version,
                    node,
                    &certificate,
                    &unit,
                ]);
            }
        }
        table.fmt(formatter)
    }
}
