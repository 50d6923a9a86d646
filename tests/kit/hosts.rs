//! Hosts: machines with real systemd, sshd and sudo, each in a network of its own, and an operator who reaches them.
//!
//! ```ignore
//! let lab = Lab::new();
//! let hosts = Hosts::up(&lab, &[Plan::named("server"), Plan::named("agent").port(2222)]);
//! let server = &hosts["server"]; // name, address, port, key (of the host, as in known_hosts)
//! ```
//!
//! From then on this thread, and every command and thread that it starts, is in the operator's network: the hosts'
//! addresses can be reached from it and nothing else can, and `127.0.0.1` is the operator's own. So `lab.ok(..)`,
//! `lab.start(..)`, `kube` clients, listeners and a [`Mirror`](super::mirror::Mirror) just work, in a `#[test]` or a
//! `#[tokio::test]`. The threads of `flavor = "multi_thread"` are older and elsewhere: there, have the hosts in a thread
//! of their own. Dropping `hosts` ends the hosts and leads the thread back.
//!
//! - bridgehead finds `BRIDGEHEAD_SSH_CONFIG` in its environment: the lab's `ssh/config`, which knows the hosts by name
//!   and by address, with ports, `ProxyJump`, the user `admin` and the key `ssh/id_ed25519`. `ssh/known_hosts` beside
//!   it has the hosts' keys; a test may write both anew.
//! - Users: `ADMIN`, `KEEPER`, `TYPIST`, `GUEST`; `hosts.password` is the one of all that have one, drawn by chance.
//!   `hosts.ssh(user, host, script)` is OpenSSH without bridgehead.
//! - Plans: `hostname("other")`, `port(2222)`, `behind("jump")`, `without_systemd()`.
//! - `host.run(script)` and `host.ok(script)` run as root without SSH. `host.reboot()`, `host.cut()` (power) and
//!   `host.start()` + `host.wait()`, `host.unplug()` and `host.plug()` (network), `host.occupy(6443)`.
//! - `host.world()` is all that a host is: `world::differences(&before, &after)` says what changed.
//! - `watch::Watch::start()` notes every command line of all machines until `finish()` returns them.
//! - A server of the test's own that hosts are to reach listens at `Hosts::OPERATOR`.
//! - The components are at `/opt/parts/<name>` of every host.
//! - All hosts share this machine's clock: one that is wrong cannot be had.

mod access;
mod base;
mod host;
mod island;
mod look;
mod network;
mod plan;

use std::fs::File;
use std::marker::PhantomData;
use std::net::Ipv4Addr;
use std::ops::Index;

use bridgehead::files;
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use tokio::runtime::{Handle, RuntimeFlavor};

pub(crate) use host::Host;
pub(crate) use plan::Plan;

use crate::kit::command::run;
use crate::kit::{Lab, Outcome};
use access::Access;
use host::Disk;
use island::{Door, Island};
use network::Place;

/// Logs in with the lab's key; `sudo` asks nothing.
pub(crate) const ADMIN: &str = "admin";
/// Logs in with the lab's key or the password; `sudo` asks for the password.
pub(crate) const KEEPER: &str = "keeper";
/// Logs in with the password only; `sudo` asks for it.
pub(crate) const TYPIST: &str = "typist";
/// Logs in with the lab's key or the password; may not use `sudo`.
pub(crate) const GUEST: &str = "guest";

/// The hosts of a lab. This thread is in the operator's network while it has them.
pub(crate) struct Hosts {
    machines: Vec<Host>,
    /// The password of every user who has one.
    pub(crate) password: String,
    /// The network that the thread came from.
    home: File,
    /// Its end ends the hosts.
    island: Option<Island>,
    /// Only the thread that came here can go back.
    _thread: PhantomData<*const ()>,
}

impl Hosts {
    /// The address at which hosts reach whoever runs the tests.
    pub(crate) const OPERATOR: Ipv4Addr = network::OPERATOR;

    /// Boots hosts and waits until they are up.
    pub(crate) fn up(lab: &Lab, plans: &[Plan]) -> Self {
        let flavor = Handle::try_current().map(|runtime| runtime.runtime_flavor());
        assert!(
            !matches!(flavor, Ok(RuntimeFlavor::MultiThread)),
            "a runtime of several threads is not in the operator's network: use `#[tokio::test]`"
        );
        let (base, parts) = (base::folder(), lab.components());
        let home = File::open("/proc/thread-self/ns/net").unwrap();
        let island = Island::new();
        island.door.ok(&network::bridges());
        let access = Access::new(lab);
        let hosts = disks(lab, plans, &access, &Shared { door: &island.door, base: &base, parts: &parts });
        access::write(lab, plans, &hosts);
        hosts.iter().for_each(Host::start);
        hosts.iter().for_each(Host::wait);
        enter(&island.door.network());
        Self { machines: hosts, password: access.password, home, island: Some(island), _thread: PhantomData }
    }

    /// Runs a script on a host by OpenSSH as somebody who is asked nothing.
    pub(crate) fn ssh(&self, lab: &Lab, user: &str, host: &str, script: &str) -> Outcome {
        let mut ssh = lab.command("ssh");
        ssh.arg("-F").arg(lab.path("ssh/config")).args(["-o", "BatchMode=yes", "-l", user]);
        ssh.args([&self[host].name, script]);
        run(ssh)
    }
}

impl Index<&str> for Hosts {
    type Output = Host;

    fn index(&self, name: &str) -> &Host {
        self.machines
            .iter()
            .find(|host| host.name == name)
            .unwrap_or_else(|| panic!("there is no host {name}"))
    }
}

impl Drop for Hosts {
    fn drop(&mut self) {
        enter(&self.home);
        self.island.take();
        self.machines.iter().for_each(Host::join);
    }
}

/// What all hosts of a lab share.
struct Shared<'a> {
    door: &'a Door,
    base: &'a std::path::Path,
    parts: &'a [(String, std::path::PathBuf)],
}

/// Makes the disks of all hosts.
fn disks(lab: &Lab, plans: &[Plan], access: &Access, shared: &Shared<'_>) -> Vec<Host> {
    let places = Place::of_all(plans);
    let shadow = files::read(&shared.base.join("etc/shadow")).unwrap();
    let names = access::names(plans, &places);
    let host = |(plan, place): (&Plan, Place)| {
        let (mut files, key) = access.disk(lab, plan, &shadow);
        files.push(("/etc/hosts".to_owned(), 0o644, names.clone()));
        let disk = Disk { base: shared.base, files: &files, parts: shared.parts, key: &key };
        Host::new(shared.door, plan, place, &disk, lab.path("ssh").join(format!("{}.log", plan.name)))
    };
    plans.iter().zip(places).map(host).collect()
}

/// Moves this thread into a network.
fn enter(network: &File) {
    move_into_link_name_space(std::os::fd::AsFd::as_fd(network), Some(LinkNameSpaceType::Network)).unwrap();
}
