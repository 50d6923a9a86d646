//! `check`: validates profiles.

use std::io::Write;

use clap::Args;

use super::error::CommandError;
use super::exit::Exit;
use super::{Global, environment};
use crate::report::Output;
use crate::site::load;
use crate::site::name::SiteName;

/// Validate profiles; every finding at once, nothing is asked of the world
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  bridgehead check             every site\n  bridgehead check home --output json"
)]
pub(super) struct Check {
    /// The sites [default: every folder under sites/]
    site: Vec<SiteName>,
}

impl Check {
    pub(super) fn run(self, global: &Global) -> Result<Exit, CommandError> {
        let env = environment::read(global)?;
        let misnamed = if self.site.is_empty() { load::misnamed(env.root.as_deref())? } else { Vec::new() };
        let sites = if self.site.is_empty() { load::names(env.root.as_deref())? } else { self.site };
        let mut exit = Exit::Done;
        for site in &sites {
            match load::load(env.root.as_deref(), site, &global.overrides.resolve()) {
                Ok(_) if global.output() == Output::Json => {}
                Ok(_) => {
                    let _ = writeln!(std::io::stdout().lock(), "{site}: valid");
                }
                Err(error) => {
                    CommandError::from(error).print(global.output());
                    exit = Exit::Usage;
                }
            }
        }
        for error in misnamed {
            CommandError::from(error).print(global.output());
            exit = Exit::Usage;
        }
        Ok(exit)
    }
}
