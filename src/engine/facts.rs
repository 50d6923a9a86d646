//! What looking at the world revealed. Facts come from observing only, never from what a write returned.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use serde_json::Value;

use crate::site::name::{ClusterName, RepositoryName};
use crate::site::secret::Secret;

/// Everything that is known of a site's world. What is known of a cluster is shared between copies.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Facts {
    clusters: BTreeMap<ClusterName, Arc<ClusterFacts>>,
    repositories: BTreeMap<RepositoryName, RepositoryFacts>,
}

/// What is known of one cluster.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ClusterFacts {
    /// How this machine reaches its API.
    pub access: Option<Access>,
    /// The API server's version, such as `v1.34.4`.
    pub version: Option<String>,
    /// How the hub's Argo CD reaches its API.
    pub registration: Option<Access>,
    /// How further hosts join it.
    pub join: Option<Join>,
    /// Whether it is there, for those that take something away from it.
    pub presence: Option<Presence>,
    /// The network that it is in, where a cloud has made one for it.
    pub network: Option<Network>,
    /// What a cloud calls it, as its workloads may want to know.
    pub metadata: Option<Metadata>,
}

/// A network in a cloud.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Network {
    /// Its id there.
    pub id: String,
    /// The ids of all its subnets that the cluster may use.
    pub subnets: Vec<String>,
    /// The ids of those that nodes are in.
    pub node_subnets: Vec<String>,
}

/// What is said of a cluster in its cluster Secret besides what the profile says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Metadata {
    /// Labels.
    pub labels: BTreeMap<String, String>,
    /// Annotations.
    pub annotations: BTreeMap<String, String>,
}

impl ClusterFacts {
    /// Adds what others learnt; what is newer wins.
    fn merge(&mut self, newer: Self) {
        let Self { access, version, registration, join, presence, network, metadata } = newer;
        self.access = access.or(self.access.take());
        self.version = version.or(self.version.take());
        self.registration = registration.or(self.registration.take());
        self.join = join.or(self.join.take());
        self.presence = presence.or(self.presence.take());
        self.network = network.or(self.network.take());
        self.metadata = metadata.or(self.metadata.take());
    }
}

/// Whether a cluster is there. A teardown goes by this and by nothing else: a cluster that does not answer may well be
/// there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Presence {
    /// Its API answered this machine.
    Seen,
    /// Its provider has proven that it is gone; the text says by what.
    Gone(String),
    /// The person said that it is lost.
    Lost,
    /// This machine does not reach it, and the person said that the hub's Argo CD is to clean it.
    ThroughArgoCd(Unreachable),
    /// It does not answer this machine, which says nothing of whether it is there.
    Unreachable(Unreachable),
}

/// Why a cluster cannot be reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unreachable {
    /// The cause in words.
    pub cause: String,
    /// What to do about it.
    pub hint: Option<String>,
    /// Whether asking again may help.
    pub is_passing: bool,
    /// What its provider can do without its API.
    pub provider: WithoutApi,
}

/// What a provider can do to a cluster whose API does not answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WithoutApi {
    /// Nothing: the cluster goes on by itself.
    Nothing,
    /// Destroy it with everything in it. What its workloads made elsewhere, such as load balancers, would stay.
    Destroy,
    /// Destroy it with everything in it, which is all there is: it lives on this machine alone.
    DestroyAll,
}

/// How a host joins a cluster that is there.
#[derive(Debug, Clone, PartialEq)]
pub struct Join {
    /// The URL to join at.
    pub server: String,
    /// The token that it is let in with, and that says whom to trust.
    pub token: Secret<String>,
}

/// What is known of one repository.
#[derive(Debug, Clone, PartialEq)]
pub struct RepositoryFacts {
    /// The URL that Argo CD reads.
    pub url: String,
    /// The commit that stands there, where this machine serves the repository.
    pub commit: Option<String>,
}

