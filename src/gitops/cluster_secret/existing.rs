//! The cluster Secrets that a hub has already: which one is ours to write.

use crate::k8s::{Object, SITE_LABEL};
use crate::site::name::SiteName;

use super::content::ClusterSecret;

/// Two Secrets would describe one cluster, or one name two clusters. Argo CD would pick one of them by chance.
#[derive(Debug, thiserror::Error)]
pub(super) enum Ambiguous {
    #[error("{first} and {second} both describe the cluster at {server}")]
    Server { first: String, second: String, server: String },
    #[error("{other} already calls another cluster `{name}`, at {server}; {subject} would do so too")]
    Name { other: String, subject: String, name: String, server: String },
}

/// The Secret to write: the one that describes the same server, the one we wrote when the cluster was
/// somewhere else, or none.
pub(super) fn choose<'a>(
    site: &SiteName,
    desired: &ClusterSecret,
    existing: &'a [Object],
) -> Result<Option<&'a Object>, Ambiguous> {
    let same_server =
        |secret: &&Object| secret.data("server").is_some_and(|server| is_same(&server, &desired.server));
    let mut same = existing.iter().filter(same_server);
    let found = same.next();
    if let (Some(first), Some(second)) = (found, same.next()) {
        let (first, second) = (first.to_string(), second.to_string());
        return Err(Ambiguous::Server { first, second, server: desired.server.clone() });
    }
    let same_name = existing.iter().filter(|secret| secret.data("name").as_ref() == Some(&desired.name));
    let mut others = same_name.filter(|secret| found.is_none_or(|found| found.name() != secret.name()));
    match (others.next(), found) {
        (None, found) => Ok(found),
        (Some(moved), None) if moved.label(SITE_LABEL) == Some(site.as_str()) => Ok(Some(moved)),
        (Some(other), found) => Err(Ambiguous::Name {
            other: other.to_string(),
            subject: found.map_or_else(|| "a new Secret".to_owned(), ToString::to_string),
            name: desired.name.clone(),
            server: other.data("server").unwrap_or_default(),
        }),
    }
}

/// Argo CD takes servers without a trailing slash for the same.
fn is_same(one: &str, other: &str) -> bool {
    one.trim_end_matches('/') == other.trim_end_matches('/')
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use serde_json::json;

    use super::*;
    use crate::site::secret::Secret;

    fn secret(object: &str, name: &str, server: &str, site: Option<&str>) -> Object {
        let mut value = json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": { "name": object, "namespace": "argocd" },
            "data": { "name": STANDARD.encode(name), "server": STANDARD.encode(server) },
        });
        if let Some(site) = site {
            value["metadata"]["labels"] = json!({ SITE_LABEL: site });
        }
        Object::from_value(value).expect("it is an object")
    }

    fn chosen(existing: &[Object]) -> Result<Option<String>, String> {
        let desired = ClusterSecret {
            name: "dev".to_owned(),
            server: "https://dev:6443".to_owned(),
            config: Secret::new(String::new()),
            labels: BTreeMap::new(),
            annotations: BTreeMap::new(),
        };
        let chosen = choose(&"home".parse().expect("valid"), &desired, existing);
        chosen.map(|secret| secret.map(|secret| secret.name().to_owned())).map_err(|error| error.to_string())
    }

    #[test]
    fn a_secret_is_found_by_its_server_then_by_our_mark() {
        let other = secret("x", "staging", "https://staging:6443", None);
        let same = secret("cluster-dev-1", "old", "https://dev:6443/", None);
        let moved = secret("dev", "dev", "https://was:6443", Some("home"));
        assert_eq!(chosen(std::slice::from_ref(&other)), Ok(None));
        assert_eq!(chosen(&[other.clone(), same]), Ok(Some("cluster-dev-1".to_owned())));
        assert_eq!(chosen(&[other, moved]), Ok(Some("dev".to_owned())));
    }

    #[test]
    fn two_for_one_are_refused_and_both_named() {
        let first = secret("a", "dev", "https://dev:6443", None);
        let second = secret("b", "x", "https://dev:6443", None);
        let named = secret("c", "dev", "https://else:6443", None);
        let refused = |existing: &[Object]| chosen(existing).expect_err("it is ambiguous");
        assert!(refused(&[first.clone(), second]).starts_with("Secret argocd/a and Secret argocd/b both"));
        let error = refused(&[first, named.clone()]);
        assert!(error.contains("argocd/a") && error.contains("argocd/c"), "{error}");
        assert!(refused(&[named]).contains("Secret argocd/c already calls another cluster `dev`"));
    }
}
