//! The part of `up` that makes clusters of k3s, and answers about their hosts.

use std::fmt;
use std::sync::Arc;

use serde::Serialize;

use super::FlowError;
use super::table::Table;
use crate::engine::{Facts, Failure, Tree};
use crate::env::Env;
use crate::provider::k3s::preflight;
use crate::provider::k3s::status::{self, HostStatus};
use crate::site::name::{ClusterName, HostName};
use crate::site::{Cluster, K3s, Provider, Site};
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
    let clusters = clusters(site)?.into_iter().map(|(cluster, k3s)| {
        seq![
            preflight(site, cluster, k3s, env),
            par![
                seq![provider::serve(site, cluster, env), provider::ready(site, cluster, env)],
                provider::join(site, cluster, env),
            ],
        ]
    });
    Ok(Tree::Par(clusters.collect()))
}

/// The part of `up` that makes the site's clusters of k3s: looked at, it tells how to reach them.
///
/// # Errors
/// When it has none.
pub fn serve(site: &Arc<Site>, env: &Arc<Env>) -> Result<Tree, Failure> {
    let clusters = clusters(site)?.into_iter().map(|(cluster, _)| provider::serve(site, cluster, env));
    Ok(Tree::Par(clusters.collect()))
}

/// How the hosts of the site's clusters of k3s are.
///
/// # Errors
/// When it has none.
pub async fn status(site: &Arc<Site>, env: &Arc<Env>, facts: &Facts) -> Result<Clusters, Failure> {
    let mut all = Vec::new();
    for (cluster, k3s) in clusters(site)? {
        let hosts = status::hosts(site, cluster, k3s, env, facts).await;
        all.push(Hosts { cluster: cluster.name.clone(), hosts });
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
    let clusters: Vec<_> = site
        .clusters()
        .filter_map(|cluster| match &cluster.provider {
            Provider::K3s(k3s) => Some((cluster, k3s)),
            Provider::Local(_) | Provider::Existing(_) => None,
        })
        .collect();
    if clusters.is_empty() {
        return Err(FlowError::NoK3s(site.name.clone()).into());
    }
    Ok(clusters)
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
