//! One script over a master connection: what goes in, what comes out, and what went wrong on the way.

use std::time::Duration;

use openssh::{Child, ChildStderr, ChildStdin, ChildStdout, Session, Stdio};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};

use super::error::SshError;
use super::frame::{Answer, Frame};
use super::master::Master;
use crate::engine::Hint;
use crate::engine::wait::Pace;

/// More than anything of ours answers with.
const LONGEST_OUTPUT: u64 = 64 << 20;
/// More than anybody reads.
const LONGEST_MESSAGE: u64 = 1 << 20;

/// The status with which a shell says that it did not find a command.
const NOT_FOUND: i32 = 127;

/// How long a host may refuse a session that it has room for once it has noticed that another one has ended.
const REFUSALS: Duration = Duration::from_secs(3);

/// What a script did.
#[derive(Debug)]
pub struct Output {
    /// With which status it ended.
    pub status: i32,
    /// What it wrote to its standard output.
    pub stdout: Vec<u8>,
    /// What it wrote to its standard error.
    pub stderr: String,
    pub(super) host: String,
    pub(super) operation: String,
}

impl Output {
    /// The standard output of a script that ended with the status 0, without blanks at its ends.
    ///
    /// # Errors
    /// When the status is another, with what it wrote to its standard error.
    pub fn text(self) -> Result<String, SshError> {
        let output = self.success()?;
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }

    /// The output of a script that ended with the status 0.
    ///
    /// # Errors
    /// When the status is another, with what it wrote to its standard error.
    pub fn success(self) -> Result<Self, SshError> {
        if self.status == 0 { Ok(self) } else { Err(self.into_error()) }
    }

    /// The error of a host where nothing runs scripts: a login that is for no shell, or a shell that is none.
    pub(super) fn into_no_shell(self) -> SshError {
        let said = [self.stderr.as_str(), &String::from_utf8_lossy(&self.stdout)].join("\n");
        let said = said.lines().map(str::trim).rfind(|line| !line.is_empty()).map(ToOwned::to_owned);
        let reason = said.unwrap_or_else(|| format!("the status is {}", self.status));
        let hint =
            Hint("the user who logs in needs a shell: see `ansible_user`, and /etc/passwd there".to_owned());
        SshError::NoShell { host: self.host, reason, hint }
    }

    pub(super) fn into_error(self) -> SshError {
        let said = self.stderr.trim();
        let status = format!("the status is {}", self.status);
        let reason = if said.is_empty() { status } else { format!("{said} ({status})") };
        SshError::Failed { host: self.host, operation: self.operation, reason }
    }
}

/// What is done on which host, for errors.
#[derive(Debug, Clone, Copy)]
pub(super) struct Task<'a> {
    pub(super) host: &'a str,
    pub(super) operation: &'a str,
    pub(super) patience: Duration,
}

impl Task<'_> {
    /// Waits for something that is done for it, as long as it may take.
    pub(super) async fn within<T>(
        &self,
        work: impl Future<Output = Result<T, SshError>>,
    ) -> Result<T, SshError> {
        let seconds = self.patience.as_secs();
        tokio::time::timeout(self.patience, work).await.unwrap_or_else(|_| {
            let (host, operation) = self.owned();
            Err(SshError::TimedOut { host, operation, seconds })
        })
    }

    fn owned(&self) -> (String, String) {
        (self.host.to_owned(), self.operation.to_owned())
    }
}

/// A command that was started on the host and waits for its input.
pub(super) struct Started<'a> {
    master: &'a Master,
    child: Child<&'a Session>,
    stdin: ChildStdin,
    stdout: ChildStdout,
    stderr: ChildStderr,
}

