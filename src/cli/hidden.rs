//! Commands that bridgehead re-executes itself with. Not for people.

use std::path::PathBuf;

use clap::Args;

use super::error::CommandError;
use super::exit::Exit;
use crate::engine::step::Failure;
use crate::provider::local::{process, supervisor};

/// Keeps the processes of a `local` cluster running.
#[derive(Debug, Args)]
pub(super) struct Supervise {
    folder: PathBuf,
}

impl Supervise {
    pub(super) fn run(self) -> Result<Exit, CommandError> {
        supervisor::run(&self.folder).map_err(Failure::from)?;
        Ok(Exit::Done)
    }
}

/// Becomes a program that dies with its parent.
#[derive(Debug, Args)]
pub(super) struct Exec {
    parent: i32,
    name: String,
    program: PathBuf,
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<String>,
}

impl Exec {
    pub(super) fn run(self) -> Result<Exit, CommandError> {
        let error = process::exec(self.parent, &self.name, &self.program, &self.arguments);
        Err(Failure::from(error).into())
    }
}
