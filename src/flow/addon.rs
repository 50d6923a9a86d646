//! Switching an addon: the profile first, then the label, then what Argo CD makes of it.

mod profile;

use std::sync::Arc;

use crate::engine::Failure;
use crate::env::Env;
use crate::files;
use crate::site::edit::set_addon;
use crate::site::name::{AddonName, ClusterName};
use crate::site::{Site, load};
use profile::Profile;

/// The site as its profile will say it, and the step that makes the profile say so.
pub struct Edited {
    /// The site with the addon switched.
    pub site: Arc<Site>,
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
    let edited = load::from_text(Some(&path), &site.name, &text)?;
    let site = Arc::new(Site { profile: Some(path.clone()), ..edited });
    Ok(Edited { site, profile: Profile { path, text, addon: addon.clone(), on } })
}
