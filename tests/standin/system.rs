//! Files and programs of the host, used as k3s uses them.

use std::fs::{DirBuilder, OpenOptions, Permissions};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::process::{Command, Stdio};

use crate::fatal::Fatal;

/// Writes a file in place: a reader may see half of it, as with k3s.
pub(crate) fn write(path: &Path, content: &str, mode: u32) -> Result<(), Fatal> {
    let write = || {
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(mode).open(path)?;
        file.write_all(content.as_bytes())?;
        file.set_permissions(Permissions::from_mode(mode))
    };
    write().map_err(|error| Fatal::of(&format!("write {}", path.display()), &error))
}

/// Makes a folder and those above it.
pub(crate) fn make_folder(path: &Path, mode: u32) -> Result<(), Fatal> {
    let result = DirBuilder::new().recursive(true).mode(mode).create(path);
    result.map_err(|error| Fatal::of(&format!("mkdir {}", path.display()), &error))
}

/// Random bytes as text.
pub(crate) fn random(bytes: usize) -> Result<String, Fatal> {
    let mut drawn = vec![0; bytes];
    let result = rustix::rand::getrandom(&mut drawn, rustix::rand::GetRandomFlags::empty());
    result.map_err(|error| Fatal::of("getrandom", &error))?;
    Ok(drawn.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Runs a program of the host to its end.
pub(crate) fn run(command: &str) -> Result<(), Fatal> {
    run_with(command, "")
}

/// Runs a program of the host with something on its standard input.
pub(crate) fn run_with(command: &str, input: &str) -> Result<(), Fatal> {
    let failed = |error: std::io::Error| Fatal::of(command, &error);
    let mut words = command.split_whitespace();
    let mut child = Command::new(words.next().unwrap_or_default())
        .args(words)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(failed)?;
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(input.as_bytes()).map_err(failed)?;
    }
    let output = child.wait_with_output().map_err(failed)?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(Fatal::new(format!("{command}: {}: {}", output.status, said.trim())))
}

/// A variable of the environment.
#[expect(clippy::disallowed_methods, reason = "k3s reads its environment, and so does what stands in for it")]
pub(crate) fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}
