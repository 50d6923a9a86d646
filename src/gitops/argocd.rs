//! Argo CD on the hub: its namespace, its release's manifest as it is, and every workload of it at work.

mod git_server;
mod ingress;
mod installation;
mod namespace;
mod password;
mod pause;
mod ready;
mod release;
mod server;
mod settings;

use std::sync::Arc;

pub use installation::{Installation, Workload};
pub use password::{Password, initial_password};
pub(super) use pause::look;
pub use pause::{is_paused, pause, resume};
pub(super) use release::KINDS;
pub use server::{Server, ServerPod};

use super::Scope;
use crate::engine::{BoxFuture, Stop, Tree};
use crate::env::Env;
use crate::seq;
use crate::site::Site;

/// Where the release's manifest comes from; asked once.
pub type ManifestSource = Arc<dyn Fn() -> BoxFuture<'static, Result<String, Stop>> + Send + Sync>;

/// Installs Argo CD and waits until it works.
#[must_use]
pub fn install(site: &Arc<Site>, env: &Arc<Env>, manifest: &ManifestSource) -> Tree {
    let scope = Scope::new(site, env);
    seq![namespace::step(scope.clone()), release::steps(&scope, manifest), ready::Ready(scope)]
}
