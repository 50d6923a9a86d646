//! Files of this machine: every error names the path, and what we make is not for others to read.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};

use rustix::process::{Pid, getpid, test_kill_process};
use tempfile::NamedTempFile;

/// What the name of a file ends in that has not taken its place yet.
const UNFINISHED: &str = ".new";

/// An operation on a file failed.
#[derive(Debug, thiserror::Error)]
#[error("cannot {operation} `{}`", .path.display())]
pub struct FileError {
    operation: &'static str,
    path: PathBuf,
    source: io::Error,
}

impl FileError {
    /// An operation that is not in here failed.
    pub(crate) const fn new(operation: &'static str, path: PathBuf, source: io::Error) -> Self {
        Self { operation, path, source }
    }

    /// Whether the file is simply not there.
    #[must_use]
    pub fn is_absent(&self) -> bool {
        self.source.kind() == io::ErrorKind::NotFound
    }
}

fn named<T>(operation: &'static str, path: &Path, result: io::Result<T>) -> Result<T, FileError> {
    result.map_err(|source| FileError { operation, path: path.to_owned(), source })
}

/// Reads a text file.
///
/// # Errors
/// When it cannot be read or is not UTF-8.
#[expect(clippy::disallowed_methods, reason = "the error names the path here")]
pub fn read(path: &Path) -> Result<String, FileError> {
    named("read", path, fs::read_to_string(path))
}

/// Reads a text file that may be absent.
///
/// # Errors
/// When it is there and cannot be read.
pub fn read_if_present(path: &Path) -> Result<Option<String>, FileError> {
    match read(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.is_absent() => Ok(None),
        Err(error) => Err(error),
    }
}

/// Reads a file of any content.
///
/// # Errors
/// When it cannot be read.
#[expect(clippy::disallowed_methods, reason = "the error names the path here")]
pub fn read_bytes(path: &Path) -> Result<Vec<u8>, FileError> {
    named("read", path, fs::read(path))
}

/// Whether a file is of no use to anybody but its owner.
///
/// # Errors
/// When it cannot be looked at.
pub fn is_private(path: &Path) -> Result<bool, FileError> {
    let metadata = named("look at", path, fs::metadata(path))?;
    Ok(metadata.permissions().mode() & 0o077 == 0)
}

/// Makes a folder and those above it, mode 0700.
///
/// # Errors
/// When one cannot be made.
pub fn make_folder(path: &Path) -> Result<(), FileError> {
    named("make the folder", path, DirBuilder::new().recursive(true).mode(0o700).create(path))
}

/// Replaces a file at once: a reader sees the old content or the new, and so does a run that was killed, or a machine
/// that lost its power. What replaces it is a file that nobody else can have made.
///
/// # Errors
/// When it cannot be written.
pub fn replace(path: &Path, content: &[u8], mode: u32) -> Result<(), FileError> {
    let write = || {
        let file = beside(path, content, mode)?;
        file.as_file().sync_all()?;
        file.persist(path)?;
        File::open(folder_of(path))?.sync_all()
    };
    named("write", path, write())
}

/// Gives a file that is there, or a copy of it at `to`, another content; owner and group stay, and so does the mode, but that
/// others than those may not read it. It happens at once, as with [`replace`], where the system lets us: a file that is
/// mounted by itself, or that only its owner may make, is written in place.
///
/// # Errors
/// When it is not there, or cannot be written.
pub fn rewrite(path: &Path, to: &Path, content: &[u8]) -> Result<(), FileError> {
    const OTHERS: u32 = 0o7007;
    let write = || {
        let present = fs::metadata(path)?;
        let mode = present.mode() & 0o7777 & !OTHERS;
        let file = beside(to, content, mode)?;
        let new = file.as_file().metadata()?;
        let (user, group) = (present.uid(), present.gid());
        let owned = (new.uid(), new.gid()) == (user, group)
            || fchown(file.as_file(), Some(user), Some(group)).is_ok();
        file.as_file().set_permissions(Permissions::from_mode(mode))?;
        file.as_file().sync_all()?;
        if (owned || path != to) && file.persist(to).is_ok() {
            return File::open(folder_of(to))?.sync_all();
        }
        in_place(to, content)
    };
    named("write", to, write())
}

