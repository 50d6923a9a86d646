//! Where releases are: the mirror, and what this machine has of it already.

use std::path::PathBuf;
use std::sync::Arc;

use super::artifact::{self, Architecture};
use super::download::{self, DownloadError};
use super::version::Version;
use crate::components::{VerifyError, sha256_of_file};
use crate::engine::{Failure, Writer};
use crate::env::Env;
use crate::files::{self, FileError};
use crate::site::{K3s, K3sRelease};

/// The release cannot be had.
#[derive(Debug, thiserror::Error)]
pub(in crate::provider::k3s) enum ReleaseError {
    /// What a channel, or a profile, names is no release.
    #[error("`{0}` is no version of k3s, such as v1.34.4+k3s1")]
    NoVersion(String),
    /// A file cannot be fetched.
    #[error("cannot fetch k3s")]
    Download(#[from] DownloadError),
    /// There is no such file in the release.
    #[error("`{list}` has no checksum of `{file}`")]
    NotListed {
        /// The URL of the list.
        list: String,
        /// The file.
        file: String,
    },
    /// The release is another than the one that the profile was written for.
    #[error(
        "`{list}` says that `{file}` has the SHA-256 {sum}, which `sha256` of the k3s table does not name"
    )]
    NotPinned {
        /// The URL of the list.
        list: String,
        /// The file.
        file: String,
        /// Its checksum there.
        sum: String,
    },
    /// The run was to stop while a file was on its way.
    #[error("stopped before {0} had been fetched")]
    Stopped(String),
    /// The cache cannot be used.
    #[error("cannot keep k3s on this machine")]
    Cache(#[from] FileError),
    /// A file of the cache cannot be read.
    #[error("cannot check k3s on this machine")]
    Verify(#[from] VerifyError),
}

/// A file of a release that a host lacks, with its checksum.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::provider::k3s) struct Wanted {
    pub(in crate::provider::k3s) architecture: Architecture,
    pub(in crate::provider::k3s) file: String,
    pub(in crate::provider::k3s) sum: String,
}

/// The releases that a cluster's profile points at.
pub(in crate::provider::k3s) struct ReleaseSource<'a> {
    pub(in crate::provider::k3s) k3s: &'a K3s,
    pub(in crate::provider::k3s) env: &'a Arc<Env>,
}

impl ReleaseSource<'_> {
    /// The release: the version that the profile names, or that its channel names, asked once in a run.
    pub(in crate::provider::k3s) async fn tag(&self) -> Result<String, Failure> {
        let tag = match &self.k3s.release {
            K3sRelease::Version(version) => version.clone(),
            K3sRelease::Channel { name, server } => {
                let url = format!("{}/{name}", server.trim_end_matches('/'));
                self.ask(&url, download::redirect).await?
            }
        };
        match Version::parse(&tag) {
            Some(_) => Ok(tag),
            None => Err(ReleaseError::NoVersion(tag).into()),
        }
    }

    /// What is at a URL, asked once in a run.
    async fn ask(
        &self,
        url: &str,
        get: impl AsyncFnOnce(&str) -> Result<String, DownloadError>,
    ) -> Result<String, Failure> {
        self.env.answers.once(url, async || get(url).await.map_err(with_hint)).await
    }

    /// The SHA-256 that a file of the release has to have.
    pub(in crate::provider::k3s) async fn sum(
        &self,
        tag: &str,
        architecture: Architecture,
        file: &str,
    ) -> Result<String, Failure> {
        let list = self.list(tag, architecture).await?;
        let sum = artifact::checksum(&list, file).map(str::to_lowercase);
        let (list, file) = (self.url(tag, &architecture.checksums()), file.to_owned());
        let Some(sum) = sum else { return Err(ReleaseError::NotListed { list, file }.into()) };
        let pinned = &self.k3s.sha256;
        if pinned.is_empty() || pinned.contains(&sum) || file != architecture.binary() {
            return Ok(sum);
        }
        let hint = "do not use this mirror before you know why; after a change of the version, change `sha256` as well";
        Err(Failure::from(ReleaseError::NotPinned { list, file, sum }).with_hint(hint))
    }

    /// The list of checksums: as it was kept, or else as the mirror has it.
    async fn list(&self, tag: &str, architecture: Architecture) -> Result<String, Failure> {
        let kept = self.path(tag, architecture, &architecture.checksums());
        if let Some(list) = files::read_if_present(&kept).map_err(ReleaseError::Cache)? {
            return Ok(list);
        }
        self.ask(&self.url(tag, &architecture.checksums()), download::text).await
    }

    /// Whether this machine has a file of the release, as it should be.
    pub(in crate::provider::k3s) async fn is_cached(
        &self,
        tag: &str,
        wanted: &Wanted,
    ) -> Result<bool, Failure> {
        let path = self.path(tag, wanted.architecture, &wanted.file);
        if !path.is_file() {
            return Ok(false);
        }
        let found = tokio::task::spawn_blocking(move || sha256_of_file(&path)).await?;
        Ok(found.map_err(ReleaseError::Verify)? == wanted.sum)
    }

    /// Fetches a file of the release, and keeps the list of checksums that it was checked against. Another cluster of
    /// the release may be at it already: then there is only its end to be waited for.
    pub(in crate::provider::k3s) async fn fetch(
        &self,
        tag: &str,
        wanted: &Wanted,
        writer: &Writer,
    ) -> Result<(), Failure> {
        let Wanted { architecture, file, sum } = wanted;
        let path = self.path(tag, *architecture, file);
        let what = format!("{file} of {tag}");
        let url = self.url(tag, file);
        let progress = |text| writer.progress(format!("{what}: {text}"));
        let fetch = async {
            let _turn = self.env.answers.turn(&url).await;
            if !self.is_cached(tag, wanted).await? {
                files::make_folder(&self.folder(tag, *architecture)).map_err(ReleaseError::Cache)?;
                download::file(&url, &path, sum, &progress).await.map_err(with_hint)?;
                let list = self.list(tag, *architecture).await?;
                let kept = self.path(tag, *architecture, &architecture.checksums());
                files::replace(&kept, list.as_bytes(), 0o600).map_err(ReleaseError::Cache)?;
            }
            Ok(())
        };
        tokio::select! {
            fetched = fetch => fetched,
            () = writer.cancelled() => Err(ReleaseError::Stopped(what.clone()).into()),
        }
    }

    fn folder(&self, tag: &str, architecture: Architecture) -> PathBuf {
        self.env.cache.join("k3s").join(tag).join(architecture.name())
    }

    /// Where this machine keeps a file of the release.
    pub(in crate::provider::k3s) fn path(
        &self,
        tag: &str,
        architecture: Architecture,
        file: &str,
    ) -> PathBuf {
        self.folder(tag, architecture).join(file)
    }

    fn url(&self, tag: &str, file: &str) -> String {
        format!("{}/{}/{file}", self.k3s.mirror.trim_end_matches('/'), tag.replace('+', "%2B"))
    }
}

fn with_hint(error: DownloadError) -> Failure {
    let hint = error.hint();
    Failure::from(ReleaseError::Download(error)).with_hint(hint)
}
