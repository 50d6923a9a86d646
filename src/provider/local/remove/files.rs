//! The step `<cluster>/remove/files`: the cluster's folder is gone.

use super::Subject;
use crate::engine::{BoxFuture, Change, Facts, Failure, Observed, Step, StepId, Stop, Writer};
use crate::files;
use crate::site::name::ClusterName;

pub(super) struct Files(pub(super) Subject);

impl Step for Files {
    fn id(&self) -> StepId {
        StepId::of(&self.0.cluster, "remove/files")
    }

    fn cluster(&self) -> Option<&ClusterName> {
        Some(&self.0.cluster)
    }

    fn observe<'a>(&'a self, _facts: &'a Facts) -> BoxFuture<'a, Result<Observed, Stop>> {
        Box::pin(async move {
            let folder = self.0.layout.folder();
            let there = folder.symlink_metadata().is_ok();
            let changes = there.then(|| Change::delete(format!("folder {}", folder.display())));
            Ok(Observed::differs(changes.into_iter().collect()))
        })
    }

    fn apply<'a>(&'a self, _facts: &'a Facts, writer: &'a Writer) -> BoxFuture<'a, Result<(), Failure>> {
        Box::pin(async move {
            writer.perform(async { files::remove_folder(self.0.layout.folder()) }).await?;
            Ok(())
        })
    }
}
