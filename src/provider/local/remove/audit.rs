//! The step `<cluster>/remove/audit`: proof that nothing is left.

use crate::engine::{Change, Facts, Observed, Step, StepId, Stop};
use crate::provider::local::LocalCluster;
use crate::provider::local::processes;
use crate::site::name::ClusterName;

#[derive(Debug, thiserror::Error)]
#[error("this is still left of {0}: {1}")]
struct Remaining(ClusterName, String);

pub(in crate::provider::local) struct Audit(pub(in crate::provider::local) LocalCluster);

impl Audit {
    /// A port is held by a process only: what listens on the cluster's block when none of its processes is left
    /// is a stranger, who may.
    fn remaining(&self) -> Vec<String> {
        processes::find(&self.0.layout).into_iter().map(|process| format!("process {process}")).collect()
    }
}

impl Step for Audit {
    type Work = ();

    fn id(&self) -> StepId {
        StepId::of(&self.0.name, "remove/audit")
    }

    fn cluster(&self) -> Option<&ClusterName> {
        Some(&self.0.name)
    }

    fn purpose(&self) -> &'static str {
        "no process and no file of it is left"
    }

    /// Before the cluster's folder is gone there is nothing to prove.
    async fn observe(&self, _facts: &Facts) -> Result<Observed, Stop> {
        if self.0.layout.folder().symlink_metadata().is_ok() {
            let subject = format!("proof that nothing is left of {}", self.0.name);
            return Ok(Observed::waits(vec![Change::wait(subject, "the cluster is still there")]));
        }
        let remaining = self.remaining();
        if remaining.is_empty() {
            return Ok(Observed::default());
        }
        Err(Remaining(self.0.name.clone(), remaining.join(", ")).into())
    }
}
