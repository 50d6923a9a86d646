//! The step `site/kubeconfig/saved`: a kubeconfig of the site's clusters in a file of its own.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::Contents;
use crate::engine::{Change, Facts, Failure, Observed, Step, StepId, Stop, Writer};
use crate::files;
use crate::k8s::kubeconfig::KubeconfigFile;
use crate::site::Site;
use crate::site::name::ClusterName;

/// The whole file would be replaced.
#[derive(Debug, thiserror::Error)]
#[error("`{}` holds what is not the site's", .0.display())]
struct Foreign(PathBuf);

/// See the module.
pub(super) struct Saved {
    site: Arc<Site>,
    path: PathBuf,
    source: Contents,
}

impl Saved {
    pub(super) fn new(site: &Arc<Site>, path: &Path, source: Contents) -> Self {
        Self { site: Arc::clone(site), path: path.to_owned(), source }
    }

    /// The whole file, with our mark.
    fn text(&self, facts: &Facts) -> Result<String, Failure> {
        let clusters: Vec<_> = self.site.clusters().collect();
        let document = self.source.document(&self.site, facts, &clusters)?;
        let file = KubeconfigFile::new(&self.path).merged(&self.site.name, &document)?;
        Ok(file.using(document["current-context"].as_str().unwrap_or_default()).text())
    }

    /// What is there already, if it may be replaced.
    fn present(&self) -> Result<Option<String>, Failure> {
        let present = files::read_if_present(&self.path)?;
        let file = present.as_ref().map(|text| KubeconfigFile::parse(&self.path, text)).transpose();
        if file.is_ok_and(|file| file.is_none_or(|file| file.holds_only(&self.site.name))) {
            return Ok(present);
        }
        let hint = format!(
            "it would be replaced as a whole: move it away, or name another with --k3s-kubeconfig; to add to it: \
             bridgehead kubeconfig merge {}",
            self.site.name
        );
        Err(Failure::from(Foreign(self.path.clone())).with_hint(hint))
    }
}

impl Step for Saved {
    type Work = String;

    fn id(&self) -> StepId {
        StepId::site("kubeconfig/saved")
    }

    fn cluster(&self) -> Option<&ClusterName> {
        None
    }

    fn purpose(&self) -> &'static str {
        "the kubeconfig is saved"
    }

    async fn observe(&self, facts: &Facts) -> Result<Observed<String>, Stop> {
        let text = self.text(facts)?;
        let subject = self.path.display().to_string();
        let change = match self.present()? {
            Some(present) if present == text => return Ok(Observed::default()),
            Some(_) => Change::update(subject, "how to reach the clusters"),
            None => Change::create(subject),
        };
        Ok(Observed::differs(vec![change.with_secret_content(&text)], text))
    }

    async fn apply(&self, text: String, _: &Facts, writer: &Writer) -> Result<(), Failure> {
        const MODE: u32 = 0o600;
        if let Some(folder) = self.path.parent() {
            files::make_folder(folder)?;
        }
        writer.perform(async { files::replace(&self.path, text.as_bytes(), MODE) }).await?;
        Ok(())
    }
}
