//! An island: processes, mounts and networks of one test that are nowhere else, and end when the test ends.
//!
//! Its first process waits for the end of its standard input, which only the test holds: however the test ends, the
//! kernel then ends every process of the island, and with the last of them its mounts, links and networks. Only
//! control groups have to be removed by hand; they carry the process id of the test, so that the next one finds
//! those of a test that was killed.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use bridgehead::files;

use crate::kit::command::{Outcome, run};

/// What the names of control groups begin with.
const PREFIX: &str = "bridgehead-test-";

/// Namespaces of processes, mounts and networks, which end when this is dropped.
pub(super) struct Island {
    /// `unshare`, which waits for the island's first process.
    holder: Child,
    pub(super) door: Door,
}

/// How an island is entered.
#[derive(Clone)]
pub(super) struct Door {
    holder: u32,
    name: String,
    /// The control group of the island in every hierarchy that systemd uses.
    groups: Vec<PathBuf>,
}

impl Island {
    /// Makes one, with the loopback device up and an empty `/run` of its own.
    pub(super) fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let hierarchies = hierarchies();
        for hierarchy in &hierarchies {
            remove_leftovers(hierarchy);
        }
        let name = format!("{PREFIX}{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let groups = hierarchies.iter().map(|hierarchy| hierarchy.join(&name)).collect();
        // SIGCHLD is ignored so that the kernel buries what is orphaned here.
        let wait = "mount -t tmpfs tmpfs /run; ip link set lo up; trap '' CHLD; echo; exec cat";
        let mut unshare = Command::new("unshare");
        unshare.args([
            "--mount",
            "--net",
            "--pid",
            "--fork",
            "--mount-proc",
            "--kill-child",
            "sh",
            "-ec",
            wait,
        ]);
        let mut holder = unshare.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let ready = holder.stdout.as_mut().unwrap().read_exact(&mut [0]);
        let door = Door { holder: holder.id(), name, groups };
        let island = Self { holder, door };
        ready.expect("the namespaces could not be made");
        island
    }
}

impl Drop for Island {
    fn drop(&mut self) {
        // `wait` closes the standard input. `unshare` ends after the last process of the island.
        let ended = self.holder.wait();
        self.door.groups.iter().for_each(|group| remove_groups(group));
        // A second panic while a test fails would hide the first.
        if !std::thread::panicking() {
            ended.unwrap();
            let left: Vec<_> = self.door.groups.iter().filter(|group| group.exists()).collect();
            assert!(left.is_empty(), "control groups are left: {left:?}");
        }
    }
}

impl Door {
    /// How a file of the island is reached from outside.
    pub(super) fn path(&self, path: &str) -> PathBuf {
        PathBuf::from(format!("/proc/{}/root{path}", self.holder))
    }

    /// The network that the island began with.
    pub(super) fn network(&self) -> File {
        File::open(format!("/proc/{}/ns/net", self.holder)).unwrap()
    }

    /// A command in the island, in the network that it began with.
    pub(super) fn command(&self, program: &str) -> Command {
        let holder = format!("/proc/{}", self.holder);
        let mut command = Command::new("nsenter");
        command.arg(format!("--mount={holder}/ns/mnt")).arg(format!("--net={holder}/ns/net"));
        command.arg(format!("--pid={holder}/ns/pid_for_children")).args(["--wd=/", "--", program]);
        command
    }

    /// Runs a shell script in the island, which must succeed.
    pub(super) fn ok(&self, script: &str) {
        let outcome = self.run(script);
        assert!(outcome.status.success(), "{script}\n{}", outcome.stderr);
    }

    /// Runs a shell script in the island, which ends at the first command that fails.
    pub(super) fn run(&self, script: &str) -> Outcome {
        let mut command = self.command("sh");
        command.args(["-ec", script]);
        run(command)
    }

    /// Makes the control group of a host; the lines of a shell script by which a process enters it.
    pub(super) fn group(&self, host: &str) -> String {
        let groups = self.groups.iter().map(|group| group.join(host));
        groups
            .map(|group| {
                files::make_folder(&group).unwrap();
                format!("echo 0 >{}/cgroup.procs\n", group.display())
            })
            .collect()
    }

    /// By what the line of a process in `/proc/<pid>/cgroup` shows that it belongs to a host.
    pub(super) fn mark(&self, host: &str) -> String {
        format!("/{}/{host}/", self.name)
    }
}

/// Where the hierarchies of control groups that systemd uses are mounted.
fn hierarchies() -> Vec<PathBuf> {
    let mounts = files::read(Path::new("/proc/self/mountinfo")).unwrap();
    let points = mounts.lines().filter_map(|line| {
        let (point, kind) = line.split_once(" - ")?;
        let systemd = kind.starts_with("cgroup2 ") || kind.contains("name=systemd");
        systemd.then(|| point.split(' ').nth(4).map(PathBuf::from))?
    });
    points.collect()
}

/// Removes the control groups of tests that run no longer.
fn remove_leftovers(hierarchy: &Path) {
    for name in files::names(hierarchy).unwrap() {
        let test = name.strip_prefix(PREFIX).and_then(|rest| rest.split('-').next());
        if test.is_some_and(|pid| !Path::new("/proc").join(pid).exists()) {
            remove_groups(&hierarchy.join(name));
        }
    }
}

/// Removes a control group and those below it: their files go with them, and nothing else can remove them.
fn remove_groups(group: &Path) {
    for entry in group.read_dir().into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            remove_groups(&entry.path());
        }
    }
    let _ = fs::remove_dir(group);
}