/// An API endpoint with the identity to use there.
#[derive(Debug, Clone, PartialEq)]
pub struct Access {
    /// The API server's URL.
    pub server: String,
    /// The certificate authority that the server's certificate must come from, PEM; `None`: one that the machine
    /// trusts from which the server is reached.
    pub authority: Option<String>,
    /// The name that the server's certificate must be for, where that is not the host of `server`.
    pub tls_server_name: Option<String>,
    /// The proxy on the way there.
    pub proxy_url: Option<String>,
    /// What credential plugins are told of the cluster besides (the extension `client.authentication.k8s.io/exec`).
    pub plugin_config: Option<Secret<Value>>,
    /// Who we are there.
    pub credentials: Credentials,
}

impl Access {
    /// An endpoint that is reached directly and shows a certificate for its own address.
    #[must_use]
    pub fn new(server: impl Into<String>, authority: impl Into<String>, credentials: Credentials) -> Self {
        let (server, authority) = (server.into(), Some(authority.into()));
        Self { server, authority, tls_server_name: None, proxy_url: None, plugin_config: None, credentials }
    }

    /// Whether the way there begins at an address that means the very machine that uses it.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        is_loopback(self.proxy_url.as_deref().unwrap_or(&self.server))
    }
}

fn is_loopback(url: &str) -> bool {
    let Some(url) = url.parse::<hyper::Uri>().ok() else { return false };
    let host = url.host().unwrap_or_default().trim_matches(['[', ']']);
    let is_own = |address: IpAddr| address.is_loopback() || address.is_unspecified();
    host.parse().is_ok_and(is_own) || host == "localhost" || host.ends_with(".localhost")
}

/// An identity at an API server.
#[derive(Debug, Clone, PartialEq)]
pub enum Credentials {
    /// A client certificate and its key, both PEM.
    Certificate {
        /// The certificate.
        certificate: String,
        /// Its private key.
        key: Secret<String>,
    },
    /// A bearer token.
    Token(Secret<String>),
    /// The entry of a user in a kubeconfig, as it stands there but for its files' paths, which are absolute.
    User(Secret<Value>),
}

/// A fact that is not known (yet).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing(String);

impl fmt::Display for Missing {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl Facts {
    /// Facts that say one thing of one cluster.
    #[must_use]
    pub fn of(cluster: &ClusterName, facts: ClusterFacts) -> Self {
        Self { clusters: BTreeMap::from([(cluster.clone(), Arc::new(facts))]), ..Self::default() }
    }

    /// Facts that say one thing of one repository.
    #[must_use]
    pub fn of_repository(name: &RepositoryName, facts: RepositoryFacts) -> Self {
        Self { repositories: BTreeMap::from([(name.clone(), facts)]), ..Self::default() }
    }

    /// What is known of a cluster, if anything.
    #[must_use]
    pub fn cluster(&self, cluster: &ClusterName) -> Option<&ClusterFacts> {
        self.clusters.get(cluster).map(Arc::as_ref)
    }

    /// What is known of a repository, if anything.
    #[must_use]
    pub fn repository(&self, name: &RepositoryName) -> Option<&RepositoryFacts> {
        self.repositories.get(name)
    }

    /// How this machine reaches a cluster.
    ///
    /// # Errors
    /// When nobody has found out.
    pub fn access(&self, cluster: &ClusterName) -> Result<&Access, Missing> {
        self.known(cluster, "access", |facts| facts.access.as_ref())
    }

    /// How the hub's Argo CD reaches a cluster.
    ///
    /// # Errors
    /// When nobody has found out.
    pub fn registration(&self, cluster: &ClusterName) -> Result<&Access, Missing> {
        self.known(cluster, "registration", |facts| facts.registration.as_ref())
    }

    /// Whether a cluster is there, if anybody has looked for that.
    #[must_use]
    pub fn presence(&self, cluster: &ClusterName) -> Option<&Presence> {
        self.cluster(cluster)?.presence.as_ref()
    }

