//! Kubeconfigs of a site's clusters: in the person's own, and saved by themselves.

mod forgotten;
mod personal;
mod saved;

use std::path::Path;
use std::sync::Arc;

use serde_json::Value;

use super::up::clusters;
use crate::engine::survey::survey;
use crate::engine::{Facts, Failure, Tree};
use crate::env::Env;
use crate::seq;
use crate::site::{Cluster, Site};
use forgotten::Forgotten;
use personal::{PersonalFile, Wanted};
use saved::Saved;

pub use crate::k8s::kubeconfig::to_yaml;

/// What a kubeconfig is made of.
#[derive(Clone)]
pub(super) enum Contents {
    /// The clusters of the site that answer.
    Clusters,
    /// Another one, as it is.
    Document(Value),
}

impl Contents {
    fn document(&self, site: &Site, facts: &Facts, clusters: &[&Cluster]) -> Result<Value, Failure> {
        match self {
            Self::Clusters => super::kubeconfig_of(site, facts, clusters),
            Self::Document(document) => Ok(document.clone()),
        }
    }
}

/// Puts the contexts of the site's clusters into the person's kubeconfig; `current`: and makes the hub's the current
/// one. Clusters that somebody else made have theirs there. Contexts of clusters that the site has no more go.
#[must_use]
pub fn merge(site: &Arc<Site>, env: &Arc<Env>, current: bool) -> Tree {
    let wanted = Wanted::Contexts { source: Contents::Clusters, current };
    seq![survey(clusters(site, env)), PersonalFile::new(site, wanted)]
}

/// Puts the contexts of another kubeconfig into the person's.
pub(super) fn merged(site: &Arc<Site>, source: Contents) -> Tree {
    PersonalFile::new(site, Wanted::Contexts { source, current: false }).into()
}

/// Takes the site's contexts out of the person's kubeconfig.
#[must_use]
pub fn remove(site: &Arc<Site>) -> Tree {
    PersonalFile::new(site, Wanted::Nothing).into()
}

/// Takes the site's contexts out of the person's kubeconfig, and removes what was saved by itself.
#[must_use]
pub(super) fn forget(site: &Arc<Site>) -> Tree {
    seq![remove(site), Forgotten::new(site)]
}

/// Saves a kubeconfig of the site's clusters that answer in a file of its own: [`Site::kube`]'s `saved`.
#[must_use]
pub fn save(site: &Arc<Site>, env: &Arc<Env>) -> Tree {
    seq![survey(clusters(site, env)), saved(site, &site.kube.saved, Contents::Clusters)]
}

/// Saves a kubeconfig.
pub(super) fn saved(site: &Arc<Site>, path: &Path, source: Contents) -> Tree {
    Saved::new(site, path, source).into()
}
