//! `status`: the tree of `up`, looked at, told as facts and drift.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use serde::Serialize;

use super::argocd::reach::Reach;
use super::departed::Departed;
use super::table::Table;
use crate::engine::crowd::{FEW, by_cause, path, some};
use crate::engine::event::RunResult;
use crate::engine::run::{Failed, Report};
use crate::engine::{Change, StepId};
use crate::env::Env;
use crate::gitops::status::{Deployed, deployed};
use crate::site::name::{ClusterName, SiteName};
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

    /// Forgets the clusters that nobody asked for.
    pub fn keep_only(&mut self, clusters: &BTreeSet<ClusterName>) {
        self.clusters.retain(|cluster| clusters.iter().any(|name| name.as_str() == cluster.name));
    }

    /// Forgets the clusters that are as they should be.
    pub fn keep_unhealthy(&mut self) {
        let troubled = self.troubled();
        self.clusters.retain(|cluster| troubled.contains(&cluster.name));
    }

    /// The clusters that are not as they should be: what the profile says differs or is not known, or something there is not
    /// synced and healthy.
    fn troubled(&self) -> BTreeSet<String> {
        let steps = self.drift.keys().chain(self.unknown.keys());
        let steps = steps.chain(self.failed.keys()).chain(self.skipped.keys());
        let of_steps = steps.filter_map(|step| Some(step.as_str().split_once('/')?.0.to_owned()));
        let seen = self.clusters.iter().filter(|cluster| !cluster.is_well());
        of_steps.chain(seen.map(|cluster| cluster.name.clone())).collect()
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

impl ClusterStatus {
    /// Whether it answers, and Argo CD knows it and has nothing unsettled there.
    fn is_well(&self) -> bool {
        let settled = |deployed: &Deployed| {
            deployed.registered
                && deployed.applications.iter().all(|application| application.reason.is_none())
        };
        self.server.is_some() && self.deployed.as_ref().is_some_and(settled)
    }

    /// The whole in a few words.
    fn in_short(&self) -> String {
        let deployed = self.deployed.as_ref().map_or_else(|| "not known".to_owned(), ToString::to_string);
        match (&self.server, self.is_well()) {
            (None, _) => format!("does not answer; in Argo CD: {deployed}"),
            (Some(_), true) => "not as the profile says".to_owned(),
            (Some(_), false) => deployed,
        }
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
        if self.clusters.is_empty() {
            writeln!(formatter, "Every cluster is as it should be.")?;
        } else if self.clusters.len() > FEW {
            self.write_crowd(formatter)?;
        } else {
            self.write_clusters(formatter)?;
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
    fn write_clusters(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
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
        Ok(())
    }

    /// How many clusters each environment has, and what is the matter with those that are not as they should be.
    pub(super) fn write_crowd(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let troubled = self.troubled();
        let mut environments: BTreeMap<&str, [usize; 2]> = BTreeMap::new();
        let mut groups: BTreeMap<String, Vec<&str>> = BTreeMap::new();
        let mut reasons: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for cluster in &self.clusters {
            let is_troubled = troubled.contains(&cluster.name);
            environments.entry(&cluster.environment).or_default()[usize::from(is_troubled)] += 1;
            if is_troubled {
                groups.entry(cluster.in_short()).or_default().push(&cluster.name);
            }
            for application in cluster.deployed.iter().flat_map(|deployed| &deployed.applications) {
                if let Some(reason) = &application.reason {
                    reasons.entry(reason).or_default().push(&application.name);
                }
            }
        }
        let mut table = Table::new(["ENVIRONMENT", "AS IT SHOULD BE", "NOT"]);
        for (environment, [well, not]) in environments {
            table.row([environment, &well.to_string(), &not.to_string()]);
        }
        write!(formatter, "{table}")?;
        for (what, clusters) in groups {
            writeln!(formatter, "  {what}: {} ({})", clusters.len(), some(clusters.iter()))?;
        }
        for (reason, applications) in reasons {
            writeln!(formatter, "  {}: {reason}", some(applications.iter()))?;
        }
        Ok(())
    }

    /// What differs: change by change, or of many steps how many of each kind there are.
    fn write_changes(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.drift.len() <= FEW {
            for (step, changes) in &self.drift {
                for change in changes {
                    writeln!(formatter, "  {step}: {change}")?;
                }
            }
            return Ok(());
        }
        let mut groups: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for step in self.drift.keys() {
            let whose = step.as_str().split_once('/').map_or(step.as_str(), |(whose, _)| whose);
            groups.entry(path(step.as_str(), Some(whose))).or_default().push(whose);
        }
        for (path, whose) in groups {
            writeln!(formatter, "  {path}: {} ({})", whose.len(), some(whose.iter()))?;
        }
        Ok(())
    }

    /// What failed: one by one with what to do about it, or of many by cause.
    fn write_failed(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.failed.len() > FEW {
            return by_cause(&self.failed).iter().try_for_each(|line| writeln!(formatter, "  {line}"));
        }
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
        Ok(())
    }

    fn write_drift(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.has_drift(), self.is_complete()) {
            (true, _) => writeln!(formatter, "\nDrift (healed by `bridgehead up {}`):", self.site)?,
            (false, true) => {
                return writeln!(formatter, "No drift: the world is as the profile says.");
            }
            (false, false) => return writeln!(formatter, "\nNo drift in what could be looked at."),
        }
        self.write_changes(formatter)?;
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
        self.write_failed(formatter)?;
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
