//! `up`: converges.

use std::io::Write;

use clap::Args;

use super::error::CommandError;
use super::exit::Exit;
use super::session::{Session, Show};
use super::{Global, confirm, review};
use crate::engine::event::RunResult;
use crate::flow;
use crate::flow::summary::Summary;
use crate::report::{self, Output};
use crate::site::name::{ClusterName, SiteName};

/// Bring the site up, or bring it back to what its profile says
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  bridgehead up local\n  bridgehead up local --cluster dev              only this cluster may change\n  bridgehead up home --expect ec28f0d895e1 --yes  only if the plan is still the reviewed one"
)]
pub(super) struct Up {
    /// The site: a folder under sites/
    site: SiteName,
    /// Only change this cluster (repeatable); the others are looked at
    #[arg(long, value_name = "NAME")]
    cluster: Vec<ClusterName>,
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
            let selection = session.select(&self.cluster)?;
            let lock = session.lock()?;
            let tree = flow::up::tree(&session.site, &session.env);
            let asks = !self.yes && !flow::is_disposable(&session.site);
            if asks {
                confirm::somebody()?;
            }
            let mut confirmed = None;
            if asks || self.expect.is_some() {
                let preview = session.preview(selection.clone(), &tree).await;
                let plan = preview.plan();
                if let Some(expected) = &self.expect {
                    let plan = plan.as_ref().ok_or(CommandError::NoPlan)?;
                    review::expect(&session.env, &session.site.name, plan, expected)?;
                }
                if asks && !preview.is_unchanged() {
                    report::say(&session.plan(&preview));
                    if !confirm::ask("Go on? Type yes:", "yes")? {
                        return Ok(session.finish_as(RunResult::Declined, 0, None));
                    }
                }
                confirmed = plan;
            }
            let report = session.carry_out(selection, &tree, confirmed).await;
            drop(lock);
            if session.output == Output::Json {
                for (name, missing) in flow::secret::missing(&session.site, &session.env) {
                    let message = format!("left as it is: {name}, without {}", missing.join(", "));
                    session.remark("gitops/secrets", message);
                }
            }
            let exit = session.conclude(&report);
            if report.result == RunResult::Converged && session.output != Output::Json {
                let summary = Summary::of(&session.site, &session.env, &report).await;
                let _ = write!(std::io::stdout().lock(), "{summary}");
            }
            Ok(exit)
        })
    }
}
