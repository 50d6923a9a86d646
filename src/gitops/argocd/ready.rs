//! Argo CD at work: every workload rolled out, and the project that Applications belong to.

use std::time::Duration;

use kube::Client;

use super::pause;
use crate::engine::{Change, Facts, Failure, Observed, Step, StepId, Stop, Writer};
use crate::gitops::{Scope, part};
use crate::k8s::{ApiError, Kind, Object, api, marked_as, unready, workloads};
use crate::site::name::ClusterName;

pub(super) struct Ready(pub(super) Scope);

/// What was paused and goes on.
pub(super) struct Paused {
    client: Client,
    workloads: Vec<Object>,
}

impl Ready {
    async fn look(&self, client: Client) -> Result<Observed<Paused>, ApiError> {
        let namespace = self.0.namespace();
        let labels = marked_as(&self.0.site.name, part::ARGOCD);
        let workloads = workloads(&client, namespace, &labels).await?;
        if workloads.is_empty() {
            let wait = Change::wait(format!("Argo CD in {namespace}"), "it has no workloads yet");
            return Ok(Observed::waits(vec![wait]));
        }
        let (paused, running): (Vec<_>, Vec<_>) = workloads.into_iter().partition(pause::is_paused);
        let resumed = paused.iter().map(|workload| Change::ask(workload.to_string(), "it is paused"));
        let mut changes: Vec<_> = resumed.collect();
        changes.extend(unready(&client, namespace, &running).await?);
        // Applications without it fail validation, and are tried again only after minutes.
        if api::get(&client, &Kind::APP_PROJECT, Some(namespace), "default").await?.is_none() {
            let subject = Kind::APP_PROJECT.subject(Some(namespace), "default");
            changes.push(Change::wait(subject, "argocd-server makes it when it starts"));
        }
        Ok(Observed::differs(changes, Paused { client, workloads: paused }))
    }
}

impl Step for Ready {
    type Work = Paused;

    fn id(&self) -> StepId {
        StepId::of(self.0.hub(), "argocd/ready")
    }

    fn cluster(&self) -> Option<&ClusterName> {
        Some(self.0.hub())
    }

    fn purpose(&self) -> &'static str {
        "every workload of Argo CD has rolled out"
    }

    async fn observe(&self, facts: &Facts) -> Result<Observed<Paused>, Stop> {
        let client = self.0.client(self.0.hub(), facts).await?;
        Ok(self.look(client).await?)
    }

    async fn apply(&self, paused: Paused, _: &Facts, writer: &Writer) -> Result<(), Failure> {
        for workload in &paused.workloads {
            pause::resume(&paused.client, workload, writer).await?;
        }
        Ok(())
    }

    /// Images may have to be pulled over a slow line.
    fn patience(&self) -> Duration {
        Duration::from_mins(10)
    }
}
