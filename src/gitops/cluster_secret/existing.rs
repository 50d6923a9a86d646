//! The cluster Secrets that a hub has already: which one describes a cluster of ours, and whose it is.

use kube::Client;

use super::adopted::Before;
use super::config::{self, ConfigError, Credentials};
use super::content::HUB_SERVER;
use super::listed::Listed;
use super::owned::Field;
use super::registered::CLUSTER_LABEL;
use crate::engine::{Facts, Failure, Stop};
use crate::env::{Shared, SharedError};
use crate::gitops::Scope;
use crate::k8s::{ApiError, Kind, Object, ObjectSet, SITE_LABEL, api};
use crate::site::name::{ClusterName, SiteName};
use crate::site::{Cluster, Role};

/// Two Secrets would describe one cluster, or one name two clusters: Argo CD would pick one of them by chance. Or one
/// Secret would be written by two sites.
#[derive(Debug, thiserror::Error)]
pub(super) enum Ambiguous {
    #[error("{first} and {second} both describe the cluster at {server}")]
    Server { first: String, second: String, server: String },
    #[error("{other} already calls another cluster `{name}`, at {server}; {subject} would do so too")]
    Name { other: String, subject: String, name: String, server: String },
    #[error("{subject} belongs to the site `{owner}`")]
    OtherSite { subject: String, owner: String },
    #[error(
        "{0} is there already, and does not describe the cluster that is to be registered under that name"
    )]
    Taken(String),
}

/// What a hub has for a cluster.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::gitops) enum Existing {
    /// Nothing: a Secret is to be made.
    Nothing,
    /// A Secret that we made.
    Ours(Object),
    /// A Secret that somebody else made.
    Theirs(Object),
}

impl Existing {
    pub(super) fn secret(&self) -> Option<&Object> {
        match self {
            Self::Nothing => None,
            Self::Ours(secret) | Self::Theirs(secret) => Some(secret),
        }
    }

    pub(super) fn into_secret(self) -> Option<Object> {
        match self {
            Self::Nothing => None,
            Self::Ours(secret) | Self::Theirs(secret) => Some(secret),
        }
    }

    /// The same for the Secret as it is by now; what there was none of, we have made.
    pub(super) fn now(&self, live: Object) -> Self {
        match self {
            Self::Theirs(_) => Self::Theirs(live),
            Self::Nothing | Self::Ours(_) => Self::Ours(live),
        }
    }

    /// What Argo CD presents at the cluster, if that is not for us to say.
    ///
    /// # Errors
    /// When their Secret does not say how to reach the cluster.
    pub(in crate::gitops) fn their_credentials(&self) -> Result<Option<Credentials>, Failure> {
        let Self::Theirs(secret) = self else { return Ok(None) };
        let [server, config] = ["server", "config"].map(|key| secret.data(key).unwrap_or_default());
        let read = config::read(&server, &config).map_err(|source: ConfigError| {
            Failure::from(Unusable { subject: secret.to_string(), source }).with_hint(
                "complete it, or delete it to have one made with an account of its own; then run again",
            )
        });
        read.map(Some)
    }
}

/// A Secret of somebody else's that is no use to Argo CD either.
#[derive(Debug, thiserror::Error)]
#[error("{subject} is not ours to change, and cannot be used as it is")]
struct Unusable {
    subject: String,
    source: ConfigError,
}

/// The cluster Secrets of the hub's Argo CD. Every step of every cluster asks for all of them, and those that ask at the
/// same time share one answer: the hub sends what grows with the fleet once, and not once for each cluster.
pub(in crate::gitops) async fn list(scope: &Scope, hub: &Client) -> Shared<Listed, ApiError> {
    scope.env.looks.share(&subject(scope), async || Listed::fetch(scope, hub).await).await
}

/// The same as they were when they were listed last: whoever writes another cluster's Secret lists them afterwards, or says
/// nothing in it that concerns this one.
async fn listed(scope: &Scope, hub: &Client) -> Shared<Listed, ApiError> {
    scope.env.looks.last(&subject(scope), async || Listed::fetch(scope, hub).await).await
}

fn subject(scope: &Scope) -> String {
    format!("cluster Secrets in {}", scope.namespace())
}

/// The live Secret that registers a cluster of the site, and whether the site made it.
///
/// # Errors
/// When the hub cannot be asked.
pub(in crate::gitops) async fn registration_of(
    scope: &Scope,
    hub: &Client,
    cluster: &ClusterName,
) -> Result<Option<(Object, bool)>, SharedError<ApiError>> {
    let listed = list(scope, hub).await?;
    let found = listed.registration_of(&scope.site, cluster);
    Ok(found.map(|(secret, registration)| (secret.clone(), registration.is_made)))
}

/// Finds what the hub has for a cluster.
///
/// # Errors
/// When the hub cannot be asked, or registering the cluster would end in confusion.
pub(in crate::gitops) async fn find(
    scope: &Scope,
    hub: &Client,
    cluster: &Cluster,
    facts: &Facts,
) -> Result<Existing, Stop> {
    let server = match (cluster.role, &cluster.server) {
        (Role::Hub, _) => HUB_SERVER,
        (Role::Spoke, Some(server)) => server,
        (Role::Spoke, None) => &facts.access(&cluster.name)?.server,
    };
    let wanted = Wanted { site: &scope.site.name, name: cluster.name.as_str(), server };
    let listed = listed(scope, hub).await?;
    let existing = wanted.choose(&listed).map_err(Ambiguous::into_failure)?;
    if existing == Existing::Nothing && listed.has_secret(wanted.name) {
        let other = api::get(hub, &Kind::SECRET, Some(scope.namespace()), wanted.name).await?;
        if let Some(other) = other.filter(|other| other.label(SITE_LABEL) != Some(wanted.site.as_str())) {
            return Err(Ambiguous::Taken(other.to_string()).into_failure().into());
        }
    }
    Ok(existing)
}

