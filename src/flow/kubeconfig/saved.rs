//! The step `site/kubeconfig/saved`: a kubeconfig of the site's clusters in a file of its own.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::Source;
use crate::engine::{BoxFuture, Change, Facts, Failure, Observed, Step, StepId, Stop, Writer};
use crate::files;
use crate::k8s::kubeconfig::to_yaml;
use crate::site::Site;
use crate::site::name::ClusterName;

/// See the module.
pub(super) struct Saved {
    site: Arc<Site>,
    path: PathBuf,
    source: Source,
}

impl Saved {
    pub(super) fn new(site: &Arc<Site>, path: &Path, source: Source) -> Self {
        Self { site: Arc::clone(site), path: path.to_owned(), source }
    }

    fn text(&self, facts: &Facts) -> Result<String, Failure> {
        let clusters: Vec<_> = self.site.clusters().collect();
        Ok(to_yaml(&self.source.document(&self.site, facts, &clusters)?))
    }
}

impl Step for Saved {
    fn id(&self) -> StepId {
        StepId::site("kubeconfig/saved")
    }

    fn cluster(&self) -> Option<&ClusterName> {
        None
    }

    fn observe<'a>(&'a self, facts: &'a Facts) -> BoxFuture<'a, Result<Observed, Stop>> {
        Box::pin(async move {
            let text = self.text(facts)?;
            let subject = self.path.display().to_string();
            let change = match files::read_if_present(&self.path)? {
                Some(present) if present == text => None,
                Some(_) => Some(Change::update(subject, "how to reach the clusters")),
                None => Some(Change::create(subject)),
            };
            Ok(Observed::differs(change.into_iter().collect()))
        })
    }

    fn apply<'a>(&'a self, facts: &'a Facts, writer: &'a Writer) -> BoxFuture<'a, Result<(), Failure>> {
        Box::pin(async move {
            const MODE: u32 = 0o600;
            let text = self.text(facts)?;
            if let Some(folder) = self.path.parent() {
                files::make_folder(folder)?;
            }
            writer.perform(async { files::replace(&self.path, text.as_bytes(), MODE) }).await?;
            Ok(())
        })
    }
}
