//! The node agent: a kubelet's work with processes instead of containers, and kube-proxy's with loopback ports.
//!
//! Pods of Argo CD, its Redis and its dex run as processes that are derived from the live pod: command, environment,
//! volumes, tokens, probes. Every other pod is running and ready at once. Nothing here needs root or namespaces: a
//! container's paths are moved below a folder of its own, and its ports to fresh ones of this machine.
//!
//! The agent uses the identities of the nodes and stays within what the node authorizer allows them.

mod address;
mod argocd;
mod container;
mod endpoint;
mod environment;
mod field;
mod forward;
mod host;
mod launch;
mod leftovers;
mod logs;
mod pods;
mod ports;
mod probe;
pub mod process;
mod registration;
mod report;
mod services;
mod sources;
mod status;
mod token;
mod volumes;
mod watch;
mod worker;

use std::collections::BTreeMap;
use std::io;
use std::net::Ipv4Addr;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::sync::Arc;

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use self::endpoint::Endpoint;
use self::host::Host;
use self::pods::Node;
use self::services::Services;
use crate::engine::Access;
use crate::files::FileError;
use crate::k8s::{ClientError, connect};
use crate::site::secret::Secret;

/// What the agent is to do, and with what.
#[derive(Debug)]
pub struct Config {
    /// The nodes that it plays.
    pub nodes: Vec<NodeConfig>,
    /// The API server's URL, as programs in pods are told it.
    pub server: String,
    /// The cluster's certificate authority, PEM.
    pub authority: String,
    /// Folder of everything that the agent keeps. It is the agent's alone.
    pub folder: PathBuf,
    /// Folder with the binaries `argocd`, `helm`, `kustomize` and `redis`.
    pub components: PathBuf,
    /// This executable, which starts programs through its command `exec`.
    pub executable: PathBuf,
    /// Ports that Services get, one each, the same after a restart.
    pub service_ports: RangeInclusive<u16>,
    /// Ports that programs in pods listen on.
    pub pod_ports: RangeInclusive<u16>,
}

/// A node that the agent plays.
#[derive(Debug)]
pub struct NodeConfig {
    /// Its name.
    pub name: String,
    /// Its identity: user `system:node:<name>`, group `system:nodes`.
    pub access: Access,
    /// The address of its kubelet API, which is also the one that the Node tells.
    pub address: Ipv4Addr,
    /// The port of its kubelet API.
    pub port: u16,
    /// The authority that certificates of the kubelet API's clients must come from, PEM.
    pub client_authority: String,
    /// The certificate that it shows there, PEM.
    pub certificate: String,
    /// The certificate's key, PEM.
    pub key: Secret<String>,
}

/// The agent could not start.
#[derive(Debug, thiserror::Error)]
pub enum AgentError {
    /// Its folder could not be prepared.
    #[error("cannot prepare the node agent's folder")]
    Folder {
        /// What failed.
        source: FileError,
    },
    /// The folder of sockets could not be opened.
    #[error("cannot open the folder `{}`", .path.display())]
    Sockets {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A node's kubelet API could not be had.
    #[error("cannot listen on port {port} of {address}")]
    Listen {
        /// The address.
        address: Ipv4Addr,
        /// The port.
        port: u16,
        /// What the system said.
        source: io::Error,
    },
    /// A node's certificate or key is malformed.
    #[error("cannot use the certificate of node {node}")]
    Certificate {
        /// The node.
        node: String,
        /// What is wrong.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// A running agent.
#[derive(Debug)]
pub struct Agent {
    services: Arc<Services>,
    stopped: CancellationToken,
    nodes: Vec<JoinHandle<()>>,
}

impl Agent {
    /// Starts the agent on the current runtime, which must have one thread only: programs die with the thread that
    /// started them. What an earlier agent left running is ended first. The API server need not answer yet.
    ///
    /// # Errors
    /// When its folder cannot be prepared, a port is in use, or a certificate is malformed.
    pub fn start(config: Config) -> Result<Self, AgentError> {
        leftovers::end(&config.folder);
        let stopped = CancellationToken::new();
        let host = Arc::new(Host::new(&config, stopped.clone())?);
        let services = Arc::clone(&host.services);
        let endpoints = config.nodes.iter().map(Endpoint::bind);
        let endpoints = endpoints.collect::<Result<Vec<_>, _>>()?;
        let nodes = config.nodes.into_iter().zip(endpoints).enumerate();
        let nodes = nodes.map(|(index, (node, endpoint))| {
            let (host, stopped) = (Arc::clone(&host), stopped.clone());
            // One node sees all Services.
            let watches_services = index == 0;
            tokio::spawn(async move {
                let name = node.name.clone();
                let life = Box::pin(play(node, endpoint, host, watches_services, stopped));
                if let Err(error) = life.await {
                    tracing::error!(node = name, error = &error as &dyn std::error::Error, "node given up");
                }
            })
        });
        Ok(Self { services, nodes: nodes.collect(), stopped })
    }

    /// The loopback ports of Services that select pods with real programs: by `namespace/name:port`, where the
    /// port is the Service's number.
    #[must_use]
    pub fn services(&self) -> BTreeMap<String, u16> {
        self.services.ports()
    }

    /// Ends all programs of pods, and then the agent. Pods and Node stay as they are in the API.
    pub async fn stop(self) {
        self.stopped.cancel();
        for node in self.nodes {
            let _ = node.await;
        }
    }
}

/// Plays a node until `stopped`.
async fn play(
    config: NodeConfig,
    endpoint: Endpoint,
    host: Arc<Host>,
    watches_services: bool,
    stopped: CancellationToken,
) -> Result<(), ClientError> {
    let client = connect(&config.access).await?;
    let node = Node::new(
        config.name,
        (config.address, config.port),
        client.clone(),
        Arc::clone(&host),
        stopped.clone(),
    );
    let node = Arc::new(node);
    let services = async {
        if watches_services {
            watch::services(client, &host.services).await;
        }
    };
    let endless = async {
        tokio::join!(registration::keep(&node), node.look_after_pods(), services);
    };
    tokio::join!(node.run_pods(), endpoint.serve(&node), stopped.run_until_cancelled(endless));
    Ok(())
}
