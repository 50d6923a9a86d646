//! `down`: takes the site away.

use clap::Args;

use super::error::CommandError;
use super::exit::Exit;
use super::session::{Session, Show};
use super::{Global, confirm};
use crate::engine::event::RunResult;
use crate::engine::run::Mode;
use crate::flow;
use crate::report;
use crate::site::name::{ClusterName, SiteName};

/// Take the site away in the safe order, and prove that nothing is left
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  bridgehead down local\n  bridgehead down local --cluster dev   only this spoke; the others go on"
)]
pub(super) struct Down {
    /// The site: a folder under sites/
    site: SiteName,
    /// Only take this spoke away (repeatable)
    #[arg(long, value_name = "NAME")]
    cluster: Vec<ClusterName>,
    /// Do not ask
    #[arg(long)]
    yes: bool,
}

impl Down {
    pub(super) fn run(self, global: &Global) -> Result<Exit, CommandError> {
        Session::run(global, &self.site.clone(), Show::Events, async |session| {
            let site = &session.site;
            if site.protect {
                return Err(CommandError::Protected(site.name.clone()));
            }
            let selection = session.select(&self.cluster)?;
            let tree = flow::down::tree(site, &session.env, selection.as_ref())?;
            let lock = session.lock()?;
            if !self.yes && !flow::is_disposable(site) {
                confirm::somebody()?;
                report::say(&session.plan(&session.look(&tree).await));
                let name = site.name.as_str();
                if !confirm::ask(&format!("All of this goes. Type the site's name, {name}:"), name)? {
                    return Ok(session.finish_as(RunResult::Declined, 0, None));
                }
            }
            let report = session.walk(Mode::Apply, None, &tree).await;
            if report.result == RunResult::Converged && selection.is_none() {
                lock.discard();
            }
            session.say_how_to_continue(&report, &format!("down {}", session.site.name));
            Ok(session.finish(&report))
        })
    }
}
