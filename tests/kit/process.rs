//! Processes and ports, as the kernel shows them.

use std::collections::BTreeMap;
use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};

use rustix::process::{Pid, Signal, kill_process};

/// A process that runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Process {
    pub(crate) pid: Pid,
    /// The words that it was started with.
    pub(crate) arguments: Vec<String>,
    /// Where it works.
    pub(crate) folder: Option<PathBuf>,
}

impl Process {
    /// What it calls itself, without a path.
    pub(crate) fn name(&self) -> String {
        let name = self.arguments.first().map(String::as_str).unwrap_or_default();
        Path::new(name).file_name().unwrap_or_default().to_string_lossy().into_owned()
    }

    /// Its environment; empty if it has just ended.
    pub(crate) fn environment(&self) -> BTreeMap<String, String> {
        let variables = words(&proc(self.pid).join("environ"));
        let split = variables.iter().filter_map(|variable| variable.split_once('='));
        split.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
    }
}

/// Every process that can be looked at, but this one.
pub(crate) fn all() -> Vec<Process> {
    let entries = Path::new("/proc").read_dir().unwrap().flatten();
    entries
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok().and_then(Pid::from_raw))
        .filter(|pid| *pid != rustix::process::getpid())
        .map(|pid| Process {
            pid,
            arguments: words(&proc(pid).join("cmdline")),
            folder: fs::read_link(proc(pid).join("cwd")).ok(),
        })
        .collect()
}

/// The processes that work in a folder or below, or were started with a path below it.
pub(crate) fn below(folder: &Path) -> Vec<Process> {
    let text = folder.to_string_lossy();
    let named = |process: &Process| process.arguments.iter().any(|word| word.contains(&*text));
    let works = |process: &Process| process.folder.as_ref().is_some_and(|path| path.starts_with(folder));
    all().into_iter().filter(|process| works(process) || named(process)).collect()
}

/// The supervisor of the cluster in a folder.
pub(crate) fn supervisor(folder: &Path) -> Pid {
    let pid = bridgehead::files::read(&folder.join("supervisor.pid")).unwrap();
    Pid::from_raw(pid.trim().parse().unwrap()).unwrap()
}

/// The processes that a process started, with those that they started.
pub(crate) fn descendants(parent: Pid) -> Vec<Pid> {
    let file = proc(parent).join("task").join(parent.as_raw_nonzero().to_string()).join("children");
    let children = bridgehead::files::read(&file).unwrap_or_default();
    let children = children.split_whitespace().filter_map(|pid| pid.parse().ok().and_then(Pid::from_raw));
    children.flat_map(|pid| std::iter::once(pid).chain(descendants(pid))).collect()
}

/// Sends a signal to a process, which may be gone already.
pub(crate) fn signal(pid: Pid, signal: Signal) {
    let _ = kill_process(pid, signal);
}

/// Kills every process of a folder, also those that one of them starts meanwhile.
pub(crate) fn kill_below(folder: &Path) {
    loop {
        let processes = below(folder);
        if processes.is_empty() {
            return;
        }
        for process in processes {
            signal(process.pid, Signal::KILL);
        }
        std::thread::yield_now();
    }
}

/// Whether nobody listens on a port of 127.0.0.1.
pub(crate) fn is_free(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
}

/// What a process is at, in the kernel's letter: `T` if it is stopped, `Z` once it has ended.
pub(crate) fn state_of(pid: Pid) -> char {
    let stat = bridgehead::files::read(&proc(pid).join("stat")).unwrap_or_default();
    // The program's name, which may have anything in it, stands in parentheses before.
    stat.rsplit(") ").next().and_then(|rest| rest.chars().next()).unwrap_or('Z')
}

/// What the kernel shows of a process.
pub(crate) fn proc(pid: Pid) -> PathBuf {
    PathBuf::from(format!("/proc/{}", pid.as_raw_nonzero()))
}

/// The words of a file that ends each of them with a zero byte.
#[expect(clippy::disallowed_methods, reason = "a process may have ended")]
fn words(file: &Path) -> Vec<String> {
    let bytes = fs::read(file).unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    text.split('\0').filter(|word| !word.is_empty()).map(ToOwned::to_owned).collect()
}
