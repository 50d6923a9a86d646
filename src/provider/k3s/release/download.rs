//! Downloads: to a file beside its place, checked, then moved there.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use reqwest::header::LOCATION;
use reqwest::redirect::Policy;
use reqwest::{Client, Response, StatusCode};
use sha2::{Digest, Sha256};
use tempfile::NamedTempFile;
use tokio::fs::File;
use tokio::io::AsyncWriteExt;

use crate::engine::innermost;

/// A download failed. Nothing of it is kept.
#[derive(Debug, thiserror::Error)]
pub(in crate::provider::k3s) enum DownloadError {
    /// Nothing answers there.
    #[error("cannot reach {url}: {reason}")]
    Unreachable {
        /// What was asked for.
        url: String,
        /// Why, in one line.
        reason: String,
    },
    /// It answers with something else.
    #[error("{url} answers {status}")]
    Status {
        /// What was asked for.
        url: String,
        /// What it answered.
        status: StatusCode,
    },
    /// The channel leads nowhere.
    #[error("{url} answers {status} and does not redirect to a release")]
    NoRedirect {
        /// What was asked for.
        url: String,
        /// What it answered.
        status: StatusCode,
    },
    /// The answer ended early.
    #[error("{url} broke off after {received} bytes: {reason}")]
    BrokenOff {
        /// What was asked for.
        url: String,
        /// How much came.
        received: u64,
        /// Why, in one line.
        reason: String,
    },
    /// The file is another one.
    #[error("{url} has the SHA-256 {found}, and the release lists {listed}")]
    Tampered {
        /// What was asked for.
        url: String,
        /// What it has.
        found: String,
        /// What it should have.
        listed: String,
    },
    /// The file cannot be written.
    #[error("cannot write `{}`", .path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}

impl DownloadError {
    /// What a person can do about it.
    pub(super) fn hint(&self) -> &'static str {
        match self {
            Self::Unreachable { .. } | Self::BrokenOff { .. } => {
                "run the same command again when it is back, or name a mirror that answers (`mirror` of the k3s table); \
                 HTTPS_PROXY and NO_PROXY are respected"
            }
            Self::Status { .. } | Self::NoRedirect { .. } => {
                "is there such a release? See `version`, `channel` and `mirror` of the k3s table"
            }
            Self::Tampered { .. } => {
                "do not use this mirror before you know why; nothing of the file was kept, no host has it"
            }
            Self::Write { .. } => "make room there, then run the same command again",
        }
    }
}

/// The last segment of the path that a URL redirects to.
pub(super) async fn redirect(url: &str) -> Result<String, DownloadError> {
    let response = client(Policy::none(), url)?.get(url).send().await.map_err(unreachable(url))?;
    let status = response.status();
    let location = response.headers().get(LOCATION).and_then(|value| value.to_str().ok());
    let target = location.filter(|_| status.is_redirection()).and_then(last_segment);
    target.ok_or_else(|| DownloadError::NoRedirect { url: url.to_owned(), status })
}

fn last_segment(location: &str) -> Option<String> {
    let path = location.split(['?', '#']).next()?.trim_end_matches('/');
    let segment = path.rsplit('/').next()?.replace("%2B", "+").replace("%2b", "+");
    (!segment.is_empty()).then_some(segment)
}

/// A short text.
pub(super) async fn text(url: &str) -> Result<String, DownloadError> {
    let response = get(url).await?;
    response.text().await.map_err(|error| DownloadError::BrokenOff {
        url: url.to_owned(),
        received: 0,
        reason: innermost(&error),
    })
}

/// A file with this checksum, to its place at `path`: under a name of its own until it is complete.
pub(super) async fn file(
    url: &str,
    path: &Path,
    sum: &str,
    progress: &(dyn Fn(String) + Sync),
) -> Result<(), DownloadError> {
    let folder = path.parent().unwrap_or(path);
    let beside = NamedTempFile::new_in(folder).map_err(write(folder))?;
    let file = beside.reopen().map_err(write(beside.path()))?;
    fetch(url, (beside.path(), file.into()), sum, progress).await?;
    beside.persist(path).map(drop).map_err(|error| write(path)(error.error))
}

