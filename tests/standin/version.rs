//! Which release this stands in for.
//!
//! A test makes another release of it by appending a line to a copy of the executable, which runs all the same.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};

use crate::fatal::Fatal;

/// The release if nothing is appended: that of the components.
const VERSION: &str = "v1.34.4+k3s1";

/// What a line at the end of the executable begins with, followed by a version.
const APPENDED: &str = "\nK3S_STANDIN_VERSION=";

/// Such as `v1.34.4+k3s1`.
pub(crate) fn short() -> String {
    appended().ok().flatten().unwrap_or_else(|| VERSION.to_owned())
}

/// The version with the commit that it was built from.
pub(crate) fn long() -> String {
    format!("{} (abcdef12)", short())
}

/// The command `k3s --version`.
pub(crate) fn print() -> Result<(), Fatal> {
    let written = writeln!(io::stdout(), "k3s version {}\ngo version go1.24.12", long());
    written.map_err(|error| Fatal::of("write", &error))
}

fn appended() -> io::Result<Option<String>> {
    let mut executable = File::open("/proc/self/exe")?;
    executable.seek(SeekFrom::End(-80))?;
    let mut end = Vec::new();
    executable.read_to_end(&mut end)?;
    let end = String::from_utf8_lossy(&end);
    Ok(end.rsplit_once(APPENDED).map(|(_, version)| version.trim().to_owned()))
}
