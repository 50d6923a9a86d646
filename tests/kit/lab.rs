//! A lab: a root with sites, a home, a state folder; bridgehead run in it; everything ended with it.

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use bridgehead::files;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use serde_json::Value;
use tempfile::TempDir;

use super::command::{Outcome, Running, run};
use super::process::{self, Process};

/// The repository that is tested.
pub(crate) const REPOSITORY: &str = env!("CARGO_MANIFEST_DIR");

/// Somebody who is not root, for tests that root runs.
const ORDINARY: u32 = 1500;

/// Folders of its own for one test.
pub(crate) struct Lab {
    folder: TempDir,
    executable: PathBuf,
    /// Who runs bridgehead; `None`: whoever runs the tests.
    user: Option<u32>,
}

impl Lab {
    /// A lab whose root has this repository's addons and workloads.
    pub(crate) fn new() -> Self {
        let folder = tempfile::Builder::new().prefix("bridgehead-").tempdir().unwrap();
        let lab = Self { folder, executable: env!("CARGO_BIN_EXE_bridgehead").into(), user: None };
        for name in ["root/sites", "home", "state", "ssh"] {
            files::make_folder(&lab.path(name)).unwrap();
        }
        let config = format!("UserKnownHostsFile {}/known_hosts\n", lab.path("ssh").display());
        files::replace(&lab.path("ssh/config"), config.as_bytes(), 0o600).unwrap();
        for name in ["addons", "workloads"] {
            copy(&Path::new(REPOSITORY).join(name), &lab.path("root").join(name));
        }
        lab
    }

    /// A lab in which bridgehead and all that it starts run as an ordinary user, who can read nothing of what
    /// whoever runs the tests keeps from others.
    pub(crate) fn of_an_ordinary_user(sites: &[(&str, &str)]) -> Self {
        let mut lab = Self::new();
        for (site, profile) in sites {
            lab.write_profile(site, profile);
        }
        if !rustix::process::geteuid().is_root() {
            return lab;
        }
        files::make_folder(&lab.path("components")).unwrap();
        for (name, path) in lab.components() {
            share(&path, &lab.path("components").join(name));
        }
        share(&lab.executable, &lab.path("bridgehead"));
        lab.executable = lab.path("bridgehead");
        lab.user = Some(ORDINARY);
        give(lab.folder.path(), ORDINARY);
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
        files::make_folder(path.parent().unwrap()).unwrap();
        files::replace(&path, profile.as_bytes(), 0o600).unwrap();
    }

    /// A command in the lab's surroundings.
    pub(crate) fn command(&self, program: impl AsRef<Path>) -> Command {
        let mut command = Command::new(program.as_ref());
        command.env_clear().current_dir(self.path("root"));
        for name in ["PATH", "XDG_CACHE_HOME", "BRIDGEHEAD_COMPONENTS"] {
            if let Some(value) = variable(name) {
                command.env(name, value);
            }
        }
        // The components are shared by all tests; nothing else of the person's home is.
        if variable("XDG_CACHE_HOME").is_none() {
            command.env("XDG_CACHE_HOME", Path::new(&variable("HOME").unwrap()).join(".cache"));
        }
        if let Some(user) = self.user {
            command.uid(user).gid(user);
            command.env("BRIDGEHEAD_COMPONENTS", self.path("components"));
            command.env("XDG_CACHE_HOME", self.path("cache"));
        }
        command.env("HOME", self.path("home")).env("XDG_STATE_HOME", self.path("state"));
        // OpenSSH asks the system for a person's home, not HOME.
        command.env("BRIDGEHEAD_SSH_CONFIG", self.path("ssh/config"));
        command
    }

    /// A bridgehead command, not yet started.
    pub(crate) fn prepare(&self, arguments: &[&str]) -> Command {
        let mut command = self.command(&self.executable);
        command.args(arguments);
        command
    }

    /// Starts bridgehead.
    pub(crate) fn start(&self, arguments: &[&str]) -> Running {
        Running::start(self.prepare(arguments))
    }