fn write(path: &Path) -> impl Fn(std::io::Error) -> DownloadError + use<> {
    let path = path.to_owned();
    move |source| DownloadError::Write { path: path.clone(), source }
}

async fn fetch(
    url: &str,
    (path, mut file): (&Path, File),
    sum: &str,
    progress: &(dyn Fn(String) + Sync),
) -> Result<(), DownloadError> {
    const STEP: u64 = 8 << 20;
    let mut response = get(url).await?;
    let total = response.content_length();
    let (mut digest, mut received, mut told) = (Sha256::new(), 0, 0);
    loop {
        let chunk = response.chunk().await.map_err(|error| DownloadError::BrokenOff {
            url: url.to_owned(),
            received,
            reason: innermost(&error),
        })?;
        let Some(chunk) = chunk else { break };
        digest.update(&chunk);
        file.write_all(&chunk).await.map_err(write(path))?;
        received += chunk.len() as u64;
        if received - told >= STEP {
            told = received;
            progress(megabytes(received, total));
        }
    }
    file.sync_all().await.map_err(write(path))?;
    let found: String = digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    if found == sum {
        return Ok(());
    }
    Err(DownloadError::Tampered { url: url.to_owned(), found, listed: sum.to_owned() })
}

fn megabytes(received: u64, total: Option<u64>) -> String {
    let megabytes = |bytes: u64| bytes / 1_000_000;
    match total {
        Some(total) => format!("{} of {} MB", megabytes(received), megabytes(total)),
        None => format!("{} MB", megabytes(received)),
    }
}

async fn get(url: &str) -> Result<Response, DownloadError> {
    let response = client(within_https(), url)?.get(url).send().await.map_err(unreachable(url))?;
    match response.status() {
        status if status.is_success() => Ok(response),
        status => Err(DownloadError::Status { url: url.to_owned(), status }),
    }
}

/// A mirror may lead elsewhere, but nobody on the way may be able to change what comes: only this machine is asked
/// without TLS.
fn within_https() -> Policy {
    const MOST: usize = 10;
    Policy::custom(|attempt| {
        if attempt.previous().len() > MOST {
            attempt.error(RedirectError::TooMany(MOST))
        } else if attempt.url().scheme() == "https" || is_loopback(attempt.url()) {
            attempt.follow()
        } else {
            let url = attempt.url().to_string();
            attempt.error(RedirectError::WithoutTls(url))
        }
    })
}

/// Where a server leads us that we do not follow.
#[derive(Debug, thiserror::Error)]
enum RedirectError {
    #[error("it redirects more than {0} times")]
    TooMany(usize),
    #[error("it redirects to {0}, which is not `https://`")]
    WithoutTls(String),
}

fn is_loopback(url: &reqwest::Url) -> bool {
    match url.host_str() {
        Some("localhost") => true,
        Some(host) => {
            host.trim_matches(['[', ']']).parse().is_ok_and(|address: IpAddr| address.is_loopback())
        }
        None => false,
    }
}

fn client(redirects: Policy, url: &str) -> Result<Client, DownloadError> {
    // The first one stands; a second one is refused, which is no harm.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Client::builder()
        .user_agent(concat!("bridgehead/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(Duration::from_secs(10))
        .read_timeout(Duration::from_secs(30))
        .redirect(redirects)
        .https_only(url.starts_with("https://"))
        .build()
        .map_err(unreachable(url))
}

fn unreachable(url: &str) -> impl Fn(reqwest::Error) -> DownloadError {
    move |error| DownloadError::Unreachable { url: url.to_owned(), reason: innermost(&error) }
}

#[cfg(test)]
mod tests;
