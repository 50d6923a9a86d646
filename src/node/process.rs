//! Child processes that die with the supervisor, whatever kills it.
//!
//! A child is started through this executable's hidden command `exec`, which asks the kernel for a signal at
//! its parent's death (`prctl(2)`, `PR_SET_PDEATHSIG`), makes a session of its own, and then becomes the program.
//! That signal follows the *thread* that spawned it, so the supervisor runs on one thread only.

use std::collections::BTreeMap;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{
    Pid, Signal, getpid, getppid, kill_process_group, set_parent_process_death_signal, setsid,
};

use crate::files::{self, FileError};

/// A program could not be started.
#[derive(Debug, thiserror::Error)]
pub enum SpawnError {
    /// Its log could not be opened.
    #[error("cannot start `{0}`", .program.display())]
    Log {
        /// The program.
        program: PathBuf,
        /// What failed.
        source: FileError,
    },
    /// The system refused.
    #[error("cannot start `{0}`", .program.display())]
    Spawn {
        /// The program.
        program: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// A program with everything it is started with. It gets no other environment than this.
#[derive(Debug, Clone)]
pub struct Program {
    /// The executable.
    pub path: PathBuf,
    /// The name that it sees as its own (`argv[0]`), where that decides its role.
    pub name: Option<String>,
    /// Its arguments.
    pub arguments: Vec<String>,
    /// Its whole environment. Secrets belong here, never into the arguments.
    pub environment: BTreeMap<String, String>,
    /// Its working folder.
    pub folder: PathBuf,
    /// Where its output goes, appended.
    pub log: PathBuf,
}

/// A started program.
#[derive(Debug)]
pub struct Child {
    child: tokio::process::Child,
    pid: Pid,
}

impl Program {
    /// Starts it through the command `exec` of `executable`.
    ///
    /// # Errors
    /// When the log cannot be opened or the system refuses.
    pub fn spawn(&self, executable: &Path) -> Result<Child, SpawnError> {
        let program = || self.path.clone();
        let log =
            files::open_log(&self.log).map_err(|source| SpawnError::Log { program: program(), source })?;
        let failed = |source| SpawnError::Spawn { program: program(), source };
        let errors = log.try_clone().map_err(failed)?;
        let child = tokio::process::Command::new(executable)
            .arg("exec")
            .arg(getpid().as_raw_nonzero().to_string())
            .arg(self.name.as_deref().unwrap_or_default())
            .arg(&self.path)
            // What follows is the program's, whatever options we have ourselves.
            .arg("--")
            .args(&self.arguments)
            .env_clear()
            .envs(&self.environment)
            .current_dir(&self.folder)
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(errors)
            .spawn()
            .map_err(failed)?;
        let pid = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        let pid = pid.ok_or_else(|| failed(io::Error::from(io::ErrorKind::NotFound)))?;
        Ok(Child { child, pid })
    }
}

impl Child {
    /// Its process id, which is also its process group's once it has become the program.
    #[must_use]
    pub const fn pid(&self) -> Pid {
        self.pid
    }

    /// Waits for its end.
    ///
    /// # Errors
    /// When the system does not tell.
    pub async fn wait(&mut self) -> io::Result<ExitStatus> {
        self.child.wait().await
    }

    /// Ends it with everything in its process group: politely, then after `grace` by force.
    ///
    /// # Errors
    /// When the system does not tell of its end.
    pub async fn stop(&mut self, grace: Duration) -> io::Result<ExitStatus> {
        self.signal(Signal::TERM);
        if let Ok(status) = tokio::time::timeout(grace, self.child.wait()).await {
            self.signal(Signal::KILL);
            return status;
        }
        self.signal(Signal::KILL);
        self.child.wait().await
    }

    /// Sends a signal to it and everything in its process group.
    pub fn signal(&self, signal: Signal) {
        // The child may not have made its group yet, or be gone already.
        if kill_process_group(self.pid, signal).is_err() {
            let _ = rustix::process::kill_process(self.pid, signal);
        }
    }
}

/// The hidden command `exec`: becomes `program`, bound to the life of the process `parent`.
///
/// Returns only if that failed.
#[must_use]
pub fn exec(parent: i32, name: &str, program: &Path, arguments: &[String]) -> io::Error {
    if let Err(errno) = set_parent_process_death_signal(Some(Signal::KILL)) {
        return errno.into();
    }
    // If the parent died before the line above, the kernel will not tell any more.
    if getppid().map(Pid::as_raw_nonzero).map(i32::from) != Some(parent) {
        return io::Error::from(io::ErrorKind::BrokenPipe);
    }
    if let Err(errno) = setsid() {
        return errno.into();
    }
    let mut command = std::process::Command::new(program);
    if !name.is_empty() {
        command.arg0(name);
    }
    command.args(arguments).exec()
}
