//! A site: what its profile says, checked. Only these types travel; what was typed stays in [`load`].

mod argocd;
pub mod edit;
pub mod finding;
pub mod inventory;
pub mod load;
pub mod name;
mod profile;
mod provider;
pub mod schema;
pub mod secret;
mod validate;

use std::collections::BTreeMap;
use std::path::PathBuf;

pub use argocd::{ARGOCD_VERSION, ArgoCd, GitServer, Ingress, KnownRepository, Login};
pub use provider::{
    Eks, EksEndpoint, EksNetwork, EksNodes, Existing, K3S_CHANNELS, K3S_RELEASES, K3S_VERSION, K3s,
    K3sRelease, Local, MOST_NODES, Nat, NodeGroup, Provider,
};

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
        let known = self.kube.contexts.get(key).map(String::as_str).or(cluster.foreign_context());
        known.map_or_else(|| format!("{}/{}", self.name, cluster.name), ToOwned::to_owned)
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

impl Cluster {
    /// The labels of its cluster Secret that the profile decides. What it adds comes first, so that it cannot change
    /// what the contract says.
    #[must_use]
    pub fn profile_labels(&self) -> BTreeMap<String, String> {
        let mut labels = self.labels.clone();
        let mut set = |key: &str, value: &str| labels.insert(key.to_owned(), value.to_owned());
        set("cluster_name", self.name.as_str());
        set("environment", &self.environment);
        set("fleet_member", self.role.fleet_member());
        // In the ecosystem's repositories "true" makes Argo CD manage itself from a chart.
        set("enable_argocd", "false");
        for (addon, is_on) in &self.addons {
            set(&format!("enable_{addon}"), if *is_on { "true" } else { "false" });
        }
        labels
    }
}

/// What a cluster is in its fleet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Argo CD runs here.
    Hub,
    /// The hub's Argo CD deploys here.
    Spoke,
}

impl Role {
    /// The value of the label `fleet_member`.
    #[must_use]
    pub const fn fleet_member(self) -> &'static str {
        match self {
            Self::Hub => "control-plane",
            Self::Spoke => "spoke",
        }
    }
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
