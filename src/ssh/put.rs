//! A file for a host: streamed to a temporary file beside it, which takes its place at once.

use std::io;
use std::path::Path;

use openssh::{ChildStdin, ChildStdout};
use tokio::fs::File;
use tokio::io::AsyncReadExt;

use super::error::SshError;
use super::exchange::write;
use super::frame::Frame;
use super::quote;

/// What is put on a host.
#[derive(Debug, Clone, Copy)]
pub enum Content<'a> {
    /// These bytes.
    Bytes(&'a [u8]),
    /// The content of a file of this machine.
    File(&'a Path),
}

impl<'a> From<&'a [u8]> for Content<'a> {
    fn from(bytes: &'a [u8]) -> Self {
        Self::Bytes(bytes)
    }
}

impl<'a> From<&'a str> for Content<'a> {
    fn from(text: &'a str) -> Self {
        Self::Bytes(text.as_bytes())
    }
}

impl<'a> From<&'a Path> for Content<'a> {
    fn from(path: &'a Path) -> Self {
        Self::File(path)
    }
}

/// The word that the script says when it has read itself to the end and takes the content. A shell reads its script in
/// blocks, and would have swallowed what came with it.
const READY: &str = "ready";

/// The script that puts what follows it into place. It may be cut off anywhere: only the whole content gets the name,
/// and the rest goes, also when the line is gone and what it says finds no listener. (A shell that a signal ends does
/// not have to run its trap for `EXIT`.)
pub(super) fn script(frame: &Frame, path: &str, mode: u32, size: u64) -> String {
    format!(
        r#"set -e
umask 077
target={target}
temporary="$target.$$.new"
trap 'rm -f -- "$temporary"' EXIT
trap 'exit 1' HUP INT PIPE TERM
: > "$temporary"
{ready}
cat > "$temporary"
[ "$(wc -c < "$temporary")" -eq {size} ] || {{ echo 'the content did not arrive in full' >&2; exit 1; }}
chmod {mode:o} -- "$temporary"
sync -- "$temporary"
mv -fT -- "$temporary" "$target"
sync -- "$(dirname -- "$target")""#,
        target = quote(path),
        ready = frame.say(READY),
    )
}

/// An opened content and its size.
pub(super) enum Source<'a> {
    Bytes(&'a [u8]),
    File(&'a Path, File, u64),
}

impl<'a> Source<'a> {
    pub(super) async fn open(content: Content<'a>, host: &str) -> Result<Self, SshError> {
        let path = match content {
            Content::Bytes(bytes) => return Ok(Self::Bytes(bytes)),
            Content::File(path) => path,
        };
        let file = File::open(path).await.map_err(|source| unreadable(host, path, source))?;
        let metadata = file.metadata().await.map_err(|source| unreadable(host, path, source))?;
        Ok(Self::File(path, file, metadata.len()))
    }

    pub(super) fn size(&self) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::File(_, _, size) => *size,
        }
    }

    /// Waits until the script, which has been written, is ready, and writes. What the script has said by then.
    pub(super) async fn feed(
        self,
        host: &str,
        frame: &Frame,
        stdin: &mut ChildStdin,
        stdout: &mut ChildStdout,
    ) -> Result<Vec<u8>, SshError> {
        let said = until(stdout, &frame.word(READY)).await;
        if !said.ends_with(&frame.word(READY)) {
            // Its status and standard error say why.
            return Ok(said);
        }
        match self {
            Self::Bytes(bytes) => write(stdin, bytes).await,
            Self::File(path, mut file, _) => {
                let mut piece = vec![0; 256 << 10];
                loop {
                    let read =
                        file.read(&mut piece).await.map_err(|source| unreadable(host, path, source))?;
                    if read == 0 {
                        break;
                    }
                    write(stdin, &piece[..read]).await;
                }
            }
        }
        Ok(said)
    }
}

/// What a script says up to a word, or to its end.
async fn until(stdout: &mut ChildStdout, word: &[u8]) -> Vec<u8> {
    let mut said = Vec::new();
    while !said.ends_with(word) {
        match stdout.read_u8().await {
            Ok(byte) => said.push(byte),
            Err(_) => break,
        }
    }
    said
}

fn unreadable(host: &str, path: &Path, source: io::Error) -> SshError {
    SshError::Content { host: host.to_owned(), path: path.to_owned(), source }
}
