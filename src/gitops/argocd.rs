//! Argo CD on the hub: its namespace, its release's manifest as it is, and every workload of it at work.

mod namespace;
mod pause;
mod ready;
mod release;

use std::sync::Arc;

use kube::Client;

pub(super) use pause::look;
pub use pause::{is_paused, pause, resume};

use super::Scope;
use crate::engine::{BoxFuture, Stop, Tree};
use crate::env::Env;
use crate::k8s::{ApiError, Kind, api};
use crate::seq;
use crate::site::Site;
use crate::site::secret::Secret;

/// Where the release's manifest comes from; asked once.
pub type ManifestSource = Arc<dyn Fn() -> BoxFuture<'static, Result<String, Stop>> + Send + Sync>;

/// Installs Argo CD and waits until it works.
#[must_use]
pub fn install(site: &Arc<Site>, env: &Arc<Env>, manifest: &ManifestSource) -> Tree {
    let scope = Scope::new(site, env);
    seq![namespace::step(scope.clone()), release::steps(&scope, manifest), ready::Ready(scope)]
}

/// The password that Argo CD made up for `admin`; none once somebody has deleted it, as Argo CD advises.
///
/// # Errors
/// When the hub cannot be asked.
pub async fn initial_password(client: &Client, namespace: &str) -> Result<Option<Secret<String>>, ApiError> {
    const NAME: &str = "argocd-initial-admin-secret";
    let secret = api::get(client, &Kind::SECRET, Some(namespace), NAME).await?;
    Ok(secret.and_then(|secret| secret.data("password")).map(Secret::new))
}