fn in_place(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut file = File::options().write(true).truncate(true).open(path)?;
    file.write_all(content)?;
    file.sync_all()
}

/// Replaces a file at once if its content differs, without waiting for the disk: for what can be made again.
///
/// # Errors
/// When it cannot be read or written.
#[expect(clippy::disallowed_methods, reason = "the error names the path here")]
pub fn refresh(path: &Path, content: &[u8], mode: u32) -> Result<(), FileError> {
    if fs::read(path).is_ok_and(|present| present == content) {
        return Ok(());
    }
    let write = || Ok(beside(path, content, mode)?.persist(path).map(drop)?);
    named("write", path, write())
}

/// Makes a symbolic link, in place of one that leads elsewhere.
///
/// # Errors
/// When it cannot be made, or something that is no link is in its place.
#[expect(clippy::disallowed_methods, reason = "the error names the path here")]
pub fn link(target: &Path, path: &Path) -> Result<(), FileError> {
    match fs::read_link(path) {
        Ok(present) if present == target => return Ok(()),
        Ok(_) => named("replace the link", path, fs::remove_file(path))?,
        Err(_) => {}
    }
    named("make the link", path, std::os::unix::fs::symlink(target, path))
}

/// Reads a text file that holds a secret.
///
/// # Errors
/// When it cannot be read, is not UTF-8, or anybody but its owner may read it.
pub fn read_private(path: &Path) -> Result<String, FileError> {
    if is_private(path)? {
        return read(path);
    }
    named(
        "use",
        path,
        Err(io::Error::new(io::ErrorKind::PermissionDenied, "others than its owner may use it")),
    )
}

/// The names of what is in a folder; none if the folder is absent.
///
/// # Errors
/// When it is there and cannot be listed.
pub fn names(folder: &Path) -> Result<Vec<String>, FileError> {
    let list = || {
        fs::read_dir(folder)?
            .map(|entry| entry.map(|entry| entry.file_name().to_string_lossy().into_owned()))
            .collect()
    };
    match named("list the folder", folder, list()) {
        Err(error) if error.is_absent() => Ok(Vec::new()),
        names => names,
    }
}

/// Opens a log for appending, mode 0600.
///
/// # Errors
/// When it cannot be opened.
pub fn open_log(path: &Path) -> Result<File, FileError> {
    named("open", path, OpenOptions::new().append(true).create(true).mode(0o600).open(path))
}

/// Gives a file another name in the same file system, in place of one that has it.
///
/// # Errors
/// When it cannot be renamed.
#[expect(clippy::disallowed_methods, reason = "the error names the path here")]
pub fn rename(from: &Path, to: &Path) -> Result<(), FileError> {
    named("rename", from, fs::rename(from, to))
}

/// Has a log that a program goes on appending to begin anew when it is longer than 10 MiB. What it had replaces
/// `previous`.
///
/// # Errors
/// When it cannot be copied or emptied.
pub fn keep_log_short(log: &Path, previous: &Path) -> Result<(), FileError> {
    const LONGEST: u64 = 10 << 20;
    if !log.metadata().is_ok_and(|log| log.len() > LONGEST) {
        return Ok(());
    }
    let empty = || OpenOptions::new().write(true).truncate(true).open(log).map(drop);
    named("move the content of", log, fs::copy(log, previous).and_then(|_| empty()))
}

/// Removes a file that may be absent.
///
/// # Errors
/// When it is there and cannot be removed.
#[expect(clippy::disallowed_methods, reason = "the error names the path here")]
pub fn remove(path: &Path) -> Result<(), FileError> {
    present(named("remove", path, fs::remove_file(path)))
}

/// Removes a folder with everything in it; it may be absent. Folders of ours that may not be listed or changed go
/// as well: Argo CD's repo-server locks its own up.
///
/// # Errors
/// When something in it cannot be removed.
#[expect(clippy::disallowed_methods, reason = "the error names the path here")]
pub fn remove_folder(path: &Path) -> Result<(), FileError> {
    let removed = match fs::remove_dir_all(path) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            unlock(path).and_then(|()| fs::remove_dir_all(path))
        }
        removed => removed,
    };
    present(named("remove the folder", path, removed))
}

fn unlock(folder: &Path) -> io::Result<()> {
    fs::set_permissions(folder, Permissions::from_mode(0o700))?;
    for entry in folder.read_dir()? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            unlock(&entry.path())?;
        }
    }
    Ok(())
}

