//! The part of `up` that makes clusters of k3s, and answers about their hosts.

use std::fmt;
use std::sync::Arc;

use serde::Serialize;

use super::FlowError;
use crate::engine::{Facts, Failure, Tree};
use crate::env::Env;
use crate::provider::k3s::status::{self, HostStatus};
use crate::site::name::{ClusterName, HostName};
use crate::site::{Cluster, K3s, Provider, Site};
use crate::{par, provider, seq};

/// The hosts of one cluster.
#[derive(Debug, Serialize)]
pub struct Hosts {
    /// The cluster.
    pub cluster: ClusterName,
    /// Its hosts, servers first.
    pub hosts: Vec<HostStatus>,
}

/// Makes the site's clusters of k3s until workloads can run.
///
/// # Errors
/// When it has none.
pub fn install(site: &Arc<Site>, env: &Arc<Env>) -> Result<Tree, Failure> {
    let clusters = clusters(site)?.into_iter().map(|(cluster, _)| {
        par![
            seq![provider::serve(site, cluster, env), provider::ready(site, cluster, env)],
            provider::join(site, cluster, env),
        ]
    });
    Ok(seq![provider::preflight(site, env), Tree::Par(clusters.collect())])
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
pub async fn status(site: &Arc<Site>, env: &Arc<Env>, facts: &Facts) -> Result<Vec<Hosts>, Failure> {
    let mut all = Vec::new();
    for (cluster, k3s) in clusters(site)? {
        let hosts = status::hosts(site, cluster, k3s, env, facts).await;
        all.push(Hosts { cluster: cluster.name.clone(), hosts });
    }
    Ok(all)
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

impl fmt::Display for Hosts {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for host in &self.hosts {
            let HostStatus { host, address, role, unit, version, node, certificate, error } = host;
            let text = |value: &Option<String>| value.clone().unwrap_or_else(|| "-".to_owned());
            let unit = error.as_ref().map_or_else(|| text(unit), |error| format!("cannot be asked: {error}"));
            let (version, node) = (text(version), text(node));
            let certificate = certificate.as_ref().map_or_else(|| "-".to_owned(), ToString::to_string);
            writeln!(
                formatter,
                "{:<12} {host:<16} {address:<18} {role:<7} {version:<16} {node:<16} {certificate:<36} {unit}",
                self.cluster
            )?;
        }
        Ok(())
    }
}

/// The line above the table.
pub const HEADER: &str = "CLUSTER      HOST             ADDRESS            ROLE    VERSION          NODE             FIRST CERTIFICATE TO END             UNIT";
