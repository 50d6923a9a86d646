//! On machines: with PAM, `sudo`, passwords, networks that can be cut, and reboots.

mod network;
mod password;
mod shell;
mod sudo;

use bridgehead::site::inventory::Host;
use bridgehead::site::secret::Secret;
use bridgehead::ssh::{Hosts, Settings, SshError};

use crate::kit::{Lab, hosts};

/// A machine as a host of an inventory that says no more than it has to.
fn host(machine: &str, user: &str) -> Host {
    Host {
        name: machine.parse().unwrap(),
        address: machine.to_owned(),
        port: None,
        user: Some(user.to_owned()),
        become_user: "root".to_owned(),
        proxmox_vm_name: None,
        workloads: Vec::new(),
        host_key: None,
    }
}

/// The hosts of a run.
fn run(lab: &Lab, password: Option<&str>) -> Hosts {
    Hosts::new(Settings {
        executable: env!("CARGO_BIN_EXE_bridgehead").into(),
        folder: lab.path("connections"),
        config: Some(lab.path("ssh/config")),
        password: password.map(|password| Secret::new(password.to_owned())),
        accept_new_host_keys: false,
    })
}

/// Whom a script of a run of its own runs as.
async fn identity(lab: &Lab, password: Option<&str>, host: &Host) -> Result<String, SshError> {
    let hosts = run(lab, password);
    let identity = hosts.get(host).await?.run("ask who it is", "id -un").await?.text();
    hosts.close().await;
    identity
}

/// One machine.
fn machine(lab: &Lab) -> hosts::Hosts {
    hosts::Hosts::up(lab, &[hosts::Plan::named("server")])
}
