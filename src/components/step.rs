//! The step `site/components`: everything that is to run is there.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::pins::{COMPONENTS, Component, MANIFEST};
use super::{Folders, GoError, VerifyError, build, verify};
use crate::engine::lock::{Lock, LockError};
use crate::engine::{Change, Facts, Failure, Observed, Step, StepId, Stop, Writer};
use crate::env::Env;
use crate::files;
use crate::site::name::ClusterName;

/// The checksums of a complete cache, in the form that `sha256sum --check` reads.
const CHECKSUMS: &str = "SHA256SUMS";

/// Held by the run that builds.
const LOCK: &str = "lock";

/// Something is missing that nobody may put there.
#[derive(Debug, thiserror::Error)]
#[error("the folder `{}` of BRIDGEHEAD_COMPONENTS has no {names}", .folder.display())]
struct Incomplete {
    folder: PathBuf,
    names: String,
}

/// The step that gets the components, or only the manifest where no cluster is `local`.
#[must_use]
pub fn step(env: &Env, needed: Needed) -> impl Step + use<> {
    Components { folders: Folders::of(env), needed }
}

/// Which components a site needs, the fewest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Needed {
    /// Argo CD's manifest.
    Manifest,
    /// The programs that `local` clusters are made of, and Argo CD's manifest.
    All,
}

struct Components {
    folders: Folders,
    needed: Needed,
}

/// What is not there yet.
struct Missing {
    programs: Vec<&'static Component>,
    manifest: bool,
}

impl Step for Components {
    type Work = Missing;

    fn id(&self) -> StepId {
        StepId::site("components")
    }

    fn cluster(&self) -> Option<&ClusterName> {
        None
    }

    fn purpose(&self) -> &'static str {
        "the programs and Argo CD's manifest are on this machine"
    }

    async fn observe(&self, _: &Facts) -> Result<Observed<Missing>, Stop> {
        self.look()
    }

    async fn apply(&self, missing: Missing, _: &Facts, writer: &Writer) -> Result<(), Failure> {
        self.get(missing, writer).await
    }

    /// Another run may be building everything from nothing.
    fn patience(&self) -> Duration {
        Duration::from_mins(30)
    }
}

impl Components {
    fn look(&self) -> Result<Observed<Missing>, Stop> {
        let folders = &self.folders;
        let programs = self.absent();
        if let (Some(folder), false) = (&folders.named, programs.is_empty()) {
            let names = programs.iter().map(|component| component.name).collect::<Vec<_>>().join(", ");
            let hint = "unset BRIDGEHEAD_COMPONENTS, and the components are built into the cache";
            return Err(Failure::from(Incomplete { folder: folder.clone(), names }).with_hint(hint).into());
        }
        let mut changes: Vec<_> =
            programs.iter().map(|program| create(program.name, program.version)).collect();
        let manifest = !folders.manifest().is_file();
        if manifest {
            changes.push(create(MANIFEST.name, MANIFEST.version));
        }
        if self.completes_cache() && !folders.cache.join(CHECKSUMS).is_file() {
            changes.push(Change::create(format!("components' {CHECKSUMS}")));
        }
        if !changes.is_empty() && self.is_busy() {
            return Ok(Observed::waits(vec![Change::wait("components", "another run builds them")]));
        }
        Ok(Observed::differs(changes, Missing { programs, manifest }))
    }

    /// The programs that are needed and not there.
    fn absent(&self) -> Vec<&'static Component> {
        match self.needed {
            Needed::All => self.folders.absent(),
            Needed::Manifest => Vec::new(),
        }
    }

    /// Whether everything is in the cache afterwards.
    fn completes_cache(&self) -> bool {
        self.needed == Needed::All && self.folders.named.is_none()
    }

    /// Whether another run builds right now.
    fn is_busy(&self) -> bool {
        let lock = self.folders.caches.join(LOCK);
        lock.is_file() && matches!(Lock::take(&lock), Err(LockError::Held(_)))
    }

    async fn get(&self, missing: Missing, writer: &Writer) -> Result<(), Failure> {
        let folders = &self.folders;
        files::make_folder(&folders.cache)?;
        let _lock = match Lock::take(&folders.caches.join(LOCK)) {
            Ok(lock) => lock,
            // Then there is nothing to do but to wait, which the next look says.
            Err(LockError::Held(_)) => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        let build = Build { scratch: folders.cache.join("building"), cache: &folders.cache, writer };
        let count = missing.programs.len();
        for (index, program) in missing.programs.into_iter().enumerate() {
            writer.progress(format!("building {} ({} of {count})", program.name, index + 1));
            writer.perform(build.program(program)).await?;
        }
        if missing.manifest {
            writer.progress(format!("fetching {}", MANIFEST.name));
            writer.perform(build.manifest()).await?;
        }
        writer.perform(build.finish(self.completes_cache())).await
    }
}

