//! What a cluster Secret says: a pure function of the site and the facts.

use std::collections::BTreeMap;

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret as KubernetesSecret;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::config;
use super::departed::REPOSITORY_KEYS;
use crate::engine::{Access, Facts, Stop};
use crate::gitops::{catalogue, part};
use crate::k8s::Object;
use crate::site::secret::Secret;
use crate::site::{Cluster, RepositorySource, Role, Site};

/// The label by which Argo CD knows its Secrets.
pub const SECRET_TYPE: &str = "argocd.argoproj.io/secret-type";
/// The value of [`SECRET_TYPE`] of a Secret that describes a cluster.
pub const CLUSTER: &str = "cluster";
/// How Argo CD calls the cluster that it runs in.
pub const HUB_SERVER: &str = "https://kubernetes.default.svc";

/// A cluster Secret's content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClusterSecret {
    /// What Applications call the cluster.
    pub name: String,
    /// The API server's URL, as the hub's Argo CD reaches it.
    pub server: String,
    /// How Argo CD reaches it: JSON.
    pub config: Secret<String>,
    /// What sets select by.
    pub labels: BTreeMap<String, String>,
    /// What sets fill in.
    pub annotations: BTreeMap<String, String>,
}

/// A cluster cannot be registered as it is.
#[derive(Debug, thiserror::Error)]
pub enum ContentError {
    /// The hub's Argo CD would find itself there.
    #[error("the hub's Argo CD cannot reach `{cluster}` at {server}: that address means its own machine")]
    Loopback {
        /// The cluster.
        cluster: String,
        /// The address.
        server: String,
    },
}

impl ClusterSecret {
    /// The content for a cluster.
    ///
    /// # Errors
    /// When a fact is absent, or the cluster's address is of no use to the hub.
    pub fn of(site: &Site, cluster: &Cluster, facts: &Facts) -> Result<Self, Stop> {
        let (server, config) = match cluster.role {
            Role::Hub => (HUB_SERVER.to_owned(), config::of_hub()),
            Role::Spoke => {
                let access = facts.registration(&cluster.name)?;
                refuse_loopback(site, cluster, access)?;
                (access.server.clone(), config::of(access))
            }
        };
        Ok(Self {
            name: cluster.name.to_string(),
            server,
            config,
            labels: labels(cluster, facts),
            annotations: annotations(site, cluster, facts)?,
        })
    }

    /// The whole object, marked as ours.
    #[must_use]
    pub fn object(&self, site: &Site, name: &str) -> Object {
        let data = [("name", &self.name), ("server", &self.server), ("config", self.config.expose())];
        let data = data.map(|(key, value)| (key.to_owned(), ByteString(value.clone().into_bytes())));
        let mut object = Object::of(&KubernetesSecret {
            metadata: ObjectMeta {
                name: Some(name.to_owned()),
                namespace: Some(site.argocd.namespace.clone()),
                labels: Some(self.labels.clone()),
                annotations: Some(self.annotations.clone()),
                ..ObjectMeta::default()
            },
            data: Some(data.into()),
            ..KubernetesSecret::default()
        });
        object.mark_as_made(&site.name, part::CLUSTER_SECRET);
        object
    }
}

fn refuse_loopback(site: &Site, cluster: &Cluster, access: &Access) -> Result<(), ContentError> {
    // The Argo CD of a local hub is a process on this machine. A cloud's addresses are good for all of its clusters: only an
    // emulated one, which is on one machine with all that is in it, gives out one of loopback.
    let is_one_cloud = site.hub.is_in_cloud() && cluster.is_in_cloud();
    if site.hub.is_on_this_machine() || is_one_cloud || !access.is_loopback() {
        return Ok(());
    }
    Err(ContentError::Loopback {
        cluster: cluster.name.to_string(),
        server: access.proxy_url.as_ref().unwrap_or(&access.server).clone(),
    })
}

/// What the profile says, what the cloud adds, and what was looked up. None of them has a key of another's.
pub(super) fn labels(cluster: &Cluster, facts: &Facts) -> BTreeMap<String, String> {
    let mut labels = cluster.profile_labels();
    labels.extend(facts.metadata(&cluster.name).into_iter().flat_map(|cloud| cloud.labels.clone()));
    labels.insert(SECRET_TYPE.to_owned(), CLUSTER.to_owned());
    if let Some(version) = facts.minor_version(&cluster.name) {
        labels.insert("kubernetes_version".to_owned(), version);
    }
    labels
}

/// Where an addon belongs is a default that the site may change; the rest is the contract's.
pub(super) fn annotations(
    site: &Site,
    cluster: &Cluster,
    facts: &Facts,
) -> Result<BTreeMap<String, String>, Stop> {
    let enabled = cluster.addons.iter().filter(|(_, is_on)| **is_on);
    let places = enabled.flat_map(|(addon, _)| catalogue::annotations(addon));
    let mut annotations: BTreeMap<_, _> = places.map(|(key, value)| (key, value.to_owned())).collect();
    annotations.extend(cluster.annotations.clone());
    annotations.extend(facts.metadata(&cluster.name).into_iter().flat_map(|cloud| cloud.annotations.clone()));
    let mut set = |key: String, value: &str| annotations.insert(key, value.to_owned());
    set("cluster_name".to_owned(), cluster.name.as_str());
    set("environment".to_owned(), &cluster.environment);
    set("argocd_namespace".to_owned(), &site.argocd.namespace);
    for (name, repository) in &site.repositories {
        let url = match &repository.source {
            RepositorySource::Url(url) => url,
            RepositorySource::Folder(_) => &facts.served(name)?.url,
        };
        let values = [url, &repository.basepath, &repository.path, &repository.revision];
        for (suffix, value) in REPOSITORY_KEYS.into_iter().zip(values) {
            set(format!("{name}{suffix}"), value);
        }
    }
    Ok(annotations)
}

#[cfg(test)]
mod tests;
