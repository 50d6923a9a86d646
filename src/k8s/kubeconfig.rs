//! Kubeconfigs (the structure that `kubectl` reads): made, read, and edited without touching what is not ours.

mod context;
mod data;
mod edit;
mod file;
mod lock;
mod shared;
mod user;
mod yaml;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

pub use context::access;
pub use file::{KubeconfigError, KubeconfigFile, paths, read};
pub use lock::KubectlLock;
pub use shared::Kubeconfigs;
pub use yaml::YamlError;

use crate::engine::{Access, Credentials};
use yaml::Node;

/// The extension of a cluster that credential plugins are shown (client-go, `clientauthentication.Cluster`).
const PLUGIN_EXTENSION: &str = "client.authentication.k8s.io/exec";

/// A kubeconfig with one context for each access; the first one is the current context.
///
/// It holds credentials: where it goes must not be readable by others.
#[must_use]
pub fn of<'a>(contexts: impl IntoIterator<Item = (&'a str, &'a Access)>) -> Value {
    let (mut clusters, mut contexts_, mut users) = (Vec::new(), Vec::new(), Vec::new());
    for (name, access) in contexts {
        clusters.push(json!({ "name": name, "cluster": cluster(access) }));
        users.push(json!({ "name": name, "user": user(access) }));
        contexts_.push(json!({ "name": name, "context": { "cluster": name, "user": name } }));
    }
    let current = contexts_.first().map(|context| context["name"].clone());
    json!({
        "apiVersion": "v1", "kind": "Config", "clusters": clusters, "contexts": contexts_, "users": users,
        "current-context": current.unwrap_or_else(|| "".into()),
    })
}

/// A kubeconfig as YAML.
#[must_use]
pub fn to_yaml(document: &Value) -> String {
    Node::from_json(document).to_yaml() + "\n"
}

pub(super) fn cluster(access: &Access) -> Value {
    let authority = access.authority.as_ref().map(|authority| STANDARD.encode(authority));
    let mut cluster = without_absent([
        ("server", Some(access.server.clone())),
        ("certificate-authority-data", authority),
        ("tls-server-name", access.tls_server_name.clone()),
        ("proxy-url", access.proxy_url.clone()),
    ]);
    if let Some(config) = &access.plugin_config {
        cluster["extensions"] = json!([{ "name": PLUGIN_EXTENSION, "extension": config.expose() }]);
    }
    cluster
}

pub(super) fn user(access: &Access) -> Value {
    match &access.credentials {
        Credentials::Certificate { certificate, key } => json!({
            "client-certificate-data": STANDARD.encode(certificate),
            "client-key-data": STANDARD.encode(key.expose()),
        }),
        Credentials::Token(token) => json!({ "token": token.expose() }),
        Credentials::User(user) => user.expose().clone(),
    }
}

fn without_absent<const N: usize>(entries: [(&str, Option<String>); N]) -> Value {
    let present = entries.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?.into())));
    Value::Object(present.collect::<Map<_, _>>())
}

#[cfg(test)]
mod tests;
