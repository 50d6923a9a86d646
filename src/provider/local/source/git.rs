//! Runs `git`: the person's own where it is about their work tree, and one that no setting reaches where it is
//! about repositories of ours.

use std::ffi::{OsStr, OsString};
use std::io;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::process::Command;

use crate::engine::Failure;

/// `git` did not do what it was asked for.
#[derive(Debug, thiserror::Error)]
pub(super) enum GitError {
    /// There is no `git`.
    #[error("cannot run `git {command}`: there is no `git` on this machine")]
    Absent {
        /// What it was asked for.
        command: String,
    },
    /// It could not be started or talked to.
    #[error("cannot run `git {command}`")]
    Run {
        /// What it was asked for.
        command: String,
        /// What the system said.
        source: io::Error,
    },
    /// It does not end.
    #[error("`git {command}` has not ended within {} s", PATIENCE.as_secs())]
    Hangs {
        /// What it was asked for.
        command: String,
    },
    /// It failed.
    #[error("`git {command}` ended with {status}: {said}")]
    Failed {
        /// What it was asked for.
        command: String,
        /// How it ended.
        status: ExitStatus,
        /// What it said.
        said: String,
    },
}

impl GitError {
    /// Adds what to do about it.
    pub(super) fn into_failure(self) -> Failure {
        let hint = match self {
            Self::Absent { .. } => Some("install git"),
            Self::Hangs { .. } => Some("does the folder, or a program of git's configuration, answer?"),
            Self::Run { .. } | Self::Failed { .. } => None,
        };
        let failure = Failure::from(self);
        match hint {
            Some(hint) => failure.with_hint(hint),
            None => failure,
        }
    }
}

/// How long one call may take: the largest repositories are read within seconds, but a folder may be of a network.
const PATIENCE: Duration = Duration::from_mins(5);

/// Variables with which a surrounding `git` (a hook, an alias) points its children at its own repository;
/// `git rev-parse --local-env-vars` lists them.
const OF_OTHERS: &[&str] = &[
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_COMMON_DIR",
    "GIT_CONFIG",
    "GIT_CONFIG_COUNT",
    "GIT_CONFIG_PARAMETERS",
    "GIT_DIR",
    "GIT_GRAFT_FILE",
    "GIT_IMPLICIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_INTERNAL_SUPER_PREFIX",
    "GIT_NO_REPLACE_OBJECTS",
    "GIT_OBJECT_DIRECTORY",
    "GIT_PREFIX",
    "GIT_REPLACE_REF_BASE",
    "GIT_SHALLOW_FILE",
    "GIT_WORK_TREE",
];

/// One call of `git`.
pub(super) struct Git {
    command: Command,
    name: String,
}

impl Git {
    /// A call as the person would make it in a folder, with their settings: what they ignore is ignored.
    pub(super) fn of_the_person(folder: &Path, command: &str) -> Self {
        let mut git = Command::new("git");
        git.arg(command).current_dir(folder).env("LC_ALL", "C").env("GIT_OPTIONAL_LOCKS", "0");
        for variable in OF_OTHERS {
            git.env_remove(variable);
        }
        Self { command: git, name: command.to_owned() }
    }

    /// A call about a repository of ours, in a folder. No setting of the person or the machine changes it.
    pub(super) fn of_ours(repository: &Path, folder: &Path, command: &str) -> Self {
        let who = ["GIT_AUTHOR_NAME", "GIT_COMMITTER_NAME"].map(|name| (name, "bridgehead"));
        let address = ["GIT_AUTHOR_EMAIL", "GIT_COMMITTER_EMAIL"].map(|name| (name, "bridgehead@localhost"));
        // One content is one commit, whenever it is made.
        let date = ["GIT_AUTHOR_DATE", "GIT_COMMITTER_DATE"].map(|name| (name, "@0 +0000"));
        let mut git = Self::of_the_person(folder, command);
        git.command
            .env("GIT_DIR", repository)
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_TEMPLATE_DIR", "")
            .env_remove("GIT_DEFAULT_HASH")
            // What git makes is for nobody else to read either, whatever the person's umask is.
            .env("GIT_CONFIG_COUNT", "1")
            .env("GIT_CONFIG_KEY_0", "core.sharedRepository")
            .env("GIT_CONFIG_VALUE_0", "0600")
            .envs(who.into_iter().chain(address).chain(date));
        git
    }

    /// Adds arguments.
    pub(super) fn args<A: AsRef<OsStr>>(mut self, arguments: impl IntoIterator<Item = A>) -> Self {
        self.command.args(arguments);
        self
    }

    /// Sets a variable of its environment.
    pub(super) fn env(mut self, name: &str, value: impl Into<OsString>) -> Self {
        self.command.env(name, value.into());
        self
    }

    /// Runs it with `input`; its output.
    pub(super) async fn run(self, input: &[u8]) -> Result<Vec<u8>, GitError> {
        let command = self.name.clone();
        let (status, output, said) = self.end(input).await?;
        if status.success() { Ok(output) } else { Err(GitError::Failed { command, status, said }) }
    }

    /// Runs it; its output, or `None` when it says by its exit status that there is nothing.
    pub(super) async fn ask(self) -> Result<Option<Vec<u8>>, GitError> {
        let (status, output, _) = self.end(&[]).await?;
        Ok(status.success().then_some(output))
    }

    async fn end(mut self, input: &[u8]) -> Result<(ExitStatus, Vec<u8>, String), GitError> {
        let command = self.name;
        self.command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        let mut child = self.command.spawn().map_err(|source| match source.kind() {
            io::ErrorKind::NotFound => GitError::Absent { command: command.clone() },
            _ => GitError::Run { command: command.clone(), source },
        })?;
        let stdin = child.stdin.take();
        // It answers while it reads: whoever only writes first may wait for ever.
        let write = async {
            match stdin {
                Some(mut stdin) => stdin.write_all(input).await,
                None => Ok(()),
            }
        };
        let ends = async { tokio::join!(write, child.wait_with_output()) };
        let Ok((written, output)) = tokio::time::timeout(PATIENCE, ends).await else {
            return Err(GitError::Hangs { command });
        };
        let output = output.map_err(|source| GitError::Run { command: command.clone(), source })?;
        // What it failed at matters more than that it stopped reading.
        if let (Err(source), true) = (written, output.status.success()) {
            return Err(GitError::Run { command, source });
        }
        let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        Ok((output.status, output.stdout, said))
    }
}
