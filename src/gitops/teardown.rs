//! The part of `down` that Argo CD does: what it deployed goes while it still works and still reaches the clusters.
//!
//! The generator is paused first, so that nothing comes back. Then Applications are deleted with everything that
//! they deployed, the sets that made them last; then Secrets. Each step asks the live world what is left, so a run
//! that was killed is simply run again. What is already gone with its cluster is done.

mod applications;
mod installation;
mod others;
mod ours;
mod rank;
mod secret;
mod sets;

use std::collections::BTreeSet;
use std::sync::Arc;

use applications::Applications;
use installation::Uninstalled;
pub use others::Going;
use others::Others;
pub(super) use ours::Known;
use ours::{Ours, Roots};
use rank::Rank;
use secret::Unregistered;
use sets::Sets;

use super::Scope;
use super::fleet::Fleet;
use super::pause::{paused, resumed};
use crate::engine::Tree;
use crate::engine::tree::{finally, rescue};
use crate::env::Env;
use crate::seq;
use crate::site::Site;
use crate::site::name::ClusterName;

/// Takes away everything that the site's ApplicationSets made, the sets, and the cluster Secrets.
///
/// The generator goes on only if that fails: otherwise the hub is about to go.
#[must_use]
pub fn site(site: &Arc<Site>, env: &Arc<Env>, with_others: bool) -> Tree {
    let scope = Scope::new(site, env);
    let ours = scope.clone();
    let is_needed = move |fleet: &Fleet| {
        let site = &ours.site;
        !Ours::of(site, fleet, &Roots::All).is_empty()
            || is_registered(fleet, site.clusters().map(|cluster| &cluster.name))
    };
    let gone = seq![
        paused(&scope, is_needed),
        each(site.spokes.iter().map(|spoke| of_spoke(&scope, &spoke.name, &Roots::All, with_others))),
        Applications::of_hub(&scope, Rank::First, with_others),
        Applications::of_hub(&scope, Rank::Last, with_others),
        Applications::roots(&scope),
        Sets { scope: scope.clone(), roots: Roots::All },
        each(site.clusters().map(|cluster| Unregistered::new(&scope, &cluster.name))),
    ];
    rescue(gone, resumed(site, env).into())
}

/// Makes sure that nobody else uses what goes, before anything of it is taken away.
#[must_use]
pub fn unused(site: &Arc<Site>, env: &Arc<Env>, going: Going) -> Tree {
    Others { scope: Scope::new(site, env), going, name: "gitops/others" }.into()
}

/// Takes Argo CD itself, and whatever else carries the site's mark, away from a hub that stays.
#[must_use]
pub fn argocd(site: &Arc<Site>, env: &Arc<Env>, with_others: bool) -> Tree {
    let scope = Scope::new(site, env);
    // What others have made since they were first asked about would go with the definitions.
    let others = Others { scope: scope.clone(), going: Going::Site, name: "argocd/others" };
    let still_unused = if with_others { seq![] } else { seq![others] };
    seq![Uninstalled::release(&scope), still_unused, Uninstalled::foundation(&scope)]
}

/// Takes away everything that is deployed to some spokes, and their Secrets. Everything else goes on.
///
/// `between` is what has to be done about a spoke as long as its Secret is there, by which it is found again.
#[must_use]
pub fn spokes(
    site: &Arc<Site>,
    env: &Arc<Env>,
    spokes: &[ClusterName],
    with_others: bool,
    between: impl Fn(&ClusterName) -> Tree,
) -> Tree {
    let scope = Scope::new(site, env);
    let going = spokes.to_vec();
    let gone = seq![
        paused(&scope, move |fleet| is_registered(fleet, &going)),
        each(spokes.iter().map(|spoke| {
            seq![
                of_spoke(&scope, spoke, &Roots::All, with_others),
                between(spoke),
                Unregistered::new(&scope, spoke),
            ]
        })),
    ];
    finally(gone, resumed(site, env).into())
}

/// Takes some of the site's sets away with everything that follows from them. Everything else goes on.
#[must_use]
pub fn sets(site: &Arc<Site>, env: &Arc<Env>, names: &BTreeSet<String>) -> Tree {
    let scope = Scope::new(site, env);
    let roots = Roots::Sets(names.clone());
    let (followed, ours) = (roots.clone(), scope.clone());
    let gone = seq![
        paused(&scope, move |fleet| !Ours::of(&ours.site, fleet, &followed).is_empty()),
        each(site.spokes.iter().map(|spoke| of_spoke(&scope, &spoke.name, &roots, false))),
        Applications::of_hub(&scope, Rank::First, false).only(&roots),
        Applications::of_hub(&scope, Rank::Last, false).only(&roots),
        Applications::roots(&scope).only(&roots),
        Sets { scope: scope.clone(), roots },
    ];
    finally(gone, resumed(site, env).into())
}

/// Takes the Applications of a spoke away: those that others may need go last.
fn of_spoke(scope: &Scope, spoke: &ClusterName, roots: &Roots, with_others: bool) -> Tree {
    let of_rank = |rank| Applications::of_spoke(scope, spoke, rank, with_others).only(roots);
    seq![of_rank(Rank::First), of_rank(Rank::Last)]
}

fn is_registered<'a>(fleet: &Fleet, clusters: impl IntoIterator<Item = &'a ClusterName>) -> bool {
    clusters.into_iter().any(|cluster| fleet.registered(cluster).is_some())
}

fn each<T: Into<Tree>>(parts: impl Iterator<Item = T>) -> Tree {
    Tree::Par(parts.map(Into::into).collect())
}
