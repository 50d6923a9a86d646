//! `argocd status`: Argo CD on the hub as it is.

use std::fmt;
use std::sync::Arc;

use serde::Serialize;

use super::reach::Reach;
use crate::engine::{Facts, Failure, Stop};
use crate::env::Env;
use crate::flow::table::Table;
use crate::gitops::argocd::{Installation, Workload};
use crate::gitops::status::{Deployed, deployed};
use crate::site::Site;
use crate::site::name::SiteName;

/// Argo CD as it is.
#[derive(Debug, Serialize)]
pub struct Status {
    /// The site.
    pub site: SiteName,
    /// The namespace of Argo CD.
    pub namespace: String,
    /// What runs.
    #[serde(flatten)]
    pub installation: Installation,
    /// How a person reaches it.
    #[serde(flatten)]
    pub reach: Reach,
    /// What it has deployed, by cluster.
    pub clusters: Vec<Deployed>,
}

impl Status {
    /// Looks at the hub.
    ///
    /// # Errors
    /// When the hub does not answer.
    pub async fn of(site: &Arc<Site>, env: &Arc<Env>, facts: &Facts) -> Result<Self, Failure> {
        let client = env.clients.get(crate::flow::access(site, facts, &site.hub.name)?).await?;
        let namespace = site.argocd.namespace.clone();
        Ok(Self {
            site: site.name.clone(),
            installation: Installation::look(&client, &namespace).await?,
            reach: Reach::of(site, env).await,
            clusters: deployed(site, env, facts).await.map_err(Stop::into_failure)?,
            namespace,
        })
    }
}

impl fmt::Display for Status {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Installation { version, workloads } = &self.installation;
        if workloads.is_empty() {
            return writeln!(formatter, "Argo CD is not installed in the namespace {}", self.namespace);
        }
        let version = version.as_deref().unwrap_or("of an unknown version");
        let url = self.reach.url.as_deref().unwrap_or("no address outside of the cluster");
        writeln!(formatter, "Argo CD {version}: {url}")?;
        if let Some(login) = &self.reach.login {
            writeln!(formatter, "{login}")?;
        }
        let mut table = Table::new(["KIND", "WORKLOAD", "READY", ""]);
        for Workload { kind, name, ready, desired, reason } in workloads {
            table.row([kind, name, &format!("{ready}/{desired}"), reason.as_deref().unwrap_or_default()]);
        }
        write!(formatter, "\n{table}")?;
        let mut table = Table::new(["CLUSTER", "APPLICATION", "SYNC", "HEALTH", ""]);
        for Deployed { cluster, applications, .. } in &self.clusters {
            for application in applications {
                let reason = application.reason.as_deref().unwrap_or_default();
                table.row([
                    cluster.as_str(),
                    &application.name,
                    &application.sync,
                    &application.health,
                    reason,
                ]);
            }
        }
        write!(formatter, "\n{table}")
    }
}
