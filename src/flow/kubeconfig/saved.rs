//! The step `site/kubeconfig/saved`: a kubeconfig of the site's clusters in a file of its own, or no such file.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::Source;
use crate::engine::{BoxFuture, Change, Facts, Failure, Observed, Step, StepId, Stop, Writer};
use crate::files;
use crate::k8s::kubeconfig::{KubeconfigFile, paths};
use crate::site::name::ClusterName;
use crate::site::{Kube, Site};

/// See the module.
pub(super) struct Saved {
    site: Arc<Site>,
    path: PathBuf,
    source: Source,
}

/// The file has what only whoever else wrote it has.
#[derive(Debug, thiserror::Error)]
#[error("`{}` is not the site's alone, and would be replaced: it has the contexts {contexts}", .path.display())]
struct OthersLost {
    path: PathBuf,
    contexts: String,
}

/// The step of a teardown: the file is gone. One with a context that is not the site's is somebody else's.
pub(super) struct Unsaved(pub(super) Arc<Site>);

impl Saved {
    pub(super) fn new(site: &Arc<Site>, path: &Path, source: Source) -> Self {
        Self { site: Arc::clone(site), path: path.to_owned(), source }
    }

    /// What is to be changed. A file that has more than that is not replaced.
    fn change(&self, text: &str) -> Result<Option<Change>, Failure> {
        let subject = self.path.display().to_string();
        let Some(present) = files::read_if_present(&self.path)? else {
            return Ok(Some(Change::create(subject)));
        };
        let file = KubeconfigFile::parse(&self.path, &present)?;
        let strangers = strangers(&self.site, &file);
        if !strangers.is_empty() {
            let hint = format!(
                "move it away, or name another with --k3s-kubeconfig; to add to it: bridgehead kubeconfig merge {}",
                self.site.name
            );
            let contexts = strangers.join(", ");
            return Err(Failure::from(OthersLost { path: self.path.clone(), contexts }).with_hint(hint));
        }
        Ok((present != text).then(|| Change::update(subject, "how to reach the clusters")))
    }

    /// The text of the file, in which every entry says whose it is.
    fn text(&self, facts: &Facts) -> Result<String, Failure> {
        let clusters: Vec<_> = self.site.clusters().collect();
        let document = self.source.document(&self.site, facts, &clusters)?;
        let file = KubeconfigFile::new(&self.path).merged(&self.site.name, &document)?;
        Ok(file.using(document["current-context"].as_str().unwrap_or_default()).text())
    }
}

impl Unsaved {
    /// Whether there is a file, and in it what was saved and nothing else. What cannot be read was not saved, and the
    /// person's own kubeconfig is not a file of the site's.
    fn is_there(&self) -> bool {
        let Kube { kubeconfig, saved, .. } = &self.0.kube;
        let Ok(Some(file)) = KubeconfigFile::read(saved) else { return false };
        file.contexts().next().is_some()
            && strangers(&self.0, &file).is_empty()
            && !paths(kubeconfig).contains(saved)
    }
}

/// The contexts of a file that are not the site's.
fn strangers(site: &Site, file: &KubeconfigFile) -> Vec<String> {
    let ours = file.contexts_of(&site.name);
    file.contexts().filter(|name| !ours.iter().any(|known| known == name)).map(ToOwned::to_owned).collect()
}

fn id() -> StepId {
    StepId::site("kubeconfig/saved")
}

impl Step for Saved {
    fn id(&self) -> StepId {
        id()
    }

    fn cluster(&self) -> Option<&ClusterName> {
        None
    }

    fn observe<'a>(&'a self, facts: &'a Facts) -> BoxFuture<'a, Result<Observed, Stop>> {
        Box::pin(async move {
            let change = self.change(&self.text(facts)?)?;
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

impl Step for Unsaved {
    fn id(&self) -> StepId {
        id()
    }

    fn cluster(&self) -> Option<&ClusterName> {
        None
    }

    fn observe<'a>(&'a self, _facts: &'a Facts) -> BoxFuture<'a, Result<Observed, Stop>> {
        let subject = || self.0.kube.saved.display().to_string();
        let change = self.is_there().then(|| Change::delete(subject()));
        Box::pin(async move { Ok(Observed::differs(change.into_iter().collect())) })
    }

    fn apply<'a>(&'a self, _facts: &'a Facts, writer: &'a Writer) -> BoxFuture<'a, Result<(), Failure>> {
        Box::pin(async move {
            writer.perform(async { files::remove(&self.0.kube.saved) }).await?;
            Ok(())
        })
    }
}
