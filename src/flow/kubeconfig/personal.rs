//! The step `site/kubeconfig`: the site's contexts in the person's own kubeconfig, put in or taken out again.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{Access as May, access};

use super::Source;
use crate::engine::lock::Lock;
use crate::engine::{Change, Facts, Failure, Observed, Step, StepId, Stop, Writer};
use crate::env::Env;
use crate::files;
use crate::k8s::kubeconfig::{KubeconfigError, KubeconfigFile, paths, read};
use crate::provider;
use crate::site::Site;
use crate::site::name::ClusterName;

/// Held while a file is read and replaced.
const LOCK: &str = "kubeconfig.lock";

/// What the person's kubeconfig is to say of the site.
pub(super) enum Wanted {
    /// How to reach clusters that the site made, or others that it knows; `current`: the first is the current context.
    Contexts { source: Source, current: bool },
    /// Nothing.
    Nothing,
}

/// See the module: the person's kubeconfig has the contexts of the site's clusters that answer, or none.
/// A context by which somebody else's cluster is reached is never touched.
pub(super) struct PersonalFile {
    site: Arc<Site>,
    env: Arc<Env>,
    wanted: Wanted,
}

/// The file cannot be changed.
#[derive(Debug, thiserror::Error)]
enum EditError {
    #[error("cannot write `{}`", .path.display())]
    NotWritable { path: PathBuf, source: std::io::Error },
    #[error("there is no file to merge into: the path of the kubeconfig is empty")]
    Nowhere,
}

impl PersonalFile {
    pub(super) fn new(site: &Arc<Site>, env: &Arc<Env>, wanted: Wanted) -> Self {
        Self { site: Arc::clone(site), env: Arc::clone(env), wanted }
    }
}

/// A file as it is, if it is there, and as it is to be.
struct Edit {
    before: Option<KubeconfigFile>,
    after: KubeconfigFile,
}

impl PersonalFile {
    fn path(&self) -> &Path {
        &self.site.kube.kubeconfig
    }

    /// What is to be changed, in view of the clusters that answer.
    fn edits(&self, facts: &Facts) -> Result<Vec<Edit>, Failure> {
        let files = match (read(self.path()), &self.wanted) {
            // What cannot be read cannot have been merged into.
            (Err(KubeconfigError::File(_)), Wanted::Nothing) => Vec::new(),
            (files, _) => files.map_err(explained)?,
        };
        let edits = match &self.wanted {
            Wanted::Contexts { source, current } => {
                self.merged(files, facts, source, *current)?.into_iter().collect()
            }
            Wanted::Nothing => files.into_iter().map(|file| self.without(file)).collect::<Vec<_>>(),
        };
        Ok(edits.into_iter().filter(|edit: &Edit| edit.before.as_ref() != Some(&edit.after)).collect())
    }

    /// New entries go to the first of several files that is there, as with `kubectl`.
    fn merged(
        &self,
        files: Vec<KubeconfigFile>,
        facts: &Facts,
        source: &Source,
        current: bool,
    ) -> Result<Option<Edit>, Failure> {
        let site = &self.site;
        let made = site.clusters().filter(|cluster| provider::foreign_context(cluster).is_none());
        let made: Vec<_> = made.collect();
        if made.is_empty() && matches!(source, Source::Clusters) {
            return Ok(None);
        }
        let document = source.document(site, facts, &made)?;
        for file in &files {
            file.refuse_strangers(&site.name, &document).map_err(explained)?;
        }
        let first = paths(self.path()).into_iter().next().ok_or(EditError::Nowhere)?;
        let before = files.into_iter().next();
        let target = before.clone().unwrap_or_else(|| KubeconfigFile::new(&first));
        let mut after = target.merged(&site.name, &document).map_err(explained)?;
        if let Some(context) = document["current-context"].as_str().filter(|_| current) {
            after = after.using(context);
        }
        Ok(Some(Edit { before, after }))
    }

    fn without(&self, file: KubeconfigFile) -> Edit {
        let foreign: Vec<_> = self.site.clusters().filter_map(provider::foreign_context).collect();
        let after = file.without(&self.site.name, |name| foreign.contains(&name));
        Edit { before: Some(file), after }
    }

    async fn write(&self, facts: &Facts, writer: &Writer) -> Result<(), Failure> {
        files::make_folder(&self.env.state)?;
        let lock = Lock::take(&self.env.state.join(LOCK));
        let lock = lock.map_err(|error| {
            Failure::from(error).with_hint("wait for the other run to end, then run again")
        })?;
        for edit in self.edits(facts)? {
            edit.write(writer).await?;
        }
        lock.discard();
        Ok(())
    }
}

impl Edit {
    fn change(&self, site: &Site) -> Change {
        let path = self.after.path();
        if is_locked(path) {
            let reason = format!(
                "`{}` is there: `kubectl` is writing the file, or was killed then and left it behind",
                lock_of_kubectl(path).display()
            );
            return Change::wait(path.display().to_string(), reason);
        }
        let (before, after) = (self.before.as_ref(), self.after.contexts_of(&site.name));
        let gone = before.into_iter().flat_map(|file| file.contexts_of(&site.name));
        let gone: Vec<_> = gone.filter(|name| !after.contains(name)).collect();
        let detail = match gone.as_slice() {
            [] => format!("contexts {}", after.join(", ")),
            gone => format!("without the contexts {}", gone.join(", ")),
        };
        Change::update(path.display().to_string(), detail)
    }

    /// Keeps what was there, then replaces it at once: at every moment the file is the old one or the new one.
    async fn write(&self, writer: &Writer) -> Result<(), Failure> {
        const MODE: u32 = 0o600;
        let path = self.after.path();
        let target = target(path);
        if let Some(folder) = target.parent() {
            files::make_folder(folder)?;
        }
        if self.before.is_some() {
            access(&target, May::WRITE_OK).map_err(|errno| {
                let hint = "make it writable, or name another file with KUBECONFIG";
                let error = EditError::NotWritable { path: path.to_owned(), source: errno.into() };
                Failure::from(error).with_hint(hint)
            })?;
            let backup = with_suffix(path, ".bak");
            let content = files::read_bytes(&target)?;
            writer.perform(async { files::replace(&backup, &content, MODE) }).await?;
        }
        writer.perform(async { files::replace(&target, self.after.text().as_bytes(), MODE) }).await?;
        Ok(())
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

/// What `kubectl` makes while it writes a kubeconfig.
fn lock_of_kubectl(path: &Path) -> PathBuf {
    with_suffix(path, ".lock")
}

fn is_locked(path: &Path) -> bool {
    lock_of_kubectl(path).exists()
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
        _ => "nothing was changed; mend the file, or name another with KUBECONFIG".to_owned(),
    };
    Failure::from(error).with_hint(hint)
}

impl Step for PersonalFile {
    type Work = ();

    fn id(&self) -> StepId {
        StepId::site("kubeconfig")
    }

    fn cluster(&self) -> Option<&ClusterName> {
        None
    }

    async fn observe(&self, facts: &Facts) -> Result<Observed, Stop> {
        let edits = self.edits(facts)?;
        Ok(Observed::differs(edits.iter().map(|edit| edit.change(&self.site)).collect(), ()))
    }

    async fn apply(&self, _work: (), facts: &Facts, writer: &Writer) -> Result<(), Failure> {
        self.write(facts, writer).await
    }

    /// `kubectl` writes within moments.
    fn patience(&self) -> std::time::Duration {
        std::time::Duration::from_secs(10)
    }
}
