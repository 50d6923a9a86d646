//! `down`: takes the site away.

use std::collections::BTreeSet;
use std::io::Write;

use clap::Args;

use super::clusters::{Clusters, all_known};
use super::environment::SITE;
use super::error::CommandError;
use super::exit::Exit;
use super::session::{Session, Show};
use super::{Global, confirm};
use crate::engine::Tree;
use crate::engine::event::RunResult;
use crate::engine::run::{Mode, Plan};
use crate::flow;
use crate::flow::departed::Departed;
use crate::flow::down::{Request, Said};
use crate::report;
use crate::site::Site;
use crate::site::name::{ClusterName, SiteName};

/// Take the site away in the safe order, and prove that nothing is left
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  bridgehead down local
  bridgehead down local --cluster dev   only this spoke; the others go on
  bridgehead down home --lost gpu       gpu is gone for good: do not wait for it to answer")]
pub(super) struct Down {
    /// The site: a folder under sites/
    #[arg(env = SITE, hide_env_values = true)]
    site: SiteName,
    #[command(flatten)]
    clusters: Clusters,
    #[command(flatten)]
    unreached: Unreached,
    /// Do not ask
    #[arg(long)]
    yes: bool,
    /// Print the steps in their order instead: nothing is looked at
    #[arg(long)]
    steps: bool,
}

/// What is to become of clusters that this machine cannot reach, and of what is somebody else's.
#[derive(Debug, Args)]
pub(super) struct Unreached {
    /// This cluster is gone for good: go on without it, and leave what was deployed to it where it is (repeatable)
    #[arg(long, value_name = "NAME")]
    lost: Vec<ClusterName>,
    /// The hub's Argo CD still reaches this spoke: have it take away what it deployed there (repeatable)
    #[arg(long, value_name = "NAME")]
    through_argocd: Vec<ClusterName>,
    /// Also take away what others made with the Argo CD or the registrations that go, with everything it deployed
    #[arg(long)]
    with_others: bool,
}

impl Unreached {
    /// What is to be taken down, of clusters that the site has; without `spokes`: all of the site.
    pub(super) fn request(
        &self,
        site: &Site,
        spokes: Option<BTreeSet<ClusterName>>,
    ) -> Result<Request, CommandError> {
        for names in [&self.lost, &self.through_argocd] {
            all_known(site, names)?;
        }
        Ok(Request {
            spokes,
            said: Said::new(&self.lost, &self.through_argocd),
            with_others: self.with_others,
        })
    }

    /// Whether anything is said.
    pub(super) fn says_something(&self) -> bool {
        self.leaves_something() || self.with_others
    }

    /// Whether something would be left behind.
    pub(super) fn leaves_something(&self) -> bool {
        !self.lost.is_empty() || !self.through_argocd.is_empty()
    }

    /// Has every cluster that is given up confirmed by its name.
    pub(super) fn are_confirmed(&self) -> Result<bool, CommandError> {
        for name in &self.lost {
            let question =
                format!("What was deployed to {name} stays there. Type its name, {name}, if it is lost:");
            if !confirm::ask(&question, name.as_str())? {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// Makes sure of what has to be so before anything is taken away, then shows what would be done. Without a complete
/// plan there is nothing to confirm: then how the command ends.
pub(super) async fn show(session: &Session, checks: &Tree, tree: &Tree) -> Result<Plan, Exit> {
    let checked = session.walk(Mode::Apply, None, checks).await;
    if checked.result != RunResult::Converged {
        return Err(session.conclude(&checked));
    }
    let look = session.look(tree).await;
    report::say(&session.plan(&look, &Departed::default()));
    look.plan().ok_or_else(|| session.conclude(&look))
}

impl Down {
    pub(super) fn run(self, global: &Global) -> Result<Exit, CommandError> {
        Session::run(global, &self.site.clone(), Show::Events, async |session| {
            let site = &session.site;
            if site.protect && !self.steps {
                return Err(CommandError::Protected(site.name.clone()));
            }
            let request = self.unreached.request(site, self.clusters.of(site)?)?;
            let tree = flow::down::tree(site, &session.env, &request)?;
            if self.steps {
                let _ = write!(std::io::stdout().lock(), "{}", tree.outline());
                return Ok(Exit::Done);
            }
            let lock = session.lock()?;
            let mut confirmed = None;
            let is_asked = !flow::is_disposable(site) || self.unreached.leaves_something();
            if !self.yes && is_asked {
                confirm::somebody()?;
                match show(&session, &flow::down::checks(site, &session.env, &request), &tree).await {
                    Ok(plan) => confirmed = Some(plan),
                    Err(exit) => return Ok(exit),
                }
                let name = site.name.as_str();
                let question = format!("All of this goes. Type the site's name, {name}:");
                if !(self.unreached.are_confirmed()? && confirm::ask(&question, name)?) {
                    return Ok(session.finish_as(RunResult::Declined, 0, None));
                }
            }
            let report = session.carry_out(None, &tree, confirmed).await;
            if report.result == RunResult::Converged && request.spokes.is_none() {
                lock.discard();
            }
            Ok(session.conclude(&report))
        })
    }
}
