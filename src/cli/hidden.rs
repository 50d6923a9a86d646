//! Commands that bridgehead re-executes itself with. Not for people.

use std::ffi::OsString;
use std::io::Write;
use std::path::{Path, PathBuf};

use clap::Args;

use super::error::CommandError;
use super::exit::Exit;
use crate::engine::Failure;
use crate::node::process;
use crate::provider::local::supervisor;
use crate::ssh::password;

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
    #[arg(last = true)]
    arguments: Vec<String>,
}

impl Exec {
    pub(super) fn run(self) -> Result<Exit, CommandError> {
        let error = process::exec(self.parent, &self.name, &self.program, &self.arguments);
        Err(Failure::from(error).into())
    }
}

/// Answers when `ssh` asks for a password.
#[derive(Debug, Args)]
pub(super) struct Askpass {
    program: PathBuf,
    #[arg(allow_hyphen_values = true)]
    question: String,
}

impl Askpass {
    pub(super) fn run(self) -> Result<Exit, CommandError> {
        let Some(password) = password::ask(&self.program, &self.question).map_err(Failure::from)? else {
            return Ok(Exit::Failed);
        };
        writeln!(std::io::stdout().lock(), "{}", password.expose()).map_err(Failure::from)?;
        Ok(Exit::Done)
    }
}

/// The arguments of this process. `ssh` can give its question only, so the name that bridgehead is started by is the
/// command there.
pub(super) fn arguments() -> Vec<OsString> {
    let mut arguments: Vec<_> = std::env::args_os().collect();
    let program = arguments.first().cloned().unwrap_or_default();
    if Path::new(&program).file_name().is_some_and(|name| name == password::PROGRAM) {
        arguments.splice(1..1, [password::PROGRAM.into(), program]);
    }
    arguments
}
