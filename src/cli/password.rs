//! The password for hosts: from a file or the terminal, once, before anything else happens.

use std::io;
use std::path::{Path, PathBuf};

use crate::engine::Hint;
use crate::files::{self, FileError};
use crate::site::secret::Secret;

/// There is no password.
#[derive(Debug, thiserror::Error)]
pub(super) enum PasswordError {
    /// The file cannot be read.
    #[error("the file of BRIDGEHEAD_PASSWORD_FILE cannot be used")]
    File(#[source] FileError),
    /// Others can use the file.
    #[error("the file `{}` of BRIDGEHEAD_PASSWORD_FILE can be read by other users", .path.display())]
    OpenToOthers {
        /// The file.
        path: PathBuf,
        /// What to do.
        #[source]
        hint: Hint,
    },
    /// There is nothing in it.
    #[error("the password for hosts is empty")]
    Empty,
    /// Nobody can be asked.
    #[error("there is no terminal to ask for the password on ({reason})")]
    NobodyToAsk {
        /// What the system said.
        reason: io::Error,
        /// What to do.
        #[source]
        hint: Hint,
    },
}

/// The password that logins and `sudo` are to be given; `None` if there is to be none.
pub(super) fn get(file: Option<&Path>, ask: bool) -> Result<Option<Secret<String>>, PasswordError> {
    let password = match file {
        Some(path) => read(path)?,
        None if ask => prompt()?,
        None => return Ok(None),
    };
    if password.is_empty() { Err(PasswordError::Empty) } else { Ok(Some(Secret::new(password))) }
}

fn read(path: &Path) -> Result<String, PasswordError> {
    if !files::is_private(path).map_err(PasswordError::File)? {
        let hint = Hint(format!("chmod 600 {}", path.display()));
        return Err(PasswordError::OpenToOthers { path: path.to_owned(), hint });
    }
    let text = files::read(path).map_err(PasswordError::File)?;
    Ok(text.lines().next().unwrap_or_default().to_owned())
}

fn prompt() -> Result<String, PasswordError> {
    rpassword::prompt_password("Password for hosts (login and sudo): ").map_err(|reason| {
        let hint =
            Hint("write it to a file (mode 0600) and set BRIDGEHEAD_PASSWORD_FILE to its path".to_owned());
        PasswordError::NobodyToAsk { reason, hint }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_file_is_its_owners_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("password");
        files::replace(&path, b"s p\xc3\xbc'\n", 0o600).unwrap();
        assert_eq!(get(Some(&path), true).unwrap().unwrap().expose(), "s pü'");
        files::remove(&path).unwrap();
        for mode in [0o640, 0o604] {
            files::replace(&path, b"x", mode).unwrap();
            assert!(matches!(get(Some(&path), false), Err(PasswordError::OpenToOthers { .. })), "{mode:o}");
            files::remove(&path).unwrap();
        }
        assert!(matches!(get(Some(&path), false), Err(PasswordError::File(_))));
        files::replace(&path, b"\n", 0o600).unwrap();
        assert!(matches!(get(Some(&path), false), Err(PasswordError::Empty)));
        assert!(get(None, false).unwrap().is_none());
    }
}
