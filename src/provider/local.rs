//! The provider `local`: real control planes as processes on this machine, without root, containers or a cloud.

pub mod configuration;
pub mod control_plane;
mod departed;
pub mod layout;
pub mod pki;
pub mod ports;
pub mod processes;
mod provision;
mod remove;
mod sight;
pub mod source;
pub mod state;
pub mod supervisor;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use layout::Layout;

use super::presence::Sighting;
use super::{Lifecycle, fingerprint};
use crate::components::{self, Needed};
use crate::engine::{BoxFuture, Tree};
use crate::env::Env;
use crate::files;
use crate::seq;
use crate::site::name::{ClusterName, SiteName};
use crate::site::{Cluster, Local, Site};

pub(super) use departed::{departed, departed_cluster};
pub(super) use remove::RemoveSiteFolder;

/// A cluster, as its steps know it.
#[derive(Debug, Clone)]
pub(super) struct LocalCluster {
    site: SiteName,
    name: ClusterName,
    nodes: Vec<String>,
    layout: Layout,
    components: PathBuf,
    env: Arc<Env>,
}

impl LocalCluster {
    pub(super) fn new(site: &Site, cluster: &Cluster, local: &Local, env: &Arc<Env>) -> Self {
        Self {
            site: site.name.clone(),
            name: cluster.name.clone(),
            nodes: (1..=local.nodes).map(|number| format!("{}-node-{number}", cluster.name)).collect(),
            layout: Layout::new(env.cluster_folder(&site.name, &cluster.name)),
            components: components::folder(env),
            env: Arc::clone(env),
        }
    }
}

impl Lifecycle for LocalCluster {
    /// It is where its folder is.
    fn identity(&self) -> BoxFuture<'_, Option<String>> {
        let machine = files::read(Path::new("/etc/machine-id")).unwrap_or_default();
        let folder = self.layout.folder().display();
        Box::pin(std::future::ready(Some(fingerprint(&format!("{}{folder}", machine.trim())))))
    }

    /// Its control plane is made of programs that have to be there first.
    fn components(&self) -> Needed {
        Needed::All
    }

    fn provision(&self) -> Tree {
        seq![provision::MakeFiles(self.clone()), provision::StartSupervisor::new(self.clone())]
    }

    fn ready(&self) -> Tree {
        provision::AwaitNodes(self.clone()).into()
    }

    fn sight(&self) -> BoxFuture<'_, Sighting> {
        Box::pin(sight::sight(self))
    }

    /// What is already gone is no difference, so it can be run again after any interruption.
    fn remove(&self) -> Tree {
        seq![
            remove::EndProcesses(self.clone()),
            remove::RemoveFolder(self.clone()),
            remove::Audit(self.clone())
        ]
    }

    /// The supervisor has a loopback port for every Service.
    fn service_address<'a>(&'a self, service: &'a str) -> BoxFuture<'a, Option<String>> {
        Box::pin(async move {
            let state = state::ask(&self.layout).await.ok()??;
            state.services.get(service).map(|port| format!("127.0.0.1:{port}"))
        })
    }
}
