//! `kubectl`'s lock of a kubeconfig: a file beside it that is made only if it is not there, and removed afterwards
//! (client-go, `clientcmd.ModifyConfig`). While we have it, `kubectl` does not write the kubeconfig, nor we while
//! `kubectl` has it.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

use crate::files::{self, FileError};

/// What is in a lock of ours; `kubectl` leaves its own empty.
const MARK: &str = "bridgehead\n";

/// A held lock; dropping it removes its file.
///
/// A run that is killed leaves the file behind. Another one knows it by its mark, and by the kernel's own lock of it,
/// which went with the run, and takes it over.
#[derive(Debug)]
pub struct KubectlLock {
    path: PathBuf,
    _file: File,
}

impl KubectlLock {
    /// Where the lock of a kubeconfig is.
    #[must_use]
    pub fn path_of(kubeconfig: &Path) -> PathBuf {
        let mut name = kubeconfig.as_os_str().to_owned();
        name.push(".lock");
        name.into()
    }

    /// Takes the lock of a kubeconfig; `None` if `kubectl` or another run has it.
    ///
    /// # Errors
    /// When the file cannot be made.
    pub fn take(kubeconfig: &Path) -> Result<Option<Self>, FileError> {
        let path = Self::path_of(kubeconfig);
        let failed = |source| FileError::new("make the lock", path.clone(), source);
        let Some(file) = make(&path).or_else(|error| left_behind(&path, error)).map_err(failed)? else {
            return Ok(None);
        };
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(Errno::WOULDBLOCK) => return Ok(None),
            Err(errno) => return Err(failed(errno.into())),
        }
        // The run that had it may have removed it since it was opened.
        let is_in_place = file.metadata().map_err(failed)?.nlink() > 0;
        Ok(is_in_place.then(|| Self { path, _file: file }))
    }

    /// Whether somebody has the lock of a kubeconfig right now.
    #[must_use]
    pub fn is_held(kubeconfig: &Path) -> bool {
        let path = Self::path_of(kubeconfig);
        let left_behind = || left_behind(&path, ErrorKind::AlreadyExists.into()).ok().flatten();
        let is_free = |file: File| flock(&file, FlockOperation::NonBlockingLockExclusive).is_ok();
        path.symlink_metadata().is_ok() && !left_behind().is_some_and(is_free)
    }
}

impl Drop for KubectlLock {
    fn drop(&mut self) {
        // If that fails, the next run takes it over.
        let _ = files::remove(&self.path);
    }
}

fn make(path: &Path) -> io::Result<Option<File>> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(MARK.as_bytes())?;
    Ok(Some(file))
}

/// The file of a lock that is there already, if it is one of ours.
fn left_behind(path: &Path, error: io::Error) -> io::Result<Option<File>> {
    if error.kind() != ErrorKind::AlreadyExists {
        return Err(error);
    }
    // One that may not be read is `kubectl`'s, and so is one that is gone by now, in effect.
    let Ok(mut file) = File::open(path) else { return Ok(None) };
    let mut text = String::new();
    let is_ours = file.read_to_string(&mut text).is_ok() && text == MARK;
    Ok(is_ours.then_some(file))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_at_a_time_has_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let config = folder.path().join("config");
        let take = || KubectlLock::take(&config).expect("it can be made");
        let held = take().expect("nobody has it");
        assert!(take().is_none() && KubectlLock::is_held(&config));
        drop(held);
        assert!(!KubectlLock::is_held(&config) && !folder.path().join("config.lock").exists());
        drop(take().expect("nobody has it any more"));
        let absent = KubectlLock::take(&folder.path().join("none/config")).expect_err("there is no folder");
        assert!(absent.to_string().ends_with("none/config.lock`"), "{absent}");
    }

    #[test]
    fn what_a_killed_run_left_is_taken_over_and_what_kubectl_left_is_not() {
        let folder = tempfile::tempdir().expect("a folder");
        let config = folder.path().join("config");
        let leave = |text: &str| {
            files::replace(&KubectlLock::path_of(&config), text.as_bytes(), 0o600).expect("written");
        };
        leave(MARK);
        assert!(!KubectlLock::is_held(&config));
        let taken = KubectlLock::take(&config).expect("it can be made").expect("its run is dead");
        assert!(KubectlLock::is_held(&config));
        drop(taken);
        leave("");
        assert!(KubectlLock::is_held(&config));
        assert!(KubectlLock::take(&config).expect("it can be looked at").is_none());
    }
}
