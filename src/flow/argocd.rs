//! The hub's Argo CD: answers about it, and its password.

pub mod forward;
pub mod reach;
pub mod status;

use std::sync::Arc;

use super::FlowError;
use crate::engine::survey::survey;
use crate::engine::{Facts, Failure, Tree};
use crate::env::Env;
use crate::gitops::argocd::{Password, initial_password};
use crate::site::Site;
use crate::site::secret::Secret;
use crate::{provider, seq};

/// The password of `admin`, as long as it is the one that Argo CD made up.
///
/// # Errors
/// When the hub does not answer, or the password has been changed.
pub async fn password(site: &Site, env: &Env, facts: &Facts) -> Result<Secret<String>, Failure> {
    let client = env.clients.get(super::access(site, facts, &site.hub.name)?).await?;
    let password = initial_password(&client, &site.argocd.namespace).await?;
    password.ok_or_else(|| {
        let hint = format!("to set another: bridgehead argocd password update {}", site.name);
        Failure::from(FlowError::NoPassword).with_hint(hint)
    })
}

/// Sets the password of `admin`.
#[must_use]
pub fn set_password(site: &Arc<Site>, env: &Arc<Env>, password: Secret<String>) -> Tree {
    seq![hub(site, env), Password::new(site, env, password)]
}

/// How to reach the hub.
#[must_use]
pub fn hub(site: &Arc<Site>, env: &Arc<Env>) -> Tree {
    survey(provider::of(site, &site.hub, env).provision())
}

/// Where Argo CD's API answers from this machine; `None` if it does not (yet).
pub async fn address(site: &Arc<Site>, env: &Arc<Env>) -> Option<String> {
    let service = format!("{}/argocd-server:443", site.argocd.namespace);
    provider::of(site, &site.hub, env).service_address(&service).await
}
