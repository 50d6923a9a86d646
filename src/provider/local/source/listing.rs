//! What of a folder is served: in a work tree of Git what Git would commit or has, elsewhere every file.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::git::{Git, GitError};

/// The folder could not be listed.
#[derive(Debug, thiserror::Error)]
pub(super) enum ListingError {
    /// Git could not.
    #[error("cannot list what Git knows of `{}`", .folder.display())]
    Git {
        /// The folder.
        folder: PathBuf,
        /// Why.
        source: GitError,
    },
    /// The system could not.
    #[error("cannot look at `{}`", .path.display())]
    Look {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// What is in a folder, by path below it.
#[derive(Debug, Default)]
pub(super) struct Listing {
    /// Files and symbolic links.
    pub(super) files: BTreeMap<Vec<u8>, Kind>,
    /// Repositories in the repository: submodules, and clones that lie there.
    pub(super) left_out: Vec<PathBuf>,
}

/// What a path is, as Git tells apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind {
    /// A file.
    File,
    /// A file that may be run.
    Executable,
    /// A symbolic link to this path.
    Link(Vec<u8>),
}

impl Kind {
    /// Git's mode of it.
    pub(super) const fn mode(&self) -> &'static str {
        match self {
            Self::File => "100644",
            Self::Executable => "100755",
            Self::Link(_) => "120000",
        }
    }
}

/// Lists a folder; nothing below `state`, where what is made of the listing is kept.
pub(super) async fn list(folder: &Path, state: &Path) -> Result<Listing, ListingError> {
    let in_work_tree = folder.ancestors().any(|above| above.join(".git").exists());
    let paths = if in_work_tree { known_to_git(folder).await? } else { every_file(folder)? };
    let mut listing = Listing::default();
    for path in paths {
        let whole = folder.join(&path);
        if whole.starts_with(state) {
            continue;
        }
        match kind(&whole)? {
            Found::Content(kind) => _ = listing.files.insert(path.into_os_string().into_vec(), kind),
            Found::Folder => listing.left_out.push(path),
            Found::Nothing => {}
        }
    }
    Ok(listing)
}

enum Found {
    Content(Kind),
    Folder,
    /// It is gone, or nothing that can be served, such as a socket.
    Nothing,
}

fn kind(path: &Path) -> Result<Found, ListingError> {
    let look = |source| ListingError::Look { path: path.to_owned(), source };
    let metadata = match path.symlink_metadata() {
        Ok(metadata) => metadata,
        // Git lists what is deleted and not committed yet.
        Err(source) if matches!(source.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Ok(Found::Nothing);
        }
        Err(source) => return Err(look(source)),
    };
    Ok(if metadata.is_symlink() {
        Found::Content(Kind::Link(path.read_link().map_err(look)?.into_os_string().into_vec()))
    } else if metadata.is_dir() {
        Found::Folder
    } else if !metadata.is_file() {
        Found::Nothing
    } else if metadata.permissions().mode() & 0o100 != 0 {
        Found::Content(Kind::Executable)
    } else {
        Found::Content(Kind::File)
    })
}

/// Tracked files, and others that nothing ignores. Git names repositories in the repository, but not what is in
/// them.
async fn known_to_git(folder: &Path) -> Result<Vec<PathBuf>, ListingError> {
    let list =
        Git::of_the_person(folder, "ls-files").args(["-z", "--cached", "--others", "--exclude-standard"]);
    let output =
        list.run(&[]).await.map_err(|source| ListingError::Git { folder: folder.to_owned(), source })?;
    let paths = output.split(|byte| *byte == 0).filter(|path| !path.is_empty());
    Ok(paths.map(|path| PathBuf::from(OsStr::from_bytes(path.strip_suffix(b"/").unwrap_or(path)))).collect())
}

fn every_file(folder: &Path) -> Result<Vec<PathBuf>, ListingError> {
    let mut files = Vec::new();
    let mut open = vec![PathBuf::new()];
    while let Some(below) = open.pop() {
        let path = folder.join(&below);
        let look = |source| ListingError::Look { path: path.clone(), source };
        for entry in path.read_dir().map_err(look)? {
            let entry = entry.map_err(look)?;
            let path = below.join(entry.file_name());
            if entry.file_type().map_err(look)?.is_dir() {
                open.push(path);
            } else {
                files.push(path);
            }
        }
    }
    Ok(files)
}
