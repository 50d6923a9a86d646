//! `--prune`: what is no longer in the profile goes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use clap::Args;

use super::addon::what_goes;
use super::confirm;
use super::down::Unreached;
use super::error::CommandError;
use super::session::Session;
use crate::engine::run::{Mode, Plan, Report};
use crate::engine::{Failure, StepId, Tree};
use crate::flow;
use crate::flow::departed::{Departed, Removals};
use crate::report;
use crate::site::name::{AddonName, ClusterName};
use crate::site::{Site, load};

/// The clusters that a run is for; `None`: all.
type Selection = Option<BTreeSet<ClusterName>>;

/// What becomes of what is no longer in the profile.
#[derive(Debug, Args)]
pub(super) struct Pruning {
    /// Also remove what is no longer in the profile, as carefully as `down`: clusters, agents, Secrets, repositories, addons
    #[arg(long, conflicts_with = "Clusters")]
    prune: bool,
    #[command(flatten)]
    unreached: Unreached,
}

/// What is to be done for a site, with or without what left its profile.
pub(super) struct Work {
    /// `up`, and what goes before it.
    tree: Tree,
    /// The site with the clusters that go.
    all: Arc<Site>,
    /// What goes; nothing unless that was asked for.
    departed: Departed,
    /// What goes of addons.
    removals: BTreeMap<AddonName, Removals>,
    /// The addons that cannot go now, and why.
    left: BTreeMap<AddonName, Failure>,
}

impl Pruning {
    /// What `up` does; with `--prune`, after a look at what left the profile.
    pub(super) async fn work(&self, session: &Session) -> Result<Work, CommandError> {
        let Session { site, env, .. } = session;
        if !self.prune {
            if self.unreached.says_something() {
                return Err(CommandError::OnlyWithPrune);
            }
            let (tree, all) = (flow::up::tree(site, env), Arc::clone(site));
            return Ok(Work {
                tree,
                all,
                departed: Departed::default(),
                removals: BTreeMap::new(),
                left: BTreeMap::new(),
            });
        }
        let facts = session.look(&flow::addon::found(site, env)).await.facts;
        let (mut departed, all) = flow::departed::search(site, env, &facts).await?;
        let request = self.unreached.request(&all, None)?;
        let (mut removals, mut left) = (BTreeMap::new(), BTreeMap::new());
        for (addon, clusters) in departed.addons() {
            match flow::addon::removals(site, env, &facts, addon, clusters).await {
                Ok(of_addon) => drop(removals.insert(addon.clone(), of_addon)),
                Err(failure) => drop(left.insert(addon.clone(), failure)),
            }
        }
        departed.leave_addons(|addon| left.contains_key(addon));
        let tree = flow::departed::up_and_prune(site, &all, env, &departed, &request);
        Ok(Work { tree, all, departed, removals, left })
    }

    /// Whether what is no longer in the profile is to go.
    pub(super) fn is_asked_for(&self) -> bool {
        self.prune
    }

    /// Whether a person would be asked about what this leaves behind, whatever the site is.
    pub(super) fn leaves_something(&self) -> bool {
        self.unreached.leaves_something()
    }

    /// Asks whether to go on: by the site's name where clusters go, and by that of every cluster that is given up.
    pub(super) fn is_confirmed(&self, work: &Work) -> Result<bool, CommandError> {
        if !self.unreached.are_confirmed()? {
            return Ok(false);
        }
        if !work.departed.has_clusters() {
            return confirm::ask("Go on? Type yes:", "yes");
        }
        let name = work.all.name.as_str();
        confirm::ask(&format!("Clusters go. Type the site's name, {name}:"), name)
    }
}

impl Work {
    /// The site with the clusters that go.
    pub(super) fn site(&self) -> &Site {
        &self.all
    }

    /// Makes sure that the profile still is the one by which was decided what goes.
    pub(super) fn is_still_so(&self, session: &Session) -> Result<(), CommandError> {
        let Session { site, env, .. } = session;
        let now = load::load(env.root.as_deref(), &site.name, &site.overrides)?;
        if self.prunes() && now != **site { Err(CommandError::OtherProfile) } else { Ok(()) }
    }

    /// Whether something goes.
    pub(super) fn prunes(&self) -> bool {
        !self.departed.is_empty()
    }

    /// What comes once the tree is done: what cluster Secrets say of addons and repositories.
    fn rest(&self, session: &Session) -> Option<Tree> {
        let Session { site, env, .. } = session;
        let tree = || flow::departed::prune_entries(site, env, &self.departed, &self.removals);
        self.departed.has_entries().then(tree)
    }

    /// Says what goes of addons, which no plan can say before their labels are off.
    pub(super) fn say_what_goes(&self) {
        for (addon, removals) in &self.removals {
            report::say(&what_goes(addon, removals));
        }
    }

    /// Looks at what would be done, showing the events or not.
    pub(super) async fn plan(&self, session: &Session, selection: Selection, shows: bool) -> Report {
        let look = async |selection, tree: &Tree| {
            if shows {
                session.walk(Mode::Plan, selection, tree).await
            } else {
                session.preview(selection, tree).await
            }
        };
        let report = look(selection, &self.tree).await;
        match self.rest(session) {
            Some(rest) => report.then(look(None, &rest).await),
            None => report,
        }
    }

    /// Carries out what was confirmed. What goes of addons is held to what was shown of them by its own steps.
    pub(super) async fn carry_out(
        &self,
        session: &Session,
        selection: Selection,
        confirmed: Option<Plan>,
    ) -> Report {
        let mut report = session.carry_out(selection, &self.tree, confirmed).await;
        if let (Some(rest), true) = (self.rest(session), report.is_converged()) {
            report = report.then(session.walk(Mode::Apply, None, &rest).await);
        }
        let said = |report: Report, (addon, failure): (&AddonName, &Failure)| {
            report.with_failure(StepId::site(&format!("departed/addons/{addon}")), failure)
        };
        self.left.iter().fold(report, said)
    }
}
