//! The cluster Secrets of a hub, listed once and found by what they are asked for.

use std::collections::{HashMap, HashSet};
use std::ops::Deref;

use kube::Client;

use super::content::{CLUSTER, SECRET_TYPE};
use super::registered::{CLUSTER_LABEL, Registration, registers_as};
use crate::gitops::Scope;
use crate::k8s::{ApiError, Kind, Object, api};
use crate::site::Site;
use crate::site::name::ClusterName;

/// All cluster Secrets.
#[derive(Debug, Default)]
pub(in crate::gitops) struct Listed {
    secrets: Vec<Object>,
    /// By server, and by the name that Argo CD or the sets call the cluster by.
    servers: HashMap<String, Vec<usize>>,
    names: HashMap<String, Vec<usize>>,
    /// The names of all Secrets of the namespace, whatever they are.
    taken: HashSet<String>,
}

impl Listed {
    pub(super) async fn fetch(scope: &Scope, hub: &Client) -> Result<Self, ApiError> {
        let (namespace, labels) = (Some(scope.namespace()), format!("{SECRET_TYPE}={CLUSTER}"));
        let (secrets, names) = futures::try_join!(
            api::list(hub, &Kind::SECRET, namespace, &labels),
            api::names(hub, &Kind::SECRET, namespace),
        )?;
        Ok(Self::of(secrets, names.into_iter().collect()))
    }

    pub(super) fn of(secrets: Vec<Object>, taken: HashSet<String>) -> Self {
        let mut listed = Self { taken, ..Self::default() };
        for (at, secret) in secrets.iter().enumerate() {
            let server = secret.data("server").map(|server| server.trim_end_matches('/').to_owned());
            listed.servers.entry(server.unwrap_or_default()).or_default().push(at);
            let names = [secret.data("name"), secret.label(CLUSTER_LABEL).map(ToOwned::to_owned)];
            for name in names.into_iter().flatten().collect::<HashSet<_>>() {
                listed.names.entry(name).or_default().push(at);
            }
        }
        Self { secrets, ..listed }
    }

    /// Those that describe the cluster at a server. Argo CD takes servers without a trailing slash for the same.
    pub(super) fn at(&self, server: &str) -> impl Iterator<Item = &Object> {
        self.these(self.servers.get(server.trim_end_matches('/')))
    }

    /// Those that call their cluster so, for Argo CD or for the sets.
    pub(super) fn called(&self, name: &str) -> impl Iterator<Item = &Object> {
        self.these(self.names.get(name))
    }

    /// The one that registers a cluster of the site.
    pub(in crate::gitops) fn registration_of(
        &self,
        site: &Site,
        cluster: &ClusterName,
    ) -> Option<(&Object, Registration)> {
        self.called(cluster.as_str()).find_map(|secret| {
            let registration = registers_as(site, secret).filter(|found| found.cluster == *cluster)?;
            Some((secret, registration))
        })
    }

    /// Whether there is a Secret of that name, which need not be one of a cluster.
    pub(super) fn has_secret(&self, name: &str) -> bool {
        self.taken.contains(name)
    }

    fn these(&self, at: Option<&Vec<usize>>) -> impl Iterator<Item = &Object> {
        at.into_iter().flatten().map(|at| &self.secrets[*at])
    }
}

impl Deref for Listed {
    type Target = [Object];

    fn deref(&self) -> &[Object] {
        &self.secrets
    }
}
