//! A host: a machine with a root filesystem, a network and, mostly, systemd, which boots, reboots and dies.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

use bridgehead::files;
use rustix::process::{Pid, Signal};

use super::island::Door;
use super::network::Place;
use super::{Plan, look};
use crate::kit::Outcome;
use crate::kit::command::run;
use crate::kit::process::{self, Process, signal};
use crate::kit::wait::until;
use crate::kit::world::World;

/// How `systemd-nspawn` says that the machine asks for a reboot.
const REBOOT: i32 = 133;

/// A machine.
pub(crate) struct Host {
    /// What the lab calls it, also in its `ssh_config`.
    pub(crate) name: String,
    pub(crate) address: String,
    /// Where its sshd listens.
    pub(crate) port: u16,
    /// The public half of its host key, as in `known_hosts`: `ssh-ed25519 AAAA..`.
    pub(crate) key: String,
    pub(super) systemd: bool,
    machine: Arc<Machine>,
    /// Ends when the machine is off.
    power: Mutex<Option<JoinHandle<()>>>,
}

/// What switching it on needs.
struct Machine {
    door: Door,
    place: Place,
    command: Vec<String>,
    /// The lines by which it enters its control group.
    group: String,
    log: PathBuf,
}

impl Host {
    /// Puts its disk together, from the root filesystem `base` and the files given by path, mode and content.
    pub(super) fn new(door: &Door, plan: &Plan, place: Place, disk: &Disk<'_>, log: PathBuf) -> Self {
        let folder = format!("/run/hosts/{}", plan.name);
        door.ok(&format!(
            "mkdir -p {folder}/upper {folder}/work {folder}/root\n\
             ln -s {0} {folder}/base\n\
             mount -t overlay overlay {folder}/root \
                -o lowerdir={0},upperdir={folder}/upper,workdir={folder}/work",
            disk.base.display()
        ));
        for (path, mode, content) in disk.files {
            let path = door.path(&format!("{folder}/root{path}"));
            std::fs::DirBuilder::new().recursive(true).create(path.parent().unwrap()).unwrap();
            files::replace(&path, content.as_bytes(), *mode).unwrap();
        }
        let machine = Machine {
            group: door.group(&plan.name),
            command: nspawn(plan, &place, &folder, disk.parts),
            door: door.clone(),
            place,
            log,
        };
        Self {
            name: plan.name.clone(),
            address: machine.place.address.clone(),
            port: plan.port,
            key: disk.key.to_owned(),
            systemd: plan.systemd,
            machine: Arc::new(machine),
            power: Mutex::new(None),
        }
    }

    /// Switches it on.
    pub(crate) fn start(&self) {
        let machine = Arc::clone(&self.machine);
        let before = self.power.lock().unwrap().replace(thread::spawn(move || machine.work()));
        assert!(before.is_none_or(|thread| thread.is_finished()), "{} is on", self.name);
    }

    /// Waits until it is up: systemd says that it is running, and sshd listens.
    pub(crate) fn wait(&self) {
        let systemd = if self.systemd { "systemctl is-system-running" } else { "echo running" };
        let script = format!("ss -Hltn 'sport = :{}' | grep -q . && {systemd}", self.port);
        until(&format!("{} is up", self.name), || {
            assert!(self.is_on(), "{} does not boot: {}", self.name, self.machine.log());
            let state = self.first_process().map(|_| self.run(&script).stdout).unwrap_or_default();
            assert_ne!(state, "degraded\n", "{}: {}", self.name, self.run("systemctl --failed").stdout);
            state == "running\n"
        });
    }

    fn is_on(&self) -> bool {
        self.power.lock().unwrap().as_ref().is_some_and(|thread| !thread.is_finished())
    }

    /// Reboots it as a person would, and waits until it is up again.
    pub(crate) fn reboot(&self) {
        let before = self.first_process();
        self.run("systemctl reboot");
        until(&format!("{} reboots", self.name), || {
            self.first_process().is_some_and(|now| Some(now) != before)
        });
        self.wait();
    }

    /// Takes its power away. What is on its disk stays; `start` switches it on again.
    pub(crate) fn cut(&self) {
        signal(self.first_process().unwrap(), Signal::KILL);
        self.join();
    }

    /// Waits until it is off.
    pub(super) fn join(&self) {
        let power = self.power.lock().unwrap().take();
        // A panic of the thread has been printed.
        let _ = power.map(JoinHandle::join);
    }

    /// Pulls the cable out of its network device.
    pub(crate) fn unplug(&self) {
        self.machine.door.ok(&self.machine.place.cable("down"));
    }

    /// Puts the cable in again.
    pub(crate) fn plug(&self) {
        self.machine.door.ok(&self.machine.place.cable("up"));
    }

    /// Runs a shell script on it as root, without SSH.
    pub(crate) fn run(&self, script: &str) -> Outcome {
        let first = self.first_process().unwrap_or_else(|| panic!("{} is off", self.name));
        let mut command = Command::new("nsenter");
        command.arg(format!("--target={}", first.as_raw_nonzero()));
        command.args(["--mount", "--uts", "--ipc", "--net", "--pid", "--wd=/", "--", "sh", "-c", script]);
        command.env_clear().env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
        run(command)
    }

