//! Why `ssh` did not connect, from what it wrote. Its texts have been the same for many years; what is not
//! recognised is passed on as it is.

use super::error::{SshError, label};
use super::hosts::Settings;
use super::options::{PIN, command_line};
use crate::engine::Hint;
use crate::site::inventory::Host;

/// How `ssh` calls a host that another one does not lead it to.
const BEHIND_ANOTHER: &str = "UNKNOWN port 65535";

/// What kind of failure a text of `ssh` tells of, with the line that says it.
#[derive(Debug, PartialEq, Eq)]
enum Kind<'a> {
    /// Another key than the one of that file and line.
    Changed(&'a str),
    Unknown(&'a str),
    Refused(&'a str),
    Unreachable(&'a str),
    Other(&'a str),
}

/// Where it is said in which words. The first kind that is found counts: `ssh` goes on to say that the connection
/// was closed, and one to a host behind another one says so for both.
fn kind(log: &str) -> Kind<'_> {
    const UNREACHABLE: [&str; 12] = [
        "Could not resolve hostname",
        "Connection refused",
        "Connection timed out",
        "Operation timed out",
        "No route to host",
        "Network is unreachable",
        "Host is down",
        "Connection reset",
        "Connection closed",
        "timed out",
        "Broken pipe",
        "not responding",
    ];
    let find = |text: &str| lines(log).find(|line| line.contains(text));
    if let Some(place) = lines(log).find_map(offending) {
        return Kind::Changed(place);
    }
    if let Some(line) = find("host key is known for") {
        return Kind::Unknown(line);
    }
    if let Some(line) = find("Host key verification failed") {
        return Kind::Unknown(line);
    }
    if let Some(line) = find("Too many authentication failures").or_else(|| find("Permission denied (")) {
        return Kind::Refused(line);
    }
    let unreachable = lines(log).find(|line| UNREACHABLE.iter().any(|text| line.contains(text)));
    unreachable.map_or_else(|| Kind::Other(last(log).unwrap_or("`ssh` says nothing")), Kind::Unreachable)
}

/// `Offending ED25519 key in /home/ops/.ssh/known_hosts:3`
fn offending(line: &str) -> Option<&str> {
    line.strip_prefix("Offending ")?.split_once("key in ").map(|(_, place)| place)
}

/// The lines of a log that tell of failures: what `-v` adds does not.
fn lines(log: &str) -> impl DoubleEndedIterator<Item = &str> {
    const CHATTER: [&str; 6] = [
        "debug1: ",
        "OpenSSH_",
        "Authenticated to ",
        "Transferred: ",
        "Bytes per second: ",
        "Warning: Permanently added",
    ];
    let lines = log.lines().map(str::trim);
    lines.filter(|line| !line.is_empty() && !CHATTER.iter().any(|start| line.starts_with(start)))
}

/// The last thing that `ssh` said, if anything.
pub(super) fn last(log: &str) -> Option<&str> {
    lines(log).next_back()
}

/// The error that a log of `ssh` tells of.
pub(super) fn error(host: &Host, settings: &Settings, log: &str) -> SshError {
    let (label, alias) = (label(host), &host.name);
    let command = command_line(host, settings);
    match kind(log) {
        Kind::Changed(words) | Kind::Unknown(words) if is_pinned(host, words) => SshError::ChangedHostKey {
            host: label,
            place: "the inventory".to_owned(),
            hint: Hint(format!(
                "only if the machine is known to have a new key, change `host_key` of `[vms.{alias}]`"
            )),
        },
        Kind::Changed(place) => SshError::ChangedHostKey {
            host: label,
            place: format!("`{place}`"),
            hint: Hint(format!(
                "only if the machine is known to have a new key, take that line out, and then: {command}"
            )),
        },
        Kind::Unknown(line) => SshError::UnknownHostKey {
            host: label,
            reason: line.to_owned(),
            hint: Hint(format!(
                "`{command}` shows the key and asks whether to record it; --accept-new-host-keys records it unseen"
            )),
        },
        Kind::Refused(line) => {
            let hint = refused(settings, line, log.contains(BEHIND_ANOTHER));
            SshError::LoginRefused { host: label, reason: line.to_owned(), hint }
        }
        Kind::Unreachable(line) => unreachable(host, settings, line),
        Kind::Other(line) => SshError::Connect {
            host: label,
            reason: line.to_owned(),
            hint: Hint(format!("`{command}` may tell more")),
        },
    }
}

/// Whether it is the pinned key that is not met: `ssh` knows the host by its alias then, from a file of ours. A jump
/// host's key is another matter.
fn is_pinned(host: &Host, words: &str) -> bool {
    let by_alias = words.contains(&format!("host key is known for {} ", host.name));
    host.host_key.is_some() && (by_alias || words.contains(&format!("/{PIN}:")))
}

/// Nothing answers there, or not in time.
pub(super) fn unreachable(host: &Host, settings: &Settings, reason: &str) -> SshError {
    let hint = Hint(format!(
        "check that it runs, and `ansible_host` and `ansible_port` of `[vms.{}]`; to try it: {}",
        host.name,
        command_line(host, settings)
    ));
    SshError::Unreachable { host: label(host), reason: reason.to_owned(), hint }
}

fn refused(settings: &Settings, line: &str, by_jump_host: bool) -> Hint {
    let password = line.contains("password") || line.contains("keyboard-interactive");
    let hint = if line.contains("Too many") {
        "the agent has more keys than the host lets try: name the right one in ssh_config (IdentityFile, IdentitiesOnly)"
    } else if by_jump_host {
        "it is the jump host that refuses, which is told no password: add the key to the agent with `ssh-add`"
    } else if password && settings.password.is_some() {
        "the password is wrong, or the user is"
    } else if password {
        "add the key to the agent with `ssh-add`, or log in with a password: --ask-pass (with make: ASK_PASS=true)"
    } else {
        "the host takes keys only: add one that it knows to the agent with `ssh-add`, and check the user"
    };
    Hint(hint.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ssh_writes_says_what_kind_of_failure_it_is() {
        let changed = "@@@@@\r\n@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @\r\n@@@@@\r\n\
             Add correct host key in /home/o p/kh to get rid of this message.\r\n\
             Offending ED25519 key in /home/o p/kh:3\r\n\
             Host key for 10.0.0.1 has changed and you have requested strict checking.\r\n\
             Host key verification failed.\r\n";
        assert_eq!(kind(changed), Kind::Changed("/home/o p/kh:3"));
        let unknown = "No ED25519 host key is known for [10.0.0.1]:2222 and you have requested strict checking.\r\n\
             Host key verification failed.\r\n";
        assert!(matches!(kind(unknown), Kind::Unknown(line) if line.starts_with("No ED25519")));
        let refused = "Warning: Permanently added '10.0.0.1' (ED25519) to the list of known hosts.\r\n\
             ops@10.0.0.1: Permission denied (publickey,password).\r\n";
        assert_eq!(kind(refused), Kind::Refused("ops@10.0.0.1: Permission denied (publickey,password)."));
    }

    #[test]
    fn a_host_behind_a_dead_one_cannot_be_reached_for_the_first_reason() {
        let log = "OpenSSH_9.2p1 Debian-2+deb12u6, OpenSSL 3.0.19 27 Jan 2026\r\n\
             debug1: Executing proxy command: exec ssh -v -W '[inner]:22' jump\r\n\
             ssh: connect to host jump port 22: Connection refused\r\n\
             kex_exchange_identification: Connection closed by remote host\r\n\
             Connection closed by UNKNOWN port 65535\r\n";
        assert_eq!(kind(log), Kind::Unreachable("ssh: connect to host jump port 22: Connection refused"));
        for line in [
            "ssh: connect to host 10.0.0.1 port 22: Connection timed out",
            "ssh: connect to host 10.0.0.1 port 22: No route to host",
            "ssh: Could not resolve hostname x: Name or service not known",
            "Connection timed out during banner exchange",
            "kex_exchange_identification: read: Connection reset by peer",
        ] {
            assert_eq!(kind(line), Kind::Unreachable(line));
        }
    }

    #[test]
    fn what_is_not_recognised_is_passed_on() {
        assert_eq!(kind("/x/config: line 1: Bad configuration option: y\r\nfoo\r\n"), Kind::Other("foo"));
        assert_eq!(kind(""), Kind::Other("`ssh` says nothing"));
    }
}
