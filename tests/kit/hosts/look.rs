//! What a host is: what its disk and its memory hold, units, networks, mounts and processes.
//!
//! What changes by itself is left out: logs, caches, times, process ids, and what comes and goes with a login.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use bridgehead::files;
use rustix::process::Pid;
use sha2::{Digest, Sha256};

use super::Host;
use crate::kit::process;
use crate::kit::world::World;

/// Parts of a disk that every host changes by itself, and the components, which belong to the kit.
const DISK: [&str; 12] = [
    "/dev",
    "/home/admin/.sudo_as_admin_successful",
    "/home/keeper/.sudo_as_admin_successful",
    "/home/typist/.sudo_as_admin_successful",
    "/opt/parts",
    "/proc",
    "/run",
    "/sys",
    "/var/cache",
    "/var/lib/sudo",
    "/var/lib/systemd",
    "/var/log",
];

/// The same in `/run`, and the lock of iptables, which whoever uses iptables leaves behind.
const MEMORY: [&str; 13] = [
    "/run/credentials",
    "/run/dbus",
    "/run/host",
    "/run/initctl",
    "/run/lock",
    "/run/log",
    "/run/motd.dynamic",
    "/run/sudo",
    "/run/systemd",
    "/run/udev",
    "/run/user",
    "/run/utmp",
    "/run/xtables.lock",
];

/// Units, mounts and processes of a login.
const LOGIN: [&str; 8] = [
    "session-",
    "user-",
    "user@",
    "/run/user/",
    "/run/credentials",
    "sshd: ",
    "(sd-pam)",
    "/lib/systemd/systemd --user",
];

/// Each line says first what it is about.
const COMMANDS: &str = r#"
show() { about=$1; shift; text=$("$@") || exit; echo "$text" | sed "s/^/$about /"; }
# Without the number of the device at the other end, which every boot draws anew.
links() { ip -brief link | sed "s/[@ ].*//"; }
addresses() { ip -brief -4 address | sed "s/@[^ ]*//"; }
show unit systemctl list-unit-files --plain --no-legend --no-pager
show failed systemctl list-units --failed --plain --no-legend --no-pager
show runs systemctl list-units --type=service --state=running --plain --no-legend --no-pager
show link links
show address addresses
show route ip -4 route
show iptables iptables-save
show ip6tables ip6tables-save
"#;

/// Everything that a host is, by what it is called.
pub(super) fn at(host: &Host) -> World {
    let first = host.first_process().unwrap_or_else(|| panic!("{} is off", host.name));
    let mut world = World::new();
    disk(&host.disk("upper"), &host.disk("base"), Path::new("/"), &mut world);
    let root = process::proc(first).join("root");
    for folder in ["/run", "/tmp", "/dev/shm"] {
        memory(&root, Path::new(folder), &mut world);
    }
    commands(host, &mut world);
    mounts(first, &mut world);
    processes(host, &mut world);
    world
}

/// What a folder of the disk has that the root filesystem under it has not.
fn disk(upper: &Path, base: &Path, folder: &Path, world: &mut World) {
    for (path, place) in entries(upper, folder, &DISK) {
        let (is, was) = (describe(&place, true), describe(&base.join(relative(&path)), true));
        if is != was {
            world.insert(format!("disk {}", path.display()), is.into());
        }
        if place.symlink_metadata().is_ok_and(|metadata| metadata.is_dir()) {
            disk(upper, base, &path, world);
        }
    }
}

/// What a folder in memory has. The content of files there is about processes.
fn memory(root: &Path, folder: &Path, world: &mut World) {
    for (path, place) in entries(root, folder, &MEMORY) {
        world.insert(format!("memory {}", path.display()), describe(&place, false).into());
        if place.symlink_metadata().is_ok_and(|metadata| metadata.is_dir()) {
            memory(root, &path, world);
        }
    }
}

