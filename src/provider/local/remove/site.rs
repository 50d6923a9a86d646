//! The step `site/remove/files`: what the site keeps besides its clusters is gone.

use std::path::PathBuf;

use crate::engine::{Change, Facts, Failure, Observed, Step, StepId, Stop, Writer};
use crate::files;
use crate::site::name::ClusterName;

/// The site's folder. Its lock is held by the run itself, which discards it at its end.
pub(in crate::provider) struct RemoveSiteFolder {
    folder: PathBuf,
}

impl RemoveSiteFolder {
    pub(in crate::provider) const fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    const LOCK: &str = "lock";

    fn entries(&self) -> Vec<PathBuf> {
        let entries = self.folder.read_dir().into_iter().flatten().flatten();
        entries.filter(|entry| entry.file_name() != Self::LOCK).map(|entry| entry.path()).collect()
    }
}

impl Step for RemoveSiteFolder {
    /// What is in the folder.
    type Work = Vec<PathBuf>;

    fn id(&self) -> StepId {
        StepId::site("remove/files")
    }

    fn cluster(&self) -> Option<&ClusterName> {
        None
    }

    fn purpose(&self) -> &'static str {
        "the site's folder on this machine is gone"
    }

    async fn observe(&self, _facts: &Facts) -> Result<Observed<Vec<PathBuf>>, Stop> {
        let entries = self.entries();
        let changes = entries.iter().map(|path| Change::delete(path.display().to_string())).collect();
        Ok(Observed::differs(changes, entries))
    }

    async fn apply(&self, entries: Vec<PathBuf>, _facts: &Facts, writer: &Writer) -> Result<(), Failure> {
        for path in entries {
            writer
                .perform(async {
                    if path.is_dir() { files::remove_folder(&path) } else { files::remove(&path) }
                })
                .await?;
        }
        Ok(())
    }
}