    /// Runs bridgehead to its end.
    pub(crate) fn bridgehead(&self, arguments: &[&str]) -> Outcome {
        self.bridgehead_with(arguments, &[])
    }

    /// Runs bridgehead to its end with further environment variables.
    pub(crate) fn bridgehead_with(&self, arguments: &[&str], environment: &[(&str, &str)]) -> Outcome {
        let mut command = self.prepare(arguments);
        command.envs(environment.iter().copied());
        run(command)
    }

    /// A command of kubectl with a kubeconfig.
    pub(crate) fn kubectl(&self, kubeconfig: &str) -> Command {
        let path = self.path("kubeconfig");
        files::replace(&path, kubeconfig.as_bytes(), 0o600).unwrap();
        let mut kubectl = self.command("kubectl");
        kubectl.env("KUBECONFIG", path);
        kubectl
    }

    /// Runs bridgehead, which must succeed.
    pub(crate) fn ok(&self, arguments: &[&str]) -> Outcome {
        let outcome = self.bridgehead(arguments);
        let Outcome { stdout, stderr, .. } = &outcome;
        assert_eq!(outcome.code(), 0, "bridgehead {arguments:?} failed:\n{stdout}{stderr}");
        outcome
    }

    /// The components by name, and where they are.
    pub(crate) fn components(&self) -> Vec<(String, PathBuf)> {
        let rows = self.ok(&["components", "--output", "json"]).document();
        let text = |row: &Value, key: &str| row[key].as_str().unwrap().to_owned();
        rows.as_array().unwrap().iter().map(|row| (text(row, "name"), text(row, "path").into())).collect()
    }

    /// Where a component is.
    pub(crate) fn component(&self, name: &str) -> PathBuf {
        self.components().into_iter().find(|(component, _)| component == name).unwrap().1
    }

    /// A connection to a cluster's API server as its administrator.
    pub(crate) async fn client(&self, site: &str, cluster: &str) -> Client {
        let text = self.ok(&["kubeconfig", "show", site]).stdout;
        let kubeconfig = Kubeconfig::from_yaml(&text).unwrap();
        let options = KubeConfigOptions { context: Some(format!("{site}/{cluster}")), ..Default::default() };
        Config::from_custom_kubeconfig(kubeconfig, &options).await.unwrap().try_into().unwrap()
    }

    /// The processes of this lab.
    pub(crate) fn processes(&self) -> Vec<Process> {
        process::below(self.folder.path())
    }

    /// The processes of one site of this lab.
    pub(crate) fn processes_of(&self, site: &str) -> Vec<Process> {
        process::below(&self.state(site))
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        process::kill_below(self.folder.path());
    }
}

#[expect(clippy::disallowed_methods, reason = "a test's own surroundings")]
pub(crate) fn variable(name: &str) -> Option<OsString> {
    std::env::var_os(name)
}

fn copy(from: &Path, to: &Path) {
    files::make_folder(to).unwrap();
    for entry in from.read_dir().unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &to.join(entry.file_name()));
        } else {
            fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
        }
    }
}

/// Makes a file available to everybody at another place, without changing it where it is.
fn share(from: &Path, to: &Path) {
    const READABLE: u32 = 0o004;
    let readable = from.metadata().unwrap().mode() & READABLE != 0;
    if !(readable && fs::hard_link(from, to).is_ok()) {
        fs::copy(from, to).unwrap();
        fs::set_permissions(to, fs::Permissions::from_mode(0o755)).unwrap();
    }
}

/// Makes everything of a folder but shared files a user's own.
fn give(path: &Path, user: u32) {
    let metadata = fs::symlink_metadata(path).unwrap();
    if metadata.is_dir() {
        path.read_dir().unwrap().for_each(|entry| give(&entry.unwrap().path(), user));
    }
    if metadata.is_dir() || metadata.nlink() == 1 {
        chown(path, Some(user), Some(user)).unwrap();
    }
}
