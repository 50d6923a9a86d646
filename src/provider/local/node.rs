//! The node agent: its place, until it is written.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::path::PathBuf;

use crate::engine::Access;
use crate::site::secret::Secret;

/// The agent cannot work.
#[derive(Debug, thiserror::Error)]
#[error("the node agent cannot work")]
pub struct AgentError;

/// What the agent works with.
#[derive(Debug)]
pub struct Config {
    /// The nodes.
    pub nodes: Vec<NodeConfig>,
    /// The API server's URL.
    pub server: String,
    /// The cluster's authority, PEM.
    pub authority: String,
    /// The agent's folder.
    pub folder: PathBuf,
    /// The folder with the components.
    pub components: PathBuf,
    /// This executable.
    pub executable: PathBuf,
    /// Stable ports of Services.
    pub service_ports: RangeInclusive<u16>,
    /// Ports of pods.
    pub pod_ports: RangeInclusive<u16>,
}

/// A node.
#[derive(Debug)]
pub struct NodeConfig {
    /// Its name.
    pub name: String,
    /// Its identity.
    pub access: Access,
    /// The port of its kubelet API.
    pub port: u16,
    /// The certificate of its kubelet API, PEM.
    pub certificate: String,
    /// The key of that.
    pub key: Secret<String>,
}

/// The agent.
#[derive(Debug)]
pub struct Agent;

impl Agent {
    /// Starts it.
    ///
    /// # Errors
    /// Never.
    pub fn start(_config: Config) -> Result<Self, AgentError> {
        Ok(Self)
    }

    /// Stable ports of Services.
    #[must_use]
    pub fn services(&self) -> BTreeMap<String, u16> {
        BTreeMap::new()
    }

    /// Stops it.
    pub async fn stop(self) {
        std::future::ready(()).await;
    }
}
