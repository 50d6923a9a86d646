//! The Secrets of a site by themselves.

use std::sync::Arc;

use super::argocd::hub;
use crate::engine::{Failure, Tree};
use crate::env::Env;
use crate::gitops::secret::{all, secrets};
use crate::seq;
use crate::site::Site;
use crate::site::name::{SecretName, SiteName};

/// Secrets cannot be written, or compared.
#[derive(Debug, thiserror::Error)]
enum SecretsError {
    /// The site has no such Secret.
    #[error("the site `{site}` declares no Secret {name}; it has {known}")]
    Unknown {
        /// What was asked for.
        name: SecretName,
        /// The site.
        site: SiteName,
        /// The names of those that it has.
        known: String,
    },
    /// Values come from what is not there.
    #[error("these variables or files are missing: {0}")]
    Missing(String),
}

/// Brings one Secret of the site, or all of them, to the values that are found where they come from. All of these
/// must be there.
///
/// # Errors
/// When the site has no such Secret, or variables or files are missing: every one is named.
pub fn tree(site: &Arc<Site>, env: &Arc<Env>, name: Option<&SecretName>) -> Result<Tree, Failure> {
    let mut wanted = all(site);
    let known = wanted.iter().map(|wanted| wanted.name.to_string()).collect::<Vec<_>>().join(", ");
    wanted.retain(|wanted| name.is_none_or(|name| wanted.name == *name));
    if let Some(name) = name.filter(|_| wanted.is_empty()) {
        return Err(SecretsError::Unknown { name: name.clone(), site: site.name.clone(), known }.into());
    }
    let missing = missing(site, env);
    let missing = missing.iter().filter(|(name, _)| wanted.iter().any(|wanted| wanted.name == *name));
    let missing = missing.map(|(name, what)| format!("{} ({name})", what.join(", ")));
    let missing = missing.collect::<Vec<_>>().join("; ");
    if !missing.is_empty() {
        let hint = format!("set them, or name one Secret: bridgehead secret apply {} NAME", site.name);
        return Err(Failure::from(SecretsError::Missing(missing)).with_hint(hint));
    }
    Ok(seq![hub(site, env), secrets(site, env, wanted)])
}

/// The Secrets that `up` leaves as they are, and the variables and files that are missing for each.
#[must_use]
pub fn missing(site: &Site, env: &Env) -> Vec<(SecretName, Vec<String>)> {
    let missing = all(site).into_iter().map(|wanted| (wanted.name.clone(), wanted.missing(env)));
    missing.filter(|(_, missing)| !missing.is_empty()).collect()
}
