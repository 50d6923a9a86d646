//! The step `site/kubeconfig/saved` of `down`: no kubeconfig is left that was saved for the site.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::engine::{BoxFuture, Change, Facts, Failure, Observed, Step, StepId, Stop, Writer};
use crate::files;
use crate::k8s::kubeconfig::KubeconfigFile;
use crate::site::Site;
use crate::site::name::ClusterName;

/// See the module. A file that holds anything else is somebody's, and stays.
pub(super) struct Forgotten(Arc<Site>);

impl Forgotten {
    pub(super) fn new(site: &Arc<Site>) -> Self {
        Self(Arc::clone(site))
    }

    fn ours(&self) -> impl Iterator<Item = &Path> {
        let paths = [&self.0.kube.saved, &self.0.kube.saved_rke2].into_iter();
        paths.map(PathBuf::as_path).filter(|path| {
            // What cannot be read is not known to be ours.
            let is_ours = |file: KubeconfigFile| {
                file.holds_only(&self.0.name) && !file.contexts_of(&self.0.name).is_empty()
            };
            KubeconfigFile::read(path).is_ok_and(|file| file.is_some_and(is_ours))
        })
    }
}

impl Step for Forgotten {
    fn id(&self) -> StepId {
        StepId::site("kubeconfig/saved")
    }

    fn cluster(&self) -> Option<&ClusterName> {
        None
    }

    fn observe<'a>(&'a self, _: &'a Facts) -> BoxFuture<'a, Result<Observed, Stop>> {
        Box::pin(async move {
            let changes = self.ours().map(|path| Change::delete(path.display().to_string()));
            Ok(Observed::differs(changes.collect()))
        })
    }

    fn apply<'a>(&'a self, _: &'a Facts, writer: &'a Writer) -> BoxFuture<'a, Result<(), Failure>> {
        Box::pin(async move {
            for path in self.ours() {
                writer.perform(async { files::remove(path) }).await?;
            }
            Ok(())
        })
    }
}
