//! Output of containers, as `kubectl logs` asks for it.

use std::collections::VecDeque;
use std::io::SeekFrom;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use futures::{Stream, stream};
use hyper::body::Bytes;
use tokio::fs::File;
use tokio::io::{AsyncReadExt, AsyncSeekExt};

use crate::engine::wait::pause;

/// How often a log that is followed is looked at.
const PERIOD: Duration = Duration::from_millis(200);

/// How much is sent at once, in bytes.
const CHUNK: usize = 64 * 1024;

/// Which part of a log is wanted.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Wanted {
    /// Go on with what comes later.
    pub(super) follow: bool,
    /// What the container's previous run wrote.
    pub(super) previous: bool,
    /// Only so many lines of what is there.
    pub(super) tail: Option<usize>,
    /// Only so many bytes.
    pub(super) limit: Option<usize>,
}

impl Wanted {
    /// Reads the query of a request to `/containerLogs`. Times are not kept, so that the options about them have
    /// no effect.
    pub(super) fn parse(query: &str) -> Self {
        let mut wanted = Self::default();
        for (name, value) in query.split('&').filter_map(|pair| pair.split_once('=')) {
            match name {
                "follow" => wanted.follow = value == "true",
                "previous" => wanted.previous = value == "true",
                "tailLines" => wanted.tail = value.parse().ok(),
                "limitBytes" => wanted.limit = value.parse().ok(),
                _ => {}
            }
        }
        wanted
    }
}

/// A log that is being sent.
struct Reader {
    file: File,
    path: PathBuf,
    follow: bool,
    left: usize,
}

/// The wanted part of a log; nothing where there is no log.
pub(super) async fn read(path: &Path, wanted: &Wanted) -> impl Stream<Item = Bytes> + use<> {
    let reader = Reader::open(path, wanted).await.ok();
    stream::unfold(reader, |reader| async {
        let mut reader = reader?;
        let bytes = reader.next().await?;
        Some((bytes, Some(reader)))
    })
}

impl Reader {
    async fn open(path: &Path, wanted: &Wanted) -> std::io::Result<Self> {
        let mut file = File::open(path).await?;
        if let Some(lines) = wanted.tail {
            let start = start_of_tail(&mut file, lines).await?;
            file.seek(SeekFrom::Start(start)).await?;
        }
        let left = wanted.limit.unwrap_or(usize::MAX);
        Ok(Self { file, path: path.to_owned(), follow: wanted.follow, left })
    }

    /// The next bytes; nothing at the end of the log, or of the container where it is followed.
    async fn next(&mut self) -> Option<Bytes> {
        loop {
            let mut bytes = vec![0; CHUNK.min(self.left)];
            let length = self.file.read(&mut bytes).await.ok()?;
            if length > 0 {
                bytes.truncate(length);
                self.left -= length;
                return Some(bytes.into());
            }
            if !self.follow || self.left == 0 || !self.is_current().await? {
                return None;
            }
            pause(PERIOD).await;
        }
    }

    /// Whether this is still the container's log; begins anew where it was emptied because of its length.
    async fn is_current(&mut self) -> Option<bool> {
        let own = self.file.metadata().await.ok()?;
        let present = tokio::fs::metadata(&self.path).await.ok()?;
        if own.len() < self.file.stream_position().await.ok()? {
            self.file.rewind().await.ok()?;
        }
        Some(own.ino() == present.ino())
    }
}

/// Where the last lines of a file start, in bytes.
async fn start_of_tail(file: &mut File, lines: usize) -> std::io::Result<u64> {
    let mut starts = VecDeque::from([0]);
    let (mut offset, mut chunk) = (0, vec![0; CHUNK]);
    loop {
        let length = file.read(&mut chunk).await?;
        if length == 0 {
            break;
        }
        for (index, _) in chunk[..length].iter().enumerate().filter(|(_, byte)| **byte == b'\n') {
            starts.push_back(offset + index as u64 + 1);
            // The last one is where the next line will start.
            if starts.len() > lines + 1 {
                starts.pop_front();
            }
        }
        offset += length as u64;
    }
    // An unfinished last line counts as one.
    let unfinished = starts.back().is_some_and(|start| *start < offset);
    let skipped = usize::from(unfinished && starts.len() > lines);
    Ok(starts.get(skipped).copied().unwrap_or(offset))
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::StreamExt;

    async fn sent(text: &str, query: &str) -> String {
        let file = tempfile::NamedTempFile::new().unwrap();
        crate::files::replace(file.path(), text.as_bytes(), 0o600).unwrap();
        let parts = read(file.path(), &Wanted::parse(query)).await.collect::<Vec<_>>().await;
        String::from_utf8(parts.concat()).unwrap()
    }

    #[tokio::test]
    async fn parts_of_a_log_are_sent() {
        assert_eq!(sent("a\nb\nc\n", "").await, "a\nb\nc\n");
        assert_eq!(sent("a\nb\nc\n", "tailLines=2").await, "b\nc\n");
        assert_eq!(sent("a\nb\nc", "tailLines=1").await, "c");
        assert_eq!(sent("a\nb\n", "tailLines=9").await, "a\nb\n");
        assert_eq!(sent("a\nb\n", "tailLines=0").await, "");
        assert_eq!(sent("a\nb\n", "limitBytes=3&tailLines=2").await, "a\nb");
    }

    #[test]
    fn queries_are_understood() {
        let wanted = Wanted::parse("follow=true&tailLines=10&timestamps=true&previous=false");
        assert_eq!(wanted, Wanted { follow: true, tail: Some(10), ..Wanted::default() });
    }
}
