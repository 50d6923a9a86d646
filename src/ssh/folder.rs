//! The folder of a run's sockets: nobody else's, and gone with the run.

use std::path::{Path, PathBuf};

use rustix::process::{Pid, getpid};

use crate::files::{self, FileError};

/// A folder (mode 0700) that is taken away when it is dropped, `<base>/<process id>`.
#[derive(Debug)]
pub(super) struct Folder(PathBuf);

impl Folder {
    /// Makes it, and takes away what runs left behind that were killed.
    pub(super) fn make(base: &Path) -> Result<Self, FileError> {
        for name in files::names(base)? {
            if name
                .parse()
                .ok()
                .and_then(Pid::from_raw)
                .is_some_and(|pid| pid == getpid() || files::is_gone(pid))
            {
                files::remove_folder(&base.join(name))?;
            }
        }
        let path = base.join(getpid().as_raw_nonzero().to_string());
        files::make_folder(&path)?;
        Ok(Self(path))
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // The next run takes away what stays.
        let _ = files::remove_folder(&self.0);
        if let Some(base) = self.0.parent() {
            let _ = rustix::fs::rmdir(base);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_killed_run_left_behind_goes() {
        let temporary = tempfile::tempdir().unwrap();
        let base = temporary.path().join("connections");
        // Process ids end at 2^22 (proc(5), pid_max).
        for name in ["1", "999999999", "others"] {
            files::make_folder(&base.join(name).join("0")).unwrap();
        }
        let folder = Folder::make(&base).unwrap();
        let names = files::names(&base).unwrap();
        let own = getpid().as_raw_nonzero().to_string();
        for (name, is_there) in [("1", true), ("others", true), (&own, true), ("999999999", false)] {
            assert_eq!(names.iter().any(|there| there == name), is_there, "{name}: {names:?}");
        }
        drop(folder);
        assert!(!base.join(own).exists());
    }
}
