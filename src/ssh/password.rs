//! The password: how it gets from us to `ssh`, on no command line and in no environment.
//!
//! `ssh` asks the program of `SSH_ASKPASS`, which can have no arguments but the question. It is bridgehead, started
//! through a link in the connection's folder (mode 0700), and gets the answer from a socket beside the link. The
//! answer is for the `ssh` that we started and no other: one to a jump host, which it starts, asks in vain.

use std::convert::Infallible;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};

use crate::files::{self, FileError};
use crate::site::secret::Secret;

/// The link that `ssh` starts bridgehead through, by which it knows what is wanted of it.
pub const PROGRAM: &str = "askpass";
const SOCKET: &str = "password";

/// How long an asker may take to say who it is.
const PATIENCE: Duration = Duration::from_secs(5);

/// Where the password can be had while a connection is opened.
#[derive(Debug)]
pub(super) struct Desk<'a> {
    listener: UnixListener,
    program: PathBuf,
    password: &'a Secret<String>,
}

impl<'a> Desk<'a> {
    pub(super) fn open(
        folder: &Path,
        executable: &Path,
        password: &'a Secret<String>,
    ) -> Result<Self, FileError> {
        let program = folder.join(PROGRAM);
        files::link(executable, &program)?;
        let socket = folder.join(SOCKET);
        let listener =
            UnixListener::bind(&socket).map_err(|source| FileError::new("listen on", socket, source))?;
        Ok(Self { listener, program, password })
    }

    pub(super) fn program(&self) -> &Path {
        &self.program
    }

    /// Tells the password to children of the process `ssh`, as often as they ask.
    pub(super) async fn answer(&self, ssh: Option<u32>) -> Infallible {
        loop {
            let Ok((stream, _)) = self.listener.accept().await else {
                // Out of file descriptors, for example: the next asker may find some.
                tokio::task::yield_now().await;
                continue;
            };
            // An asker that hung up has no use for an answer.
            let _ = tokio::time::timeout(PATIENCE, self.tell(stream, ssh)).await;
        }
    }

    async fn tell(&self, mut stream: UnixStream, ssh: Option<u32>) -> io::Result<()> {
        let mut parent = String::new();
        BufReader::new(&mut stream).read_line(&mut parent).await?;
        if parent.trim().parse().ok() == ssh {
            stream.write_all(self.password.expose().as_bytes()).await?;
        }
        stream.shutdown().await
    }
}

/// Answers a question of `ssh`, which started this program: with the password if it is asked for one, or not at all.
///
/// # Errors
/// When nobody tells the password any more.
pub fn ask(program: &Path, question: &str) -> io::Result<Option<Secret<String>>> {
    if !asks_for_password(question) {
        return Ok(None);
    }
    let mut stream = std::os::unix::net::UnixStream::connect(program.with_file_name(SOCKET))?;
    let parent = rustix::process::Pid::as_raw(rustix::process::getppid());
    writeln!(stream, "{parent}")?;
    let mut password = String::new();
    stream.read_to_string(&mut password)?;
    Ok((!password.is_empty()).then(|| Secret::new(password)))
}

/// `ops@10.0.0.1's password: ` or `(ops@10.0.0.1) Password: `; not the passphrase of a key, a one-time code, or
/// whether to believe a key.
fn asks_for_password(question: &str) -> bool {
    let question = question.trim_end().to_lowercase();
    // After the name of a host in parentheses comes what its own login says.
    let said = question.split_once(") ").map_or(question.as_str(), |(_, said)| said);
    said == "password:" || said.ends_with("'s password:")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_questions_for_the_password_are_answered() {
        for question in ["ops@10.0.0.1's password: ", "(ops@10.0.0.1) Password: "] {
            assert!(asks_for_password(question), "{question}");
        }
        for question in [
            "Enter passphrase for key '/home/ops/password:/id': ",
            "(ops@10.0.0.1) Verification code: ",
            "Are you sure you want to continue connecting (yes/no/[fingerprint])? ",
            "(ops@10.0.0.1) New password: ",
        ] {
            assert!(!asks_for_password(question), "{question}");
        }
    }
}
