//! Connections to API servers, made once per identity and shared by every step.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hyper::Request;
use hyper::header::{CONNECTION, HeaderValue};
use kube::client::{Body, ClientBuilder};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use serde::Deserialize as _;
use tokio::sync::{OnceCell, Semaphore};
use tower::buffer::BufferLayer;
use tower::limit::GlobalConcurrencyLimitLayer;
use tower::retry::RetryLayer;
use tower::util::MapRequestLayer;

use super::retry::Patience;
use super::{kubeconfig, plugin};
use crate::engine::Access;

/// How many requests are under way at once to an API server, whoever sends them: each is a connection of its own, and a
/// server that is asked more by one user queues it (API Priority and Fairness). A request counts until its answer begins, so
/// that watches and other streams do not.
pub const REQUESTS: usize = 16;

/// How many credential plugins run at once, each of which may be an interpreter with a cloud's whole toolkit. One that runs
/// again because its credentials have ended does not count.
pub const PLUGINS: usize = 8;

/// A connection could not be set up. Nothing has been sent yet.
#[derive(Debug, thiserror::Error)]
#[error("cannot set up a connection to {server}")]
pub struct ClientError {
    server: String,
    source: Box<dyn std::error::Error + Send + Sync>,
}

/// The connections of one command.
pub struct Clients {
    servers: Mutex<BTreeMap<String, Server>>,
    plugins: Semaphore,
    /// Whether connections end with the answer that they were made for.
    keeps_none: AtomicBool,
}

/// What leads to one server.
struct Server {
    places: Arc<Semaphore>,
    /// One for each identity; set up by the first who wants it.
    clients: Vec<(Access, Arc<OnceCell<Client>>)>,
}

impl Default for Clients {
    fn default() -> Self {
        Self {
            servers: Mutex::default(),
            plugins: Semaphore::new(PLUGINS),
            keeps_none: AtomicBool::new(false),
        }
    }
}

impl Default for Server {
    fn default() -> Self {
        Self { places: places(), clients: Vec::new() }
    }
}

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
        let (client, places) = self.place(access);
        let keeps_none = self.keeps_none.load(Ordering::Relaxed);
        let set_up = async || set_up(access, (Some(SILENCE), keeps_none), places, &self.plugins).await;
        client.get_or_try_init(set_up).await.cloned()
    }

    /// From now on no connection that is set up stays open longer than its request: where a process may have few of them.
    pub fn keep_none(&self) {
        self.keeps_none.store(true, Ordering::Relaxed);
    }

    /// Where the connection is or will be, and the limit that it shares with all others to its server.
    fn place(&self, access: &Access) -> (Arc<OnceCell<Client>>, Arc<Semaphore>) {
        let mut servers = self.servers.lock().unwrap_or_else(PoisonError::into_inner);
        let Server { places, clients } = servers.entry(access.server.clone()).or_default();
        let known = clients.iter().find(|(known, _)| known == access);
        let client = match known {
            Some((_, client)) => Arc::clone(client),
            None => Arc::clone(&clients.push_mut((access.clone(), Arc::default())).1),
        };
        (client, Arc::clone(places))
    }
}

/// Asks for the connection to be closed after the answer.
fn for_once(mut request: Request<Body>) -> Request<Body> {
    request.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    request
}

fn places() -> Arc<Semaphore> {
    Arc::new(Semaphore::new(REQUESTS))
}

/// How long a server may say nothing while it is to answer: a watch or a large apply may take its time.
const SILENCE: Duration = Duration::from_mins(1);

/// Sets up one connection, outside of any pool. A credential plugin that the access names is run for it.
///
/// # Errors
/// When certificate or key are malformed, or a credential plugin fails.
pub async fn connect(access: &Access) -> Result<Client, ClientError> {
    set_up(access, (Some(SILENCE), false), places(), &Semaphore::new(1)).await
}

/// Sets up one connection as [`connect`] does, for streams that may be silent for as long as they like.
///
/// # Errors
/// As of [`connect`].
pub async fn connect_for_streams(access: &Access) -> Result<Client, ClientError> {
    set_up(access, (None, false), places(), &Semaphore::new(1)).await
}

async fn set_up(
    access: &Access,
    (silence, is_for_once): (Option<Duration>, bool),
    places: Arc<Semaphore>,
    plugins: &Semaphore,
) -> Result<Client, ClientError> {
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
    // It goes on for minutes, and waits as long as a server says.
    config.default_retry = false;
    let mut running = None;
    if let Some(plugin) = &mut config.auth_info.exec {
        plugin::settle(plugin).map_err(|error| failed(error.into()))?;
        running = Some(plugins.acquire().await.expect("nobody closes it"));
    }
    // A plugin may take its time, too, or talk to the person.
    let builder = tokio::task::spawn_blocking(|| ClientBuilder::try_from(config)).await;
    drop(running);
    let builder = builder.map_err(|error| failed(error.into()))?;
    let builder = builder.map_err(|error| failed(plugin::without_secrets(error.into())))?;
    // From the inside out: between two attempts a request has no place.
    let close = MapRequestLayer::new(move |request| if is_for_once { for_once(request) } else { request });
    let builder = builder
        .with_layer(&close)
        .with_layer(&BufferLayer::new(REQUESTS))
        .with_layer(&GlobalConcurrencyLimitLayer::with_semaphore(places))
        .with_layer(&RetryLayer::new(Patience::default()));
    Ok(builder.build())
}
