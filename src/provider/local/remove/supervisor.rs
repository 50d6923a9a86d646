//! The step `<cluster>/remove/supervisor`: no process of the cluster runs.

use super::Subject;
use crate::engine::{BoxFuture, Change, Facts, Failure, Observed, Step, StepId, Stop, Writer};
use crate::provider::local::leftovers;
use crate::provider::local::state;
use crate::site::name::ClusterName;

pub(super) struct Supervisor(pub(super) Subject);

impl Step for Supervisor {
    fn id(&self) -> StepId {
        StepId::of(&self.0.cluster, "remove/supervisor")
    }

    fn cluster(&self) -> Option<&ClusterName> {
        Some(&self.0.cluster)
    }

    fn observe<'a>(&'a self, _facts: &'a Facts) -> BoxFuture<'a, Result<Observed, Stop>> {
        Box::pin(async move {
            let processes = leftovers::find(&self.0.layout);
            let change = |process| Change::delete(format!("process {process} of {}", self.0.cluster));
            Ok(Observed::differs(processes.iter().map(change).collect()))
        })
    }

    fn apply<'a>(&'a self, _facts: &'a Facts, writer: &'a Writer) -> BoxFuture<'a, Result<(), Failure>> {
        Box::pin(async move {
            writer
                .perform(async {
                    // One that does not answer or end is ended by force, like what a killed one has left.
                    let _ = state::stop(&self.0.layout).await;
                    leftovers::end(&self.0.layout).await
                })
                .await?;
            Ok(())
        })
    }
}
