//! Runs `go`: builds a component, finds a module's folder. Go's own caches of modules and builds are used as
//! they are; what is fetched is verified by `go.sum`.

use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Output, Stdio};

use rustix::process::{Pid, Signal, kill_process_group};
use serde::Deserialize;
use tokio::process::Command;

use super::pins::{Component, Manifest, SOURCES};
use crate::engine::{Failure, Writer};
use crate::files::{self, FileError};

/// `go` did not do what it was asked for.
#[derive(Debug, thiserror::Error)]
pub enum GoError {
    /// There is no `go`.
    #[error("cannot {task}: there is no `go` on this machine")]
    Absent {
        /// What it was asked for.
        task: String,
    },
    /// It could not be started.
    #[error("cannot {task}: `go` does not start")]
    Start {
        /// What it was asked for.
        task: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// It failed.
    #[error("cannot {task}: `go` ended with {status}: {said}")]
    Failed {
        /// What it was asked for.
        task: String,
        /// How it ended.
        status: ExitStatus,
        /// The last of what it said.
        said: String,
    },
    /// It said something that we do not understand.
    #[error("cannot {task}: `go` did not answer what it was asked")]
    Answer {
        /// What it was asked for.
        task: String,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// The run was stopped.
    #[error("cannot {task}: the run was stopped")]
    Stopped {
        /// What it was asked for.
        task: String,
    },
}

impl GoError {
    /// Adds what to do about it.
    pub(super) fn into_failure(self) -> Failure {
        let hint = match self {
            Self::Absent { .. } => {
                "install Go 1.26 or newer (https://go.dev/dl), or set BRIDGEHEAD_COMPONENTS to a folder with the components"
            }
            _ => "run it again: what is built already is kept",
        };
        Failure::from(self).with_hint(hint)
    }
}

/// Writes the sources that everything is built from.
pub(super) fn write_sources(folder: &Path) -> Result<(), FileError> {
    for (name, text) in SOURCES {
        let path = folder.join(name);
        path.parent().map_or(Ok(()), files::make_folder)?;
        files::replace(&path, text.as_bytes(), 0o600)?;
    }
    Ok(())
}

/// Builds a component in the folder of the sources, to `output`.
pub(super) async fn build(
    component: &Component,
    sources: &Path,
    output: &Path,
    writer: &Writer,
) -> Result<(), GoError> {
    let mut command = go(sources, "build");
    command.args(["-trimpath", "-buildvcs=false", "-ldflags", &component.linker_flags(), "-o"]);
    command.arg(output).arg(component.target());
    run(command, format!("build {}", component.name), writer).await.map(|_| ())
}

/// The file of the module that is the manifest; fetches the module if need be.
pub(super) async fn manifest(
    manifest: &Manifest,
    sources: &Path,
    writer: &Writer,
) -> Result<PathBuf, GoError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Module {
        dir: PathBuf,
    }
    let task = format!("fetch {}", manifest.name);
    let mut command = go(sources, "mod");
    command.args(["download", "-json", manifest.module]);
    let output = run(command, task.clone(), writer).await?;
    let module: Module =
        serde_json::from_slice(&output.stdout).map_err(|source| GoError::Answer { task, source })?;
    Ok(module.dir.join(manifest.path))
}

fn go(folder: &Path, command: &str) -> Command {
    let mut go = Command::new("go");
    go.arg(command)
        .current_dir(folder)
        .env("CGO_ENABLED", "0")
        // What the person set for other work must not change what comes out.
        .env("GOFLAGS", "-mod=readonly")
        .env("GOWORK", "off")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        // Compilers and linkers are children of `go`: one signal is to reach them all.
        .process_group(0);
    go
}

async fn run(mut command: Command, task: String, writer: &Writer) -> Result<Output, GoError> {
    let child = match command.spawn() {
        Ok(child) => child,
        Err(source) if source.kind() == std::io::ErrorKind::NotFound => return Err(GoError::Absent { task }),
        Err(source) => return Err(GoError::Start { task, source }),
    };
    let group = Group(child.id().and_then(|id| Pid::from_raw(id.cast_signed())));
    let output = tokio::select! {
        output = child.wait_with_output() => output,
        () = writer.cancelled() => {
            drop(group);
            return Err(GoError::Stopped { task });
        }
    };
    match output {
        Ok(output) if output.status.success() => Ok(output),
        Ok(output) => Err(GoError::Failed { task, status: output.status, said: last_lines(&output.stderr) }),
        Err(source) => Err(GoError::Start { task, source }),
    }
}

/// A process group that ends with what waits for it.
struct Group(Option<Pid>);

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(group) = self.0 {
            // It is gone already where everything went well.
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}

fn last_lines(output: &[u8]) -> String {
    let text = String::from_utf8_lossy(output);
    let lines: Vec<_> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    lines[lines.len().saturating_sub(5)..].join(" | ")
}
