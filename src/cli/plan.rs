//! `plan`: what `up` would change.

use std::io::Write;

use clap::Args;

use super::Global;
use super::clusters::Clusters;
use super::environment::SITE;
use super::error::CommandError;
use super::exit::Exit;
use super::prune::Pruning;
use super::session::{Session, Show};
use crate::engine::event::RunResult;
use crate::flow;
use crate::flow::departed::Departed;
use crate::report::Output;
use crate::site::name::SiteName;

/// Show what `up` would change, compared with the live world; writes nothing
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  bridgehead plan local\n  bridgehead plan local --exit-code   for CI: exits 3 when anything would change\n  bridgehead plan local --output json\n  bridgehead plan local --steps       what `up` does, in its order"
)]
pub(super) struct Plan {
    /// The site: a folder under sites/
    #[arg(env = SITE, hide_env_values = true)]
    site: SiteName,
    #[command(flatten)]
    clusters: Clusters,
    #[command(flatten)]
    pruning: Pruning,
    /// Exit 3 when anything would change, or left the profile and is still there
    #[arg(long)]
    exit_code: bool,
    /// Print the steps of `up` in their order instead: nothing is looked at
    #[arg(long, conflicts_with_all = ["Clusters", "exit_code", "prune", "Unreached"])]
    steps: bool,
}

impl Plan {
    pub(super) fn run(self, global: &Global) -> Result<Exit, CommandError> {
        if self.steps {
            return steps(global, &self.site);
        }
        Session::run(global, &self.site.clone(), Show::Events, async |session| {
            let selection = self.clusters.of(&session.site)?;
            let is_whole = selection.is_none();
            let work = self.pruning.work(&session).await?;
            let report = work.plan(&session, selection, true).await;
            let departed = if is_whole {
                flow::departed::look(&session.site, &session.env, &report.facts).await
            } else {
                Departed::default()
            };
            session.tell_departed(&departed);
            let exit = session.finish(&report);
            if session.output != Output::Json {
                let _ = write!(std::io::stdout().lock(), "{}", session.plan(&report, &departed));
                work.say_what_goes();
            }
            let differs = !report.is_unchanged() || !departed.is_empty();
            let changes = self.exit_code && report.result == RunResult::Planned && differs;
            Ok(match (changes, departed.unseen().is_empty()) {
                (true, _) => Exit::Changes,
                (false, false) if self.exit_code => Exit::Failed,
                (false, _) => exit,
            })
        })
    }
}

fn steps(global: &Global, site: &SiteName) -> Result<Exit, CommandError> {
    Session::run(global, site, Show::Nothing, async |session| {
        let tree = flow::up::tree(&session.site, &session.env);
        let _ = write!(std::io::stdout().lock(), "{}", tree.outline());
        Ok(Exit::Done)
    })
}
