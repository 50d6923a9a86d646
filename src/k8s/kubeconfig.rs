//! Kubeconfig documents (the structure that `kubectl` reads).

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use kube::config::{AuthInfo, Cluster, Context, Kubeconfig, NamedAuthInfo, NamedCluster, NamedContext};

use crate::engine::{Access, Credentials};

/// A kubeconfig with one context for each access; the first one is the current context.
///
/// It holds credentials: where it goes must not be readable by others.
#[must_use]
pub fn of<'a>(contexts: impl IntoIterator<Item = (&'a str, &'a Access)>) -> Kubeconfig {
    let mut document =
        Kubeconfig { api_version: Some("v1".into()), kind: Some("Config".into()), ..Kubeconfig::default() };
    for (name, access) in contexts {
        let name = || name.to_owned();
        document.clusters.push(NamedCluster {
            name: name(),
            cluster: Some(cluster(access)),
            other: BTreeMap::new(),
        });
        document.auth_infos.push(NamedAuthInfo {
            name: name(),
            auth_info: Some(user(access)),
            other: BTreeMap::new(),
        });
        let context = Context { cluster: name(), user: Some(name()), ..Context::default() };
        document.contexts.push(NamedContext { name: name(), context: Some(context), other: BTreeMap::new() });
        document.current_context.get_or_insert_with(name);
    }
    document
}

fn cluster(access: &Access) -> Cluster {
    Cluster {
        server: Some(access.server.clone()),
        certificate_authority_data: Some(STANDARD.encode(&access.authority)),
        ..Cluster::default()
    }
}

fn user(access: &Access) -> AuthInfo {
    match &access.credentials {
        Credentials::Certificate { certificate, key } => AuthInfo {
            client_certificate_data: Some(STANDARD.encode(certificate)),
            client_key_data: Some(STANDARD.encode(key.expose()).into()),
            ..AuthInfo::default()
        },
        Credentials::Token(token) => {
            AuthInfo { token: Some(token.expose().clone().into()), ..AuthInfo::default() }
        }
    }
}
