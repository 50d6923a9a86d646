//! The command `k3s agent`: joins a server, and tries for ever to. What is in the way, it only says in its log; to
//! systemd it is starting all the while.

use std::time::Duration;

use bridgehead::engine::wait::pause;
use tokio::signal::unix::{SignalKind, signal};

use crate::balancer::SERVER;
use crate::data::Data;
use crate::fatal::Fatal;
use crate::host::Host;
use crate::join::{Joined, authorities, join};
use crate::options::Options;
use crate::token::Token;
use crate::{balancer, log, node, notify};

/// Between two tries to reach the server, and to join it.
const RETRY: Duration = Duration::from_secs(2);
const JOIN_RETRY: Duration = Duration::from_secs(5);

pub(crate) async fn run(options: &Options) -> Result<(), Fatal> {
    let token = options.token("token")?.ok_or_else(|| Fatal::new("Error: --token is required"))?;
    let server = options.text("server").ok_or_else(|| Fatal::new("Error: --server is required"))?;
    let server = server.trim_end_matches('/');
    let (data, host) = (Data::of(options), Host::of(options)?);
    data.unpack()?;
    log::info(format!("Starting k3s agent {}", crate::version::long()));
    let mut terminate = signal(SignalKind::terminate()).map_err(|error| Fatal::of("signals", &error))?;
    balancer::start(server).await?;
    let live = async {
        let joined = persist(server, &token, &host, &data).await?;
        let node = node::start(&data, &host, joined, SERVER, options).await?;
        log::info("k3s agent is up and running");
        notify::ready()?;
        node.live().await
    };
    tokio::select! {
        ended = live => ended,
        _ = terminate.recv() => Ok(()),
    }
}

/// Joins, however long that takes.
async fn persist(server: &str, token: &str, host: &Host, data: &Data) -> Result<Joined, Fatal> {
    let (token, bundle) = loop {
        let found = async {
            let token = Token::parse(token)?;
            let bundle = authorities(SERVER, &token).await?;
            Ok::<_, Fatal>((token, bundle))
        };
        match found.await {
            Ok(found) => break found,
            Err(fatal) => {
                log::error(format!("Failed to validate connection to cluster at {server}: {fatal}"));
            }
        }
        pause(RETRY).await;
    };
    if token.hash.is_none() {
        log::warning(
            "Cluster CA certificate is not trusted by the host CA bundle, but the token does not include a CA hash. \
             Use the full token from the server's node-token file to enable Cluster CA validation.",
        );
    }
    loop {
        match join(SERVER, &token, &bundle, (host, data)).await {
            Ok(joined) => return Ok(joined),
            Err(fatal) => {
                log::info(format!("Waiting to retrieve agent configuration; server is not ready: {fatal}"));
            }
        }
        pause(JOIN_RETRY).await;
    }
}