    /// What a cloud calls a cluster, if it is in one.
    #[must_use]
    pub fn metadata(&self, cluster: &ClusterName) -> Option<&Metadata> {
        self.cluster(cluster)?.metadata.as_ref()
    }

    /// The minor version of a cluster's API, such as `1.34` of `v1.34.4+k3s1`, if it is known.
    #[must_use]
    pub fn minor_version(&self, cluster: &ClusterName) -> Option<String> {
        minor(self.cluster(cluster)?.version.as_deref()?)
    }

    /// How further hosts join a cluster.
    ///
    /// # Errors
    /// When nobody has found out.
    pub fn join(&self, cluster: &ClusterName) -> Result<&Join, Missing> {
        self.known(cluster, "token to join", |facts| facts.join.as_ref())
    }

    /// The network that a cluster is in.
    ///
    /// # Errors
    /// When nobody has found out.
    pub fn network(&self, cluster: &ClusterName) -> Result<&Network, Missing> {
        self.known(cluster, "network", |facts| facts.network.as_ref())
    }

    /// What is known of a repository that this machine serves.
    ///
    /// # Errors
    /// When nobody has found out.
    pub fn served(&self, name: &RepositoryName) -> Result<&RepositoryFacts, Missing> {
        self.repository(name).ok_or_else(|| Missing(format!("address of the repository {name}")))
    }

    fn known<'a, T>(
        &'a self,
        cluster: &ClusterName,
        fact: &str,
        pick: impl Fn(&'a ClusterFacts) -> Option<&'a T>,
    ) -> Result<&'a T, Missing> {
        self.cluster(cluster).and_then(pick).ok_or_else(|| Missing(format!("{fact} of {cluster}")))
    }

    /// Whether nothing is known at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.clusters.is_empty() && self.repositories.is_empty()
    }

    /// Adds what others learnt; what is newer wins.
    pub fn merge(&mut self, newer: Self) {
        for (name, facts) in newer.clusters {
            match self.clusters.entry(name) {
                Entry::Vacant(entry) => drop(entry.insert(facts)),
                Entry::Occupied(entry) => {
                    Arc::make_mut(entry.into_mut()).merge(Arc::unwrap_or_clone(facts));
                }
            }
        }
        self.repositories.extend(newer.repositories);
    }
}

fn minor(version: &str) -> Option<String> {
    let mut parts = version.trim_start_matches('v').split('.');
    Some(format!("{}.{}", parts.next()?, parts.next()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_cut_to_its_minor() {
        assert_eq!(minor("v1.34.4+k3s1").as_deref(), Some("1.34"));
        assert_eq!(minor("1"), None);
    }

    #[test]
    fn what_is_newer_wins_and_copies_keep_what_they_had() {
        let name: ClusterName = "hub".parse().expect("valid");
        let of = |version: Option<&str>, presence| {
            let version = version.map(ToOwned::to_owned);
            Facts::of(&name, ClusterFacts { version, presence, ..ClusterFacts::default() })
        };
        let mut facts = of(Some("v1.34.4"), Some(Presence::Seen));
        let copy = facts.clone();
        facts.merge(of(Some("v1.35.0"), None));
        assert_eq!(facts, of(Some("v1.35.0"), Some(Presence::Seen)));
        assert_eq!(copy, of(Some("v1.34.4"), Some(Presence::Seen)));
    }

    #[test]
    fn loopback_addresses_are_recognised() {
        for server in [
            "https://127.0.0.1:6443",
            "https://[::1]:6443",
            "https://localhost",
            "https://k.localhost:1",
            "https://0.0.0.0:1",
            "https://[::]:1",
        ] {
            assert!(is_loopback(server), "{server}");
        }
        for server in ["https://10.0.0.5:6443", "https://kubernetes.default.svc", "https://[fe80::1]:6443"] {
            assert!(!is_loopback(server), "{server}");
        }
    }
}
