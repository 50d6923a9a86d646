//! What makes a cluster, and what can be said of it without looking. What a provider does is in the module of that name.

mod eks;

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::inventory::Host;
use super::name::{ClusterName, HostName};
use super::{Cluster, Role};

pub use eks::{Eks, EksEndpoint, EksNetwork, EksNodes, Nat, NodeGroup};

/// What makes a cluster. Outside of `site` it is matched in one place: `provider::of`.
#[derive(Debug, Clone, PartialEq)]
pub enum Provider {
    /// Processes on this machine.
    Local(Local),
    /// k3s on hosts that are reached over SSH.
    K3s(K3s),
    /// Amazon EKS.
    Eks(Eks),
    /// A cluster that somebody else made: a context of the kubeconfig.
    Existing(Existing),
}

impl Provider {
    /// What a profile calls it.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Local(_) => "local",
            Self::K3s(_) => "k3s",
            Self::Eks(_) => "eks",
            Self::Existing(_) => "existing",
        }
    }
}

impl From<Local> for Provider {
    fn from(local: Local) -> Self {
        Self::Local(local)
    }
}

impl From<K3s> for Provider {
    fn from(k3s: K3s) -> Self {
        Self::K3s(k3s)
    }
}

impl From<Existing> for Provider {
    fn from(existing: Existing) -> Self {
        Self::Existing(existing)
    }
}

impl Cluster {
    /// A spoke that no profile names, which is there all the same.
    #[must_use]
    pub fn departed(name: &ClusterName, provider: impl Into<Provider>) -> Self {
        Self {
            name: name.clone(),
            role: Role::Spoke,
            environment: name.to_string(),
            provider: provider.into(),
            server: None,
            addons: BTreeMap::new(),
            labels: BTreeMap::new(),
            annotations: BTreeMap::new(),
        }
    }

    /// Whether all that it is and all that it runs are processes and files of this machine. Loopback addresses mean to
    /// its workloads, such as a hub's Argo CD, what they mean to us; and once it is gone, a new one is as good.
    #[must_use]
    pub const fn is_on_this_machine(&self) -> bool {
        matches!(self.provider, Provider::Local(_))
    }

    /// Whether a cloud makes it, and says where its API is.
    #[must_use]
    pub const fn is_in_cloud(&self) -> bool {
        matches!(self.provider, Provider::Eks(_))
    }

    /// The context by which it is reached, if somebody else made it. Such a cluster stays when its site goes.
    #[must_use]
    pub fn foreign_context(&self) -> Option<&str> {
        match &self.provider {
            Provider::Existing(existing) => Some(&existing.context),
            _ => None,
        }
    }

    /// What is said of its k3s, if the site installs one.
    #[must_use]
    pub const fn k3s(&self) -> Option<&K3s> {
        match &self.provider {
            Provider::K3s(k3s) => Some(k3s),
            _ => None,
        }
    }
}

/// A cluster of k3s on hosts that are reached over SSH.
#[derive(Debug, Clone, PartialEq)]
pub struct K3s {
    /// Where the control plane runs. The first one is installed first and removed last.
    pub servers: Vec<Host>,
    /// Further hosts for workloads.
    pub agents: Vec<Host>,
    /// What is installed.
    pub release: K3sRelease,
    /// Goes to `/etc/rancher/k3s/config.yaml` of every server as it is.
    pub config: serde_json::Map<String, serde_json::Value>,
    /// Where releases are: `<mirror>/<tag>/k3s`. GitHub's, or a mirror of them.
    pub mirror: String,
    /// The SHA-256 that the binary may have, one for each kind of processor; none: what the mirror's list says.
    pub sha256: Vec<String>,
    /// Whether the release's tarball of container images is put on the hosts too, which then need no registry.
    pub images: bool,
}

impl K3s {
    /// Whether it is on a host.
    #[must_use]
    pub fn has(&self, host: &HostName) -> bool {
        self.servers.iter().chain(&self.agents).any(|known| known.name == *host)
    }
}

/// The release of k3s where a profile names none: the Kubernetes that the components of `local` are, so that a site
/// moves between the two without another API.
pub const K3S_VERSION: &str = "v1.34.4+k3s1";

/// Where releases of k3s are published.
pub const K3S_RELEASES: &str = "https://github.com/k3s-io/k3s/releases/download";

/// The most simulated nodes of a `local` cluster: each has a port of its own.
pub const MOST_NODES: u16 = 16;

/// Where the channels of k3s are published.
pub const K3S_CHANNELS: &str = "https://update.k3s.io/v1-release/channels";

/// Which release of k3s.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum K3sRelease {
    /// This one, such as `v1.34.4+k3s1`.
    Version(String),
    /// What this channel, such as `stable`, names at the time of the run.
    Channel {
        /// Its name.
        name: String,
        /// `<server>/<name>` redirects to the release.
        server: String,
    },
}

/// A cluster that somebody else made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Existing {
    /// The file that has the context.
    pub kubeconfig: PathBuf,
    /// The context's name.
    pub context: String,
}

/// A cluster of processes on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Local {
    /// How many simulated nodes it has.
    pub nodes: u16,
}
