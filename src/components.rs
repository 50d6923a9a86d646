//! The programs that `local` clusters are made of, and Argo CD's manifest: where they are, and how they get there.
//!
//! They come from a folder that the person names, or from the cache, into which they are built from Go modules.
//! What is in the cache is complete: it is built beside its place and moved there.

mod build;
mod pins;
mod step;
mod verify;

use std::path::{Path, PathBuf};

use serde::Serialize;

pub use build::GoError;
pub use step::{Needed, step};
pub use verify::{VerifyError, sha256, sha256_of_file};

use crate::env::Env;
use crate::files::{self, FileError};
use pins::{COMPONENTS, Component, MANIFEST, Manifest, SOURCES};

/// A component for people: what `bridgehead components` shows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Row {
    /// Its file's name.
    pub name: &'static str,
    /// Its version.
    pub version: &'static str,
    /// Why this version.
    pub reason: &'static str,
    /// Where it is from.
    pub origin: Origin,
    /// Where it is, or would be.
    pub path: PathBuf,
    /// Its SHA-256 in hexadecimal digits, where it is there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
}

/// Where a component is from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Origin {
    /// The folder that the person names.
    Folder,
    /// The cache.
    Cache,
    /// It is not there; `up` builds it.
    Absent,
}

/// Why Argo CD's manifest is not to be had.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// The file is not there or cannot be read.
    #[error("cannot read the manifest of Argo CD")]
    Read(#[source] FileError),
    /// It is another one.
    #[error("the manifest of Argo CD is not the pinned one")]
    Verify(#[source] VerifyError),
}

/// The folder with the programs, there or not.
#[must_use]
pub fn folder(env: &Env) -> PathBuf {
    Folders::of(env).programs().to_owned()
}

/// Argo CD's official installation manifest, verified.
///
/// # Errors
/// When it is not there, which the step `site/components` sees to, or is not the pinned one.
pub fn argocd_manifest(env: &Env) -> Result<String, ManifestError> {
    let path = Folders::of(env).manifest();
    let text = files::read(&path).map_err(ManifestError::Read)?;
    verify::verify(&path, &text, MANIFEST.sha256).map_err(ManifestError::Verify)?;
    Ok(text)
}

/// Every component with where it is from. Reads them all for their checksums, which takes a second.
///
/// # Errors
/// When one that is there cannot be read.
pub fn list(env: &Env) -> Result<Vec<Row>, VerifyError> {
    let folders = Folders::of(env);
    let mut rows = Vec::new();
    for Component { name, version, reason, .. } in &COMPONENTS {
        rows.push(folders.row(name, version, reason, folders.programs().join(name))?);
    }
    let Manifest { name, version, reason, .. } = MANIFEST;
    rows.push(folders.row(name, version, reason, folders.manifest())?);
    Ok(rows)
}

/// Where components are looked for.
#[derive(Debug, Clone)]
struct Folders {
    /// The folder that the person names.
    named: Option<PathBuf>,
    /// The caches of all versions.
    caches: PathBuf,
    /// The cache of these very components: another pin, source or kind of machine has another.
    cache: PathBuf,
}

impl Folders {
    fn of(env: &Env) -> Self {
        let caches = env.cache.join("components");
        Self { named: env.components.clone(), cache: caches.join(key()), caches }
    }

    fn programs(&self) -> &Path {
        self.named.as_ref().unwrap_or(&self.cache)
    }

    /// The programs that are not there.
    fn absent(&self) -> Vec<&'static Component> {
        COMPONENTS.iter().filter(|component| !self.programs().join(component.name).is_file()).collect()
    }

    /// The manifest of the named folder, or else of the cache: a folder of programs need not have it.
    fn manifest(&self) -> PathBuf {
        let named = self.named.as_ref().map(|folder| folder.join(MANIFEST.name));
        named.filter(|path| path.is_file()).unwrap_or_else(|| self.cache.join(MANIFEST.name))
    }

    fn row(
        &self,
        name: &'static str,
        version: &'static str,
        reason: &'static str,
        path: PathBuf,
    ) -> Result<Row, VerifyError> {
        let sha256 = path.is_file().then(|| verify::sha256_of_file(&path)).transpose()?;
        let origin = match &sha256 {
            None => Origin::Absent,
            Some(_) if path.starts_with(&self.cache) => Origin::Cache,
            Some(_) => Origin::Folder,
        };
        Ok(Row { name, version, reason, origin, path, sha256 })
    }
}

/// What tells one cache from another.
fn key() -> String {
    let pins = COMPONENTS.iter().flat_map(|component| [component.target(), component.linker_flags()]);
    let sources = SOURCES.iter().map(|(_, text)| (*text).to_owned());
    let rest = [std::env::consts::OS, std::env::consts::ARCH, MANIFEST.sha256].map(ToOwned::to_owned);
    let all: Vec<_> = pins.chain(sources).chain(rest).collect();
    let mut key = verify::sha256(all.join("\n").as_bytes());
    key.truncate(12);
    key
}