    /// Runs a shell script on it as root, which must succeed; what it printed.
    pub(crate) fn ok(&self, script: &str) -> String {
        let outcome = self.run(script);
        assert_eq!(outcome.code(), 0, "{}: {script}\n{}", self.name, outcome.stderr);
        outcome.stdout
    }

    /// Has another program listen on a port, until it is rebooted.
    pub(crate) fn occupy(&self, port: u16) {
        self.ok(&format!("systemd-run --quiet --unit=occupant-{port} /usr/sbin/sshd -D -p {port}"));
        until("the port is taken", || !self.ok(&format!("ss -Hltn 'sport = :{port}'")).is_empty());
    }

    /// Everything that it is, by what it is called.
    pub(crate) fn world(&self) -> World {
        look::at(self)
    }

    /// A layer of its disk: `base`, which all hosts share, or `upper`, which has what differs.
    pub(super) fn disk(&self, layer: &str) -> PathBuf {
        self.machine.door.path(&format!("/run/hosts/{}/{layer}", self.name))
    }

    /// Its first process, as this machine numbers it; none if it is off.
    pub(super) fn first_process(&self) -> Option<Pid> {
        let mut pids = process::all().into_iter().map(|process| process.pid);
        pids.find(|pid| self.controls(*pid) && is_first(*pid))
    }

    /// Its processes: those in its control group, and those that were started in it from outside.
    pub(super) fn processes(&self) -> Vec<Process> {
        let numbers = |pid| std::fs::read_link(process::proc(pid).join("ns/pid")).ok();
        let own = self.first_process().and_then(numbers);
        let is_own = |pid| self.controls(pid) || numbers(pid) == own;
        process::all().into_iter().filter(|process| is_own(process.pid)).collect()
    }

    fn controls(&self, pid: Pid) -> bool {
        let group = read(pid, "cgroup");
        // `systemd-nspawn` itself is no part of the host.
        group.contains(&self.machine.door.mark(&self.name)) && !group.contains("/supervisor")
    }
}

/// Whether a process is the first of its namespace.
fn is_first(pid: Pid) -> bool {
    read(pid, "status").lines().any(|line| line.starts_with("NSpid:") && line.ends_with("\t1"))
}

/// What the kernel says of a process; nothing if it has ended.
fn read(pid: Pid, file: &str) -> String {
    files::read(&process::proc(pid).join(file)).unwrap_or_default()
}

/// What a host's disk is made of.
pub(super) struct Disk<'a> {
    pub(super) base: &'a Path,
    /// Files by path, mode and content.
    pub(super) files: &'a [(String, u32, String)],
    /// Files of this machine by name, which the host sees below `/opt/parts`.
    pub(super) parts: &'a [(String, PathBuf)],
    /// The public half of the host key.
    pub(super) key: &'a str,
}

/// The command that is the machine while it runs.
fn nspawn(plan: &Plan, place: &Place, folder: &str, parts: &[(String, PathBuf)]) -> Vec<String> {
    let mut words: Vec<String> = [
        "systemd-nspawn --quiet --register=no --keep-unit --console=pipe --capability=all --resolv-conf=off",
        "--timezone=off --link-journal=no",
    ]
    .iter()
    .flat_map(|line| line.split(' ').map(ToOwned::to_owned))
    .collect();
    words.push(format!("--directory={folder}/root"));
    words.push(format!("--machine={}", plan.name));
    words.push(format!("--hostname={}", plan.hostname));
    words.push(format!("--network-namespace-path={}", place.namespace()));
    words.extend(parts.iter().map(|(name, path)| format!("--bind-ro={}:/opt/parts/{name}", path.display())));
    if plan.systemd {
        words.push("--boot".to_owned());
    } else {
        let sshd = "mkdir -p /run/sshd; exec /usr/sbin/sshd -D";
        words.extend(["--as-pid2", "sh", "-c", sshd].map(ToOwned::to_owned));
    }
    words
}

impl Machine {
    /// What it said when it was switched on.
    fn log(&self) -> String {
        files::read(&self.log).unwrap_or_default()
    }

    /// Runs until it is switched off, through every reboot.
    fn work(&self) {
        loop {
            self.door.ok(&self.place.connect());
            let log = File::options().create(true).append(true).open(&self.log).unwrap();
            let mut command = self.door.command("sh");
            command.args(["-ec", &format!("{}exec \"$@\"", self.group), "sh"]).args(&self.command);
            // So that Kubernetes can set what it wants of the network.
            command.env("SYSTEMD_NSPAWN_API_VFS_WRITABLE", "network");
            command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
            let status = command.status().unwrap();
            // The whole island may have ended.
            self.door.run(&self.place.disconnect());
            if status.code() != Some(REBOOT) {
                return;
            }
        }
    }
}
