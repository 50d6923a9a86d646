//! A lab: a root with sites, a home, a state folder; bridgehead run in it; everything ended with it.

use std::fs;
use std::io::Read;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use serde_json::Value;
use tempfile::TempDir;

/// The repository that is tested.
pub(crate) const REPOSITORY: &str = env!("CARGO_MANIFEST_DIR");

/// Longer than any command of a test takes on a slow machine.
const PATIENCE: Duration = Duration::from_mins(6);

/// Folders of its own for one test.
pub(crate) struct Lab {
    folder: TempDir,
}

/// What a command did.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) status: ExitStatus,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    pub(crate) elapsed: Duration,
}

impl Lab {
    /// A lab whose root has this repository's addons and workloads.
    pub(crate) fn new() -> Self {
        let folder = tempfile::Builder::new().prefix("bridgehead-").tempdir().unwrap();
        let lab = Self { folder };
        for name in ["root/sites", "home", "state"] {
            fs::create_dir_all(lab.path(name)).unwrap();
        }
        for name in ["addons", "workloads"] {
            copy(&Path::new(REPOSITORY).join(name), &lab.path("root").join(name));
        }
        lab
    }

    /// A path in the lab.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Where a site keeps its state.
    pub(crate) fn state(&self, site: &str) -> PathBuf {
        self.path("state/bridgehead").join(site)
    }

    /// The file of a site's profile.
    pub(crate) fn profile(&self, site: &str) -> PathBuf {
        self.path("root/sites").join(site).join("profile.toml")
    }

    /// Writes a site's profile.
    pub(crate) fn write_profile(&self, site: &str, profile: &str) {
        let path = self.profile(site);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, profile).unwrap();
    }

    /// A command in the lab's surroundings.
    pub(crate) fn command(&self, program: impl AsRef<Path>) -> Command {
        let mut command = Command::new(program.as_ref());
        command.env_clear().current_dir(self.path("root")).stdin(Stdio::null());
        for name in ["PATH", "XDG_CACHE_HOME", "BRIDGEHEAD_COMPONENTS"] {
            if let Some(value) = variable(name) {
                command.env(name, value);
            }
        }
        // The components are shared by all tests; nothing else of the person's home is.
        if variable("XDG_CACHE_HOME").is_none() {
            command.env("XDG_CACHE_HOME", Path::new(&variable("HOME").unwrap()).join(".cache"));
        }
        command.env("HOME", self.path("home")).env("XDG_STATE_HOME", self.path("state"));
        command
    }

    /// Runs bridgehead to its end.
    pub(crate) fn bridgehead(&self, arguments: &[&str]) -> Outcome {
        self.bridgehead_with(arguments, &[])
    }

    /// Runs bridgehead to its end with further environment variables.
    pub(crate) fn bridgehead_with(&self, arguments: &[&str], environment: &[(&str, &str)]) -> Outcome {
        let mut command = self.command(env!("CARGO_BIN_EXE_bridgehead"));
        command.args(arguments).envs(environment.iter().copied());
        run(command)
    }

    /// Runs bridgehead, which must succeed.
    pub(crate) fn ok(&self, arguments: &[&str]) -> Outcome {
        let outcome = self.bridgehead(arguments);
        assert_eq!(
            outcome.code(),
            0,
            "bridgehead {arguments:?} failed:\n{}{}",
            outcome.stdout,
            outcome.stderr
        );
        outcome
    }

    /// A connection to a cluster's API server as its administrator.
    pub(crate) async fn client(&self, site: &str, cluster: &str) -> Client {
        let text = self.ok(&["kubeconfig", "show", site]).stdout;
        let kubeconfig = Kubeconfig::from_yaml(&text).unwrap();
        let options = KubeConfigOptions { context: Some(format!("{site}/{cluster}")), ..Default::default() };
        Config::from_custom_kubeconfig(kubeconfig, &options).await.unwrap().try_into().unwrap()
    }

    /// The processes that have something of this lab open or as their folder.
    pub(crate) fn processes(&self) -> Vec<i32> {
        processes_below(self.folder.path())
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        for pid in self.processes() {
            let pid = rustix::process::Pid::from_raw(pid).unwrap();
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
        }
    }
}

impl Outcome {
    /// The exit code; 128 + the signal's number when a signal ended it, as a shell says it.
    pub(crate) fn code(&self) -> i32 {
        self.status.code().unwrap_or_else(|| 128 + self.status.signal().unwrap_or(0))
    }

    /// The events of a run with `--output json`.
    pub(crate) fn events(&self) -> Vec<Value> {
        self.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// The events of one kind.
    pub(crate) fn events_of(&self, kind: &str) -> Vec<Value> {
        self.events().into_iter().filter(|event| event["event"] == kind).collect()
    }
}

/// Runs a command to its end; one that does not end is killed and fails the test.
pub(crate) fn run(mut command: Command) -> Outcome {
    let started = Instant::now();
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let stdout = reader(child.stdout.take().unwrap());
    let stderr = reader(child.stderr.take().unwrap());
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        if started.elapsed() > PATIENCE {
            child.kill().unwrap();
            let text = stderr.join().unwrap();
            panic!("{command:?} did not end within {} s:\n{text}", PATIENCE.as_secs());
        }
        pause(Duration::from_millis(10));
    };
    Outcome {
        status,
        stdout: stdout.join().unwrap(),
        stderr: stderr.join().unwrap(),
        elapsed: started.elapsed(),
    }
}

/// Looks until something is true; fails the test when it never becomes so.
pub(crate) async fn eventually(what: &str, mut look: impl AsyncFnMut() -> bool) {
    let started = Instant::now();
    while !look().await {
        assert!(started.elapsed() < Duration::from_mins(1), "{what}: not within a minute");
        tokio::task::yield_now().await;
        pause(Duration::from_millis(100));
    }
}

#[expect(clippy::disallowed_methods, reason = "a test looks at the world from outside")]
pub(crate) fn pause(duration: Duration) {
    thread::sleep(duration);
}

#[expect(clippy::disallowed_methods, reason = "a test's own surroundings")]
fn variable(name: &str) -> Option<std::ffi::OsString> {
    std::env::var_os(name)
}

fn reader(mut stream: impl Read + Send + 'static) -> thread::JoinHandle<String> {
    thread::spawn(move || {
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        text
    })
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in from.read_dir().unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &to.join(entry.file_name()));
        } else {
            fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
        }
    }
}

/// Processes whose folder is below `folder`, or that were started with a path below it.
fn processes_below(folder: &Path) -> Vec<i32> {
    let own = i32::try_from(std::process::id()).unwrap();
    let mut found = Vec::new();
    for entry in Path::new("/proc").read_dir().unwrap().flatten() {
        let Ok(pid) = entry.file_name().to_string_lossy().parse::<i32>() else { continue };
        let below =
            |name: &str| fs::read_link(entry.path().join(name)).is_ok_and(|path| path.starts_with(folder));
        let arguments = fs::read(entry.path().join("cmdline")).unwrap_or_default();
        let named = String::from_utf8_lossy(&arguments).contains(&*folder.to_string_lossy());
        if pid != own && (below("cwd") || named) {
            found.push(pid);
        }
    }
    found
}
