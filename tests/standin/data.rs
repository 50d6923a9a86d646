//! Where k3s keeps its files.

use std::path::{Path, PathBuf};

use bridgehead::files;
use sha2::{Digest, Sha256};

use crate::fatal::Fatal;
use crate::options::Options;
use crate::system::{make_folder, variable};
use crate::{shim, version};

/// The folder of the components: etcd, kube-apiserver, argocd and so on.
const COMPONENTS: &str = "/opt/parts";

/// The node's own password, which proves that it is the node that had the name before.
pub(crate) const NODE_PASSWORD: &str = "/etc/rancher/node/password";

/// The folder `/var/lib/rancher/k3s`.
#[derive(Debug, Clone)]
pub(crate) struct Data(PathBuf);

impl Data {
    pub(crate) fn of(options: &Options) -> Self {
        Self(options.text("data-dir").unwrap_or("/var/lib/rancher/k3s").into())
    }

    /// A path of the server.
    pub(crate) fn server(&self, name: &str) -> PathBuf {
        self.0.join("server").join(name)
    }

    /// A path of the agent.
    pub(crate) fn agent(&self, name: &str) -> PathBuf {
        self.0.join("agent").join(name)
    }

    /// The program that containers are children of.
    pub(crate) fn shim(&self) -> PathBuf {
        self.bin().join(shim::NAME)
    }

    /// Where the release's programs are unpacked to.
    fn bin(&self) -> PathBuf {
        let hash = Sha256::digest(version::long());
        let hash = hash.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        self.0.join("data").join(hash).join("bin")
    }

    /// Unpacks the programs of this release.
    pub(crate) fn unpack(&self) -> Result<(), Fatal> {
        let bin = self.bin();
        let shim = self.shim();
        if shim.exists() {
            return Ok(());
        }
        make_folder(&bin, 0o755)?;
        let failed = |error: std::io::Error| Fatal::of("extracting data", &error);
        std::fs::copy("/proc/self/exe", &shim).map_err(failed)?;
        for name in ["k3s", "kubectl", "crictl", "ctr"] {
            files::link(Path::new(shim::NAME), &bin.join(name))
                .map_err(|error| Fatal::of("extracting data", &error))?;
        }
        let current = self.0.join("data/current");
        let release = bin.parent().unwrap_or(&bin);
        files::link(release, &current).map_err(|error| Fatal::of("extracting data", &error))
    }
}

/// The folder of the components.
pub(crate) fn components() -> PathBuf {
    variable("K3S_STANDIN_PARTS").unwrap_or_else(|| COMPONENTS.to_owned()).into()
}
