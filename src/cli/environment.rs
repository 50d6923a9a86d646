//! The only place that reads environment variables. All of them are named here.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

use super::Global;
use super::password::{self, PasswordError};
use crate::engine::writer::Fault;
use crate::env::{Answers, Clients, Env, Hosts, Kubeconfigs, Looks, Proxies, Sessions, Settings};
use crate::site::secret::Secret;

/// Where state is kept; default `~/.local/state` (XDG Base Directory Specification).
const STATE_HOME: &str = "XDG_STATE_HOME";
/// Where things are kept that can be had again; default `~/.cache` (same source).
const CACHE_HOME: &str = "XDG_CACHE_HOME";
/// A folder with the components of `local`.
const COMPONENTS: &str = "BRIDGEHEAD_COMPONENTS";
/// Where sockets are kept; default: the state folder (same source).
const RUNTIME_DIR: &str = "XDG_RUNTIME_DIR";
/// A file with the password of logins and of `sudo` on hosts, instead of asking for it.
const PASSWORD_FILE: &str = "BRIDGEHEAD_PASSWORD_FILE";
/// The `ssh_config` to use instead of the user's and the system's.
const SSH_CONFIG: &str = "BRIDGEHEAD_SSH_CONFIG";
/// A text that machines share which review each other's plans: digests of plans with secrets are mixed with it.
const DIGEST_KEY: &str = "BRIDGEHEAD_DIGEST_KEY";
/// The proxies that lead to API servers, and which servers are reached without (as in Go; also in lower case).
const HTTP_PROXY: &str = "HTTP_PROXY";
const HTTPS_PROXY: &str = "HTTPS_PROXY";
const NO_PROXY: &str = "NO_PROXY";
/// The files that have contexts, as for `kubectl`, where neither the command line nor the profile says which.
const KUBECONFIG: &str = "KUBECONFIG";
/// The site of commands that take one and nothing else, where none is typed.
pub(in crate::cli) const SITE: &str = "BRIDGEHEAD_SITE";
/// For tests: kills the run before or after a write, or stops it there until it is told to go on:
/// `[stop:]before|after:<ordinal>:<step>`.
const FAULT: &str = "BRIDGEHEAD_FAULT";

/// The surroundings could not be made out.
#[derive(Debug, thiserror::Error)]
pub(super) enum EnvironmentError {
    /// Neither the variable nor `HOME` is set.
    #[error("neither `{0}` nor `HOME` is set")]
    NoHome(&'static str),
    /// `--root` names no folder.
    #[error("the folder `{}` of --root cannot be used", .path.display())]
    Root {
        /// What was given.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The system does not tell which program this is.
    #[error("cannot find out where this program is")]
    Executable(#[source] io::Error),
    /// The password cannot be had.
    #[error(transparent)]
    Password(PasswordError),
    /// The current folder cannot be used.
    #[error("cannot find out what the current folder is")]
    CurrentFolder(#[source] io::Error),
}

/// Reads the surroundings of a command.
///
/// # Errors
/// When a folder cannot be made out.
pub(super) fn read(global: &Global) -> Result<Env, EnvironmentError> {
    let executable = std::env::current_exe().map_err(EnvironmentError::Executable)?;
    let state = base(STATE_HOME, ".local/state")?.join("bridgehead");
    Ok(Env {
        root: find_root(global.root.as_deref())?,
        hosts: Hosts::new(hosts(global, &state, &executable)?),
        state,
        cache: base(CACHE_HOME, ".cache")?.join("bridgehead"),
        components: variable(COMPONENTS).map(PathBuf::from),
        executable,
        variable: secret,
        aws: Sessions::default(),
        clients: Clients::new(proxies()),
        answers: Answers::default(),
        looks: Looks::default(),
        kubeconfigs: Kubeconfigs::default(),
    })
}

/// The kubeconfigs of this shell. As for `kubectl`, a path is relative to the current folder.
pub(super) fn kubeconfig() -> Option<PathBuf> {
    let named = variable(KUBECONFIG)?;
    let paths = std::env::split_paths(&named).filter(|path| !path.as_os_str().is_empty());
    let absolute = paths.map(|path| std::path::absolute(&path).unwrap_or(path));
    std::env::join_paths(absolute).ok().map(PathBuf::from)
}

/// As in Go, names in capitals come first.
fn proxies() -> Proxies {
    let either = |name: &str| {
        let value = variable(name).or_else(|| variable(&name.to_ascii_lowercase()))?;
        value.into_string().ok()
    };
    let [http, https, direct] = [HTTP_PROXY, HTTPS_PROXY, NO_PROXY].map(either);
    Proxies::new(http.as_deref(), https.as_deref(), direct.as_deref())
}

fn hosts(global: &Global, state: &Path, executable: &Path) -> Result<Settings, EnvironmentError> {
    let file = variable(PASSWORD_FILE).map(PathBuf::from);
    let runtime = variable(RUNTIME_DIR).map(PathBuf::from).filter(|path| path.is_absolute() && path.is_dir());
    Ok(Settings {
        executable: executable.to_owned(),
        folder: runtime.map_or_else(|| state.join(".connections"), |folder| folder.join("bridgehead")),
        config: variable(SSH_CONFIG).map(PathBuf::from),
        password: password::get(file.as_deref(), global.ask_pass).map_err(EnvironmentError::Password)?,
        accept_new_host_keys: global.accept_new_host_keys,
    })
}

/// What digests of plans with secrets are mixed with, if machines are to share it.
pub(super) fn digest_key() -> Option<Secret<String>> {
    secret(DIGEST_KEY)
}

/// What other operators are told of this one. Two that have the same state folder on one machine are kept apart by the
/// lock in it.
pub(super) fn operator(env: &Env) -> String {
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let user = variable("USER").or_else(|| variable("LOGNAME"));
    let user = user.map_or_else(|| "unknown".to_owned(), |user| user.to_string_lossy().into_owned());
    format!("{user}@{host} ({})", env.state.display())
}

/// Where a test wants the run to be killed.
pub(super) fn fault() -> Option<Fault> {
    variable(FAULT)?.to_str()?.parse().ok()
}

/// The given root, or the nearest ancestor of the current folder that has a `sites/` folder.
fn find_root(given: Option<&Path>) -> Result<Option<PathBuf>, EnvironmentError> {
    if let Some(path) = given {
        let root = path.canonicalize();
        return root.map(Some).map_err(|source| EnvironmentError::Root { path: path.to_owned(), source });
    }
    let current = std::env::current_dir().map_err(EnvironmentError::CurrentFolder)?;
    Ok(current.ancestors().find(|folder| folder.join("sites").is_dir()).map(ToOwned::to_owned))
}

fn base(name: &'static str, below_home: &str) -> Result<PathBuf, EnvironmentError> {
    // The specification says that a relative path is to be ignored.
    let given = variable(name).map(PathBuf::from).filter(|path| path.is_absolute());
    given
        .or_else(|| variable("HOME").map(|home| Path::new(&home).join(below_home)))
        .ok_or(EnvironmentError::NoHome(name))
}

/// A variable that a profile names for a secret value; one that is no text is as good as not set.
fn secret(name: &str) -> Option<Secret<String>> {
    Some(Secret::new(variable(name)?.into_string().ok()?))
}

#[expect(clippy::disallowed_methods, reason = "this is where the environment is read")]
fn variable(name: &str) -> Option<OsString> {
    std::env::var_os(name).filter(|value| !value.is_empty())
}
