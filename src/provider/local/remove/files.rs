//! The step `<cluster>/remove/files`: the cluster's folder is gone.

use std::path::PathBuf;

use crate::engine::{Change, Facts, Failure, Observed, Step, StepId, Stop, Writer};
use crate::files;
use crate::provider::local::LocalCluster;
use crate::site::name::ClusterName;

pub(in crate::provider::local) struct RemoveFolder(pub(in crate::provider::local) LocalCluster);

impl Step for RemoveFolder {
    /// The folder.
    type Work = PathBuf;

    fn id(&self) -> StepId {
        StepId::of(&self.0.name, "remove/files")
    }

    fn cluster(&self) -> Option<&ClusterName> {
        Some(&self.0.name)
    }

    fn purpose(&self) -> &'static str {
        "its files are gone"
    }

    async fn observe(&self, _facts: &Facts) -> Result<Observed<PathBuf>, Stop> {
        let folder = self.0.layout.folder();
        if folder.symlink_metadata().is_err() {
            return Ok(Observed::default());
        }
        let change = Change::delete(format!("folder {}", folder.display()));
        Ok(Observed::differs(vec![change], folder.to_owned()))
    }

    async fn apply(&self, folder: PathBuf, _facts: &Facts, writer: &Writer) -> Result<(), Failure> {
        writer.perform(async { files::remove_folder(&folder) }).await?;
        Ok(())
    }
}
