//! The root filesystem under every host: made once from the machine's own package sources, then shared, read only.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use bridgehead::files;
use rustix::fs::{FlockOperation, flock};
use sha2::{Digest, Sha256};

use crate::kit::command::run;
use crate::kit::lab::variable;

/// What a host has installed.
const PACKAGES: &str = "systemd,systemd-sysv,dbus,openssh-server,sudo,iproute2,curl,ca-certificates,procps,\
                        iptables,kmod,git";

/// What makes a host of it.
const SETUP: &str = include_str!("base.sh");

/// Debian's own package sources, where its releases keep them.
const SOURCES: [&str; 2] = ["/etc/apt/sources.list.d/debian.sources", "/etc/apt/sources.list"];

/// The programs of this machine that hosts are made and run with, and the packages that bring them.
const PROGRAMS: [(&str, &str); 6] = [
    ("mmdebstrap", "mmdebstrap"),
    ("systemd-nspawn", "systemd-container"),
    ("ip", "iproute2"),
    ("nsenter", "util-linux"),
    ("ssh", "openssh-client"),
    ("ssh-keygen", "openssh-client"),
];

/// The folder of the root filesystem. Whoever comes first makes it, everybody else waits.
pub(super) fn folder() -> PathBuf {
    check();
    let cache = cache();
    files::make_folder(&cache).unwrap();
    let hash = Sha256::digest(format!("{PACKAGES}\n{SETUP}"));
    let key: String = hash.iter().take(6).map(|byte| format!("{byte:02x}")).collect();
    let folder = cache.join(&key);
    let lock = OpenOptions::new().write(true).create(true).truncate(false).open(cache.join(key + ".lock"));
    let lock = lock.unwrap();
    flock(&lock, FlockOperation::LockExclusive).unwrap();
    if !folder.exists() {
        make(&folder);
    }
    folder
}

/// Fails the test with what is missing here. Never skips: a test that did not run has shown nothing.
fn check() {
    assert!(
        rustix::process::geteuid().is_root(),
        "only root can boot the tests' hosts: run `make test` as root on Debian"
    );
    let path = variable("PATH").unwrap_or_default();
    let found = |program: &str| std::env::split_paths(&path).any(|folder| folder.join(program).exists());
    let missing = PROGRAMS.iter().filter(|(program, _)| !found(program));
    let missing: Vec<String> =
        missing.map(|(program, package)| format!("`{program}` (package {package})")).collect();
    assert!(
        missing.is_empty(),
        "the tests' hosts need {}: `make test/parts` installs what is missing",
        missing.join(", ")
    );
}

fn cache() -> PathBuf {
    let home = || Path::new(&variable("HOME").unwrap_or_default()).join(".cache");
    let cache = variable("XDG_CACHE_HOME").map_or_else(home, PathBuf::from);
    cache.join("bridgehead/test-hosts")
}

/// Makes it beside its place, so that a folder in its place is whole.
fn make(folder: &Path) {
    let new = folder.with_extension("new");
    // Of a run that was killed: the lock is ours.
    files::remove_folder(&new).unwrap();
    let sources = SOURCES.iter().find(|file| Path::new(file).exists());
    let sources = sources.unwrap_or_else(|| panic!("none of Debian's package sources is here: {SOURCES:?}"));
    let mut mmdebstrap = Command::new("mmdebstrap");
    mmdebstrap.args(["--quiet", "--variant=minbase", &format!("--include={PACKAGES}"), "--format=directory"]);
    mmdebstrap.arg(codename()).arg(&new).arg(sources);
    let outcome = run(mmdebstrap);
    assert!(outcome.status.success(), "mmdebstrap failed:\n{}", outcome.stderr);
    let mut chroot = Command::new("chroot");
    chroot.arg(&new).args(["sh", "-es"]).env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
    let mut setup = chroot.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    setup.stdin.take().unwrap().write_all(SETUP.as_bytes()).unwrap();
    assert!(setup.wait().unwrap().success(), "the root filesystem could not be set up");
    files::rename(&new, folder).unwrap();
}

/// The release of Debian that this machine is: the one that its sources have.
fn codename() -> String {
    let release = files::read(Path::new("/etc/os-release")).unwrap();
    let line = release.lines().find_map(|line| line.strip_prefix("VERSION_CODENAME="));
    line.expect("the tests' hosts are made from Debian's packages, and this is no Debian").to_owned()
}
