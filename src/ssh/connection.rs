//! A host: scripts run on it, files put on it and read from it, over one connection.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use openssh::{ChildStdin, ChildStdout};
use tokio::sync::{Mutex, OnceCell, Semaphore};

use super::error::{SshError, label};
use super::exchange::{Outcome, Output, Started, Task, start, write};
use super::frame::Frame;
use super::hosts::Settings;
use super::limits::Limits;
use super::master::Master;
use super::privilege::Privilege;
use super::put::{self, Content, Source};
use super::quote;
use crate::site::inventory::Host;

/// How long a script may take of which nothing else is said.
const PATIENCE: Duration = Duration::from_mins(1);

/// How slow a line may be, in bytes a second.
const SLOWEST: u64 = 64 << 10;

/// How many scripts run at once on a host. `sshd` allows ten sessions in a connection if nobody says less
/// (`MaxSessions`).
const SESSIONS: u32 = 4;

/// The status with which our scripts say that a file is absent. `cat` ends with 1 at most.
const ABSENT: i32 = 44;

/// A host. Its connection is opened when it is needed, and anew if it was lost.
#[derive(Debug)]
pub struct Connection {
    host: Host,
    label: String,
    settings: Arc<Settings>,
    limits: Arc<Limits>,
    folder: PathBuf,
    link: Mutex<Option<Arc<Link>>>,
    sessions: Semaphore,
    /// Whether the host has refused a second session.
    alone: AtomicBool,
    opened: AtomicUsize,
}

/// An open connection, and how to become the right user there.
#[derive(Debug)]
pub(super) struct Link {
    master: Master,
    privilege: OnceCell<Privilege>,
}

impl Connection {
    pub(super) fn new(host: Host, settings: Arc<Settings>, limits: Arc<Limits>, folder: PathBuf) -> Self {
        Self {
            label: label(&host),
            host,
            settings,
            limits,
            folder,
            link: Mutex::default(),
            sessions: Semaphore::new(SESSIONS as usize),
            alone: AtomicBool::new(false),
            opened: AtomicUsize::new(0),
        }
    }

    /// The host that it leads to.
    #[must_use]
    pub const fn host(&self) -> &Host {
        &self.host
    }

    /// How often it had to be opened so far.
    #[must_use]
    pub fn opened(&self) -> usize {
        self.opened.load(Ordering::Relaxed)
    }

    /// Runs a script of a POSIX shell as the inventory's `ansible_become_user`, for at most a minute. `operation` is
    /// what errors say: "cannot .. on host x".
    ///
    /// The script goes over standard input and is run only if it arrives in full; its own input is empty. A status
    /// other than 0 is not an error here: see [`Output::success`].
    ///
    /// # Errors
    /// When the host cannot be reached or does not answer in time.
    pub async fn run(&self, operation: &str, script: &str) -> Result<Output, SshError> {
        self.run_for(PATIENCE, operation, script).await
    }

    /// The same for scripts that take their time. One that takes longer may go on after the error.
    ///
    /// # Errors
    /// When the host cannot be reached or does not answer in time.
    pub async fn run_for(
        &self,
        patience: Duration,
        operation: &str,
        script: &str,
    ) -> Result<Output, SshError> {
        let task = Task { host: &self.label, operation, patience };
        let frame = Frame::new();
        self.converse(&task, &frame, &frame.around(script, "</dev/null"), None).await
    }

