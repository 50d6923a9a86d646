//! Finding every process of a cluster without trusting remembered process ids.
//!
//! The supervisor opens its lock file once more and lets every child inherit that. So a process belongs to a
//! cluster exactly if it has the cluster's lock file open: whatever it calls itself, whoever its parent is by
//! now, and also after the file was removed.

use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{Mode, OFlags, open};
use rustix::process::{Pid, PidfdFlags, Signal, getpid, pidfd_open, pidfd_send_signal};

use super::layout::Layout;
use crate::engine::wait::Pace;

/// A process of a cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClusterProcess {
    pid: Pid,
    name: String,
}

impl std::fmt::Display for ClusterProcess {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{} ({})", self.name, self.pid.as_raw_nonzero())
    }
}

/// Some processes could not be ended.
#[derive(Debug, thiserror::Error)]
#[error("these processes do not end: {0}")]
pub struct EndError(String);

/// Marks this process and all its later children as belonging to the cluster, for as long as the result lives.
///
/// # Errors
/// When the lock file cannot be opened.
pub fn mark(layout: &Layout) -> io::Result<OwnedFd> {
    // Without `CLOEXEC`: children are to inherit it.
    Ok(open(layout.lock(), OFlags::RDONLY, Mode::empty())?)
}

/// Every process of a cluster but this one.
#[must_use]
pub fn find(layout: &Layout) -> Vec<ClusterProcess> {
    let lock = real(&layout.lock());
    let processes = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    processes
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok().and_then(Pid::from_raw))
        .filter(|pid| *pid != getpid() && belongs(*pid, &lock))
        .map(|pid| ClusterProcess { pid, name: name(pid) })
        .collect()
}

/// Ends every process of a cluster but this one, by force, and returns when they are gone.
///
/// # Errors
/// When one does not end even so.
pub async fn end(layout: &Layout) -> Result<(), EndError> {
    let lock = real(&layout.lock());
    let mut pace = Pace::new(Duration::from_secs(10));
    loop {
        let remaining = find(layout);
        if remaining.is_empty() {
            return Ok(());
        }
        for process in &remaining {
            kill(process.pid, &lock);
        }
        if !pace.pause().await {
            return Err(EndError(list(&remaining)));
        }
    }
}

/// Names processes, for people.
#[must_use]
pub fn list(processes: &[ClusterProcess]) -> String {
    processes.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

fn kill(pid: Pid, lock: &Path) {
    // The process id may be somebody else's by now. A descriptor stays with the process that it was opened for,
    // so what it refers to can be looked at once more before the signal is sent.
    if let Ok(process) = pidfd_open(pid, PidfdFlags::empty())
        && belongs(pid, lock)
    {
        // It may have ended in this moment, which is just as well.
        let _ = pidfd_send_signal(process, Signal::KILL);
    }
}

/// Whether a process has the lock file open. Other users' processes cannot be looked into, and are not ours.
fn belongs(pid: Pid, lock: &Path) -> bool {
    let mut removed = lock.as_os_str().to_owned();
    removed.push(" (deleted)");
    let files =
        std::fs::read_dir(format!("/proc/{}/fd", pid.as_raw_nonzero())).into_iter().flatten().flatten();
    files
        .filter_map(|file| std::fs::read_link(file.path()).ok())
        .any(|target| target == lock || target.as_os_str() == removed)
}

fn name(pid: Pid) -> String {
    let path = PathBuf::from(format!("/proc/{}/comm", pid.as_raw_nonzero()));
    crate::files::read(&path).unwrap_or_default().trim().to_owned()
}

/// The path without symbolic links, as the kernel shows it, whether or not its last parts exist.
fn real(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| match (path.parent(), path.file_name()) {
        (Some(parent), Some(name)) => real(parent).join(name),
        _ => path.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_marked_process_is_found_and_ended_even_when_the_folder_is_gone() {
        let folder = tempfile::tempdir().unwrap();
        let layout = Layout::new(folder.path().join("hub"));
        crate::files::make_folder(layout.folder()).unwrap();
        crate::files::replace(&layout.lock(), b"", 0o600).unwrap();
        assert!(find(&layout).is_empty());

        let marked = mark(&layout).unwrap();
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        drop(marked);
        let id = format!("({})", child.id());
        assert!(list(&find(&layout)).contains(&id));
        crate::files::remove_folder(layout.folder()).unwrap();
        assert!(list(&find(&layout)).contains(&id));

        end(&layout).await.unwrap();
        assert!(!child.wait().unwrap().success());
        assert!(find(&layout).is_empty());
    }
}
