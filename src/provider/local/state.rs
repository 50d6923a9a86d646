//! What a supervisor tells of itself, and how a command asks it.

use std::collections::BTreeMap;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;

use super::configuration::Fingerprint;
use super::layout::Layout;

/// How long a supervisor may take to answer. It does nothing that takes long.
const ANSWER: Duration = Duration::from_secs(3);
/// How long it may take to stop all processes, which get a few seconds each before they are ended by force.
const STOP: Duration = Duration::from_secs(45);
/// How many lines of a log are told.
const LINES: usize = 3;
const LONGEST_LINE: usize = 400;

/// The request for [`State`].
pub(super) const TELL: &str = "tell";
/// The request to stop. It is acknowledged with a line, and the connection ends when the supervisor does.
pub(super) const END: &str = "stop";

/// Why a supervisor did not tell its state.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// It is there and does not answer.
    #[error("the supervisor in `{}` does not answer", .0.display())]
    Silent(PathBuf),
    /// The connection failed.
    #[error("cannot ask the supervisor in `{}`", .folder.display())]
    Connection {
        /// The cluster's folder.
        folder: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Its answer is not a state.
    #[error("the supervisor in `{}` answered what this version does not understand", .folder.display())]
    Malformed {
        /// The cluster's folder.
        folder: PathBuf,
        /// What is wrong with it.
        source: serde_json::Error,
    },
}

/// What a supervisor tells.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// Its process id.
    pub pid: u32,
    /// What it was started with.
    pub fingerprint: Fingerprint,
    /// Whether it is about to end.
    pub stopping: bool,
    /// Its processes, in the order in which they are started.
    pub processes: Vec<Process>,
    /// Stable ports on 127.0.0.1 of Services, by `namespace/name:port`.
    pub services: BTreeMap<String, u16>,
}

/// A process that a supervisor keeps running.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Process {
    /// The component's name.
    pub name: String,
    /// Its process id while it runs.
    pub pid: Option<u32>,
    /// How often it has ended by itself and was started again.
    pub restarts: u32,
    /// How often in a row it has ended soon after its start.
    pub failures: u32,
    /// How it ended last.
    pub exit: Option<String>,
    /// Its log.
    pub log: PathBuf,
    /// The last lines of its log.
    pub last_lines: Vec<String>,
}

impl State {
    /// A process that is down because it does not stay up.
    #[must_use]
    pub fn failing(&self) -> Option<&Process> {
        self.processes.iter().find(|process| process.pid.is_none() && process.failures >= 3)
    }
}

/// What the supervisor in a folder tells of itself; `None` if there is none.
///
/// # Errors
/// When there is one and it cannot be understood.
pub async fn ask(layout: &Layout) -> Result<Option<State>, StateError> {
    let folder = || layout.folder().to_owned();
    let exchange = async {
        let mut stream = connect(layout).await?;
        say(&mut stream, TELL).await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        Ok(answer)
    };
    match tokio::time::timeout(ANSWER, exchange).await {
        Err(_) => Err(StateError::Silent(folder())),
        Ok(Err(error)) if is_nobody(&error) => Ok(None),
        Ok(Err(source)) => Err(StateError::Connection { folder: folder(), source }),
        // It ended before it came to answering.
        Ok(Ok(text)) if text.is_empty() => Ok(None),
        Ok(Ok(text)) => serde_json::from_str(&text)
            .map(Some)
            .map_err(|source| StateError::Malformed { folder: folder(), source }),
    }
}

/// Asks the supervisor in a folder to stop, and returns when it has; at once if there is none.
///
/// # Errors
/// When it does not stop in time.
pub async fn stop(layout: &Layout) -> Result<(), StateError> {
    let folder = || layout.folder().to_owned();
    let ask = async {
        let mut stream = BufReader::new(connect(layout).await?);
        say(&mut stream, END).await?;
        stream.read_line(&mut String::new()).await?;
        Ok(stream)
    };
    let mut stream = match tokio::time::timeout(ANSWER, ask).await {
        Err(_) => return Err(StateError::Silent(folder())),
        Ok(Err(error)) if is_nobody(&error) => return Ok(()),
        Ok(Err(source)) => return Err(StateError::Connection { folder: folder(), source }),
        Ok(Ok(stream)) => stream,
    };
    match tokio::time::timeout(STOP, stream.read_to_end(&mut Vec::new())).await {
        Err(_) => Err(StateError::Silent(folder())),
        // However the connection ends, it is the supervisor's end.
        Ok(_) => Ok(()),
    }
}

async fn connect(layout: &Layout) -> io::Result<UnixStream> {
    let socket = layout.socket()?;
    UnixStream::connect(socket.path()).await
}

async fn say(stream: &mut (impl AsyncWrite + Unpin), request: &str) -> io::Result<()> {
    stream.write_all(format!("{request}\n").as_bytes()).await
}

/// Whether an error means that no supervisor is there, or that it ended meanwhile.
fn is_nobody(error: &io::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionRefused, ConnectionReset, NotADirectory, NotFound};
    matches!(error.kind(), NotFound | NotADirectory | ConnectionRefused | ConnectionReset | BrokenPipe)
}

/// The last lines of a log; none if it cannot be read.
#[must_use]
pub fn last_lines(log: &Path) -> Vec<String> {
    let read = || -> io::Result<Vec<u8>> {
        let mut file = std::fs::File::open(log)?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(8 * 1024)))?;
        let mut tail = Vec::new();
        file.read_to_end(&mut tail)?;
        Ok(tail)
    };
    let tail = read().unwrap_or_default();
    let text = String::from_utf8_lossy(&tail);
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    let last = &lines[lines.len().saturating_sub(LINES)..];
    last.iter().map(|line| line.chars().take(LONGEST_LINE).collect()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_lines_of_a_log() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log");
        assert!(last_lines(&log).is_empty());
        crate::files::replace(
            &log,
            format!("{}\none\n\ntwo\nthree\nfour\n", "x".repeat(20_000)).as_bytes(),
            0o600,
        )
        .unwrap();
        assert_eq!(last_lines(&log), ["two", "three", "four"]);
    }

    #[tokio::test]
    async fn where_nobody_listens_there_is_no_supervisor() {
        let folder = tempfile::tempdir().unwrap();
        for path in [folder.path().to_owned(), folder.path().join("gone")] {
            let layout = Layout::new(path);
            assert_eq!(ask(&layout).await.unwrap(), None);
            stop(&layout).await.unwrap();
        }
    }
}
