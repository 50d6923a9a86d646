//! The step `site/kubeconfig`: the site's contexts in the person's own kubeconfig, put in or taken out again.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rustix::fs::{Access as May, access};
use serde_json::Value;

use super::Contents;
use crate::engine::wait::Pace;
use crate::engine::{Change, Facts, Failure, Observed, Step, StepId, Stop, Writer};
use crate::files;
use crate::k8s::kubeconfig::{KubeconfigError, KubeconfigFile, KubectlLock, paths, read};
use crate::site::name::{ClusterName, SiteName};
use crate::site::{Cluster, Site};

/// How long to wait for `kubectl`, which writes within moments.
const PATIENCE: Duration = Duration::from_secs(10);

/// What the person's kubeconfig is to say of the site.
pub(super) enum Wanted {
    /// How to reach clusters that the site made, or others that it knows; `current`: the first is the current context.
    Contexts { source: Contents, current: bool },
    /// Nothing.
    Nothing,
}

/// See the module: the person's kubeconfig has the contexts of the site's clusters that answer, or none.
/// A context by which somebody else's cluster is reached is never touched.
pub(super) struct PersonalFile {
    site: Arc<Site>,
    wanted: Wanted,
}

/// The file cannot be changed.
#[derive(Debug, thiserror::Error)]
enum EditError {
    #[error("cannot write `{}`", .path.display())]
    NotWritable { path: PathBuf, source: std::io::Error },
    #[error("`kubectl` has been writing for {} s: `{}` is still there", PATIENCE.as_secs(), .lock.display())]
    Locked { lock: PathBuf },
    #[error("there is no file to merge into: the path of the kubeconfig is empty")]
    Nowhere,
}

impl PersonalFile {
    pub(super) fn new(site: &Arc<Site>, wanted: Wanted) -> Self {
        Self { site: Arc::clone(site), wanted }
    }
}

/// What is to be done to one file. It is done to the file as it is when nobody else writes it: what it holds besides is
/// no decision of ours.
#[derive(Clone)]
pub(super) struct Edit {
    path: PathBuf,
    /// The contexts of the site that are not taken out.
    stay: BTreeSet<String>,
    /// What is put in.
    document: Option<Value>,
    /// The current context afterwards.
    current: Option<String>,
}

impl PersonalFile {
    fn path(&self) -> &Path {
        &self.site.kube.kubeconfig
    }

    /// The contexts by which clusters of somebody else are reached.
    fn foreign(&self) -> impl Iterator<Item = String> {
        self.site.clusters().filter_map(Cluster::foreign_context).map(ToOwned::to_owned)
    }

    /// What is to be changed, in view of the clusters that answer: each with the file as it is now.
    fn edits(&self, facts: &Facts) -> Result<Vec<(Edit, Option<KubeconfigFile>)>, Failure> {
        let files = match (read(self.path()), &self.wanted) {
            // What cannot be read cannot have been merged into.
            (Err(KubeconfigError::File(_)), Wanted::Nothing) => Vec::new(),
            (files, _) => files.map_err(explained)?,
        };
        match &self.wanted {
            Wanted::Contexts { source, current } => self.merged(files, facts, source, *current),
            Wanted::Nothing => {
                let stay = self.foreign().collect();
                Ok(files.into_iter().map(|file| without(file, &stay)).collect())
            }
        }
    }

    /// New entries go to the first of several files that is there, as with `kubectl`. Those of clusters that the site
    /// has no more go.
    fn merged(
        &self,
        files: Vec<KubeconfigFile>,
        facts: &Facts,
        source: &Contents,
        current: bool,
    ) -> Result<Vec<(Edit, Option<KubeconfigFile>)>, Failure> {
        let site = &self.site;
        let known = site.clusters().map(|cluster| site.context(cluster)).chain([site.rke2_context()]);
        let stay: BTreeSet<_> = known.chain(self.foreign()).collect();
        let made = site.clusters().filter(|cluster| cluster.foreign_context().is_none());
        let made: Vec<_> = made.collect();
        if made.is_empty() && matches!(source, Contents::Clusters) {
            return Ok(files.into_iter().map(|file| without(file, &stay)).collect());
        }
        let document = source.document(site, facts, &made)?;
        for file in &files {
            file.refuse_strangers(&site.name, &document).map_err(explained)?;
        }
        let mut edits: Vec<_> = files.into_iter().map(|file| without(file, &stay)).collect();
        if edits.is_empty() {
            let path = paths(self.path()).into_iter().next().ok_or(EditError::Nowhere)?;
            edits.push((Edit { path, stay, document: None, current: None }, None));
        }
        if let Some((first, _)) = edits.first_mut() {
            first.current = document["current-context"].as_str().filter(|_| current).map(ToOwned::to_owned);
            first.document = Some(document);
        }
        Ok(edits)
    }
}

fn without(file: KubeconfigFile, stay: &BTreeSet<String>) -> (Edit, Option<KubeconfigFile>) {
    let (path, stay) = (file.path().to_owned(), stay.clone());
    (Edit { path, stay, document: None, current: None }, Some(file))
}

impl Edit {
    /// The file as it is to be.
    fn of(&self, before: Option<&KubeconfigFile>, site: &SiteName) -> Result<KubeconfigFile, Failure> {
        let before = before.cloned().unwrap_or_else(|| KubeconfigFile::new(&self.path));
        before.editable().map_err(explained)?;
        let mut after = before.without(site, |name| self.stay.contains(name));
        if let Some(document) = &self.document {
            after = after.merged(site, document).map_err(explained)?;
        }
        Ok(match &self.current {
            Some(context) => after.using(context),
            None => after,
        })
    }