    /// Puts a file into place at once, as the inventory's `ansible_become_user`: whoever reads it sees the old
    /// content or the new, and so does a run that was killed. It has its mode before its name. Its folder must be there.
    ///
    /// # Errors
    /// When the host cannot be reached, does not answer in time, or cannot write the file.
    pub async fn put<'a>(
        &self,
        path: &str,
        mode: u32,
        content: impl Into<Content<'a>>,
    ) -> Result<(), SshError> {
        let content = content.into();
        let _upload = self.limits.upload(&content).await;
        let source = Source::open(content, &self.label).await?;
        let patience = PATIENCE + Duration::from_secs(source.size() / SLOWEST);
        let frame = Frame::new();
        let script = frame.around(&put::script(&frame, path, mode, source.size()), "");
        let task = Task { host: &self.label, operation: &format!("write `{path}`"), patience };
        self.converse(&task, &frame, &script, Some(source)).await?.success().map(drop)
    }

    /// The content of a file; `None` if it is absent.
    ///
    /// # Errors
    /// When the host cannot be reached, does not answer in time, or cannot read the file.
    pub async fn get(&self, path: &str) -> Result<Option<Vec<u8>>, SshError> {
        let file = quote(path);
        let script = format!("[ -e {file} ] || [ -L {file} ] || exit {ABSENT}\ncat -- {file}");
        let output = self.run(&format!("read `{path}`"), &script).await?;
        if output.status == ABSENT {
            return Ok(None);
        }
        output.success().map(|output| Some(output.stdout))
    }

    /// The open connection; opened now if it is not.
    pub(super) async fn open(&self) -> Result<Arc<Link>, SshError> {
        let link = {
            let mut place = self.link.lock().await;
            let link = match place.take().filter(|link| link.master.is_open()) {
                Some(link) => link,
                None => self.connect().await?,
            };
            Arc::clone(place.insert(link))
        };
        link.privilege(&self.host, &self.settings).await?;
        Ok(link)
    }

    /// Closes it; nothing should be running any more.
    pub(super) async fn close(&self) {
        if let Some(link) = self.link.lock().await.take().and_then(Arc::into_inner) {
            link.master.close().await;
        }
    }

    /// Lets go of a connection that is of no use any more, unless somebody else has.
    async fn forget(&self, link: &Arc<Link>) {
        self.link.lock().await.take_if(|known| Arc::ptr_eq(known, link));
    }

    async fn connect(&self) -> Result<Arc<Link>, SshError> {
        let master = {
            let _login = self.limits.login().await;
            Master::open(&self.host, &self.settings, &self.folder).await?
        };
        let opened = self.opened.fetch_add(1, Ordering::Relaxed) + 1;
        tracing::debug!(host = self.label, opened, "connected");
        Ok(Arc::new(Link { master, privilege: OnceCell::new() }))
    }

    /// Runs a script, to which `source` is given when it asks for it.
    async fn converse(
        &self,
        task: &Task<'_>,
        frame: &Frame,
        script: &str,
        source: Option<Source<'_>>,
    ) -> Result<Output, SshError> {
        let mut is_new = false;
        loop {
            let alone = self.alone.load(Ordering::Relaxed);
            let _session = self.sessions.acquire_many(if alone { SESSIONS } else { 1 }).await;
            let link = self.open().await?;
            let privilege = link.privilege(&self.host, &self.settings).await?;
            let command = privilege.command(&self.host.become_user);
            match task.within(start(&link.master, task, &command)).await {
                // The first word to a host that was rebooted meanwhile finds out that nobody knows of us there.
                Err(_) if !is_new && !link.master.answers().await => {
                    self.forget(&link).await;
                    is_new = true;
                }
                // It takes fewer sessions than others do: from now on, one after the other.
                Err(SshError::SessionRefused { .. }) if !alone => self.alone.store(true, Ordering::Relaxed),
                Err(error) => return Err(error),
                Ok(started) => {
                    let words = Words { frame, privilege, script };
                    return self.talk(task, started, words, source).await;
                }
            }
        }
    }

    async fn talk(
        &self,
        task: &Task<'_>,
        started: Started<'_>,
        Words { frame, privilege, script }: Words<'_>,
        source: Option<Source<'_>>,
    ) -> Result<Output, SshError> {
        let begun = Instant::now();
        let script = privilege.before(&self.settings) + script;
        let feed = async |stdin: &mut ChildStdin, stdout: &mut ChildStdout| {
            write(stdin, script.as_bytes()).await;
            match source {
                Some(source) => source.feed(&self.label, frame, stdin, stdout).await,
                None => Ok(Vec::new()),
            }
        };
        let outcome = task.within(started.finish(task, frame, feed)).await?;
        let clean = |output: Output| Output {
            stderr: privilege.without_password(&output.stderr, &self.settings),
            ..output
        };
        match outcome {
            Outcome::Answered(output) => {
                let output = clean(output);
                let (operation, milliseconds) = (task.operation, begun.elapsed().as_millis());
                tracing::debug!(host = self.label, operation, status = output.status, milliseconds, "ran");
                Ok(output)
            }
            Outcome::Refused(output) if output.status == 0 => Err(clean(output).into_no_shell()),
            Outcome::Refused(output) => Err(clean(output).into_error()),
        }
    }
}

/// A script, with how it is run and how its answer is told from other words.
struct Words<'a> {
    frame: &'a Frame,
    privilege: Privilege,
    script: &'a str,
}

impl Link {
    async fn privilege(&self, host: &Host, settings: &Settings) -> Result<Privilege, SshError> {
        self.privilege.get_or_try_init(|| Privilege::find(&self.master, host, settings)).await.copied()
    }
}
