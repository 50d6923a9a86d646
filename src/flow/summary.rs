//! What a person wants to know after `up`.

use std::fmt;
use std::sync::Arc;

use super::departed::Departed;
use super::status::{ClusterStatus, Status};
use super::table::Table;
use crate::engine::crowd::FEW;
use crate::engine::run::Report;
use crate::env::Env;
use crate::site::Site;
use crate::site::name::SecretName;

/// What runs, where to look at it, how to take it down.
#[derive(Debug)]
pub struct Summary {
    status: Status,
    seconds: f64,
    /// Secrets, and what their values would come from.
    missing: Vec<(SecretName, Vec<String>)>,
}

impl Summary {
    /// Puts together what a run of `up` found at its end.
    pub async fn of(site: &Arc<Site>, env: &Arc<Env>, report: &Report, departed: Departed) -> Self {
        Self {
            status: Status::of(site, env, report, departed).await,
            seconds: report.seconds,
            missing: super::secret::missing(site, env),
        }
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { status: Status { site, clusters, argocd, .. }, seconds, .. } = self;
        writeln!(formatter, "\n{site} is up ({seconds:.1} s)\n")?;
        if clusters.len() > FEW {
            self.status.write_crowd(formatter)?;
        } else {
            write_clusters(formatter, clusters)?;
        }
        writeln!(formatter, "\nLook at it")?;
        writeln!(
            formatter,
            "  kubeconfig  (umask 077; bridgehead kubeconfig show {site} > {site}.kubeconfig)"
        )?;
        match (&argocd.reach.url, &argocd.reach.address) {
            (Some(url), Some(_)) => {
                writeln!(
                    formatter,
                    "  Argo CD     {url} (the API; web pages come with a release binary only)"
                )?;
            }
            (Some(url), None) => writeln!(formatter, "  Argo CD     {url}")?,
            (None, _) => writeln!(formatter, "  Argo CD     bridgehead argocd port-forward {site}")?,
        }
        if let Some(login) = &argocd.reach.login {
            writeln!(formatter, "              {login}")?;
        }
        writeln!(formatter, "  password    bridgehead argocd password {site}")?;
        writeln!(formatter, "  status      bridgehead status {site}")?;
        if !self.missing.is_empty() {
            writeln!(formatter, "Secrets that were left as they are, and what is not set for them")?;
        }
        for (name, missing) in &self.missing {
            writeln!(formatter, "  {name:<38} {}", missing.join(", "))?;
        }
        writeln!(formatter, "Take it down\n  bridgehead down {site}     (make down SITE={site})")
    }
}

fn write_clusters(formatter: &mut fmt::Formatter<'_>, clusters: &[ClusterStatus]) -> fmt::Result {
    let mut table = Table::default();
    for ClusterStatus { name, version, server, deployed, .. } in clusters {
        let [version, server] = [version, server].map(|known| known.as_deref().unwrap_or_default());
        table.row([&format!("  {name}"), version, server]);
        for application in deployed.iter().flat_map(|deployed| &deployed.applications) {
            table.row([&format!("    {}", application.name), &application.sync, &application.health]);
        }
    }
    write!(formatter, "{table}")
}
