//! The step `<cluster>/remove/supervisor`: no process of the cluster runs.

use crate::engine::{Change, Facts, Failure, Observed, Step, StepId, Stop, Writer};
use crate::files;
use crate::provider::local::LocalCluster;
use crate::provider::local::processes;
use crate::provider::local::state;
use crate::site::name::ClusterName;

pub(in crate::provider::local) struct EndProcesses(pub(in crate::provider::local) LocalCluster);

impl Step for EndProcesses {
    type Work = ();

    fn id(&self) -> StepId {
        StepId::of(&self.0.name, "remove/supervisor")
    }

    fn cluster(&self) -> Option<&ClusterName> {
        Some(&self.0.name)
    }

    fn purpose(&self) -> &'static str {
        "its processes have ended"
    }

    async fn observe(&self, _facts: &Facts) -> Result<Observed, Stop> {
        let processes = processes::find(&self.0.layout);
        let delete = Change::delete(format!("processes of {}", self.0.name));
        let change = (!processes.is_empty()).then(|| delete.with_detail(processes::list(&processes)));
        Ok(Observed::differs(change.into_iter().collect(), ()))
    }

    async fn apply(&self, _work: (), _facts: &Facts, writer: &Writer) -> Result<(), Failure> {
        writer
            .perform(async {
                // One that does not answer or end is ended by force, like what a killed one has left.
                let layout = &self.0.layout;
                let _ = state::stop(layout).await;
                processes::end(layout).await?;
                // Its files still hold a whole cluster: a run that goes on from here must not take it for a stopped one.
                if layout.folder().exists() {
                    files::replace(&layout.leaving(), b"", 0o600)?;
                }
                Ok(())
            })
            .await
    }
}
