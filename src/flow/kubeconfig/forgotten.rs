//! The step `site/kubeconfig/saved` of `down`: no kubeconfig is left that was saved for the site's clusters. That of
//! an RKE2 server stays: so does its cluster.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::engine::{Change, Facts, Failure, Observed, Step, StepId, Stop, Writer};
use crate::files;
use crate::k8s::kubeconfig::KubeconfigFile;
use crate::site::Site;
use crate::site::name::ClusterName;

/// See the module.
pub(super) struct Forgotten(Arc<Site>);

impl Forgotten {
    pub(super) fn new(site: &Arc<Site>) -> Self {
        Self(Arc::clone(site))
    }

    fn path(&self) -> &Path {
        &self.0.kube.saved
    }

    /// Whether the site's contexts are in the file, and nothing else. What cannot be read is not known to be ours.
    fn is_ours(&self) -> bool {
        let site = &self.0.name;
        let is_ours = |file: KubeconfigFile| file.holds_only(site) && !file.contexts_of(site).is_empty();
        KubeconfigFile::read(self.path()).is_ok_and(|file| file.is_some_and(is_ours))
    }
}

impl Step for Forgotten {
    /// The file.
    type Work = PathBuf;

    fn id(&self) -> StepId {
        StepId::site("kubeconfig/saved")
    }

    fn cluster(&self) -> Option<&ClusterName> {
        None
    }

    fn purpose(&self) -> &'static str {
        "the site's own kubeconfig is gone"
    }

    async fn observe(&self, _: &Facts) -> Result<Observed<PathBuf>, Stop> {
        if !self.is_ours() {
            return Ok(Observed::default());
        }
        let path = self.path();
        Ok(Observed::differs(vec![Change::delete(path.display().to_string())], path.to_owned()))
    }

    async fn apply(&self, path: PathBuf, _: &Facts, writer: &Writer) -> Result<(), Failure> {
        Ok(writer.perform(async { files::remove(&path) }).await?)
    }
}
