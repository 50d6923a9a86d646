//! Argo CD on the hub: what `[argocd]` says, checked.

use std::collections::BTreeMap;

use super::name::{ProjectName, SecretName};
use super::secret::Source;

/// The release of Argo CD that is installed. Manifest and binary have one version on hubs of the provider `local`;
/// why it is this one is said with the other components' pins.
pub const ARGOCD_VERSION: &str = "v3.2.11";

/// Argo CD on the hub.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArgoCd {
    /// Its release, such as `v3.2.11`.
    pub version: String,
    /// The namespace that it is installed to.
    pub namespace: String,
    /// Whether its API server speaks plain HTTP, because an ingress in front of it ends TLS.
    pub server_insecure: bool,
    /// How its API server is reached from outside the cluster; `None` if it is not, or not by our doing.
    pub ingress: Option<Ingress>,
    /// Further entries of the `ConfigMap` `argocd-cm`.
    pub cm: BTreeMap<String, String>,
    /// Further entries of the `ConfigMap` `argocd-cmd-params-cm`.
    pub params: BTreeMap<String, String>,
    /// Further entries of the `ConfigMap` `argocd-rbac-cm`.
    pub rbac: BTreeMap<String, String>,
    /// Further entries of the `ConfigMap` `argocd-notifications-cm`.
    pub notifications: BTreeMap<String, String>,
    /// The specs of its projects.
    pub projects: BTreeMap<ProjectName, serde_json::Map<String, serde_json::Value>>,
    /// The repositories that it has credentials for, or else knows something of.
    pub repositories: Vec<KnownRepository>,
    /// What it knows Git servers by, besides what its release has.
    pub git_servers: BTreeMap<String, GitServer>,
    /// What a person who uses Argo CD's own command line needs. We only show it.
    pub login: Login,
}

/// A repository, or a template of credentials for all whose URLs begin alike
/// (<https://argo-cd.readthedocs.io/en/stable/operator-manual/declarative-setup/#repositories>).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownRepository {
    /// The name of its Secret.
    pub secret: SecretName,
    /// Whether it is a template of credentials.
    pub is_template: bool,
    /// What is no secret, by the keys of the Secret.
    pub open: BTreeMap<&'static str, String>,
    /// Where the credentials come from, by the keys of the Secret.
    pub credentials: BTreeMap<&'static str, Source>,
}

/// What a Git server is known by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GitServer {
    /// Its keys, as `ssh-ed25519 AAAA...`.
    pub ssh: Vec<String>,
    /// The certificates, in PEM, of whoever vouches for it; `None`: those that vouch for everybody.
    pub certificate_authority: Option<String>,
}

/// The Ingress of Argo CD's API server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ingress {
    /// The ingress class; `None`: the cluster's default one.
    pub class_name: Option<String>,
    /// The DNS name that it answers to.
    pub host: String,
    /// The port of the Service `argocd-server` that it leads to.
    pub service_port: u16,
    /// Whether the Ingress ends TLS with the certificate of the Secret `argocd-server-tls`.
    pub tls: bool,
}

/// What `argocd login` needs to know.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Login {
    /// `argocd.server`: where its API is reached.
    pub server: Option<String>,
    /// `argocd.login_args`: further arguments, as they are typed.
    pub arguments: Option<String>,
    /// `argocd.auto_port_forward`: whether the API is reached through a port-forward.
    pub auto_port_forward: bool,
}
