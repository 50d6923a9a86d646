//! Argo CD: its installation, what it is told, what it makes of that, and how all of it is taken away again.

pub mod addon;
mod application;
mod application_set;
pub mod argocd;
pub mod bootstrap;
pub mod catalogue;
pub mod cluster_secret;
pub mod declared;
pub mod departed;
mod expected;
mod fleet;
mod hub;
mod overlooked;
pub mod pause;
mod progress;
mod project;
pub mod projects;
pub mod refresh;
pub mod registration;
mod request;
mod retire;
pub mod secret;
pub mod settled;
pub mod status;
pub mod teardown;
mod tracking;

use std::sync::Arc;

use kube::Client;

pub use application::ApplicationSummary;
pub use tracking::ObjectName;

use crate::engine::facts::Missing;
use crate::engine::{Facts, Failure, Stop};
use crate::env::Env;
use crate::k8s::api;
use crate::site::Site;
use crate::site::name::ClusterName;

/// What every step here works in: a site, and the connections of the command.
#[derive(Debug, Clone)]
struct Scope {
    site: Arc<Site>,
    env: Arc<Env>,
}

impl Scope {
    fn new(site: &Arc<Site>, env: &Arc<Env>) -> Self {
        Self { site: site.clone(), env: env.clone() }
    }

    fn hub(&self) -> &ClusterName {
        &self.site.hub.name
    }

    /// The namespace of Argo CD.
    fn namespace(&self) -> &str {
        &self.site.argocd.namespace
    }

    async fn client(&self, cluster: &ClusterName, facts: &Facts) -> Result<Client, Stop> {
        let access = facts.access(cluster)?;
        Ok(self.env.clients.get(access).await?)
    }

    /// What tells the hub from any other cluster: the UID of its namespace `kube-system`. It is asked for once in a run.
    async fn hub_uid(&self, facts: &Facts) -> Result<String, Stop> {
        let ask = async || {
            let hub = self.client(self.hub(), facts).await?;
            let uid = api::cluster_uid(&hub).await?;
            Ok(uid.ok_or_else(|| NoIdentity(self.hub().clone()))?)
        };
        self.env.answers.once(&format!("the UID of {}", self.hub()), ask).await
    }

    /// The hub, for a step that nothing before it has made the hub for.
    async fn standing_hub(&self, facts: &Facts) -> Result<Client, Stop> {
        match self.client(self.hub(), facts).await {
            Err(Stop::Blocked(missing)) => {
                let hint = format!("bring the site up first: bridgehead up {}", self.site.name);
                Err(Failure::from(NoHub(missing)).with_hint(hint).into())
            }
            result => result,
        }
    }
}

/// A hub without the namespace that every cluster has.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` has no namespace kube-system, by whose UID it is told from other hubs")]
struct NoIdentity(ClusterName);

/// A step needs a hub that is up.
#[derive(Debug, thiserror::Error)]
#[error("the {0} is not known: the cluster does not answer")]
struct NoHub(Missing);

/// The part of a site's world that an object belongs to, as in its mark.
mod part {
    pub(super) const ARGOCD: &str = "argocd";
    pub(super) const BOOTSTRAP: &str = "bootstrap";
    pub(super) const CLUSTER_SECRET: &str = "cluster-secret";
    pub(super) const PROJECT: &str = "project";
    pub(super) const REGISTRATION: &str = "registration";
    pub(super) const SECRET: &str = "secret";
}
