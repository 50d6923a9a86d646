//! `containerd-shim-runc-v2`: the parent of a container, which outlives k3s. The node agent starts programs through it.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{ExitCode, ExitStatus};

use rustix::process::setsid;
use tokio::process::Command;
use tokio::signal::unix::{SignalKind, signal};

use crate::log;
use crate::system::make_folder;

/// What it is called, also in the list of processes.
pub(crate) const NAME: &str = "containerd-shim-runc-v2";

/// Where systemd's control groups are: alone, or beside those of controllers.
const HIERARCHIES: [&str; 3] = ["/sys/fs/cgroup", "/sys/fs/cgroup/systemd", "/sys/fs/cgroup/unified"];

/// Runs `exec <parent> <name> <program> -- <arguments>` to its end and ends as it did. Signals go to the group of both.
pub(crate) fn run(arguments: &[&str]) -> ExitCode {
    let ["exec", _, name, program, "--", arguments @ ..] = arguments else {
        log::error("usage: containerd-shim-runc-v2 exec PARENT NAME PROGRAM -- [ARGUMENTS]");
        return ExitCode::FAILURE;
    };
    match hold(name, Path::new(program), arguments) {
        Ok(status) => {
            let code = status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or_default());
            u8::try_from(code).map_or(ExitCode::FAILURE, ExitCode::from)
        }
        Err(error) => {
            log::error(format!("{program}: {error}"));
            ExitCode::from(127)
        }
    }
}

fn hold(name: &str, program: &Path, arguments: &[&str]) -> io::Result<ExitStatus> {
    // It may lead a session already.
    let _ = setsid();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut terminate = signal(SignalKind::terminate())?;
        let mut command = Command::new(program);
        if !name.is_empty() {
            command.arg0(name);
        }
        let mut child = command.args(arguments).spawn()?;
        contain(child.id().unwrap_or_default());
        loop {
            tokio::select! {
                status = child.wait() => return status,
                // The program heard it too.
                _ = terminate.recv() => {}
            }
        }
    })
}

/// Moves a container out of the unit's control group, as a kubelet does; the shim stays. So whoever ends all processes
/// of the unit has not ended the containers.
fn contain(container: u32) {
    for hierarchy in HIERARCHIES.map(Path::new) {
        let group = hierarchy.join("kubepods");
        // Of the places where a hierarchy may be, a host has one or two.
        if hierarchy.join("cgroup.procs").exists() && make_folder(&group, 0o755).is_ok() {
            let members = OpenOptions::new().append(true).open(group.join("cgroup.procs"));
            let moved = members.and_then(|mut members| write!(members, "{container}"));
            if let Err(error) = moved {
                log::error(format!("{}: {error}", group.display()));
            }
        }
    }
}
