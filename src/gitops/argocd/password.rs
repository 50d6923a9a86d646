//! The password of `admin`.

use std::sync::Arc;

use bcrypt::Version;
use jiff::Timestamp;
use kube::Client;
use regex::Regex;
use serde_json::json;

use crate::engine::{Change, Facts, Failure, Observed, Step, StepId, Stop, Writer};
use crate::env::Env;
use crate::gitops::Scope;
use crate::k8s::{ApiError, Kind, Object, api};
use crate::site::Site;
use crate::site::name::ClusterName;
use crate::site::secret::Secret;

/// The password that Argo CD made up is here until somebody deletes it.
const INITIAL: &str = "argocd-initial-admin-secret";
/// The hashes of passwords are here.
const HASHED: &str = "argocd-secret";
const HASH: &str = "admin.password";
/// Sessions that began before it are not valid any more.
const CHANGED: &str = "admin.passwordMtime";
/// What says which passwords are accepted, and where.
const SETTINGS: &str = "argocd-cm";
const PATTERN: &str = "passwordPattern";
/// What Argo CD accepts unless its settings say otherwise.
const DEFAULT_PATTERN: &str = "^.{8,32}$";
/// How dear a guess is: what Argo CD itself uses.
const COST: u32 = 10;

/// The password that Argo CD made up for `admin`; none once somebody has deleted it, as Argo CD advises.
///
/// # Errors
/// When the hub cannot be asked.
pub async fn initial_password(client: &Client, namespace: &str) -> Result<Option<Secret<String>>, ApiError> {
    let secret = api::get(client, &Kind::SECRET, Some(namespace), INITIAL).await?;
    Ok(secret.and_then(|secret| secret.data("password")).map(Secret::new))
}

/// A password cannot be set.
#[derive(Debug, thiserror::Error)]
enum PasswordError {
    /// There is nothing that could have one.
    #[error("Argo CD is not installed in the namespace `{0}`: there is no Secret `{HASHED}`")]
    NotInstalled(String),
    /// Argo CD would not accept it either.
    #[error("the new password does not match the expression `{0}`")]
    Unfit(String),
    /// Nobody can tell which passwords are accepted.
    #[error("`{PATTERN}` in the ConfigMap `{SETTINGS}` is not a regular expression")]
    Pattern(#[source] Box<regex::Error>),
    /// It has more than 72 bytes.
    #[error("cannot hash the new password")]
    Hash(#[source] bcrypt::BcryptError),
}

/// The step `<hub>/argocd/password`: `admin` has this password, and the one that Argo CD made up is gone.
#[derive(Debug)]
pub struct Password {
    scope: Scope,
    password: Secret<String>,
}

/// What there is to do.
pub struct Work {
    client: Client,
    /// Whether another password is stored.
    is_new: bool,
    /// The one that Argo CD made up.
    initial: Option<Object>,
}

impl Password {
    /// Sets this password.
    #[must_use]
    pub fn new(site: &Arc<Site>, env: &Arc<Env>, password: Secret<String>) -> Self {
        Self { scope: Scope::new(site, env), password }
    }

    fn subject(&self, name: &str) -> String {
        Kind::SECRET.subject(Some(self.scope.namespace()), name)
    }

    async fn look(&self, client: Client) -> Result<Observed<Work>, Failure> {
        let namespace = Some(self.scope.namespace());
        let get = |kind, name| {
            let client = &client;
            async move { api::get(client, kind, namespace, name).await }
        };
        let (hashed, initial, settings) = futures::try_join!(
            get(&Kind::SECRET, HASHED),
            get(&Kind::SECRET, INITIAL),
            get(&Kind::CONFIG_MAP, SETTINGS),
        )?;
        let Some(hashed) = hashed else {
            let error = PasswordError::NotInstalled(self.scope.namespace().to_owned());
            let hint = format!("install it: bridgehead argocd install {}", self.scope.site.name);
            return Err(Failure::from(error).with_hint(hint));
        };
        let mut changes = Vec::new();
        let is_new = !self.is_stored(&hashed);
        if is_new {
            self.check(settings.as_ref())?;
            let update = Change::update(self.subject(HASHED), format!("{HASH}, {CHANGED}"));
            // Its hash is another each time.
            changes.push(update.with_secret_content(self.password.expose()));
        }
        changes.extend(initial.as_ref().map(|_| Change::delete(self.subject(INITIAL))));
        Ok(Observed::differs(changes, Work { client, is_new, initial }))
    }

    fn is_stored(&self, hashed: &Object) -> bool {
        let verify = |hash: String| bcrypt::verify(self.password.expose(), &hash).unwrap_or(false);
        hashed.data(HASH).is_some_and(verify)
    }

    /// Whether Argo CD would accept it.
    fn check(&self, settings: Option<&Object>) -> Result<(), Failure> {
        let own = settings.and_then(|settings| settings.text(&["data", PATTERN]));
        let pattern = own.filter(|own| !own.is_empty()).unwrap_or(DEFAULT_PATTERN);
        let accepted = Regex::new(pattern).map_err(|error| PasswordError::Pattern(Box::new(error)))?;
        if accepted.is_match(self.password.expose()) {
            return Ok(());
        }
        let failure = Failure::from(PasswordError::Unfit(pattern.to_owned()));
        Err(match pattern {
            DEFAULT_PATTERN => failure.with_hint("take one of 8 to 32 characters"),
            _ => failure.with_hint(format!("`{PATTERN}` in the ConfigMap `{SETTINGS}` asks for it")),
        })
    }

    async fn store(&self, client: &Client, writer: &Writer) -> Result<(), Failure> {
        let patch = json!({ "stringData": {
            HASH: hash(self.password.expose())?,
            CHANGED: Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        }});
        let namespace = Some(self.scope.namespace());
        Ok(writer.perform(api::merge(client, &Kind::SECRET, namespace, HASHED, &patch)).await?)
    }
}

/// In the form that Go's library reads.
fn hash(password: &str) -> Result<String, PasswordError> {
    let parts = bcrypt::non_truncating_hash_with_result(password, COST).map_err(PasswordError::Hash)?;
    Ok(parts.format_for_version(Version::TwoA))
}

impl Step for Password {
    type Work = Work;

    fn id(&self) -> StepId {
        StepId::of(self.scope.hub(), "argocd/password")
    }

    fn cluster(&self) -> Option<&ClusterName> {
        Some(self.scope.hub())
    }

    fn purpose(&self) -> &'static str {
        "the admin password is the new one"
    }

    async fn observe(&self, facts: &Facts) -> Result<Observed<Work>, Stop> {
        let client = self.scope.standing_hub(facts).await?;
        Ok(self.look(client).await?)
    }

    async fn apply(&self, work: Work, _: &Facts, writer: &Writer) -> Result<(), Failure> {
        if work.is_new {
            self.store(&work.client, writer).await?;
        }
        if let Some(initial) = &work.initial {
            writer.perform(api::delete_seen(&work.client, &Kind::SECRET, initial)).await?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_is_one_that_argo_cd_reads() {
        let hash = hash("correct horse").expect("it is short enough");
        assert!(hash.starts_with("$2a$10$") && hash.len() == 60, "{hash}");
        assert!(bcrypt::verify("correct horse", &hash).expect("it is a hash"));
        assert!(!bcrypt::verify("correct mouse", &hash).expect("it is a hash"));
        assert!(super::hash(&"x".repeat(73)).is_err(), "what bcrypt would leave out counts, too");
    }
}