    /// What differs, if anything does.
    fn change(&self, before: Option<&KubeconfigFile>, site: &SiteName) -> Result<Option<Change>, Failure> {
        let after = self.of(before, site)?;
        if before == Some(&after) {
            return Ok(None);
        }
        let subject = self.path.display().to_string();
        if KubectlLock::is_held(&self.path) {
            return Ok(Some(Change::wait(subject, self.busy())));
        }
        let contexts = after.contexts_of(site);
        let gone = before.into_iter().flat_map(|file| file.contexts_of(site));
        let gone: Vec<_> = gone.filter(|name| !contexts.contains(name)).collect();
        let mut detail = Vec::new();
        if self.document.is_some() {
            detail.push(format!("contexts {}", contexts.join(", ")));
        }
        if !gone.is_empty() {
            detail.push(format!("without the contexts {}", gone.join(", ")));
        }
        let content = (&self.document, &self.current, &gone);
        Ok(Some(Change::update(subject, detail.join("; ")).with_secret_content(&content)))
    }

    /// Why the file cannot be written now.
    fn busy(&self) -> String {
        format!(
            "`{}` is there: `kubectl` is writing the file, or was killed then and left it behind",
            KubectlLock::path_of(&self.path).display()
        )
    }

    /// Reads, changes and writes the file while `kubectl` does not. What was there is kept, then replaced at once: at
    /// every moment the file is the old one or the new one.
    async fn write(&self, site: &SiteName, writer: &Writer) -> Result<(), Failure> {
        const MODE: u32 = 0o600;
        let target = target(&self.path);
        for folder in [self.path.parent(), target.parent()].into_iter().flatten() {
            files::make_folder(folder)?;
        }
        let _lock = self.lock(writer).await?;
        let before = KubeconfigFile::read(&self.path).map_err(explained)?;
        let after = self.of(before.as_ref(), site)?;
        if before.is_some() {
            access(&target, May::WRITE_OK).map_err(|errno| {
                let hint = "make it writable, or name another file with --kubeconfig";
                let error = EditError::NotWritable { path: self.path.clone(), source: errno.into() };
                Failure::from(error).with_hint(hint)
            })?;
            let backup = with_suffix(&self.path, ".bak");
            let content = files::read_bytes(&target)?;
            writer.perform(async { files::rewrite(&target, &backup, &content) }).await?;
        }
        let text = after.text();
        let write = || match &before {
            Some(_) => files::rewrite(&target, &target, text.as_bytes()),
            None => files::replace(&target, text.as_bytes(), MODE),
        };
        writer.perform(async { write() }).await?;
        Ok(())
    }

    async fn lock(&self, writer: &Writer) -> Result<KubectlLock, Failure> {
        let mut pace = Pace::new(PATIENCE);
        let mut told = false;
        loop {
            if let Some(lock) = KubectlLock::take(&self.path)? {
                return Ok(lock);
            }
            if !std::mem::replace(&mut told, true) {
                writer.progress(format!("waiting for {}: {}", self.path.display(), self.busy()));
            }
            if !pace.pause().await {
                let lock = KubectlLock::path_of(&self.path);
                let hint = format!("if no `kubectl` runs, remove `{}`, then run again", lock.display());
                return Err(Failure::from(EditError::Locked { lock }).with_hint(hint));
            }
        }
    }
}

/// Where a file really is: a link stays one.
fn target(path: &Path) -> PathBuf {
    if let Ok(real) = path.canonicalize() {
        return real;
    }
    match path.read_link() {
        Ok(to) => path.parent().unwrap_or(Path::new("")).join(to),
        Err(_) => path.to_owned(),
    }
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// Says what to do about a kubeconfig that cannot be used.
fn explained(error: KubeconfigError) -> Failure {
    let hint = match &error {
        KubeconfigError::Stranger { list, name, .. } => {
            let command = match *list {
                "clusters" => "delete-cluster",
                "contexts" => "delete-context",
                _ => "delete-user",
            };
            format!(
                "name the site's otherwise under `[kube.contexts]`, or remove it: kubectl config {command} {name}"
            )
        }
        _ => "nothing was changed; mend the file, or name another with --kubeconfig".to_owned(),
    };
    Failure::from(error).with_hint(hint)
}

impl Step for PersonalFile {
    type Work = Vec<Edit>;

    fn id(&self) -> StepId {
        StepId::site("kubeconfig")
    }

    fn cluster(&self) -> Option<&ClusterName> {
        None
    }

    fn purpose(&self) -> &'static str {
        "the main kubeconfig has the site's contexts, or none of them"
    }

    async fn observe(&self, facts: &Facts) -> Result<Observed<Vec<Edit>>, Stop> {
        let (mut changes, mut work) = (Vec::new(), Vec::new());
        for (edit, file) in self.edits(facts)? {
            if let Some(change) = edit.change(file.as_ref(), &self.site.name)? {
                changes.push(change);
                work.push(edit);
            }
        }
        Ok(Observed::differs(changes, work))
    }

    async fn apply(&self, work: Vec<Edit>, _: &Facts, writer: &Writer) -> Result<(), Failure> {
        for edit in work {
            edit.write(&self.site.name, writer).await?;
        }
        Ok(())
    }

    /// `kubectl` writes within moments.
    fn patience(&self) -> Duration {
        PATIENCE
    }
}
