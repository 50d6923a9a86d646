//! The step that registers a cluster: its Secret on the hub.

use std::sync::Arc;

use kube::Client;

use super::content::{CLUSTER, ClusterSecret, SECRET_TYPE};
use super::existing;
use crate::engine::{Access, Facts, Failure, StepId, Stop};
use crate::env::Env;
use crate::gitops::Scope;
use crate::gitops::registration::prove;
use crate::k8s::{ApplyObjects, Desired, Kind, ObjectSet, SITE_LABEL, Stranger, api};
use crate::site::name::ClusterName;
use crate::site::{Cluster, Role, Site};

/// The step `<cluster>/registration/secret`: the cluster's Secret is on the hub, and what it says works.
#[must_use]
pub fn secret(site: &Arc<Site>, env: &Arc<Env>, cluster: &Cluster) -> ApplyObjects<Registered> {
    ApplyObjects(Registered { scope: Scope::new(site, env), cluster: cluster.clone() })
}

/// See [`secret`].
#[derive(Debug)]
pub struct Registered {
    scope: Scope,
    cluster: Cluster,
}

impl Desired for Registered {
    fn id(&self) -> StepId {
        StepId::of(&self.cluster.name, "registration/secret")
    }

    fn cluster(&self) -> &ClusterName {
        &self.cluster.name
    }

    async fn objects(&self, facts: &Facts) -> Result<(Client, ObjectSet), Stop> {
        let site = &self.scope.site;
        let hub = self.scope.client(self.scope.hub(), facts).await?;
        let desired = ClusterSecret::of(site, &self.cluster, facts)?;
        self.prove(&desired, facts).await?;
        let selector = format!("{SECRET_TYPE}={CLUSTER}");
        let existing = api::list(&hub, &Kind::SECRET, Some(self.scope.namespace()), &selector).await?;
        let chosen = existing::choose(&site.name, &desired, &existing)?;
        // One that somebody else made keeps its name, and never gets our mark.
        let name = chosen.map_or(self.cluster.name.as_str(), |secret| secret.name());
        let is_adopted = chosen.is_some_and(|secret| secret.label(SITE_LABEL).is_none());
        let stranger = if is_adopted { Stranger::Adopt } else { Stranger::Refuse };
        Ok((hub, ObjectSet { stranger, ..ObjectSet::new(&site.name, vec![desired.object(site, name)]) }))
    }
}

impl Registered {
    /// The Secret's own JSON is used before Argo CD uses it. The hub's names no account: Argo CD has its own there.
    async fn prove(&self, desired: &ClusterSecret, facts: &Facts) -> Result<(), Stop> {
        if self.cluster.role == Role::Hub {
            return Ok(());
        }
        let mut access = desired.access()?;
        // An address that the site gives for the hub's sake need not be one that this machine reaches.
        if self.cluster.server.is_some() {
            access = Access {
                authority: access.authority,
                credentials: access.credentials,
                ..facts.access(&self.cluster.name)?.clone()
            };
        }
        let proven = prove(&self.scope.env.clients, &access).await;
        proven.map_err(|error| {
            let name = &self.cluster.name;
            Stop::Failed(Failure::from(error).with_hint(format!(
                "Argo CD would not get further with what its Secret for `{name}` says; check that the cluster answers, then run again"
            )))
        })
    }
}
