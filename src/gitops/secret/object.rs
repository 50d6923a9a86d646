//! A Secret as the API server takes it.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1;
use serde_json::json;

use super::Wanted;
use crate::gitops::part;
use crate::k8s::Object;
use crate::site::name::SiteName;
use crate::site::secret::Secret;

/// The type of Secrets with logins to registries, and the key that they are under.
pub(super) const DOCKER_CONFIG: &str = "kubernetes.io/dockerconfigjson";
const DOCKER_CONFIG_KEY: &str = ".dockerconfigjson";

/// The label by which Argo CD finds its Secrets.
const ROLE_LABEL: &str = "argocd.argoproj.io/secret-type";

pub(super) const USERNAME: &str = "username";
pub(super) const PASSWORD: &str = "password";

/// The object with these values.
pub(super) fn of(site: &SiteName, wanted: &Wanted, values: BTreeMap<String, Secret<String>>) -> Object {
    let values = match wanted.registry {
        Some(registry) => [(DOCKER_CONFIG_KEY.to_owned(), login(registry, &values))].into(),
        None => values,
    };
    let open =
        wanted.open.iter().map(|(key, text)| ((*key).to_owned(), ByteString(text.clone().into_bytes())));
    let values =
        values.into_iter().map(|(key, value)| (key, ByteString(value.expose().clone().into_bytes())));
    let mut secret = v1::Secret {
        type_: Some(wanted.declared.kind.clone()),
        data: Some(open.chain(values).collect()),
        ..v1::Secret::default()
    };
    secret.metadata.name = Some(wanted.name.to_string());
    secret.metadata.namespace = Some(wanted.declared.namespace.clone());
    let mut object = Object::of(&secret);
    object.mark_as_made(site, part::SECRET);
    if let Some(role) = wanted.role {
        object.set_label(ROLE_LABEL, role);
    }
    object
}

/// What `docker login` would write of it (<https://kubernetes.io/docs/concepts/configuration/secret/#docker-config-secrets>).
fn login(registry: &str, values: &BTreeMap<String, Secret<String>>) -> Secret<String> {
    let value = |key| values.get(key).map_or("", |value| value.expose());
    let (username, password) = (value(USERNAME), value(PASSWORD));
    let auth = STANDARD.encode(format!("{username}:{password}"));
    let login = json!({ "username": username, "password": password, "auth": auth });
    Secret::new(json!({ "auths": { registry: login } }).to_string())
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::gitops::secret::built_in;

    #[test]
    fn a_login_to_a_registry_is_what_kubelets_read() {
        let pull = built_in("argocd").find(|wanted| wanted.registry.is_some()).expect("there is one");
        let values = [(USERNAME, "me"), (PASSWORD, "t:ken\"")];
        let values = values.map(|(key, value)| (key.to_owned(), Secret::new(value.to_owned())));
        let object = of(&"home".parse().expect("valid"), &pull, values.into());
        assert_eq!(object.to_string(), "Secret argocd/argocd-image-updater-ghcr-pull");
        assert_eq!(object.text(&["type"]), Some("kubernetes.io/dockerconfigjson"));
        let config = object.data(".dockerconfigjson").expect("it is there");
        let config: Value = serde_json::from_str(&config).expect("it is JSON");
        let login = json!({ "username": "me", "password": "t:ken\"", "auth": "bWU6dDprZW4i" });
        assert_eq!(config, json!({ "auths": { "ghcr.io": login } }));
    }
}
