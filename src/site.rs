//! A site: what its profile says, checked. Only these types travel; what was typed stays in [`load`].

mod argocd;
pub mod edit;
pub mod finding;
pub mod inventory;
pub mod load;
pub mod name;
mod profile;
pub mod secret;
mod validate;

use std::collections::BTreeMap;
use std::path::PathBuf;

pub use argocd::{ARGOCD_VERSION, ArgoCd, Ingress, Login};

use inventory::Host;
use load::Overrides;
use name::{AddonName, ClusterName, HostName, RepositoryName, SecretName, SiteName};
use secret::DeclaredSecret;

/// A validated site.
#[derive(Debug, Clone, PartialEq)]
pub struct Site {
    /// The name of its folder.
    pub name: SiteName,
    /// Its profile's file; `None` for the default that is built in.
    pub profile: Option<PathBuf>,
    /// Whether `down` refuses.
    pub protect: bool,
    /// The cluster that Argo CD runs on.
    pub hub: Cluster,
    /// The clusters that it serves besides, by name.
    pub spokes: Vec<Cluster>,
    /// The repositories whose four keys go to every cluster Secret.
    pub repositories: BTreeMap<RepositoryName, Repository>,
    /// Argo CD on the hub.
    pub argocd: ArgoCd,
    /// Kubeconfigs on this machine.
    pub kube: Kube,
    /// The machines of its `inventory.toml`, whether or not a cluster is on them.
    pub inventory: BTreeMap<HostName, Host>,
    /// The Secrets that it declares.
    pub secrets: BTreeMap<SecretName, DeclaredSecret>,
    /// What the command line said instead of the profile: an edited profile is read with the same.
    pub overrides: Overrides,
}

impl Site {
    /// The hub, then the spokes.
    pub fn clusters(&self) -> impl Iterator<Item = &Cluster> {
        std::iter::once(&self.hub).chain(&self.spokes)
    }

    /// The cluster of that name.
    #[must_use]
    pub fn cluster(&self, name: &ClusterName) -> Option<&Cluster> {
        self.clusters().find(|cluster| cluster.name == *name)
    }

    /// The name of a cluster's context in kubeconfigs: what `kube.contexts` says under the cluster's name (the
    /// hub's is `argocd`), else the context by which an existing cluster is known already, else `<site>/<cluster>`.
    #[must_use]
    pub fn context(&self, cluster: &Cluster) -> String {
        let key = match cluster.role {
            Role::Hub => HUB_CONTEXT,
            Role::Spoke => cluster.name.as_str(),
        };
        match (self.kube.contexts.get(key), &cluster.provider) {
            (Some(named), _) => named.clone(),
            (None, Provider::Existing(existing)) => existing.context.clone(),
            (None, Provider::Local(_) | Provider::K3s(_)) => format!("{}/{}", self.name, cluster.name),
        }
    }

    /// The name of the context of the inventory's RKE2 cluster: what `kube.contexts.rke2_<anything>` says.
    #[must_use]
    pub fn rke2_context(&self) -> String {
        let named = self.kube.contexts.iter().find(|(key, _)| key.starts_with("rke2_"));
        named.map_or_else(|| format!("{}/{RKE2}", self.name), |(_, name)| name.clone())
    }

    /// The hosts of the inventory that are for a workload, such as [`RKE2`].
    pub fn hosts_for(&self, workload: &str) -> impl Iterator<Item = &Host> {
        self.inventory.values().filter(move |host| host.workloads.iter().any(|known| known == workload))
    }
}

/// What a host is for that is a server of RKE2.
pub const RKE2: &str = "rke2";

/// The key of the hub's context in `kube.contexts`.
const HUB_CONTEXT: &str = "argocd";

/// A validated cluster.
#[derive(Debug, Clone, PartialEq)]
pub struct Cluster {
    /// Its name, unique in the site.
    pub name: ClusterName,
    /// Whether it is the hub.
    pub role: Role,
    /// The value of the label `environment`.
    pub environment: String,
    /// What makes it.
    pub provider: Provider,
    /// The URL by which the hub's Argo CD reaches a spoke, where it is not the one that we reach it by.
    pub server: Option<String>,
    /// Every addon that any cluster of the site names, and whether it is on here.
    pub addons: BTreeMap<AddonName, bool>,
    /// Further labels of its cluster Secret.
    pub labels: BTreeMap<String, String>,
    /// Further annotations of its cluster Secret.
    pub annotations: BTreeMap<String, String>,
}

/// What a cluster is in its fleet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Argo CD runs here.
    Hub,
    /// The hub's Argo CD deploys here.
    Spoke,
}

/// What makes a cluster. Matched in exactly one other place: the module `provider`.
#[derive(Debug, Clone, PartialEq)]
pub enum Provider {
    /// Processes on this machine.
    Local(Local),
    /// k3s on hosts that are reached over SSH.
    K3s(K3s),
    /// A cluster that somebody else made: a context of the kubeconfig.
    Existing(Existing),
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

/// A repository that Argo CD reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repository {
    /// Where it is.
    pub source: RepositorySource,
    /// Empty, or ends in `/`: the ecosystem's sets concatenate it with `path`.
    pub basepath: String,
    /// The folder below `basepath` to start from.
    pub path: String,
    /// Branch, tag or commit.
    pub revision: String,
}

/// Where a repository is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RepositorySource {
    /// Somewhere that Argo CD can clone from.
    Url(String),
    /// A folder of this machine, whose content is served to the Argo CD of a `local` hub.
    Folder(PathBuf),
}

/// Kubeconfigs on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kube {
    /// The main one: it has the contexts of existing clusters, and `kubeconfig merge` writes to it.
    pub kubeconfig: PathBuf,
    /// Names for contexts. `argocd` is the hub's.
    pub contexts: BTreeMap<String, String>,
    /// Where the site's own kubeconfig is saved: `~/.kube/<site>.yml`.
    pub saved: PathBuf,
    /// Where the kubeconfig of the site's RKE2 server is saved: `~/.kube/<site>-rke2.yml`.
    pub saved_rke2: PathBuf,
}
