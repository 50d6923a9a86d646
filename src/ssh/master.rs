//! The master connection to a host: started, kept, closed.
//!
//! `ssh` goes into the background once it is logged in (`-f`, in a session of its own, so that Ctrl-C is ours
//! alone to answer) and ends `ControlPersist` seconds after nothing is connected to its socket any more. One
//! connection of ours, which the kernel closes however we end, is what keeps it.

use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use openssh::Session;
use tokio::net::UnixStream;
use tokio::process::Command;

use super::error::{SshError, label};
use super::failure;
use super::hosts::Settings;
use super::options::{self, Files};
use super::password::Desk;
use crate::engine::Hint;
use crate::files::{self, FileError};
use crate::site::inventory::Host;

/// How long the login may take, with whatever the host asks its directories.
const PATIENCE: Duration = Duration::from_mins(1);

/// How many bytes the path of a socket may have (`unix(7)`), and what `ssh` appends to it while it makes it.
const LONGEST_PATH: usize = 107 - 17;

/// An open connection.
#[derive(Debug)]
pub(super) struct Master {
    session: Session,
    keeper: UnixStream,
    log: PathBuf,
}

impl Master {
    /// Connects and logs in. The folder holds what the connection needs on this machine.
    pub(super) async fn open(host: &Host, settings: &Settings, folder: &Path) -> Result<Self, SshError> {
        let [socket, log, pin] = ["master", "log", options::PIN].map(|name| folder.join(name));
        if socket.as_os_str().as_bytes().len() > LONGEST_PATH {
            let hint = Hint("set XDG_RUNTIME_DIR to a folder of yours with a short path".to_owned());
            return Err(SshError::LongPath { host: label(host), path: socket, hint });
        }
        let paths = Files { socket: &socket, log: &log, pin: &pin };
        prepare(host, folder, paths).map_err(|source| SshError::prepare(host, source))?;
        let status = log_in(host, settings, folder, paths).await?;
        if !status.success() {
            return Err(failure::error(host, settings, &read(&log)));
        }
        let keeper = UnixStream::connect(&socket).await.map_err(|source| client(host, source))?;
        Ok(Self { session: Session::resume_mux(socket.into(), None), keeper, log })
    }

    /// What to run scripts with.
    pub(super) const fn session(&self) -> &Session {
        &self.session
    }

    /// Whether `ssh` has not noticed yet that the connection is gone.
    pub(super) fn is_open(&self) -> bool {
        // What it says at first is of no interest, only whether it has hung up.
        let mut words = [0; 64];
        loop {
            match self.keeper.try_read(&mut words) {
                Ok(0) => return false,
                Ok(_) => {}
                Err(error) => return error.kind() == io::ErrorKind::WouldBlock,
            }
        }
    }

    /// Whether it still is there to answer us.
    pub(super) async fn answers(&self) -> bool {
        self.session.check().await.is_ok()
    }

    /// What `ssh` said last, if anything: of a host that hangs up it says nothing.
    pub(super) fn last_words(&self) -> Option<String> {
        failure::last(&read(&self.log)).map(ToOwned::to_owned)
    }

    /// Ends it: it takes no further sessions, and we let go of it.
    pub(super) async fn close(self) {
        // One that is gone already needs no closing.
        let _ = self.session.close().await;
        drop(self.keeper);
    }
}

/// The folder with everything in it that has to be there before, and nothing that an earlier connection left.
fn prepare(host: &Host, folder: &Path, paths: Files<'_>) -> Result<(), FileError> {
    files::remove_folder(folder)?;
    files::make_folder(folder)?;
    match options::pin(host) {
        Some(pin) => files::replace(paths.pin, pin.as_bytes(), 0o600),
        None => Ok(()),
    }
}

/// Starts `ssh`, which ends when its master is in the background or there will be none.
async fn log_in(
    host: &Host,
    settings: &Settings,
    folder: &Path,
    paths: Files<'_>,
) -> Result<ExitStatus, SshError> {
    // What `ssh` itself says goes to its log; programs that it starts, such as the one of a jump host, write here.
    let log = files::open_log(paths.log).map_err(|source| SshError::prepare(host, source))?;
    let desk = match &settings.password {
        Some(password) => {
            let desk = Desk::open(folder, &settings.executable, password);
            Some(desk.map_err(|source| SshError::prepare(host, source))?)
        }
        None => None,
    };
    let mut command = Command::new("ssh");
    command.args(options::master(host, settings, paths)).process_group(0).kill_on_drop(true);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
    // Not even the `ssh` to a jump host may ask on the terminal, where it would wait unseen.
    command.env("SSH_ASKPASS_REQUIRE", "force");
    if let Some(desk) = &desk {
        command.env("SSH_ASKPASS", desk.program());
    }
    let mut ssh = command.spawn().map_err(|source| client(host, source))?;
    let process = ssh.id();
    let answering = async {
        match &desk {
            Some(desk) => desk.answer(process).await,
            None => std::future::pending().await,
        }
    };
    let ended = tokio::select! {
        ended = tokio::time::timeout(PATIENCE, ssh.wait()) => ended,
        never = answering => match never {},
    };
    let Ok(ended) = ended else {
        let reason = format!("no login within {} s", PATIENCE.as_secs());
        return Err(failure::unreachable(host, settings, &reason));
    };
    ended.map_err(|source| client(host, source))
}

fn client(host: &Host, source: io::Error) -> SshError {
    SshError::Client { host: label(host), source }
}

/// What is in a log, if anything. A host's greeting may be in any encoding.
fn read(log: &Path) -> String {
    String::from_utf8_lossy(&files::read_bytes(log).unwrap_or_default()).into_owned()
}