/// What is in a folder, by its path on the host and here.
fn entries(root: &Path, folder: &Path, without: &[&str]) -> Vec<(PathBuf, PathBuf)> {
    let here = root.join(relative(folder));
    let names = files::names(&here).unwrap().into_iter();
    let paths = names.map(|name| (folder.join(&name), here.join(&name)));
    let private = |path: &Path| path.to_string_lossy().contains("/systemd-private-");
    paths.filter(|(path, _)| !without.iter().any(|own| Path::new(own) == path) && !private(path)).collect()
}

fn relative(path: &Path) -> &Path {
    path.strip_prefix("/").unwrap()
}

/// Kind, mode, owner and, if wanted, content; nothing if it is not there.
fn describe(path: &Path, with_content: bool) -> Option<String> {
    let metadata = path.symlink_metadata().ok()?;
    let kind = metadata.file_type();
    let about = format!("{:o} {}:{}", metadata.mode(), metadata.uid(), metadata.gid());
    if kind.is_symlink() {
        let target = fs::read_link(path).ok()?;
        return Some(format!("-> {}", target.display()));
    }
    if kind.is_dir() && opaque(path) {
        return Some(format!("{about}, made anew"));
    }
    if kind.is_file() && with_content {
        let hash = Sha256::digest(files::read_bytes(path).ok()?);
        let hash: String = hash.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        return Some(format!("{about} {hash}"));
    }
    Some(about)
}

/// Whether a folder hides the one that was in its place.
fn opaque(path: &Path) -> bool {
    let mut value = [0; 1];
    rustix::fs::getxattr(path, "trusted.overlay.opaque", &mut value).is_ok_and(|_| value == *b"y")
}

/// Units, links, addresses, routes and rules, as the host's own programs show them.
fn commands(host: &Host, world: &mut World) {
    let mut table = String::new();
    let can_run = |line: &&str| host.systemd || !line.contains("systemctl");
    let script: Vec<_> = COMMANDS.lines().filter(can_run).collect();
    for line in host.ok(&script.join("\n")).lines() {
        let (what, line) = line.split_once(' ').unwrap_or_default();
        let words = line.split_whitespace().collect::<Vec<_>>().join(" ");
        let shown = if what.ends_with("tables") { rule(&mut table, line) } else { Some(words) };
        let shown = shown.filter(|shown| !shown.is_empty() && !is_of_a_login(shown));
        world.extend(shown.map(|shown| (format!("{what} {shown}"), true.into())));
    }
}

/// A rule, a chain that somebody made or a policy that somebody set, without counters; not what a table begins with.
fn rule(table: &mut String, saved: &str) -> Option<String> {
    if let Some(name) = saved.strip_prefix('*') {
        name.clone_into(table);
    }
    let counts = saved.starts_with("-A") || (saved.starts_with(':') && !saved.contains(" ACCEPT "));
    counts.then(|| format!("{table} {}", saved.split(" [").next().unwrap_or_default()))
}

fn mounts(first: Pid, world: &mut World) {
    for line in files::read(&process::proc(first).join("mountinfo")).unwrap().lines() {
        let (mount, kind) = line.split_once(" - ").unwrap();
        let point = mount.split(' ').nth(4).unwrap();
        if !is_of_a_login(point) {
            let kind = kind.split(' ').next().unwrap_or_default();
            count(world, format!("mount {point} {kind}"));
        }
    }
}

fn processes(host: &Host, world: &mut World) {
    for process in host.processes() {
        let line = process.arguments.join(" ");
        if !line.is_empty() && !is_of_a_login(&line) {
            count(world, format!("process {line}"));
        }
    }
}

fn count(world: &mut World, name: String) {
    let number = world.get(&name).and_then(serde_json::Value::as_u64).unwrap_or_default();
    world.insert(name, (number + 1).into());
}

fn is_of_a_login(text: &str) -> bool {
    LOGIN.iter().any(|prefix| text.starts_with(prefix))
}
