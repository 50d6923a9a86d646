//! One run at a time per site on this machine. The kernel frees the lock when a run dies, however it dies.

use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, Mode, OFlags, flock, open};
use rustix::io::Errno;

/// Why the lock was not taken.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another run has it.
    #[error("another run holds the lock `{}`", .0.display())]
    Held(PathBuf),
    /// The file could not be opened or locked.
    #[error("cannot lock `{}`", .path.display())]
    Io {
        /// The lock file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// A held lock; dropping it frees it.
#[derive(Debug)]
pub struct Lock {
    file: File,
    path: PathBuf,
}

impl Lock {
    /// Takes the lock of the file at `path`, which is made if need be (mode 0600).
    ///
    /// # Errors
    /// When another run holds it, or the file cannot be used.
    pub fn take(path: &Path) -> Result<Self, LockError> {
        let failed = |source: Errno| LockError::Io { path: path.to_owned(), source: source.into() };
        loop {
            let flags = OFlags::CREATE | OFlags::RDWR | OFlags::CLOEXEC;
            let file = File::from(open(path, flags, Mode::RUSR | Mode::WUSR).map_err(failed)?);
            match flock(&file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => {}
                Err(Errno::WOULDBLOCK) => return Err(LockError::Held(path.to_owned())),
                Err(errno) => return Err(failed(errno)),
            }
            // A `down` removes the file while it holds the lock: what we locked must still be what stands there.
            if is_at(&file, path) {
                return Ok(Self { file, path: path.to_owned() });
            }
        }
    }

    /// Frees the lock and removes its file, and the file's folder if nothing else is in it.
    pub fn discard(self) {
        // Both are found and removed by the next run if that fails; another run that waits for neither
        // notices that the file it locks is no longer in place.
        let _ = rustix::fs::unlink(&self.path);
        if let Some(folder) = self.path.parent() {
            let _ = rustix::fs::rmdir(folder);
        }
    }

    /// Where the lock's file is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether the locked file still is what stands at its path: nobody has removed or replaced it.
    #[must_use]
    pub fn is_in_place(&self) -> bool {
        is_at(&self.file, &self.path)
    }

    /// The locked file, to hand it to a child that is to hold the lock too.
    #[must_use]
    pub const fn file(&self) -> &File {
        &self.file
    }
}

fn is_at(file: &File, path: &Path) -> bool {
    match (file.metadata(), path.metadata()) {
        (Ok(ours), Ok(there)) => ours.ino() == there.ino() && ours.dev() == there.dev(),
        _ => false,
    }
}
