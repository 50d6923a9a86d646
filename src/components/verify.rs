//! Checksums.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

/// A checksum could not be made, or is wrong.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// The file cannot be read.
    #[error("cannot read `{}` for its checksum", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file is not the one that is pinned.
    #[error("`{}` has the SHA-256 {found}, and {pinned} is pinned", .path.display())]
    Differs {
        /// The file.
        path: PathBuf,
        /// What it has.
        found: String,
        /// What it should have.
        pinned: &'static str,
    },
}

/// The SHA-256 of bytes, in hexadecimal digits.
#[must_use]
pub fn sha256(bytes: &[u8]) -> String {
    hexadecimal(&Sha256::digest(bytes))
}

/// The SHA-256 of a file, in hexadecimal digits.
///
/// # Errors
/// When it cannot be read.
pub fn sha256_of_file(path: &Path) -> Result<String, VerifyError> {
    digest(path).map_err(|source| VerifyError::Read { path: path.to_owned(), source })
}

/// Refuses content that is not the pinned one; `path` is where it came from.
pub(super) fn verify(path: &Path, content: &str, pinned: &'static str) -> Result<(), VerifyError> {
    let found = sha256(content.as_bytes());
    if found == pinned { Ok(()) } else { Err(VerifyError::Differs { path: path.to_owned(), found, pinned }) }
}

fn digest(path: &Path) -> io::Result<String> {
    let mut file = File::open(path)?;
    let mut digest = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(hexadecimal(&digest.finalize())),
            read => digest.update(&buffer[..read]),
        }
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
