//! `--prune`: what left the profile goes.

use std::collections::BTreeMap;
use std::sync::Arc;

use clap::Args;

use super::addon::what_goes;
use super::down::Unreached;
use super::error::CommandError;
use super::session::Session;
use crate::engine::Tree;
use crate::engine::run::{Mode, Report};
use crate::flow;
use crate::flow::departed::{Departed, Removals};
use crate::report;
use crate::site::Site;
use crate::site::name::AddonName;

/// What becomes of what left the profile.
#[derive(Debug, Args)]
pub(super) struct Pruning {
    /// Also take away what left the profile, as `down --cluster` would: clusters, agents, Secrets, repositories, addons
    #[arg(long, conflicts_with = "cluster")]
    prune: bool,
    #[command(flatten)]
    unreached: Unreached,
}

/// What is to be done for a site, with or without what left its profile.
pub(super) struct Work {
    /// `up`, and what goes before it.
    pub(super) tree: Tree,
    /// The site with the clusters that go.
    pub(super) all: Arc<Site>,
    /// What goes; nothing unless that was asked for.
    departed: Departed,
    /// What goes of addons that are on.
    removals: BTreeMap<AddonName, Removals>,
}

impl Pruning {
    /// What `up` does; with `--prune`, after a look at what left the profile.
    pub(super) async fn work(&self, session: &Session) -> Result<Work, CommandError> {
        let Session { site, env, .. } = session;
        if !self.prune {
            if self.unreached.says_something() {
                return Err(CommandError::OnlyWithPrune);
            }
            let tree = flow::up::tree(site, env);
            let all = Arc::clone(site);
            return Ok(Work { tree, all, departed: Departed::default(), removals: BTreeMap::new() });
        }
        if site.protect {
            return Err(CommandError::Protected(site.name.clone()));
        }
        let facts = session.look(&flow::departed::reached(site, env)).await.facts;
        let departed = flow::departed::look(site, env, &facts).await?;
        let all = flow::departed::with_departed(site, env, &facts, &departed).await?;
        let request = self.unreached.request(&all, &[])?;
        let mut removals = BTreeMap::new();
        for (addon, clusters) in departed.addons() {
            let of_addon = flow::addon::removals(site, env, &facts, addon, clusters).await?;
            removals.insert(addon.clone(), of_addon);
        }
        let tree = flow::departed::up_and_prune(site, &all, env, &departed, &request);
        Ok(Work { tree, all, departed, removals })
    }

    /// Has every cluster that is given up confirmed by its name.
    pub(super) fn are_confirmed(&self) -> Result<bool, CommandError> {
        self.unreached.are_confirmed()
    }
}

impl Work {
    /// Says what goes of addons, which no plan can say before their labels are gone.
    pub(super) fn say_what_goes(&self) {
        for (addon, removals) in &self.removals {
            report::say(&what_goes(addon, removals));
        }
    }

    /// Whether something is done after the tree.
    pub(super) fn has_more(&self) -> bool {
        self.departed.has_entries()
    }

    /// What comes after the tree, once that is done.
    pub(super) async fn rest(&self, session: &Session, report: Report) -> Report {
        if !self.has_more() || !report.is_converged() {
            return report;
        }
        let Session { site, env, .. } = session;
        let tree = flow::departed::prune_entries(site, env, &self.departed, &self.removals);
        report.then(session.walk(Mode::Apply, None, &tree).await)
    }
}
