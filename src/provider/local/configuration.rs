//! What a supervisor is to run, and how a command finds out that a running one was started with something else.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::control_plane::ControlPlane;
use super::layout::Layout;
use super::pki::{Pki, PkiError};
use super::ports::Ports;
use crate::files::{self, FileError};

/// What makes one configuration differ from another: a short text for each part that a person could name.
pub type Fingerprint = BTreeMap<String, String>;

/// Why a configuration cannot be made or read.
#[derive(Debug, thiserror::Error)]
pub enum ConfigurationError {
    /// The cluster has no ports yet.
    #[error("the cluster in `{}` has no ports", .0.display())]
    NoPorts(PathBuf),
    /// A component is not there.
    #[error("the component `{}` is not there", .path.display())]
    Component {
        /// Where it should be.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file of the cluster cannot be used.
    #[error("cannot configure the cluster")]
    File(#[source] FileError),
    /// The certificates cannot be read.
    #[error("cannot configure the cluster")]
    Pki(#[source] PkiError),
    /// A supervisor was started without one.
    #[error("`{}` holds no configuration", .path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: serde_json::Error,
    },
}

/// What a supervisor runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Configuration {
    /// The names of the nodes.
    pub nodes: Vec<String>,
    /// The cluster's ports.
    pub ports: Ports,
    /// The folder with the components.
    pub components: PathBuf,
    /// What all of it amounts to.
    pub fingerprint: Fingerprint,
}

impl Configuration {
    /// The configuration that a command wants: from what is on the disk, and this version of bridgehead, whose
    /// executable supervisors run.
    ///
    /// # Errors
    /// When something of it is not there yet.
    pub fn wanted(
        layout: &Layout,
        nodes: &[String],
        components: &Path,
        executable: &Path,
    ) -> Result<Self, ConfigurationError> {
        let ports = Ports::read(layout).map_err(ConfigurationError::File)?;
        let ports = ports.ok_or_else(|| ConfigurationError::NoPorts(layout.folder().to_owned()))?;
        let pki = Pki::new(layout, nodes);
        let plane = ControlPlane { layout, pki: &pki, ports, components };
        let mut fingerprint = Fingerprint::from([
            ("nodes".to_owned(), nodes.join(" ")),
            ("bridgehead".to_owned(), format!("{} {}", env!("CARGO_PKG_VERSION"), identity(executable)?)),
            ("certificates".to_owned(), certificates(&pki)?),
        ]);
        for program in plane.programs() {
            let what = [vec![identity(&program.path)?], program.arguments].concat();
            let name = program.path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            fingerprint.insert(name, digest(&what.join("\n")));
        }
        Ok(Self { nodes: nodes.to_vec(), ports, components: components.to_owned(), fingerprint })
    }

    /// The configuration that a supervisor was started with.
    ///
    /// # Errors
    /// When there is none.
    pub fn read(layout: &Layout) -> Result<Self, ConfigurationError> {
        let path = layout.configuration();
        let text = files::read(&path).map_err(ConfigurationError::File)?;
        serde_json::from_str(&text).map_err(|source| ConfigurationError::Malformed { path, source })
    }

    /// Keeps it for the supervisor that is started next.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write(&self, layout: &Layout) -> Result<(), FileError> {
        let text = serde_json::to_vec_pretty(self).unwrap_or_default();
        files::replace(&layout.configuration(), &text, 0o600)
    }

    /// The names of the parts in which a running supervisor differs.
    #[must_use]
    pub fn differences(&self, running: &Fingerprint) -> Vec<String> {
        let names = self
            .fingerprint
            .keys()
            .chain(running.keys().filter(|name| !self.fingerprint.contains_key(*name)));
        names.filter(|name| self.fingerprint.get(*name) != running.get(*name)).cloned().collect()
    }
}

/// What changes when somebody replaces an executable; reading hundreds of megabytes at every look would not do.
fn identity(executable: &Path) -> Result<String, ConfigurationError> {
    let metadata = executable
        .metadata()
        .map_err(|source| ConfigurationError::Component { path: executable.to_owned(), source })?;
    Ok(format!("{} {}.{}", metadata.len(), metadata.mtime(), metadata.mtime_nsec()))
}

fn certificates(pki: &Pki) -> Result<String, ConfigurationError> {
    let read = |name: &str| files::read(&pki.path(name)).map_err(ConfigurationError::File);
    Ok(digest(&[read("ca.crt")?, read("etcd.crt")?, read("service-accounts.pub")?].concat()))
}

fn digest(text: &str) -> String {
    let digest = Sha256::digest(text);
    let first = digest.first_chunk().copied().unwrap_or_default();
    format!("{:016x}", u64::from_be_bytes(first))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_is_named_whichever_side_has_the_part() {
        let parts = |parts: &[(&str, &str)]| -> Fingerprint {
            parts.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
        };
        let folder = tempfile::tempdir().unwrap();
        let layout = Layout::new(folder.path().join("site/hub"));
        files::make_folder(layout.folder()).unwrap();
        let wanted = Configuration {
            nodes: vec!["hub-node-1".into()],
            ports: Ports::choose(&layout, folder.path()).unwrap(),
            components: "/components".into(),
            fingerprint: parts(&[("etcd", "1"), ("nodes", "a"), ("new", "x")]),
        };
        let running = parts(&[("etcd", "1"), ("nodes", "a b"), ("old", "y")]);
        assert_eq!(wanted.differences(&running), ["new", "nodes", "old"]);
        assert!(wanted.differences(&wanted.fingerprint.clone()).is_empty());
        wanted.write(&layout).unwrap();
        assert_eq!(Configuration::read(&layout).unwrap(), wanted);
    }
}
