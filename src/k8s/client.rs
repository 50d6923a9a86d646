//! Connections to API servers, made once per identity and shared by every step.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use serde::Deserialize as _;

use super::{kubeconfig, plugin};
use crate::engine::Access;

/// A connection could not be set up. Nothing has been sent yet.
#[derive(Debug, thiserror::Error)]
#[error("cannot set up a connection to {server}")]
pub struct ClientError {
    server: String,
    source: Box<dyn std::error::Error + Send + Sync>,
}

/// The connections of one command.
#[derive(Default)]
pub struct Clients(Mutex<Vec<(Access, Client)>>);

impl std::fmt::Debug for Clients {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Clients(..)")
    }
}

impl Clients {
    /// The connection for an endpoint and identity. Connecting itself happens with the first request.
    ///
    /// # Errors
    /// When certificate or key are malformed.
    pub async fn get(&self, access: &Access) -> Result<Client, ClientError> {
        if let Some(client) = self.known(access) {
            return Ok(client);
        }
        let client = connect(access).await?;
        let mut clients = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        clients.push((access.clone(), client.clone()));
        Ok(client)
    }

    fn known(&self, access: &Access) -> Option<Client> {
        let clients = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        clients.iter().find(|(known, _)| known == access).map(|(_, client)| client.clone())
    }
}

/// Sets up one connection, outside of any pool. A credential plugin that the access names is run for it.
///
/// # Errors
/// When certificate or key are malformed, or a credential plugin fails.
pub async fn connect(access: &Access) -> Result<Client, ClientError> {
    // A watch or a large apply may take its time.
    set_up(access, Some(Duration::from_mins(1))).await
}

/// Sets up one connection as [`connect`] does, for streams that may be silent for as long as they like.
///
/// # Errors
/// As of [`connect`].
pub async fn connect_for_streams(access: &Access) -> Result<Client, ClientError> {
    set_up(access, None).await
}

async fn set_up(access: &Access, silence: Option<Duration>) -> Result<Client, ClientError> {
    let failed = |source: Box<dyn std::error::Error + Send + Sync>| ClientError {
        server: access.server.clone(),
        source,
    };
    let document = Kubeconfig::deserialize(kubeconfig::of([("cluster", access)]));
    let document = document.map_err(|_| failed("the credentials are malformed".into()))?;
    let options = KubeConfigOptions::default();
    let config = Config::from_custom_kubeconfig(document, &options).await;
    let mut config = config.map_err(|error| failed(error.into()))?;
    // A dead endpoint is found out within seconds.
    config.connect_timeout = Some(Duration::from_secs(5));
    config.read_timeout = silence;
    if let Some(plugin) = &mut config.auth_info.exec {
        plugin::settle(plugin).map_err(|error| failed(error.into()))?;
    }
    // A plugin may take its time, too, or talk to the person.
    let client = tokio::task::spawn_blocking(|| Client::try_from(config)).await;
    let client = client.map_err(|error| failed(error.into()))?;
    client.map_err(|error| failed(plugin::without_secrets(error.into())))
}
