//! The step that applies a set of objects.

use std::future::Future;

use kube::Client;

use super::set::{Differences, ObjectSet};
use crate::engine::{Facts, Failure, Observed, Step, StepId, Stop, Writer};
use crate::site::name::ClusterName;

/// Objects that should be in a cluster.
pub trait Desired: Send + Sync {
    /// The stable path of the step that applies them.
    fn id(&self) -> StepId;

    /// The cluster that the step belongs to.
    fn cluster(&self) -> &ClusterName;

    /// What is true once they are there, in a few words.
    fn purpose(&self) -> &'static str;

    /// The objects in view of the facts, and the cluster to have them.
    ///
    /// # Errors
    /// When a fact is absent, or the objects cannot be made.
    fn objects(&self, facts: &Facts) -> impl Future<Output = Result<(Client, ObjectSet), Stop>> + Send;
}

/// Applies objects, and waits for nothing but what is being deleted.
#[derive(Debug)]
pub struct ApplyObjects<D>(pub D);

impl<D: Desired> Step for ApplyObjects<D> {
    type Work = Differences;

    fn id(&self) -> StepId {
        self.0.id()
    }

    fn cluster(&self) -> Option<&ClusterName> {
        Some(self.0.cluster())
    }

    fn purpose(&self) -> &'static str {
        self.0.purpose()
    }

    async fn observe(&self, facts: &Facts) -> Result<Observed<Differences>, Stop> {
        let (client, set) = self.0.objects(facts).await?;
        Ok(set.observe(&client).await?.into())
    }

    async fn apply(&self, work: Differences, _: &Facts, writer: &Writer) -> Result<(), Failure> {
        work.apply(writer).await
    }
}
