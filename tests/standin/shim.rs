//! `containerd-shim-runc-v2`: the parent of a container, which outlives k3s. The node agent starts programs through it.

use std::io;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{ExitCode, ExitStatus};

use rustix::process::setsid;
use tokio::process::Command;
use tokio::signal::unix::{SignalKind, signal};

use crate::log;

/// What it is called, also in the list of processes.
pub(crate) const NAME: &str = "containerd-shim-runc-v2";

/// Runs `exec <parent> <name> <program> <arguments>` to its end and ends as it did. Signals go to the group of both.
pub(crate) fn run(arguments: &[&str]) -> ExitCode {
    let ["exec", _, name, program, arguments @ ..] = arguments else {
        log::error("usage: containerd-shim-runc-v2 exec PARENT NAME PROGRAM [ARGUMENTS]");
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
        loop {
            tokio::select! {
                status = child.wait() => return status,
                // The program heard it too.
                _ = terminate.recv() => {}
            }
        }
    })
}
