//! Output of containers, as `kubectl logs` asks for it.

use std::io::SeekFrom;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use futures::{Stream, stream};
use hyper::body::Bytes;
use jiff::Timestamp;
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
    tail: Option<usize>,
    /// Only so many bytes.
    limit: Option<usize>,
    /// Only what is not older, in seconds.
    since: Option<i64>,
}

impl Wanted {
    /// Reads the query of a request to `/containerLogs`. Programs write their logs themselves, so that times are
    /// only known where a program tells them, and `timestamps` has no effect.
    pub(super) fn parse(query: &str) -> Self {
        let mut wanted = Self::default();
        for (name, value) in query.split('&').filter_map(|pair| pair.split_once('=')) {
            match name {
                "follow" => wanted.follow = value == "true",
                "previous" => wanted.previous = value == "true",
                "tailLines" => wanted.tail = value.parse().ok(),
                "limitBytes" => wanted.limit = value.parse().ok(),
                "sinceSeconds" => wanted.since = value.parse().ok(),
                _ => {}
            }
        }
        wanted
    }

    /// Where the wanted part of a log starts, in bytes.
    fn start(&self, content: &[u8], now: Timestamp) -> usize {
        let lines = content.split_inclusive(|byte| *byte == b'\n');
        let lines = lines.scan(0, |end, line| {
            *end += line.len();
            Some((*end - line.len(), line))
        });
        let lines = lines.collect::<Vec<_>>();
        let fresh = self.since.map_or(0, |seconds| {
            let is_fresh =
                |line| time(line).is_some_and(|time| now.as_second() - time.as_second() <= seconds);
            lines.iter().position(|(_, line)| is_fresh(line)).unwrap_or(lines.len())
        });
        let last = self.tail.map_or(0, |count| lines.len().saturating_sub(count));
        lines.get(fresh.max(last)).map_or(content.len(), |(start, _)| *start)
    }
}

/// The time that a line of Argo CD's log tells, in either of its two formats.
fn time(line: &[u8]) -> Option<Timestamp> {
    let line = std::str::from_utf8(line).ok()?;
    let (_, rest) = line.split_once("\"time\":\"").or_else(|| line.split_once("time=\""))?;
    rest.split_once('"')?.0.parse().ok()
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
        if wanted.tail.is_some() || wanted.since.is_some() {
            let mut content = Vec::new();
            file.read_to_end(&mut content).await?;
            let start = wanted.start(&content, Timestamp::now());
            file.seek(SeekFrom::Start(start as u64)).await?;
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
    fn old_lines_are_left_out() {
        let log = b"time=\"2026-01-01T00:00:00Z\" a\n{\"time\":\"2026-01-01T00:01:00Z\"}\nno time\n";
        let now = "2026-01-01T00:01:30Z".parse().unwrap();
        let from = |query| &log[Wanted::parse(query).start(log, now)..];
        assert_eq!(from("sinceSeconds=100"), log);
        assert_eq!(from("sinceSeconds=60"), b"{\"time\":\"2026-01-01T00:01:00Z\"}\nno time\n");
        assert_eq!(from("sinceSeconds=60&tailLines=1"), b"no time\n");
        assert_eq!(from("sinceSeconds=10"), b"");
    }
}
