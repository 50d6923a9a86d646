//! Switching an addon: the profile, the label, and then what Argo CD makes of it.

use std::sync::Arc;

use super::profile::Profile;
use super::up::clusters;
use crate::engine::survey::survey;
use crate::engine::{Failure, Tree};
use crate::env::Env;
use crate::files;
use crate::gitops::addon::{kept, off, on, release};
use crate::gitops::cluster_secret::secret;
use crate::gitops::refresh::refresh;
use crate::gitops::registration::register;
use crate::site::edit::set_addon;
use crate::site::name::{AddonName, ClusterName};
use crate::site::{Site, load};
use crate::{provider, seq};

pub use crate::gitops::addon::{Addon, Cell, Removal, Removals, list, removals};

/// The site as its profile will say it, and the step that makes the profile say so.
pub struct Edited {
    /// The site with the addon switched.
    pub site: Arc<Site>,
    /// The clusters on which it is switched.
    pub clusters: Vec<ClusterName>,
    addon: AddonName,
    profile: Profile,
}

/// There is nowhere to write the profile of the built-in site to.
#[derive(Debug, thiserror::Error)]
#[error("the profile of `{0}` is built in, and there is no folder `sites` here or above to write it to")]
struct NoRoot(crate::site::name::SiteName);

/// Switches an addon in the text of the site's profile, on some clusters or on all. Nothing is written yet.
///
/// # Errors
/// When the profile cannot be edited, or would no longer be valid.
pub fn edit(
    site: &Site,
    env: &Env,
    clusters: &[ClusterName],
    addon: &AddonName,
    on: bool,
) -> Result<Edited, Failure> {
    let path = load::path(env.root.as_deref(), &site.name).ok_or_else(|| NoRoot(site.name.clone()))?;
    let mut text = match &site.profile {
        Some(path) => files::read(path)?,
        None => load::DEFAULT.to_owned(),
    };
    if clusters.is_empty() {
        text = set_addon(&text, None, addon, on)?;
    }
    for cluster in site.clusters().filter(|cluster| clusters.contains(&cluster.name)) {
        text = set_addon(&text, Some((&cluster.name, cluster.role)), addon, on)?;
    }
    let edited = load::from_text(Some(&path), &site.name, &text, &site.overrides)?;
    let site = Arc::new(Site { profile: Some(path.clone()), ..edited });
    let mut going: Vec<_> = site.clusters().map(|cluster| cluster.name.clone()).collect();
    going.retain(|cluster| clusters.is_empty() || clusters.contains(cluster));
    let detail = format!("switch {addon} {}", if on { "on" } else { "off" });
    let profile = Profile { path, text, detail };
    Ok(Edited { site, clusters: going, addon: addon.clone(), profile })
}

impl Edited {
    /// Switches the addon on and waits until its objects are there.
    #[must_use]
    pub fn on(self, env: &Arc<Env>) -> Tree {
        let proof = on(&self.site, env, &self.addon, &self.clusters);
        self.switch(env, proof)
    }

    /// Switches the addon off and waits until what was shown, `removals`, is gone.
    #[must_use]
    pub fn off(self, env: &Arc<Env>, removals: &Removals) -> Tree {
        let proof = off(&self.site, env, &self.addon, &self.clusters, &removals.applications);
        self.switch(env, proof)
    }

    fn switch(self, env: &Arc<Env>, proof: Tree) -> Tree {
        let Self { site, profile, .. } = self;
        seq![
            profile,
            provider::prepare(&site, env),
            known(&site, env),
            secrets(&site, env),
            refresh(&site, env),
            proof,
        ]
    }

    /// Switches the addon off and leaves its objects running. The profile comes after the label: a run that was
    /// stopped before it has changed nothing that `up` does not take back.
    #[must_use]
    pub fn keep(self, env: &Arc<Env>) -> Tree {
        let Self { site, clusters, addon, profile } = self;
        seq![
            survey(provider::prepare(&site, env)),
            known(&site, env),
            release(&site, env, &addon, &clusters),
            secrets(&site, env),
            profile,
            kept(&site, env, &addon, &clusters),
            provider::prepare(&site, env),
            refresh(&site, env),
        ]
    }
}

/// How to reach every cluster, and how Argo CD does.
#[must_use]
pub fn known(site: &Arc<Site>, env: &Arc<Env>) -> Tree {
    let spokes = site.spokes.iter().map(|spoke| register(site, env, &spoke.name).into());
    survey(seq![clusters(site, env), Tree::Par(spokes.collect())])
}

/// Every cluster's Secret: an addon that one cluster names is a label of all.
fn secrets(site: &Arc<Site>, env: &Arc<Env>) -> Tree {
    Tree::Par(site.clusters().map(|cluster| secret(site, env, cluster).into()).collect())
}
