//! `components`: the binaries that `local` runs.

use std::io::Write;

use clap::{Args, Subcommand};

use super::error::CommandError;
use super::exit::Exit;
use super::session::{Session, Show};
use super::{Global, environment};
use crate::components::{self, Needed};
use crate::engine::Failure;
use crate::engine::run::Mode;
use crate::report::Output;
use crate::site::load;

/// Show the binaries that `local` runs: which, where from, version, checksum
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  bridgehead components\n  bridgehead components fetch\n  BRIDGEHEAD_COMPONENTS=/opt/bridgehead bridgehead up local   programs from a folder of yours"
)]
pub(super) struct Components {
    #[command(subcommand)]
    command: Option<Fetch>,
}

#[derive(Debug, Subcommand)]
enum Fetch {
    /// Get them now, so that a later `up` need not
    #[command(after_help = "Examples:
  bridgehead components fetch")]
    Fetch,
}

impl Components {
    pub(super) fn run(self, global: &Global) -> Result<Exit, CommandError> {
        match self.command {
            None => list(global),
            Some(Fetch::Fetch) => fetch(global),
        }
    }
}

fn list(global: &Global) -> Result<Exit, CommandError> {
    let env = environment::read(global)?;
    let rows = components::list(&env).map_err(Failure::from)?;
    let mut stdout = std::io::stdout().lock();
    if global.output() == Output::Json {
        let _ = writeln!(stdout, "{}", serde_json::to_string_pretty(&rows).unwrap_or_default());
        return Ok(Exit::Done);
    }
    for row in rows {
        let sha256 = row.sha256.as_deref().unwrap_or("not there yet");
        let _ = writeln!(
            stdout,
            "{:<24} {:<9} {}\n  {sha256}\n  {}",
            row.name,
            row.version,
            row.path.display(),
            row.reason
        );
    }
    Ok(Exit::Done)
}

fn fetch(global: &Global) -> Result<Exit, CommandError> {
    // Components belong to no site; the built-in one lends its name to the events.
    let site = load::DEFAULT_SITE.parse().map_err(Failure::from)?;
    Session::run(global, &site, Show::Events, async |session| {
        let report =
            session.walk(Mode::Apply, None, &components::step(&session.env, Needed::All).into()).await;
        Ok(session.conclude(&report))
    })
}