/// The new content of a file, before it takes the file's place. What a process that was killed meanwhile has left there goes.
fn beside(path: &Path, content: &[u8], mode: u32) -> io::Result<NamedTempFile> {
    let (folder, prefix) = (folder_of(path), format!(".{}.", path.file_name().unwrap_or_default().display()));
    remove_unfinished(folder, &prefix)?;
    let mut file = tempfile::Builder::new()
        .prefix(&format!("{prefix}{}.", getpid().as_raw_nonzero()))
        .suffix(UNFINISHED)
        .permissions(Permissions::from_mode(mode))
        .tempfile_in(folder)?;
    file.write_all(content)?;
    Ok(file)
}

/// Removes what processes that are no more have left of writing a file, `<prefix><process id>.<chance>.new`.
#[expect(clippy::disallowed_methods, reason = "whoever writes the file names its path")]
fn remove_unfinished(folder: &Path, prefix: &str) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let (path, name) = entry.map(|entry| (entry.path(), entry.file_name()))?;
        let name = name.to_string_lossy();
        let chance = name.strip_prefix(prefix).and_then(|name| name.strip_suffix(UNFINISHED));
        let writer = chance.and_then(|chance| Pid::from_raw(chance.split_once('.')?.0.parse().ok()?));
        if writer.is_some_and(is_gone)
            && let Err(error) = fs::remove_file(path)
            && error.kind() != io::ErrorKind::NotFound
        {
            return Err(error);
        }
    }
    Ok(())
}

/// Whether no process has that id.
#[must_use]
pub fn is_gone(pid: Pid) -> bool {
    test_kill_process(pid) == Err(rustix::io::Errno::SRCH)
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn present(result: Result<(), FileError>) -> Result<(), FileError> {
    match result {
        Err(error) if error.is_absent() => Ok(()),
        result => result,
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn nobody_can_prepare_where_a_file_is_written() {
        let folder = tempfile::tempdir().expect("a folder");
        let (path, victim) = (folder.path().join("x"), folder.path().join("victim"));
        replace(&victim, b"theirs", 0o644).expect("written");
        // A name that could be guessed.
        let planted = folder.path().join(format!("x.{}.new", std::process::id()));
        symlink(&victim, &planted).expect("planted");
        for (content, mode) in [("one", 0o600), ("two", 0o640)] {
            replace(&path, content.as_bytes(), mode).expect("written");
            assert_eq!(read(&path).expect("it is there"), content);
            assert_eq!(path.metadata().expect("it is there").permissions().mode() & 0o777, mode);
        }
        refresh(&path, b"three", 0o600).expect("written");
        assert_eq!(read(&victim).expect("it is there"), "theirs");
        assert_eq!(names(folder.path()).expect("a list").len(), 3, "nothing is left beside it");
    }

    #[test]
    fn what_a_killed_process_was_writing_goes_with_the_next_write_of_the_same_file() {
        let folder = tempfile::tempdir().expect("a folder");
        // Process ids end at 2^22 (proc(5), pid_max), and 1 always is one.
        let (gone, others) = (".x.999999999.a.new", [".x.1.a.new", ".y.999999999.a.new", ".x.notes.new"]);
        for name in others.iter().chain([&gone]) {
            replace(&folder.path().join(name), b"half", 0o600).expect("written");
        }
        replace(&folder.path().join("x"), b"whole", 0o600).expect("written");
        let mut left = names(folder.path()).expect("a list");
        left.sort();
        assert_eq!(left, [others[0], others[2], others[1], "x"]);
    }

    #[test]
    fn what_cannot_be_written_leaves_nothing() {
        let folder = tempfile::tempdir().expect("a folder");
        let taken = folder.path().join("taken");
        make_folder(&taken.join("below")).expect("made");
        let refused = replace(&taken, b"x", 0o600).expect_err("it is a folder");
        assert!(refused.to_string().starts_with("cannot write `"), "{refused}");
        assert_eq!(names(folder.path()).expect("a list"), ["taken"]);
        let absent = replace(&folder.path().join("no/x"), b"x", 0o600).expect_err("there is no such folder");
        assert!(absent.is_absent(), "{absent}");
    }
}