/// Whether a Secret of a set that is to be made may be there all the same, not being one of a cluster.
pub(super) async fn may_be_there(scope: &Scope, hub: &Client, set: &ObjectSet) -> Result<bool, Stop> {
    let listed = listed(scope, hub).await?;
    Ok(set.objects.iter().any(|object| listed.has_secret(object.name())))
}

/// The cluster that is to be registered.
struct Wanted<'a> {
    site: &'a SiteName,
    name: &'a str,
    server: &'a str,
}

impl Wanted<'_> {
    /// The Secret that describes the same server, the one that we made when the cluster was somewhere else, or none.
    fn choose(&self, existing: &Listed) -> Result<Existing, Ambiguous> {
        let mut same = existing.at(self.server);
        let found = same.next();
        if let (Some(first), Some(second)) = (found, same.next()) {
            let (first, second) = (first.to_string(), second.to_string());
            return Err(Ambiguous::Server { first, second, server: self.server.to_owned() });
        }
        let same_name = existing.called(self.name).filter(|secret| self.is_called_so(secret));
        let mut others = same_name.filter(|secret| found.is_none_or(|found| found.name() != secret.name()));
        match (others.next(), found) {
            (None, None) => Ok(Existing::Nothing),
            (None, Some(found)) => self.whose(found),
            (Some(moved), None) if moved.label(SITE_LABEL) == Some(self.site.as_str()) => {
                Ok(Existing::Ours(moved.clone()))
            }
            (Some(other), found) => Err(Ambiguous::Name {
                other: other.to_string(),
                subject: found.map_or_else(|| "a new Secret".to_owned(), ToString::to_string),
                name: self.name.to_owned(),
                server: other.data("server").unwrap_or_default(),
            }),
        }
    }

    /// Whether it has the name, for Argo CD or, if we have adopted it, for the sets.
    fn is_called_so(&self, secret: &Object) -> bool {
        let is_adopted = || adopted_by(secret).is_some_and(|site| site == self.site.as_str());
        secret.data("name").as_deref() == Some(self.name)
            || (secret.label(CLUSTER_LABEL) == Some(self.name) && is_adopted())
    }

    fn whose(&self, found: &Object) -> Result<Existing, Ambiguous> {
        let made = found.label(SITE_LABEL).map(ToOwned::to_owned);
        let is_made = made.is_some();
        match made.or_else(|| adopted_by(found)) {
            Some(owner) if owner != self.site.as_str() => {
                Err(Ambiguous::OtherSite { subject: found.to_string(), owner })
            }
            _ if is_made => Ok(Existing::Ours(found.clone())),
            _ => Ok(Existing::Theirs(found.clone())),
        }
    }
}

impl Ambiguous {
    fn into_failure(self) -> Failure {
        let hint = match &self {
            Self::Server { .. } => "delete the one that is not needed",
            Self::Name { .. } | Self::Taken(_) => "give one of the two another name",
            Self::OtherSite { .. } => {
                "a cluster is registered by one site only: take it out of the other first"
            }
        };
        Failure::from(self).with_hint(hint)
    }
}

/// The site that uses a Secret of somebody else's.
fn adopted_by(secret: &Object) -> Option<String> {
    Before::read(&Field::Annotations.of(secret)).map(|before| before.site)
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use serde_json::json;

    use std::collections::HashSet;

    use super::*;

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

    fn chosen(existing: &[Object]) -> Result<Existing, String> {
        let site = "home".parse().expect("valid");
        let wanted = Wanted { site: &site, name: "dev", server: "https://dev:6443" };
        wanted.choose(&Listed::of(existing.to_vec(), HashSet::new())).map_err(|error| error.to_string())
    }

    #[test]
    fn a_secret_is_found_by_its_server_then_by_our_mark() {
        let other = secret("x", "staging", "https://staging:6443", None);
        let same = secret("cluster-dev-1", "old", "https://dev:6443/", None);
        let moved = secret("dev", "dev", "https://was:6443", Some("home"));
        assert_eq!(chosen(std::slice::from_ref(&other)), Ok(Existing::Nothing));
        assert_eq!(chosen(&[other.clone(), same.clone()]), Ok(Existing::Theirs(same)));
        assert_eq!(chosen(&[other, moved.clone()]), Ok(Existing::Ours(moved)));
    }

    #[test]
    fn a_secret_of_another_site_is_refused() {
        let made = secret("dev", "dev", "https://dev:6443", Some("work"));
        let mut adopted = secret("x", "x", "https://dev:6443", None);
        let metadata = adopted.fields_mut()["metadata"].as_object_mut().expect("it is a map");
        metadata.insert("annotations".to_owned(), json!({ "bridgehead/before": r#"{"site":"work"}"# }));
        for other in [made, adopted] {
            assert!(chosen(&[other]).expect_err("refused").ends_with("belongs to the site `work`"));
        }
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
