//! An agent of OpenSSH that holds keys.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use bridgehead::files;

use super::command::run;
use super::wait::until;

/// Ends when it is dropped.
pub(crate) struct Agent {
    process: Child,
    socket: PathBuf,
}

impl Agent {
    /// Starts one that listens on a socket.
    pub(crate) fn start(socket: &Path) -> Self {
        let mut command = Command::new("ssh-agent");
        command.arg("-D").arg("-a").arg(socket).stdout(Stdio::null());
        let agent = Self { process: command.spawn().unwrap(), socket: socket.to_owned() };
        until("the agent listens", || socket.exists());
        agent
    }

    /// Gives it a key, which it can open with the passphrase.
    pub(crate) fn add(&self, key: &Path, passphrase: &str) {
        let asked = self.socket.with_extension("askpass");
        files::replace(&asked, format!("#!/bin/sh\necho '{passphrase}'\n").as_bytes(), 0o700).unwrap();
        let mut command = Command::new("ssh-add");
        command.arg(key).env("SSH_AUTH_SOCK", &self.socket);
        command.env("SSH_ASKPASS", asked).env("SSH_ASKPASS_REQUIRE", "force");
        assert_eq!(run(command).code(), 0);
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}
