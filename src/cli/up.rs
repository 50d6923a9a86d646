//! `up`: converges.

use std::io::Write;

use clap::Args;

use super::clusters::Clusters;
use super::environment::SITE;
use super::error::CommandError;
use super::exit::Exit;
use super::prune::Pruning;
use super::session::{Session, Show};
use super::{Global, confirm, review};
use crate::engine::event::RunResult;
use crate::flow;
use crate::flow::departed::Departed;
use crate::flow::summary::Summary;
use crate::report::{self, Output};
use crate::site::name::SiteName;

/// Bring the site up, or bring it back to what its profile says
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  bridgehead up local\n  bridgehead up local --cluster dev              only this cluster may change\n  bridgehead up home --label environment=dev      only the clusters of that environment\n  bridgehead up home --expect ec28f0d895e1 --yes  only if the plan is still the reviewed one\n  bridgehead up home --prune                     also remove what is no longer in the profile"
)]
pub(super) struct Up {
    /// The site: a folder under sites/
    #[arg(env = SITE, hide_env_values = true)]
    site: SiteName,
    #[command(flatten)]
    clusters: Clusters,
    #[command(flatten)]
    pruning: Pruning,
    /// Do not ask
    #[arg(long)]
    yes: bool,
    /// Go on only if the plan still has this digest
    #[arg(long, value_name = "DIGEST")]
    expect: Option<String>,
}

impl Up {
    pub(super) fn run(self, global: &Global) -> Result<Exit, CommandError> {
        Session::run(global, &self.site.clone(), Show::Events, async |session| {
            let selection = self.clusters.of(&session.site)?;
            let lock = session.lock()?;
            if self.pruning.is_asked_for() && session.site.protect {
                return Err(CommandError::Protected(session.site.name.clone()));
            }
            let work = self.pruning.work(&session).await?;
            let is_asked = !flow::is_disposable(work.site()) || self.pruning.leaves_something();
            let asks = !self.yes && is_asked;
            if asks {
                confirm::somebody()?;
            }
            work.say_what_goes();
            let mut confirmed = None;
            if asks || self.expect.is_some() {
                let preview = work.plan(&session, selection.clone(), false).await;
                let plan = preview.plan();
                if let Some(expected) = &self.expect {
                    let plan = plan.as_ref().ok_or(CommandError::NoPlan)?;
                    review::expect(&session.env, &session.site.name, plan, expected)?;
                }
                if asks && !preview.is_unchanged() {
                    report::say(&session.plan(&preview, &Departed::default()));
                    if plan.is_none() && work.prunes() {
                        return Ok(session.conclude(&preview));
                    }
                    if !self.pruning.is_confirmed(&work)? {
                        return Ok(session.finish_as(RunResult::Declined, 0, None));
                    }
                    work.is_still_so(&session)?;
                }
                confirmed = plan;
            }
            let is_whole = selection.is_none();
            let report = work.carry_out(&session, selection, confirmed).await;
            let departed = if is_whole && report.is_converged() {
                flow::departed::look(&session.site, &session.env, &report.facts).await
            } else {
                Departed::default()
            };
            session.tell_departed(&departed);
            drop(lock);
            if session.output == Output::Json {
                for (name, missing) in flow::secret::missing(&session.site, &session.env) {
                    let message = format!("left as it is: {name}, without {}", missing.join(", "));
                    session.remark("gitops/secrets", message);
                }
            }
            let exit = session.conclude(&report);
            if report.result == RunResult::Converged && session.output != Output::Json {
                let (left, unseen) = (departed.lines(), departed.unseen().to_vec());
                let summary = Summary::of(&session.site, &session.env, &report, departed).await;
                let _ = write!(std::io::stdout().lock(), "{summary}");
                report::say_departed(&left, &unseen);
            }
            Ok(exit)
        })
    }
}
