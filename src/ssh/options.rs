//! What `ssh` is told: what the inventory says, how strict to be about keys, and what a master needs.

use std::ffi::OsString;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;

use super::error::{SshError, label};
use super::hosts::Settings;
use super::quote;
use crate::site::inventory::Host;

/// How long `ssh` may take to read its configuration, which may run programs (`Match exec`).
const PATIENCE: Duration = Duration::from_secs(20);

/// How long the master outlives us when we are killed, in seconds. It lives as long as something is connected to its
/// socket, which we are.
const LINGER: &str = "10";

/// How `ssh` finds out that a host is gone: after 20 s of silence. And how much time it has for connecting, in seconds.
const ALIVE: [&str; 3] = ["ServerAliveInterval=5", "ServerAliveCountMax=3", "ConnectTimeout=10"];

/// What a person's configuration may say for terminals and has no place here. Forwarded ports are not wanted twice,
/// and nothing is recorded that was not asked for.
const PLAIN: [&str; 7] = [
    "ClearAllForwardings=yes",
    "ForwardAgent=no",
    "ForwardX11=no",
    "PermitLocalCommand=no",
    "RemoteCommand=none",
    "RequestTTY=no",
    "UpdateHostKeys=no",
];

/// The file that has the host's pinned key.
pub(super) const PIN: &str = "pinned_key";

/// The files of one connection.
#[derive(Debug, Clone, Copy)]
pub(super) struct Files<'a> {
    /// The socket that the master will listen on.
    pub(super) socket: &'a Path,
    /// Where it writes what goes wrong.
    pub(super) log: &'a Path,
    /// The file that has the pinned key.
    pub(super) pin: &'a Path,
}

/// The arguments of the master of a host's connection.
pub(super) fn master(host: &Host, settings: &Settings, files: Files<'_>) -> Vec<OsString> {
    let mut arguments = configuration(settings);
    let mut option = |text: String| arguments.extend(["-o".into(), text.into()]);
    option(format!("ControlPersist={LINGER}"));
    ALIVE.iter().chain(&PLAIN).for_each(|text| option((*text).to_owned()));
    if settings.password.is_some() {
        option("BatchMode=no".to_owned());
        option("NumberOfPasswordPrompts=1".to_owned());
    } else {
        option("BatchMode=yes".to_owned());
    }
    keys(host, settings, files.pin).into_iter().for_each(option);
    // Only with `-v` does a master that goes into the background tell what the `ssh` to a jump host says.
    arguments.extend(["-v", "-M", "-N", "-f", "-S"].map(OsString::from));
    arguments.extend([escaped(files.socket).into(), "-E".into(), files.log.into()]);
    arguments.extend(destination(host).map(OsString::from));
    arguments
}

/// How strict to be about the host's key. A pin counts alone.
fn keys(host: &Host, settings: &Settings, pin: &Path) -> Vec<String> {
    if host.host_key.is_some() {
        vec![
            format!("UserKnownHostsFile=\"{}\"", escaped(pin)),
            "GlobalKnownHostsFile=none".to_owned(),
            "KnownHostsCommand=none".to_owned(),
            "VerifyHostKeyDNS=no".to_owned(),
            format!("HostKeyAlias={}", host.name),
            "StrictHostKeyChecking=yes".to_owned(),
        ]
    } else if settings.accept_new_host_keys {
        vec!["StrictHostKeyChecking=accept-new".to_owned()]
    } else {
        vec!["StrictHostKeyChecking=yes".to_owned()]
    }
}

/// The line of `known_hosts` for a host's pinned key.
pub(super) fn pin(host: &Host) -> Option<String> {
    host.host_key.as_ref().map(|key| format!("{} {key}\n", host.name))
}

/// The command that a person would type to log in, for hints.
pub(super) fn command_line(host: &Host, settings: &Settings) -> String {
    let words = configuration(settings).into_iter().map(|word| word.to_string_lossy().into_owned());
    let is_plain = |word: &str| {
        !word.contains(|character: char| {
            !character.is_ascii_graphic() || "'\"\\$`;&|<>*?#~()".contains(character)
        })
    };
    let words = words.chain(destination(host).filter(|word| word != "--"));
    let words = words.map(|word| if is_plain(&word) { word } else { quote(&word) });
    std::iter::once("ssh".to_owned()).chain(words).collect::<Vec<_>>().join(" ")
}

/// What `ssh` makes of a host's address, with the user's `ssh_config`; nothing is connected to.
pub(super) async fn address(host: &Host, settings: &Settings) -> Result<String, SshError> {
    let failed = |reason: String| SshError::NoAddress { host: label(host), reason };
    let mut command = Command::new("ssh");
    command.args(configuration(settings)).arg("-G").args(destination(host));
    command.stdin(Stdio::null()).kill_on_drop(true);
    let output = tokio::time::timeout(PATIENCE, command.output()).await;
    let output = output.map_err(|_| failed(format!("no answer within {} s", PATIENCE.as_secs())))?;
    let output = output.map_err(|source| failed(source.to_string()))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let address = text.lines().find_map(|line| line.strip_prefix("hostname "));
    address.map(ToOwned::to_owned).ok_or_else(|| {
        let said = String::from_utf8_lossy(&output.stderr);
        failed(said.lines().next_back().unwrap_or("`ssh -G` names no host name").trim().to_owned())
    })
}

fn configuration(settings: &Settings) -> Vec<OsString> {
    settings.config.iter().flat_map(|path| ["-F".into(), path.into()]).collect()
}

/// Port and user if the inventory says them, and the address.
fn destination(host: &Host) -> impl Iterator<Item = String> {
    let port = host.port.iter().flat_map(|port| ["-p".to_owned(), port.to_string()]);
    let user = host.user.iter().flat_map(|user| ["-l".to_owned(), user.clone()]);
    port.chain(user).chain(["--".to_owned(), host.address.clone()]).collect::<Vec<_>>().into_iter()
}

/// A path in which `ssh` finds nothing to replace.
fn escaped(path: &Path) -> String {
    path.to_string_lossy().replace('%', "%%")
}
