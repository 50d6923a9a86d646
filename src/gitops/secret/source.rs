//! Where values come from: variables, files, what programs print.

use std::io;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use tokio::process::Command;

use crate::env::Env;
use crate::files::{self, FileError};
use crate::site::secret::{Secret, Source};

/// How long a program may take; it may ask a person for a passphrase.
const DEADLINE: Duration = Duration::from_mins(1);

/// A value cannot be had. No variant has what was read.
#[derive(Debug, thiserror::Error)]
pub(super) enum SourceError {
    /// A variable is not set.
    #[error("the variable {0} is not set")]
    Unset(String),
    /// A file cannot be read.
    #[error("cannot take a value from a file")]
    File(#[source] FileError),
    /// A program cannot be started.
    #[error("cannot run `{program}` for a value")]
    Start {
        /// The program.
        program: String,
        /// What the system said.
        source: io::Error,
    },
    /// A program takes too long.
    #[error("`{0}` printed no value within {seconds} s", seconds = DEADLINE.as_secs())]
    Deadline(String),
    /// A program failed.
    #[error("`{program}` printed no value ({status}): {complaint}")]
    Failed {
        /// The program.
        program: String,
        /// How it ended.
        status: ExitStatus,
        /// What it wrote to its standard error.
        complaint: String,
    },
    /// A program printed something else than text.
    #[error("what `{0}` printed is not UTF-8")]
    NotText(String),
}

/// What a value would come from, if that is not there.
pub(super) fn missing(source: &Source, env: &Env) -> Option<String> {
    match source {
        Source::Environment(name) => (env.variable)(name).is_none().then(|| name.clone()),
        Source::File(path) => (!path.exists()).then(|| path.display().to_string()),
        Source::Command(_) => None,
    }
}

/// Reads a value.
pub(super) async fn read(source: &Source, env: &Env) -> Result<Secret<String>, SourceError> {
    match source {
        Source::Environment(name) => (env.variable)(name).ok_or_else(|| SourceError::Unset(name.clone())),
        Source::File(path) => files::read(path).map(Secret::new).map_err(SourceError::File),
        Source::Command(words) => printed(words).await,
    }
}

/// What a program prints, without the end of its last line.
async fn printed(words: &[String]) -> Result<Secret<String>, SourceError> {
    let (program, arguments) =
        words.split_first().map_or(("", words), |(first, rest)| (first.as_str(), rest));
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).kill_on_drop(true);
    let program = || program.to_owned();
    let output = tokio::time::timeout(DEADLINE, command.output());
    let output = output.await.map_err(|_| SourceError::Deadline(program()))?;
    let output = output.map_err(|source| SourceError::Start { program: program(), source })?;
    if !output.status.success() {
        let complaint = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        return Err(SourceError::Failed { program: program(), status: output.status, complaint });
    }
    let mut text = String::from_utf8(output.stdout).map_err(|_| SourceError::NotText(program()))?;
    if text.ends_with('\n') {
        text.pop();
    }
    Ok(Secret::new(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn shell(script: &str) -> Result<String, String> {
        let words = ["sh", "-c", script].map(ToOwned::to_owned);
        printed(&words).await.map(|value| value.expose().clone()).map_err(|error| error.to_string())
    }

    #[tokio::test]
    async fn a_program_prints_a_value_and_its_errors_tell_none() {
        assert_eq!(shell("printf 'a b\\n\\n'").await.as_deref(), Ok("a b\n"));
        let error = shell("echo canary; echo 'no such entry' >&2; exit 3").await.expect_err("it failed");
        assert_eq!(error, "`sh` printed no value (exit status: 3): no such entry");
        assert!(shell("printf '\\377'").await.expect_err("it is no text").contains("not UTF-8"));
        let absent = printed(&["/nonexistent".to_owned()]).await.expect_err("it is not there");
        assert_eq!(absent.to_string(), "cannot run `/nonexistent` for a value");
    }
}
