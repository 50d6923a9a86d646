//! The step that applies a set of objects.

use std::future::Future;

use kube::Client;

use super::set::ObjectSet;
use crate::engine::{Facts, Failure, Observed, Step, StepId, Stop, Writer};
use crate::site::name::ClusterName;

/// Objects that should be in a cluster.
pub trait Desired: Send + Sync {
    /// The stable path of the step that applies them.
    fn id(&self) -> StepId;

    /// The cluster that the step belongs to.
    fn cluster(&self) -> &ClusterName;

    /// The objects in view of the facts, and the cluster to have them.
    ///
    /// # Errors
    /// When a fact is absent, or the objects cannot be made.
    fn objects(&self, facts: &Facts) -> impl Future<Output = Result<(Client, ObjectSet), Stop>> + Send;
}

/// Applies objects, and waits for nothing but what is being deleted.
#[derive(Debug)]
pub struct ApplyObjects<D>(pub D);

impl<D: Desired> ApplyObjects<D> {
    async fn change(&self, facts: &Facts, writer: &Writer) -> Result<(), Failure> {
        let (client, set) = self.0.objects(facts).await.map_err(Stop::into_failure)?;
        set.apply(&client, writer).await
    }
}

impl<D: Desired> Step for ApplyObjects<D> {
    type Work = ();

    fn id(&self) -> StepId {
        self.0.id()
    }

    fn cluster(&self) -> Option<&ClusterName> {
        Some(self.0.cluster())
    }

    async fn observe(&self, facts: &Facts) -> Result<Observed, Stop> {
        let (client, set) = self.0.objects(facts).await?;
        Ok(Observed::differs(set.observe(&client).await?, ()))
    }

    async fn apply(&self, _work: (), facts: &Facts, writer: &Writer) -> Result<(), Failure> {
        self.change(facts, writer).await
    }
}
