//! `status`: the tree of `up`, looked at, told as facts and drift.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde::Serialize;

use super::argocd::reach::Reach;
use super::departed::Departed;
use super::table::Table;
use crate::engine::event::RunResult;
use crate::engine::run::{Failed, Report};
use crate::engine::{Change, StepId};
use crate::env::Env;
use crate::gitops::status::{Deployed, deployed};
use crate::site::name::SiteName;
use crate::site::{Cluster, Role, Site};

/// A site as it is.
#[derive(Debug, Serialize)]
pub struct Status {
    /// The site.
    pub site: SiteName,
    /// Its clusters, the hub first.
    pub clusters: Vec<ClusterStatus>,
    /// Argo CD on the hub.
    pub argocd: ArgoCdStatus,
    /// What `up` would change, by step.
    pub drift: BTreeMap<StepId, Vec<Change>>,
    /// What left the profile and is still there.
    pub departed: Departed,
    /// What is known only later, and the fact that is missing.
    pub unknown: BTreeMap<StepId, String>,
    /// What could not be looked at, and why.
    pub failed: BTreeMap<StepId, Failed>,
    /// What was not looked at, and what stood in the way.
    pub skipped: BTreeMap<StepId, String>,
    /// Whether the look was stopped before its end.
    pub interrupted: bool,
}

/// A cluster as it is.
#[derive(Debug, Serialize)]
pub struct ClusterStatus {
    /// Its name.
    pub name: String,
    /// `hub` or `spoke`.
    pub role: &'static str,
    /// Its environment.
    pub environment: String,
    /// Its API server's version; absent when it does not answer.
    pub version: Option<String>,
    /// Its API server's URL; absent when it does not answer.
    pub server: Option<String>,
    /// What Argo CD has deployed there; absent when the hub does not answer.
    pub deployed: Option<Deployed>,
}

/// Argo CD as it is.
#[derive(Debug, Serialize)]
pub struct ArgoCdStatus {
    /// The version that the profile names.
    pub version: String,
    /// How a person reaches it.
    #[serde(flatten)]
    pub reach: Reach,
}

impl Status {
    /// Puts together what a look at the site found.
    pub async fn of(site: &Arc<Site>, env: &Arc<Env>, report: &Report, departed: Departed) -> Self {
        // A hub that does not answer is told by the clusters' and the drift's lines.
        let mut deployed = deployed(site, env, &report.facts).await.unwrap_or_default();
        let clusters = site.clusters().map(|cluster| {
            let mine = deployed.iter().position(|deployed| deployed.cluster == cluster.name);
            cluster_status(cluster, report, mine.map(|index| deployed.swap_remove(index)))
        });
        Self {
            departed,
            site: site.name.clone(),
            clusters: clusters.collect(),
            argocd: ArgoCdStatus { version: site.argocd.version.clone(), reach: Reach::of(site, env).await },
            drift: report.changes.clone(),
            unknown: report.blocked.clone(),
            failed: report.failed.clone(),
            skipped: report.skipped.clone(),
            interrupted: report.result == RunResult::Interrupted,
        }
    }

    /// Whether everything was looked at. Otherwise nothing is known of what was not.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.failed.is_empty()
            && self.skipped.is_empty()
            && self.departed.unseen().is_empty()
            && !self.interrupted
    }

    /// Whether anything is not as the profile says.
    #[must_use]
    pub fn has_drift(&self) -> bool {
        !self.drift.is_empty() || !self.unknown.is_empty() || !self.departed.is_empty()
    }
}

fn cluster_status(cluster: &Cluster, report: &Report, deployed: Option<Deployed>) -> ClusterStatus {
    let facts = report.facts.cluster(&cluster.name);
    ClusterStatus {
        name: cluster.name.to_string(),
        role: match cluster.role {
            Role::Hub => "hub",
            Role::Spoke => "spoke",
        },
        environment: cluster.environment.clone(),
        version: facts.and_then(|facts| facts.version.clone()),
        server: facts.and_then(|facts| facts.access.as_ref()).map(|access| access.server.clone()),
        deployed,
    }
}

impl fmt::Display for Status {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut table = Table::new(["CLUSTER", "ROLE", "ENVIRONMENT", "VERSION", "API", "ARGO CD"]);
        for ClusterStatus { name, role, environment, version, server, deployed } in &self.clusters {
            let version = version.as_deref().unwrap_or("-");
            let server = server.as_deref().unwrap_or("does not answer");
            let deployed = deployed.as_ref().map_or_else(|| "not known".to_owned(), ToString::to_string);
            table.row([name, role, environment, version, server, &deployed]);
        }
        write!(formatter, "{table}")?;
        for application in self
            .clusters
            .iter()
            .filter_map(|cluster| cluster.deployed.as_ref())
            .flat_map(|deployed| &deployed.applications)
        {
            if let Some(reason) = &application.reason {
                writeln!(formatter, "  {}: {reason}", application.name)?;
            }
        }
        let nowhere =
            || format!("no address outside of the cluster: bridgehead argocd port-forward {}", self.site);
        let url = self.argocd.reach.url.clone().unwrap_or_else(nowhere);
        writeln!(formatter, "\nArgo CD {}: {url}", self.argocd.version)?;
        self.write_drift(formatter)?;
        self.write_unseen(formatter)
    }
}

impl Status {
    fn write_drift(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.has_drift(), self.is_complete()) {
            (true, _) => writeln!(formatter, "\nDrift (healed by `bridgehead up {}`):", self.site)?,
            (false, true) => {
                return writeln!(formatter, "No drift: the world is as the profile says.");
            }
            (false, false) => return writeln!(formatter, "\nNo drift in what could be looked at."),
        }
        for (step, changes) in &self.drift {
            for change in changes {
                writeln!(formatter, "  {step}: {change}")?;
            }
        }
        for (step, fact) in &self.unknown {
            writeln!(formatter, "  {step}: unknown until the {fact} is known")?;
        }
        for thing in self.departed.lines() {
            writeln!(formatter, "  no longer in the profile (`up --prune` removes it): {thing}")?;
        }
        Ok(())
    }

    fn write_unseen(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_complete() {
            return Ok(());
        }
        writeln!(formatter, "\nCould not be looked at:")?;
        for (step, Failed { error, causes, hint, .. }) in &self.failed {
            writeln!(
                formatter,
                "  {step}: {}",
                std::iter::once(error).chain(causes).cloned().collect::<Vec<_>>().join(": ")
            )?;
            if let Some(hint) = hint {
                writeln!(formatter, "    hint: {hint}")?;
            }
        }
        for why in self.departed.unseen() {
            writeln!(formatter, "  what is no longer in the profile: {why}")?;
        }
        match self.skipped.len() {
            0 => {}
            1 => writeln!(formatter, "  1 step that depends on it")?,
            count => writeln!(formatter, "  {count} steps that depend on it")?,
        }
        if self.interrupted {
            writeln!(formatter, "  what comes after: the look was interrupted")?;
        }
        Ok(())
    }
}
