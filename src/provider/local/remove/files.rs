//! The step `<cluster>/remove/files`: the cluster's folder is gone.

use crate::engine::{Change, Facts, Failure, Observed, Step, StepId, Stop, Writer};
use crate::files;
use crate::provider::local::LocalCluster;
use crate::site::name::ClusterName;

pub(in crate::provider::local) struct RemoveFolder(pub(in crate::provider::local) LocalCluster);

impl Step for RemoveFolder {
    type Work = ();

    fn id(&self) -> StepId {
        StepId::of(&self.0.name, "remove/files")
    }

    fn cluster(&self) -> Option<&ClusterName> {
        Some(&self.0.name)
    }

    fn purpose(&self) -> &'static str {
        "its files are gone"
    }

    async fn observe(&self, _facts: &Facts) -> Result<Observed, Stop> {
        let folder = self.0.layout.folder();
        let there = folder.symlink_metadata().is_ok();
        let changes = there.then(|| Change::delete(format!("folder {}", folder.display())));
        Ok(Observed::differs(changes.into_iter().collect(), ()))
    }

    async fn apply(&self, _work: (), _facts: &Facts, writer: &Writer) -> Result<(), Failure> {
        writer.perform(async { files::remove_folder(self.0.layout.folder()) }).await?;
        Ok(())
    }
}
