//! Answers about the hub's Argo CD.

use super::FlowError;
use crate::engine::{Facts, Failure};
use crate::env::Env;
use crate::gitops::argocd::initial_password;
use crate::provider;
use crate::site::Site;
use crate::site::secret::Secret;

/// The password of `admin`, as long as it is the one that Argo CD made up.
///
/// # Errors
/// When the hub does not answer, or the password has been changed.
pub async fn password(site: &Site, env: &Env, facts: &Facts) -> Result<Secret<String>, Failure> {
    let client = env.clients.get(super::access(site, facts, &site.hub.name)?).await?;
    let password = initial_password(&client, &site.argocd.namespace).await?;
    Ok(password.ok_or(FlowError::NoPassword)?)
}

/// Where Argo CD's API answers from this machine; `None` if it does not (yet).
pub async fn address(site: &Site, env: &Env) -> Option<String> {
    let service = format!("{}/argocd-server:443", site.argocd.namespace);
    provider::service_address(site, &site.hub, env, &service).await
}
