//! Argo CD on the hub: what `[argocd]` says, checked.

use std::collections::BTreeMap;

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
    /// What a person who uses Argo CD's own command line needs. We only show it.
    pub login: Login,
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