/// Starts a command on the host. When that fails, it has got nothing to do.
pub(super) async fn start<'a>(
    master: &'a Master,
    task: &Task<'_>,
    command: &str,
) -> Result<Started<'a>, SshError> {
    let mut pace = Pace::new(REFUSALS);
    loop {
        let mut command = master.session().raw_command(command);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let error = match command.spawn().await {
            Ok(mut child) => {
                let streams = (child.stdin().take(), child.stdout().take(), child.stderr().take());
                let (Some(stdin), Some(stdout), Some(stderr)) = streams else {
                    return Err(broken(master, task, &openssh::Error::Disconnected));
                };
                return Ok(Started { master, child, stdin, stdout, stderr });
            }
            Err(error) => error,
        };
        if !master.answers().await {
            return Err(broken(master, task, &error));
        }
        // The connection is there, but the host does not take one session more.
        tracing::debug!(host = task.host, %error, "a session was refused");
        if !pace.pause().await {
            let (host, operation) = task.owned();
            return Err(SshError::SessionRefused { host, operation, hint: sessions() });
        }
    }
}

fn sessions() -> Hint {
    Hint("allow at least one in the host's sshd_config (MaxSessions), and see what its sshd logs".to_owned())
}

/// What came of a script: what it answered, or what was said although nothing ran it.
pub(super) enum Outcome {
    Answered(Output),
    Refused(Output),
}

impl Started<'_> {
    /// Lets `feed` talk to the command, and waits for its end. What `feed` has read of the answer is what it returns.
    pub(super) async fn finish(
        self,
        task: &Task<'_>,
        frame: &Frame,
        feed: impl AsyncFnOnce(&mut ChildStdin, &mut ChildStdout) -> Result<Vec<u8>, SshError>,
    ) -> Result<Outcome, SshError> {
        let Self { master, child, mut stdin, mut stdout, stderr } = self;
        let talking = async {
            let mut said = feed(&mut stdin, &mut stdout).await?;
            drop(stdin);
            said.extend(read(task, stdout, LONGEST_OUTPUT).await?);
            Ok(said)
        };
        let (stdout, stderr) = tokio::try_join!(talking, read(task, stderr, LONGEST_MESSAGE))?;
        let (host, operation) = task.owned();
        let status = match child.wait().await {
            Ok(status) => status.code().unwrap_or_default(),
            // The crate takes this status for an error of its own.
            Err(openssh::Error::Remote(_)) => NOT_FOUND,
            Err(openssh::Error::RemoteProcessTerminated) if master.answers().await => {
                return Err(SshError::Ended { host, operation });
            }
            Err(error) => return Err(broken(master, task, &error)),
        };
        let stderr = frame.message(&stderr);
        let output =
            |stdout| Output { status, stdout, stderr, host: host.clone(), operation: operation.clone() };
        match frame.answer(&stdout) {
            Answer::Whole(stdout) => Ok(Outcome::Answered(output(stdout))),
            Answer::BrokenOff(stdout) if status != 0 => Ok(Outcome::Answered(output(stdout))),
            Answer::BrokenOff(_) => Err(SshError::BrokenOff { host, operation }),
            Answer::Absent => Ok(Outcome::Refused(output(stdout))),
        }
    }
}

/// Writes to a script that may have ended already, which its status tells.
pub(super) async fn write(stdin: &mut ChildStdin, bytes: &[u8]) {
    let _ = stdin.write_all(bytes).await;
}

async fn read(task: &Task<'_>, stream: impl AsyncRead + Unpin, limit: u64) -> Result<Vec<u8>, SshError> {
    let mut bytes = Vec::new();
    // A stream that breaks has ended; how the script ended is asked afterwards.
    let _ = stream.take(limit + 1).read_to_end(&mut bytes).await;
    if bytes.len() as u64 > limit {
        let (host, operation) = task.owned();
        return Err(SshError::TooMuch { host, operation, limit });
    }
    Ok(bytes)
}

fn broken(master: &Master, task: &Task<'_>, error: &openssh::Error) -> SshError {
    let (host, operation) = task.owned();
    let said = master.last_words();
    tracing::debug!(host, operation, %error, said, "the connection broke");
    let reason = said.unwrap_or_else(|| "the host hung up, or `ssh` was ended here".to_owned());
    SshError::Lost { host, operation, reason, hint: Hint("run again once the host is back".to_owned()) }
}
