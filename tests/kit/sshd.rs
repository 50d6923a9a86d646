//! An `sshd` of a test's own on a loopback port, and what a user has to log in to it.

use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use bridgehead::files;
use bridgehead::site::inventory::Host;
use bridgehead::ssh::{Hosts, Settings};
use rustix::process::{Pid, Signal};
use tempfile::TempDir;

use super::command::run;
use super::process::{self, Process};
use super::wait::eventually;

/// A server, the key of a user whom it lets in, and the user's `ssh_config` and `known_hosts`.
pub(crate) struct Sshd {
    folder: TempDir,
    port: u16,
    server: Option<Child>,
}

impl Sshd {
    /// A server whose key is in `known_hosts`.
    pub(crate) async fn start() -> Self {
        let folder = tempfile::Builder::new().prefix("bridgehead-ssh-").tempdir().unwrap();
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
        let mut sshd = Self { folder, port, server: None };
        for key in ["host_key", "id"] {
            sshd.make_key(key, "");
        }
        fs::copy(sshd.path("id.pub"), sshd.path("authorized_keys")).unwrap();
        let path = |name: &str| sshd.path(name).display().to_string();
        let server = format!(
            "Port {port}\nListenAddress 127.0.0.1\nHostKey {}\nAuthorizedKeysFile {}\nPidFile none\n\
             UsePAM no\nStrictModes no\nPasswordAuthentication no\nKbdInteractiveAuthentication no\n",
            path("host_key"),
            path("authorized_keys"),
        );
        sshd.write("sshd_config", &server);
        sshd.configure("");
        sshd.know(&sshd.public("host_key"));
        sshd.serve().await;
        sshd
    }

    /// Writes the user's configuration, with lines of the test's own first.
    pub(crate) fn configure(&self, lines: &str) {
        let [id, known] = ["id", "known_hosts"].map(|name| self.path(name).display().to_string());
        let user = format!(
            "{lines}\nHost *\n  IdentityFile {id}\n  IdentitiesOnly yes\n  UserKnownHostsFile {known}\n  \
             GlobalKnownHostsFile none\n"
        );
        self.write("ssh_config", &user);
    }

    /// Starts the server, if it was stopped.
    pub(crate) async fn serve(&mut self) {
        let mut command = Command::new("/usr/sbin/sshd");
        command.arg("-D").arg("-f").arg(self.path("sshd_config")).arg("-E").arg(self.path("sshd.log"));
        // As root it wants this folder, which is there wherever it was installed to serve.
        if rustix::process::geteuid().is_root() {
            files::make_folder(Path::new("/run/sshd")).unwrap();
        }
        self.server = Some(command.stdin(Stdio::null()).spawn().unwrap());
        let port = self.port;
        eventually("sshd listens", async || !process::is_free(port)).await;
    }

    /// Kills the server with every connection, as when the host loses its power: nothing runs on.
    pub(crate) fn kill(&mut self) {
        let Some(mut server) = self.server.take() else { return };
        let sessions = process::descendants(Pid::from_child(&server));
        server.kill().unwrap();
        server.wait().unwrap();
        for pid in sessions {
            process::signal(pid, Signal::KILL);
        }
    }

    /// Stops and continues the server with every connection, as when the network goes and comes.
    pub(crate) fn freeze(&self, with: Signal) {
        let server = Pid::from_child(self.server.as_ref().unwrap());
        let sessions = process::descendants(server);
        for pid in sessions.into_iter().chain([server]) {
            process::signal(pid, with);
        }
    }

    /// A path in its folder.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file of its folder.
    pub(crate) fn write(&self, name: &str, text: &str) {
        files::replace(&self.path(name), text.as_bytes(), 0o600).unwrap();
    }

    /// Makes a key and its public half.
    pub(crate) fn make_key(&self, name: &str, passphrase: &str) {
        let path = self.path(name);
        for old in [path.clone(), path.with_extension("pub")] {
            files::remove(&old).unwrap();
        }
        let mut command = Command::new("ssh-keygen");
        command.args(["-q", "-t", "ed25519", "-C", "", "-N", passphrase, "-f"]).arg(path);
        assert_eq!(run(command).code(), 0);
    }

    /// The public half of a key: its type and itself.
    pub(crate) fn public(&self, name: &str) -> String {
        files::read(&self.path(name).with_extension("pub")).unwrap().trim().to_owned()
    }

    /// Makes a key the one that the user knows the server by.
    pub(crate) fn know(&self, key: &str) {
        self.write("known_hosts", &format!("# hosts\n[127.0.0.1]:{} {key}\n", self.port));
    }

    /// The port that it listens on.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// It as a host of an inventory.
    pub(crate) fn host(&self) -> Host {
        Host {
            name: "box".parse().unwrap(),
            address: "127.0.0.1".to_owned(),
            port: Some(self.port),
            user: None,
            become_user: own_name(),
            proxmox_vm_name: None,
            workloads: Vec::new(),
            host_key: None,
        }
    }

    /// What a run of the user is set up with.
    pub(crate) fn settings(&self) -> Settings {
        Settings {
            executable: env!("CARGO_BIN_EXE_bridgehead").into(),
            folder: self.path("connections"),
            config: Some(self.path("ssh_config")),
            password: None,
            accept_new_host_keys: false,
        }
    }

    /// The hosts of a run of the user.
    pub(crate) fn hosts(&self) -> Hosts {
        Hosts::new(self.settings())
    }

    /// How many logins it has let in.
    pub(crate) fn logins(&self) -> usize {
        let log = files::read_if_present(&self.path("sshd.log")).unwrap().unwrap_or_default();
        log.lines().filter(|line| line.starts_with("Accepted ")).count()
    }

    /// The processes of `ssh` that have something of the folder in their words.
    pub(crate) fn clients(&self) -> Vec<Process> {
        process::below(self.folder.path()).into_iter().filter(|process| process.name() == "ssh").collect()
    }
}

impl Drop for Sshd {
    fn drop(&mut self) {
        if self.server.is_some() {
            self.freeze(Signal::CONT);
        }
        self.kill();
        process::kill_below(self.folder.path());
    }
}

/// Who runs the tests, by name.
fn own_name() -> String {
    let mut command = Command::new("id");
    command.arg("-un");
    run(command).stdout.trim().to_owned()
}
