//! What is left until ApplicationSets have made what they should and Applications are as they should be.

use std::collections::BTreeMap;

use jiff::Timestamp;
use kube::Client;
use serde_json::{Value, json};

use super::Scope;
use super::application::{Application, REFRESH, Retry, Standing};
use super::application_set::ApplicationSet;
use super::fleet::{Fleet, Registered};
use super::hub::Hub;
use crate::engine::{Change, Facts, Writer};
use crate::k8s::{ApiError, FIELD_MANAGER, Kind, api, unready};

/// An observation of a fleet.
pub(super) struct Expected<'a> {
    hub: &'a Hub,
    fleet: &'a Fleet,
    now: Timestamp,
    /// Why Applications are not healthy, as their clusters say it: Argo CD does not.
    reasons: BTreeMap<String, String>,
}

impl<'a> Expected<'a> {
    pub(super) fn new(hub: &'a Hub, fleet: &'a Fleet) -> Self {
        Self { hub, fleet, now: Timestamp::now(), reasons: BTreeMap::new() }
    }

    /// Asks the clusters why Applications are not healthy.
    pub(super) async fn with_reasons(mut self, scope: &Scope, facts: &Facts) -> Self {
        for application in &self.fleet.applications {
            let Standing::Unhealthy(_) = application.standing(self.now) else { continue };
            let Some(cluster) = self.fleet.cluster_of(application) else { continue };
            // A cluster that cannot be asked leaves it at what Argo CD says.
            if let Ok(client) = scope.client(cluster, facts).await
                && let Ok(Some(reason)) = unready_workload(&client, application).await
            {
                self.reasons.insert(application.name().to_owned(), reason);
            }
        }
        self
    }

    /// What keeps a set from making Applications at all.
    pub(super) fn of_set(&self, set: &ApplicationSet) -> Option<Change> {
        let subject = self.hub.subject(&Kind::APPLICATION_SET, set.name());
        match set.error() {
            Some(error) => Some(Change::wait(subject, error)),
            None if set.is_seen() => None,
            None => Some(Change::wait(subject, "its controller has not looked at it yet")),
        }
    }

    /// What a set has not made yet, or not taken away yet, for one cluster.
    pub(super) fn of_cluster(&self, set: &ApplicationSet, cluster: &Registered) -> Vec<Change> {
        let Some(selection) = set.selection(&self.fleet.registered) else { return Vec::new() };
        let mine: Vec<_> = self.fleet.made_for(set, cluster).collect();
        match selection.clusters.contains(&cluster.name) {
            true if mine.is_empty() && selection.exact => {
                let subject = self.hub.subject(&Kind::APPLICATION_SET, set.name());
                vec![Change::wait(subject, format!("it has no Application for {} yet", cluster.name))]
            }
            false if set.deletes() => {
                mine.into_iter().map(|application| self.leaving(application, cluster)).collect()
            }
            _ => Vec::new(),
        }
    }

    /// An Application that its set takes away by itself.
    pub(super) fn leaving(&self, application: &Application, cluster: &Registered) -> Change {
        let reason = application.reason().filter(|_| application.is_deleting());
        let reason =
            reason.unwrap_or_else(|| format!("it goes once {} is not selected any more", cluster.name));
        Change::wait(self.hub.subject(&Kind::APPLICATION, application.name()), reason)
    }

    /// What is left until an Application is as its own policy wants it.
    pub(super) fn of_application(&self, application: &Application) -> Option<Change> {
        let subject = self.hub.subject(&Kind::APPLICATION, application.name());
        match application.standing(self.now) {
            Standing::Waiting(reason) => Some(Change::wait(subject, reason)),
            Standing::Unhealthy(reason) => {
                Some(Change::wait(subject, self.reasons.get(application.name()).unwrap_or(&reason)))
            }
            Standing::Stuck(reason, Retry::Comparison) => {
                Some(Change::update(subject, format!("compare again: {reason}")))
            }
            Standing::Stuck(reason, Retry::Sync) => {
                Some(Change::update(subject, format!("sync again: {reason}")))
            }
            Standing::Settled => None,
        }
    }

    /// Asks Argo CD once more for what it has given up on.
    pub(super) async fn retry(
        &self,
        applications: impl Iterator<Item = &Application>,
        writer: &Writer,
    ) -> Result<(), ApiError> {
        for application in applications {
            if let Standing::Stuck(_, retry) = application.standing(self.now) {
                let patch = again(application, retry);
                writer.perform(self.hub.change(&Kind::APPLICATION, application.name(), &patch)).await?;
            }
        }
        Ok(())
    }
}

/// What keeps the first workload of an Application that has not rolled out from doing so.
async fn unready_workload(client: &Client, application: &Application) -> Result<Option<String>, ApiError> {
    let kinds = [Kind::DEPLOYMENT, Kind::STATEFUL_SET, Kind::DAEMON_SET];
    for resource in application.resources() {
        let Some(kind) = kinds.iter().find(|kind| kind.name() == resource.kind) else { continue };
        let Some(namespace) = resource.namespace.as_deref() else { continue };
        let Some(workload) = api::get(client, kind, Some(namespace), &resource.name).await? else { continue };
        if let Some(Change { subject, detail, .. }) =
            unready(client, namespace, &[workload]).await?.into_iter().next()
        {
            return Ok(Some(format!("{subject}: {}", detail.unwrap_or_default())));
        }
    }
    Ok(None)
}

fn again(application: &Application, retry: Retry) -> Value {
    match retry {
        Retry::Comparison => json!({"metadata": {"annotations": {REFRESH: "hard"}}}),
        Retry::Sync => json!({"operation": {
            "initiatedBy": {"username": FIELD_MANAGER},
            "sync": {"prune": application.prunes(), "syncOptions": application.sync_options()},
        }}),
    }
}
