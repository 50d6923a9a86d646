//! Clusters of a site: which there are, one more that exists already, one less.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use serde::Serialize;

use super::profile::Profile;
use super::table::Table;
use super::{down, up};
use crate::engine::survey::survey;
use crate::engine::{Facts, Failure, Tree};
use crate::env::Env;
use crate::files;
use crate::gitops::registration::possible;
use crate::site::edit::{SpokeError, add_spoke, remove_spoke};
use crate::site::name::{ClusterName, SiteName};
use crate::site::{Cluster, Role, Site};
use crate::{provider, seq};

/// A site with a changed profile, and the tree that makes both so.
pub struct Edited {
    /// The site as its profile will say it; before a cluster goes, as it says it now.
    pub site: Arc<Site>,
    /// The clusters that may be changed.
    pub clusters: BTreeSet<ClusterName>,
    /// What is to be done.
    pub tree: Tree,
}

/// A cluster for people.
#[derive(Debug, Serialize)]
pub struct Row {
    name: String,
    role: &'static str,
    provider: &'static str,
    server: Option<String>,
    environment: String,
}

/// The clusters of a site.
#[derive(Debug, Serialize)]
#[serde(transparent)]
pub struct Rows(Vec<Row>);

/// The clusters of a site cannot be changed so.
#[derive(Debug, thiserror::Error)]
enum ClusterError {
    #[error("the profile of `{0}` is built in: there is no file to write to")]
    BuiltIn(SiteName),
    #[error("the site `{0}` has no spoke of the provider `existing`")]
    NoneExisting(SiteName),
    #[error("`{0}` is the hub: without it there is no site `{1}`")]
    Hub(ClusterName, SiteName),
}

/// The clusters of a site, in view of those that answer.
#[must_use]
pub fn list(site: &Site, facts: &Facts) -> Rows {
    let row = |cluster: &Cluster| Row {
        name: cluster.name.to_string(),
        role: match cluster.role {
            Role::Hub => "hub",
            Role::Spoke => "spoke",
        },
        provider: cluster.provider.name(),
        server: facts.access(&cluster.name).ok().map(|access| access.server.clone()),
        environment: cluster.environment.clone(),
    };
    Rows(site.clusters().map(row).collect())
}

/// Registers a context of the person's kubeconfig as one more spoke, which the profile then has.
///
/// # Errors
/// When there is no such context, its cluster does not answer, the profile has such a spoke already, or would not be
/// valid with it.
pub async fn add(
    site: &Site,
    env: &Arc<Env>,
    name: &ClusterName,
    context: &str,
    environment: Option<&str>,
) -> Result<Edited, Failure> {
    let path = site.profile.clone().ok_or_else(|| ClusterError::BuiltIn(site.name.clone()))?;
    let profile = Profile::new(site, path, format!("add the spoke {name}"), {
        let (name, context, environment) =
            (name.clone(), context.to_owned(), environment.map(ToOwned::to_owned));
        move |text| Ok(add_spoke(text, &name, &context, environment.as_deref())?)
    });
    let site = profile.site()?;
    if let Some(cluster) = site.cluster(name) {
        provider::of(&site, cluster, env).check_usable().await?;
    }
    let is_needed = |cluster: &&Cluster| [&site.hub.name, name].contains(&&cluster.name);
    let reached = site.clusters().filter(is_needed);
    let reached = reached.map(|cluster| provider::of(&site, cluster, env).provision()).collect();
    let tree = seq![survey(Tree::Par(reached)), possible(&site, env, name), profile, up::tree(&site, env)];
    Ok(Edited { site, clusters: BTreeSet::from([name.clone()]), tree })
}

/// Registers the spokes of the provider `existing` that the profile has already: all of them, or one.
///
/// # Errors
/// When there are none.
pub fn register(site: &Arc<Site>, env: &Arc<Env>, name: Option<&ClusterName>) -> Result<Edited, Failure> {
    let existing = site.spokes.iter().filter(|spoke| spoke.foreign_context().is_some());
    let named =
        existing.map(|spoke| spoke.name.clone()).filter(|known| name.is_none_or(|name| name == known));
    let clusters: BTreeSet<_> = named.collect();
    if clusters.is_empty() {
        let hint = "name a context and what to call its cluster: --context CTX --name NAME";
        return Err(Failure::from(ClusterError::NoneExisting(site.name.clone())).with_hint(hint));
    }
    Ok(Edited { site: Arc::clone(site), clusters, tree: up::tree(site, env) })
}

/// Takes a spoke down, and out of the profile.
///
/// # Errors
/// When it is the hub, or the profile cannot be edited.
pub fn remove(
    site: &Arc<Site>,
    env: &Arc<Env>,
    name: &ClusterName,
    request: &down::Request,
) -> Result<Edited, Failure> {
    if *name == site.hub.name {
        return Err(ClusterError::Hub(name.clone(), site.name.clone()).into());
    }
    let path = site.profile.clone().ok_or_else(|| ClusterError::BuiltIn(site.name.clone()))?;
    remove_spoke(&files::read(&path)?, name)?;
    let profile = Profile::new(site, path, format!("remove the spoke {name}"), {
        let name = name.clone();
        move |text| match remove_spoke(text, &name) {
            Err(SpokeError::Absent(_)) => Ok(text.to_owned()),
            removed => Ok(removed?),
        }
    });
    // A profile that would not be valid without it is told of before anything goes.
    profile.site()?;
    let clusters = BTreeSet::from([name.clone()]);
    let tree = seq![down::tree(site, env, request)?, profile];
    Ok(Edited { site: Arc::clone(site), clusters, tree })
}

impl fmt::Display for Rows {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut table = Table::new(["CLUSTER", "ROLE", "PROVIDER", "SERVER", "ENVIRONMENT"]);
        for Row { name, role, provider, server, environment } in &self.0 {
            table.row([name, role, provider, server.as_deref().unwrap_or("does not answer"), environment]);
        }
        table.fmt(formatter)
    }
}