fn create(name: &str, version: &str) -> Change {
    Change::create(format!("component {name} {version}"))
}

/// Makes everything in a scratch folder, and moves it to its place when it is complete.
struct Build<'a> {
    scratch: PathBuf,
    cache: &'a Path,
    writer: &'a Writer,
}

impl Build<'_> {
    async fn program(&self, program: &Component) -> Result<(), Failure> {
        build::write_sources(&self.scratch)?;
        // A run that was killed may have left its `go` at work: it must not write over what this one makes.
        let built = self.scratch.join(format!("{}.{}", program.name, std::process::id()));
        build::build(program, &self.scratch, &built, self.writer).await.map_err(GoError::into_failure)?;
        Ok(files::rename(&built, &self.cache.join(program.name))?)
    }

    async fn manifest(&self) -> Result<(), Failure> {
        build::write_sources(&self.scratch)?;
        let found = build::manifest(&MANIFEST, &self.scratch, self.writer).await;
        let found = found.map_err(GoError::into_failure)?;
        let text = files::read(&found)?;
        verify::verify(&found, &text, MANIFEST.sha256)?;
        Ok(files::replace(&self.cache.join(MANIFEST.name), text.as_bytes(), 0o600)?)
    }

    /// Leaves nothing half-made, and if the cache is complete, the checksums of all that is there.
    async fn finish(&self, complete: bool) -> Result<(), Failure> {
        files::remove_folder(&self.scratch)?;
        if !complete {
            return Ok(());
        }
        let cache = self.cache.to_owned();
        let sums = tokio::task::spawn_blocking(move || {
            let names = COMPONENTS.iter().map(|component| component.name).chain([MANIFEST.name]);
            let lines =
                names.map(|name| Ok(format!("{}  {name}\n", verify::sha256_of_file(&cache.join(name))?)));
            lines.collect::<Result<String, VerifyError>>()
        });
        let sums = sums.await??;
        Ok(files::replace(&self.cache.join(CHECKSUMS), sums.as_bytes(), 0o600)?)
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use super::*;
    use crate::engine::ChangeKind;

    fn step(root: &Path, named: Option<PathBuf>) -> Components {
        let folders = Folders { named, caches: root.join("cache"), cache: root.join("cache/key") };
        Components { folders, needed: Needed::All }
    }

    fn fill(folder: &Path) {
        files::make_folder(folder).unwrap();
        for component in &COMPONENTS {
            File::create(folder.join(component.name)).unwrap();
        }
    }

    #[test]
    fn what_is_absent_is_built_and_only_that() {
        let root = tempfile::tempdir().unwrap();
        let step = step(root.path(), None);
        assert_eq!(step.look().unwrap().changes.len(), COMPONENTS.len() + 2);
        fill(&step.folders.cache);
        let changes = step.look().unwrap().changes;
        assert_eq!(changes[0].subject, "component argocd-install.yaml v3.2.11");
        for name in [MANIFEST.name, CHECKSUMS] {
            File::create(step.folders.cache.join(name)).unwrap();
        }
        assert_eq!(step.look().unwrap().changes, []);
    }

    #[test]
    fn a_named_folder_is_never_built_into() {
        let root = tempfile::tempdir().unwrap();
        let named = root.path().join("named");
        let step = step(root.path(), Some(named.clone()));
        fill(&named);
        assert_eq!(step.look().unwrap().changes, [create(MANIFEST.name, MANIFEST.version)]);
        files::remove(&named.join("etcd")).unwrap();
        let Err(Stop::Failed(failure)) = step.look() else { panic!("nobody may build into it") };
        assert!(failure.to_string().ends_with("has no etcd"), "{failure}");
    }

    #[test]
    fn without_local_clusters_only_the_manifest_is_needed() {
        let root = tempfile::tempdir().unwrap();
        let step =
            Components { needed: Needed::Manifest, ..step(root.path(), Some(root.path().join("named"))) };
        assert_eq!(step.look().unwrap().changes, [create(MANIFEST.name, MANIFEST.version)]);
        files::make_folder(&step.folders.cache).unwrap();
        File::create(step.folders.cache.join(MANIFEST.name)).unwrap();
        assert_eq!(step.look().unwrap().changes, []);
    }

    #[test]
    fn a_run_waits_while_another_builds() {
        let root = tempfile::tempdir().unwrap();
        let step = step(root.path(), None);
        files::make_folder(&step.folders.cache).unwrap();
        let lock = Lock::take(&step.folders.caches.join(LOCK)).unwrap();
        assert_eq!(step.look().unwrap().changes[0].kind, ChangeKind::Wait);
        drop(lock);
        assert_eq!(step.look().unwrap().changes[0].kind, ChangeKind::Create);
    }
}
