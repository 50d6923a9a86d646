//! Switching an addon: the profile, the label, and then what Argo CD makes of it. Nothing else that the profile says
//! and the world does not is touched, and only the hub and the clusters that are named are looked at.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use super::profile::Profile;
use crate::engine::survey::survey;
use crate::engine::{Failure, Tree};
use crate::env::Env;
use crate::gitops::addon::{kept, off, on, release};
use crate::gitops::cluster_secret::switch;
use crate::gitops::refresh::refresh;
use crate::provider::{self, Said};
use crate::seq;
use crate::site::edit::set_addon;
use crate::site::name::{AddonName, ClusterName};
use crate::site::{Cluster, Role, Site, load};

pub use crate::gitops::addon::{Addon, Cell, Coming, Removal, Removals, coming, list, removals};
pub use crate::gitops::cluster_secret::{Pending, pending};

/// The site as its profile will say it, and the step that makes the profile say so.
pub struct Edited {
    /// The site with the addon switched.
    pub site: Arc<Site>,
    /// The clusters on which it is switched.
    pub clusters: Vec<ClusterName>,
    addon: AddonName,
    on: bool,
    /// Whether they were named; otherwise they are all that the profile has.
    are_named: bool,
    /// The site before.
    before: Arc<Site>,
    profile: Profile,
}

/// There is nowhere to write the profile of the built-in site to.
#[derive(Debug, thiserror::Error)]
#[error("the profile of `{0}` is built in, and there is no folder `sites` here or above to write it to")]
struct NoRoot(crate::site::name::SiteName);

/// What was agreed to is not what would be done now.
#[derive(Debug, thiserror::Error)]
#[error("the profile was saved meanwhile, and has other clusters now")]
struct OtherClusters;

/// Switches an addon in the text of the site's profile, on some clusters or on all. Nothing is written yet.
///
/// # Errors
/// When the profile cannot be edited, or would no longer be valid.
pub fn edit(
    site: &Arc<Site>,
    env: &Env,
    clusters: Option<&BTreeSet<ClusterName>>,
    addon: &AddonName,
    on: bool,
) -> Result<Edited, Failure> {
    let path = load::path(env.root.as_deref(), &site.name).ok_or_else(|| NoRoot(site.name.clone()))?;
    let named = clusters.map(|clusters| named(site, |name| clusters.contains(name)));
    let profile = profile(site, path, named, addon, on);
    let edited = profile.site()?;
    let mut going = names(&edited);
    going.retain(|cluster| clusters.is_none_or(|named| named.contains(cluster)));
    let (addon, are_named, before) = (addon.clone(), clusters.is_some(), Arc::clone(site));
    Ok(Edited { site: edited, clusters: going, addon, on, are_named, before, profile })
}

/// The edit of a profile's text for clusters that are named, or else for the whole site.
fn profile(
    site: &Site,
    path: PathBuf,
    named: Option<Vec<(ClusterName, Role)>>,
    addon: &AddonName,
    on: bool,
) -> Profile {
    let detail = format!("switch {addon} {}", if on { "on" } else { "off" });
    let addon = addon.clone();
    Profile::new(site, path, detail, move |text| Ok(set_addon(text, named.as_deref(), &addon, on)?))
}

fn named(site: &Site, is_meant: impl Fn(&ClusterName) -> bool) -> Vec<(ClusterName, Role)> {
    let named = site.clusters().filter(|cluster| is_meant(&cluster.name));
    named.map(|cluster| (cluster.name.clone(), cluster.role)).collect()
}

fn names(site: &Site) -> Vec<ClusterName> {
    site.clusters().map(|cluster| cluster.name.clone()).collect()
}

impl Edited {
    /// The same for the profile as it is now: somebody may have saved it while a question was open.
    ///
    /// # Errors
    /// When it cannot be edited any more, or the addon would be switched on other clusters than was said.
    pub fn again(self) -> Result<Self, Failure> {
        let site = self.profile.site()?;
        self.has_same_clusters(&site)?;
        Ok(Self { site, ..self })
    }

    /// The part of it that is for a wave of its clusters, with the profile as it is now. The last one says for the whole site
    /// what was switched on all of it.
    ///
    /// # Errors
    /// As of [`Self::again`].
    pub fn wave(&self, clusters: &[ClusterName], is_last: bool) -> Result<Self, Failure> {
        let path = self.site.profile.clone().ok_or_else(|| NoRoot(self.site.name.clone()))?;
        let is_everywhere = is_last && !self.are_named;
        let members = || named(&self.site, |name| clusters.contains(name));
        let named = (!is_everywhere).then(members);
        let profile = profile(&self.before, path, named, &self.addon, self.on);
        let site = profile.site()?;
        self.has_same_clusters(&site)?;
        let (addon, before) = (self.addon.clone(), Arc::clone(&self.before));
        Ok(Self { site, clusters: clusters.to_vec(), addon, before, profile, ..*self })
    }

    fn has_same_clusters(&self, site: &Site) -> Result<(), Failure> {
        let now: BTreeSet<_> = names(site).into_iter().collect();
        let is_same = self.clusters.iter().all(|cluster| now.contains(cluster))
            && (self.are_named || self.clusters.len() == now.len());
        if is_same {
            return Ok(());
        }
        let hint = "run the command again, and it shows what it does there";
        Err(Failure::from(OtherClusters).with_hint(hint))
    }

    /// Whether the hub and the clusters on which the addon is switched are there, how they are reached, and the
    /// addresses of the repositories.
    #[must_use]
    pub fn found(&self, env: &Arc<Env>) -> Tree {
        let finds = self.needed().map(|cluster| provider::locate(&self.site, cluster, env, &Said::default()));
        seq![survey(provider::repositories(&self.site, env)), Tree::Par(finds.collect())]
    }

    /// How these clusters are reached, and the addresses of the repositories.
    fn reached(&self, env: &Arc<Env>) -> Tree {
        let serves = self.needed().map(|cluster| provider::of(&self.site, cluster, env).provision());
        survey(seq![provider::repositories(&self.site, env), Tree::Par(serves.collect())])
    }

    fn needed(&self) -> impl Iterator<Item = &Cluster> {
        let is_needed =
            |cluster: &&Cluster| cluster.name == self.site.hub.name || self.clusters.contains(&cluster.name);
        self.site.clusters().filter(is_needed)
    }

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
        let reached = self.reached(env);
        let Self { site, clusters, addon, profile, .. } = self;
        seq![
            profile,
            reached,
            switch(&site, env, &addon, &clusters),
            // The profile may be part of a repository that this machine serves.
            provider::repositories(&site, env),
            refresh(&site, env),
            proof,
        ]
    }

    /// Switches the addon off and leaves its objects running. The profile comes after the label: a run that was
    /// stopped before it has changed nothing that `up` does not take back.
    #[must_use]
    pub fn keep(self, env: &Arc<Env>) -> Tree {
        let reached = self.reached(env);
        let Self { site, clusters, addon, profile, .. } = self;
        seq![
            reached,
            release(&site, env, &addon, &clusters),
            switch(&site, env, &addon, &clusters),
            profile,
            kept(&site, env, &addon, &clusters),
            provider::repositories(&site, env),
            refresh(&site, env),
        ]
    }
}

/// Whether every cluster is there, and how it is reached.
#[must_use]
pub fn found(site: &Arc<Site>, env: &Arc<Env>) -> Tree {
    Tree::Par(site.clusters().map(|cluster| provider::locate(site, cluster, env, &Said::default())).collect())
}
