//! A site: what its profile says, checked. Only these types travel; what was typed stays in [`load`].

pub mod edit;
pub mod finding;
pub mod load;
pub mod name;
mod profile;
pub mod secret;
mod validate;

use std::collections::BTreeMap;
use std::path::PathBuf;

use name::{AddonName, ClusterName, RepositoryName, SiteName};

/// The release of Argo CD on hubs of the provider `local`: manifest and binary have one version there. Why it is
/// this one is said with the other components' pins.
pub const ARGOCD_OF_LOCAL: &str = "v3.2.11";

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
}

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
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Provider {
    /// Processes on this machine.
    Local(Local),
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

/// Argo CD on the hub.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArgoCd {
    /// Its release, such as `v3.2.11`.
    pub version: String,
    /// The namespace that it is installed to.
    pub namespace: String,
}
