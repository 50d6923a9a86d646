//! The step `<cluster>/remove/supervisor`: no process of the cluster runs.

use std::path::PathBuf;

use crate::engine::{Change, Facts, Failure, Observed, Step, StepId, Stop, Writer};
use crate::files;
use crate::provider::local::LocalCluster;
use crate::provider::local::processes;
use crate::provider::local::state;
use crate::site::name::ClusterName;

pub(in crate::provider::local) struct EndProcesses(pub(in crate::provider::local) LocalCluster);

/// All processes of the cluster are to end, also those that its supervisor starts meanwhile.
pub(in crate::provider::local) struct Work {
    /// Where it is noted that they have: the files still hold a whole cluster, and a run that goes on from here must not
    /// take it for a stopped one.
    leaving: Option<PathBuf>,
}

impl Step for EndProcesses {
    type Work = Work;

    fn id(&self) -> StepId {
        StepId::of(&self.0.name, "remove/supervisor")
    }

    fn cluster(&self) -> Option<&ClusterName> {
        Some(&self.0.name)
    }

    fn purpose(&self) -> &'static str {
        "its processes have ended"
    }

    async fn observe(&self, _facts: &Facts) -> Result<Observed<Work>, Stop> {
        let layout = &self.0.layout;
        let processes = processes::find(layout);
        if processes.is_empty() {
            return Ok(Observed::default());
        }
        let change = Change::delete(format!("processes of {}", self.0.name));
        let change = change.with_detail(processes::list(&processes));
        let leaving = layout.folder().exists().then(|| layout.leaving());
        Ok(Observed::differs(vec![change], Work { leaving }))
    }

    async fn apply(&self, work: Work, _facts: &Facts, writer: &Writer) -> Result<(), Failure> {
        writer
            .perform(async {
                // One that does not answer or end is ended by force, like what a killed one has left.
                let layout = &self.0.layout;
                let _ = state::stop(layout).await;
                processes::end(layout).await?;
                if let Some(leaving) = &work.leaving {
                    files::replace(leaving, b"", 0o600)?;
                }
                Ok(())
            })
            .await
    }
}
