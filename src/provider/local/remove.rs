//! Taking a `local` cluster away, and proving that nothing of it is left.

mod audit;
mod files;
mod site;
mod supervisor;

use std::sync::Arc;

use super::layout::Layout;
use super::{leftovers, provision, state};
use crate::engine::Tree;
use crate::engine::facts::{Unreachable, WithoutApi};
use crate::env::Env;
use crate::provider::presence::{Sighting, unknown};
use crate::seq;
use crate::site::name::ClusterName;
use crate::site::{Cluster, Local, Site};

/// Whether the cluster is there: it is gone when neither a process nor its folder is left, or when its removal has
/// begun.
pub(in crate::provider) async fn sight(
    site: &Site,
    cluster: &Cluster,
    local: &Local,
    env: &Arc<Env>,
) -> Sighting {
    let layout = Layout::new(env.cluster_folder(&site.name, &cluster.name));
    let no_process = leftovers::find(&layout).is_empty();
    if no_process && layout.folder().symlink_metadata().is_err() {
        return Sighting::Gone("neither a process nor its folder is left".to_owned());
    }
    if no_process && layout.leaving().exists() {
        return Sighting::Gone("its removal has begun".to_owned());
    }
    match (state::ask(&layout).await, provision::access(site, cluster, local, env)) {
        (Ok(Some(_)), Some(access)) => Sighting::At(access, WithoutApi::DestroyAll),
        (Ok(Some(_)), None) => out_of_reach("its files are not there", None),
        (Ok(None), _) => {
            let hint = format!("`bridgehead up {}` starts it again", site.name);
            out_of_reach("its supervisor does not run", Some(hint))
        }
        (Err(error), _) => Sighting::Unknown(unknown(&error.into(), true, WithoutApi::DestroyAll)),
    }
}

fn out_of_reach(cause: &str, hint: Option<String>) -> Sighting {
    let provider = WithoutApi::DestroyAll;
    Sighting::Unknown(Unreachable { cause: cause.to_owned(), hint, is_passing: false, provider })
}

/// Takes a cluster away. What is already gone is no difference, so it can be run again after any interruption.
#[must_use]
pub fn remove(site: &Arc<Site>, cluster: &Cluster, env: &Arc<Env>) -> Tree {
    let subject = Subject {
        cluster: cluster.name.clone(),
        layout: Layout::new(env.cluster_folder(&site.name, &cluster.name)),
    };
    seq![supervisor::Supervisor(subject.clone()), files::Files(subject.clone()), audit::Audit(subject)]
}

/// Takes away what a site keeps on this machine besides its clusters.
#[must_use]
pub fn site(site: &Arc<Site>, env: &Arc<Env>) -> Tree {
    site::SiteFolder { folder: env.site_folder(&site.name) }.into()
}

/// What the steps of one cluster are about.
#[derive(Debug, Clone)]
struct Subject {
    cluster: ClusterName,
    layout: Layout,
}
