//! Connections to API servers, made once per identity and shared by every step.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hyper::Request;
use hyper::header::{CONNECTION, HeaderValue};
use kube::Client;
use kube::client::{Body, ClientBuilder};
use tokio::sync::{OnceCell, Semaphore};
use tower::buffer::BufferLayer;
use tower::limit::GlobalConcurrencyLimitLayer;
use tower::retry::RetryLayer;
use tower::util::MapRequestLayer;

use super::retry::Patience;
use super::{Proxies, connection, plugin};
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
    proxies: Proxies,
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
        Self::new(Proxies::default())
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
    /// No connections yet. Servers whose access names no proxy are reached by what the environment says.
    #[must_use]
    pub fn new(proxies: Proxies) -> Self {
        Self {
            proxies,
            servers: Mutex::default(),
            plugins: Semaphore::new(PLUGINS),
            keeps_none: AtomicBool::new(false),
        }
    }

    /// The connection for an endpoint and identity. Connecting itself happens with the first request.
    ///
    /// # Errors
    /// When certificate or key are malformed.
    pub async fn get(&self, access: &Access) -> Result<Client, ClientError> {
        let (client, places) = self.place(access);
        let keeps_none = self.keeps_none.load(Ordering::Relaxed);
        let ways = Ways { proxies: &self.proxies, silence: Some(SILENCE), is_for_once: keeps_none };
        let set_up = async || set_up(access, &ways, places, &self.plugins).await;
        client.get_or_try_init(set_up).await.cloned()
    }

    /// From now on no connection that is set up stays open longer than its request: where a process may have few of them.
    pub fn keep_none(&self) {
        self.keeps_none.store(true, Ordering::Relaxed);
    }

    /// A connection of its own, for streams that may be silent for as long as they like.
    ///
    /// # Errors
    /// As of [`connect`].
    pub async fn for_streams(&self, access: &Access) -> Result<Client, ClientError> {
        let ways = Ways { proxies: &self.proxies, silence: None, is_for_once: false };
        set_up(access, &ways, places(), &self.plugins).await
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

/// Sets up one connection to a server on this machine or nearby, outside of any pool: no proxy is asked but the one that
/// the access names. A credential plugin that the access names is run for it.
///
/// # Errors
/// When certificate or key are malformed, or a credential plugin fails.
pub async fn connect(access: &Access) -> Result<Client, ClientError> {
    let ways = Ways { proxies: &Proxies::default(), silence: Some(SILENCE), is_for_once: false };
    set_up(access, &ways, places(), &Semaphore::new(1)).await
}

/// How a connection is set up.
struct Ways<'a> {
    proxies: &'a Proxies,
    /// How long the server may be silent; `None`: for ever.
    silence: Option<Duration>,
    /// Whether it ends with the answer to its request.
    is_for_once: bool,
}

async fn set_up(
    access: &Access,
    ways: &Ways<'_>,
    places: Arc<Semaphore>,
    plugins: &Semaphore,
) -> Result<Client, ClientError> {
    let failed = |source: Box<dyn std::error::Error + Send + Sync>| ClientError {
        server: access.server.clone(),
        source,
    };
    let mut config = connection::config(access, ways.proxies, ways.silence).map_err(failed)?;
    let mut running = None;
    if let Some(plugin) = &mut config.auth_info.exec {
        plugin::settle(plugin).map_err(|error| failed(error.into()))?;
        running = Some(plugins.acquire().await.expect("nobody closes it"));
    }
    // A plugin may take its time, too, or talk to the person.
    let authority = access.authority.clone();
    let road = tokio::task::spawn_blocking(move || connection::road(&config, authority.as_deref())).await;
    drop(running);
    let road = road.map_err(|error| failed(error.into()))?;
    let road = road.map_err(|error| failed(plugin::without_secrets(error)))?;
    // From the inside out: between two attempts a request has no place.
    let is_for_once = ways.is_for_once;
    let close = MapRequestLayer::new(move |request| if is_for_once { for_once(request) } else { request });
    let builder = ClientBuilder::new(road, "default")
        .with_layer(&close)
        .with_layer(&BufferLayer::new(REQUESTS))
        .with_layer(&GlobalConcurrencyLimitLayer::with_semaphore(places))
        .with_layer(&RetryLayer::new(Patience::default()));
    Ok(builder.build())
}
