//! How the operator gets to the hosts: keys, an `ssh_config`, known host keys, a password.

use std::process::Command;

use bridgehead::files;

use super::network::Place;
use super::{ADMIN, GUEST, Host, KEEPER, Plan, TYPIST};
use crate::kit::Lab;
use crate::kit::command::run;

/// The keys and the password of one lab.
pub(super) struct Access {
    /// The public half of the operator's key, as in `authorized_keys`.
    identity: String,
    pub(super) password: String,
    hash: String,
}

impl Access {
    pub(super) fn new(lab: &Lab) -> Self {
        let mut random = [0; 12];
        rustix::rand::getrandom(&mut random, rustix::rand::GetRandomFlags::empty()).unwrap();
        let password: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
        // The cheapest: nobody attacks these hosts.
        let hash = bcrypt::hash(&password, 4).unwrap();
        Self { identity: key(lab, "id_ed25519").1, password, hash }
    }

    /// The files of a host's disk by which it is known and lets in, by path, mode and content; its key.
    pub(super) fn disk(&self, lab: &Lab, plan: &Plan, shadow: &str) -> (Vec<(String, u32, String)>, String) {
        let (private, public) = key(lab, &format!("host_{}", plan.name));
        let mut disk = vec![
            ("/etc/ssh/ssh_host_ed25519_key".to_owned(), 0o600, private),
            ("/etc/ssh/sshd_config.d/port.conf".to_owned(), 0o644, format!("Port {}\n", plan.port)),
            ("/etc/shadow".to_owned(), 0o640, self.shadow(shadow)),
            ("/etc/hostname".to_owned(), 0o644, format!("{}\n", plan.hostname)),
        ];
        for user in [ADMIN, KEEPER, GUEST] {
            disk.push((format!("/home/{user}/.ssh/authorized_keys"), 0o644, self.identity.clone()));
        }
        (disk, public)
    }

    /// The file `shadow` with the password of those who have one.
    fn shadow(&self, shadow: &str) -> String {
        let line = |line: &str| match line.split_once(":!:") {
            Some((user @ (KEEPER | TYPIST | GUEST), rest)) => format!("{user}:{}:{rest}\n", self.hash),
            _ => format!("{line}\n"),
        };
        shadow.lines().map(line).collect()
    }
}

/// The names of all hosts, as their `/etc/hosts` has them.
pub(super) fn names(plans: &[Plan], places: &[Place]) -> String {
    let mut text = "127.0.0.1 localhost\n::1 localhost\n".to_owned();
    for (plan, place) in plans.iter().zip(places) {
        text += &format!("{} {}\n", place.address, plan.name);
    }
    text
}

/// Writes the operator's `ssh_config` and the known host keys.
pub(super) fn write(lab: &Lab, plans: &[Plan], hosts: &[Host]) {
    let (mut config, mut known) = (String::new(), String::new());
    for (plan, host) in plans.iter().zip(hosts) {
        let Host { name, address, port, key, .. } = host;
        config += &format!("Host {name} {address}\n  HostName {address}\n  Port {port}\n");
        if let Some(jump) = &plan.behind {
            config += &format!("  ProxyJump {jump}\n");
        }
        let known_as = if *port == 22 { address.clone() } else { format!("[{address}]:{port}") };
        known += &format!("{known_as} {key}\n");
    }
    let folder = lab.path("ssh");
    config += &format!(
        "Host *\n  User {ADMIN}\n  IdentityFile {0}/id_ed25519\n  IdentitiesOnly yes\n\
         \x20 UserKnownHostsFile {0}/known_hosts\n  GlobalKnownHostsFile /dev/null\n",
        folder.display()
    );
    files::replace(&folder.join("known_hosts"), known.as_bytes(), 0o600).unwrap();
    files::replace(&folder.join("config"), config.as_bytes(), 0o600).unwrap();
}

/// Makes a key in the lab's `ssh` folder; its private and public half.
fn key(lab: &Lab, name: &str) -> (String, String) {
    let file = lab.path("ssh").join(name);
    let mut keygen = Command::new("ssh-keygen");
    keygen.args(["-q", "-t", "ed25519", "-N", "", "-C", "", "-f"]).arg(&file);
    let outcome = run(keygen);
    assert!(outcome.status.success(), "{}", outcome.stderr);
    let public = files::read(&file.with_extension("pub")).unwrap();
    (files::read(&file).unwrap(), public.trim().to_owned())
}
