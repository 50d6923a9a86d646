//! How the user of a connection becomes whom the inventory names: found out once per connection.

use std::time::Duration;

use openssh::{ChildStdin, ChildStdout};

use super::error::{SshError, label};
use super::exchange::{Outcome, Task, start, write};
use super::frame::Frame;
use super::hosts::Settings;
use super::master::Master;
use super::quote;
use crate::engine::Hint;
use crate::site::inventory::Host;
use crate::site::secret::Secret;

/// What runs a script that comes over standard input. It is all that the host's list of processes shows of one.
const SHELL: &str = "sh -s";

/// How long finding out may take: `sudo` may ask a directory, and waits after a wrong password.
const PATIENCE: Duration = Duration::from_secs(30);

/// How to become another user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Privilege {
    /// It is the user already.
    Own,
    /// `sudo` asks for nothing.
    Sudo,
    /// `sudo` asks for the password.
    SudoWithPassword,
}

impl Privilege {
    /// Finds out how, with a password only if nothing else works.
    pub(super) async fn find(master: &Master, host: &Host, settings: &Settings) -> Result<Self, SshError> {
        let looking = Looking { master, host, settings };
        let said = match looking.run(SHELL, "", &question(&host.become_user)).await? {
            Outcome::Answered(output) => output.text()?,
            Outcome::Refused(output) => return Err(output.into_no_shell()),
        };
        let become_user = host.become_user.clone();
        match said.split_once('\n').map_or(said.as_str(), |(first, _)| first) {
            "own" => Ok(Self::Own),
            "sudo" => Ok(Self::Sudo),
            "absent" => Err(SshError::NoSudo {
                host: label(host),
                become_user,
                hint: Hint("install `sudo`, or log in as that user: `ansible_user`".to_owned()),
            }),
            _ if !asks_for_password(&said) => Err(not_allowed(host, &said)),
            _ => match &settings.password {
                Some(password) => looking.prove(password).await,
                None => Err(SshError::PasswordNeeded {
                    host: label(host),
                    become_user,
                    hint: Hint(
                        "add --ask-pass (with make: ASK_PASS=true), or set BRIDGEHEAD_PASSWORD_FILE"
                            .to_owned(),
                    ),
                }),
            },
        }
    }

    /// The command that runs a script.
    ///
    /// With `-k`, `sudo` always asks, and so takes the password from the script's first line. The texts of `sudo`
    /// are wanted as they are written; `env` says so in every user's shell.
    pub(super) fn command(self, become_user: &str) -> String {
        let user = quote(become_user);
        match self {
            Self::Own => SHELL.to_owned(),
            Self::Sudo => format!("env LC_ALL=C sudo -k -n -u {user} -- {SHELL}"),
            Self::SudoWithPassword => format!("env LC_ALL=C sudo -k -S -p '' -u {user} -- {SHELL}"),
        }
    }

    /// What goes before the script.
    pub(super) fn before(self, settings: &Settings) -> String {
        match (self, &settings.password) {
            (Self::SudoWithPassword, Some(password)) => format!("{}\n", password.expose()),
            _ => String::new(),
        }
    }

    /// What a script wrote, less the password: a `sudo` whose rules have just changed may have left it to the shell,
    /// which says that there is no such command.
    pub(super) fn without_password(self, said: &str, settings: &Settings) -> String {
        match (self, &settings.password) {
            (Self::SudoWithPassword, Some(password)) => said.replace(password.expose(), "***"),
            _ => said.to_owned(),
        }
    }
}

/// Asks the host, as the user who logged in: `own`, `sudo`, `absent`, or what `sudo` says against it.
fn question(become_user: &str) -> String {
    let user = quote(become_user);
    format!(
        "if [ \"$(id -un)\" = {user} ]; then echo own\n\
         elif ! command -v sudo >/dev/null; then echo absent\n\
         elif said=$({command} 2>&1 </dev/null); then echo sudo\n\
         else printf 'no\\n%s\\n' \"$said\"; fi\n",
        command = Privilege::Sudo.command(become_user),
    )
}

fn asks_for_password(said: &str) -> bool {
    // The last one is what `sudo-rs` says.
    const WORDS: [&str; 3] =
        ["a password is required", "a terminal is required", "authentication is required"];
    WORDS.iter().any(|words| said.contains(words))
}

fn not_allowed(host: &Host, said: &str) -> SshError {
    let mut lines = said.lines().filter(|line| !line.trim().is_empty() && *line != "no");
    // The last line says what follows from those before, which may be a greeting.
    let reason = lines.next_back().unwrap_or("`sudo` says nothing").trim().to_owned();
    let hint = if reason.contains("tty") {
        "take `requiretty` for this user out of the host's sudoers"
    } else {
        "allow it in the host's sudoers, or change `ansible_user` or `ansible_become_user`"
    };
    let become_user = host.become_user.clone();
    SshError::NotAllowed { host: label(host), become_user, reason, hint: Hint(hint.to_owned()) }
}

struct Looking<'a> {
    master: &'a Master,
    host: &'a Host,
    settings: &'a Settings,
}

impl Looking<'_> {
    /// Runs a script by a command, which gets a line of its own before it.
    async fn run(&self, command: &str, before: &str, script: &str) -> Result<Outcome, SshError> {
        let host = label(self.host);
        let operation = format!("find out how to become `{}`", self.host.become_user);
        let task = Task { host: &host, operation: &operation, patience: PATIENCE };
        let frame = Frame::new();
        let input = format!("{before}{}", frame.around(script, "</dev/null"));
        let started = task.within(start(self.master, &task, command)).await?;
        let feed = async |stdin: &mut ChildStdin, _: &mut ChildStdout| {
            write(stdin, input.as_bytes()).await;
            Ok(Vec::new())
        };
        task.within(started.finish(&task, &frame, feed)).await
    }

    /// Tries the password, once: after it there is nothing that could be taken for another one.
    async fn prove(&self, password: &Secret<String>) -> Result<Privilege, SshError> {
        const WRONG: [&str; 4] =
            ["try again", "incorrect password", "incorrect authentication", "Authentication failed"];
        let privilege = Privilege::SudoWithPassword;
        let command = privilege.command(&self.host.become_user);
        let output = match self.run(&command, &format!("{}\n", password.expose()), ":").await? {
            Outcome::Answered(output) if output.status == 0 => return Ok(privilege),
            Outcome::Answered(output) | Outcome::Refused(output) => output,
        };
        let said = privilege.without_password(&output.stderr, self.settings);
        Err(if WRONG.iter().any(|words| said.contains(words)) {
            let hint =
                Hint("type the password of the user who logs in, as `sudo` would ask for it".to_owned());
            SshError::WrongPassword { host: label(self.host), hint }
        } else {
            not_allowed(self.host, &said)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_user_name_leaves_its_place_on_the_command_line() {
        let command = Privilege::SudoWithPassword.command("a; id");
        assert_eq!(command, "env LC_ALL=C sudo -k -S -p '' -u 'a; id' -- sh -s");
    }

    #[test]
    fn what_sudo_says_tells_whether_a_password_would_help() {
        assert!(asks_for_password("no\nsudo: a password is required"));
        for said in ["no\nsudo: unknown user nobody9", "no\nSorry, user ops may not run sudo on h1."] {
            assert!(!asks_for_password(said), "{said}");
        }
    }
}
