//! `plan`: what `up` would change.

use std::io::Write;

use clap::Args;

use super::Global;
use super::error::CommandError;
use super::exit::Exit;
use super::session::{Session, Show};
use crate::engine::event::RunResult;
use crate::engine::run::Mode;
use crate::flow;
use crate::report::Output;
use crate::site::name::{ClusterName, SiteName};

/// Show what `up` would change, compared with the live world; writes nothing
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  bridgehead plan local\n  bridgehead plan local --exit-code   for CI: exits 3 when anything would change\n  bridgehead plan local --output json\n  bridgehead plan local --steps       what `up` does, in its order"
)]
pub(super) struct Plan {
    /// The site: a folder under sites/
    site: SiteName,
    /// Only this cluster (repeatable)
    #[arg(long, value_name = "NAME")]
    cluster: Vec<ClusterName>,
    /// Exit 3 when anything would change
    #[arg(long)]
    exit_code: bool,
    /// Print the steps of `up` in their order instead: nothing is looked at
    #[arg(long, conflicts_with_all = ["cluster", "exit_code"])]
    steps: bool,
}

impl Plan {
    pub(super) fn run(self, global: &Global) -> Result<Exit, CommandError> {
        if self.steps {
            return steps(global, &self.site);
        }
        Session::run(global, &self.site.clone(), Show::Events, async |session| {
            let selection = session.select(&self.cluster)?;
            let tree = flow::up::tree(&session.site, &session.env);
            let report = session.walk(Mode::Plan, selection, &tree).await;
            let exit = session.finish(&report);
            if session.output != Output::Json {
                let _ = write!(std::io::stdout().lock(), "{}", session.plan(&report));
            }
            let changes = self.exit_code && report.result == RunResult::Planned && !report.is_unchanged();
            Ok(if changes { Exit::Changes } else { exit })
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
