//! Argo CD at work: every workload rolled out, and the project that Applications belong to.

use std::time::Duration;

use kube::Client;

use super::pause;
use crate::engine::{Change, Facts, Failure, Observed, Step, StepId, Stop, Writer};
use crate::gitops::{Scope, part};
use crate::k8s::{ApiError, Kind, PART_LABEL, SITE_LABEL, api, unready, workloads};
use crate::site::name::ClusterName;

pub(super) struct Ready(pub(super) Scope);

impl Ready {
    async fn changes(&self, client: &Client) -> Result<Vec<Change>, ApiError> {
        let namespace = self.0.namespace();
        let labels = format!("{SITE_LABEL}={},{PART_LABEL}={}", self.0.site.name, part::ARGOCD);
        let workloads = workloads(client, namespace, &labels).await?;
        if workloads.is_empty() {
            return Ok(vec![Change::wait(format!("Argo CD in {namespace}"), "it has no workloads yet")]);
        }
        let (paused, running): (Vec<_>, Vec<_>) = workloads.into_iter().partition(pause::is_paused);
        let paused = paused.iter().map(|workload| Change::update(workload.to_string(), "it is paused"));
        let mut changes: Vec<_> = paused.collect();
        changes.extend(unready(client, namespace, &running).await?);
        // Applications without it fail validation, and are tried again only after minutes.
        if api::get(client, &Kind::APP_PROJECT, Some(namespace), "default").await?.is_none() {
            let subject = Kind::APP_PROJECT.subject(Some(namespace), "default");
            changes.push(Change::wait(subject, "argocd-server makes it when it starts"));
        }
        Ok(changes)
    }
}

impl Step for Ready {
    type Work = ();

    fn id(&self) -> StepId {
        StepId::of(self.0.hub(), "argocd/ready")
    }

    fn cluster(&self) -> Option<&ClusterName> {
        Some(self.0.hub())
    }

    async fn observe(&self, facts: &Facts) -> Result<Observed, Stop> {
        let client = self.0.client(self.0.hub(), facts).await?;
        Ok(Observed::differs(self.changes(&client).await?, ()))
    }

    async fn apply(&self, _work: (), facts: &Facts, writer: &Writer) -> Result<(), Failure> {
        let client = self.0.client(self.0.hub(), facts).await.map_err(Stop::into_failure)?;
        if let Some((generator, _)) = pause::look(&client, self.0.namespace()).await? {
            pause::resume(&client, &generator, writer).await?;
        }
        Ok(())
    }

    /// Images may have to be pulled over a slow line.
    fn patience(&self) -> Duration {
        Duration::from_mins(10)
    }
}
