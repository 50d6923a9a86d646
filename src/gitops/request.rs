//! Requests to Argo CD's controllers: small patches of the objects that they watch, found by looking and carried out
//! as they were found.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde_json::{Value, json};

use super::application::Application;
use super::hub::Hub;
use super::retire::{Objects, finalizers};
use crate::engine::Writer;
use crate::k8s::{ApiError, FIELD_MANAGER, Kind};

/// One request.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Request {
    kind: Kind,
    name: String,
    patch: Patch,
}

#[derive(Debug, Clone, PartialEq)]
enum Patch {
    /// Fields to write, whatever else the object says.
    Merge(Value),
    /// A JSON patch with tests. Where one fails, the controller is at the object already.
    Json(Value),
    /// Other finalizers, in place of those that the object was seen with.
    Finalizers(Vec<String>, Box<ObjectMeta>),
}

impl Request {
    /// Writes an annotation, which the controller takes off again.
    pub(super) fn annotate(kind: Kind, name: &str, annotation: &str, value: &str) -> Self {
        let patch = json!({ "metadata": { "annotations": { annotation: value } } });
        Self { kind, name: name.to_owned(), patch: Patch::Merge(patch) }
    }

    /// Asks for a sync as an Application's own policy would do it, unless one has begun or ended since.
    pub(super) fn sync(application: &Application) -> Self {
        let operation = json!({
            "initiatedBy": { "username": FIELD_MANAGER },
            "sync": { "prune": application.prunes(), "syncOptions": application.sync_options() },
        });
        let seen = application.last_sync_finished().map(|finished| json!(finished));
        let unchanged = json!({ "op": "test", "path": "/status/operationState/finishedAt", "value": seen });
        let begin = json!({ "op": "add", "path": "/operation", "value": operation });
        Self::json(application, &seen.map_or(json!([begin]), |_| json!([unchanged, begin])))
    }

    /// Ends the sync that an Application is in the middle of, if it is: Argo CD would finish it, with all its
    /// retries, before anything else.
    pub(super) fn termination(application: &Application) -> Option<Self> {
        const PHASE: &str = "/status/operationState/phase";
        application.is_syncing().then(|| {
            let unchanged = json!({ "op": "test", "path": PHASE, "value": "Running" });
            let end = json!({ "op": "replace", "path": PHASE, "value": "Terminating" });
            Self::json(application, &json!([unchanged, end]))
        })
    }

    /// Takes Argo CD's finalizers off an Application, so that its objects stay when it goes. It fails where somebody
    /// has added or taken off others since.
    pub(super) fn release(application: &Application) -> Self {
        let kept = finalizers(application, &Objects::Stay(String::new()));
        let seen = Box::new(application.metadata.clone());
        let patch = Patch::Finalizers(kept.unwrap_or_default(), seen);
        Self { kind: Kind::APPLICATION, name: application.name().to_owned(), patch }
    }

    fn json(application: &Application, operations: &Value) -> Self {
        let patch = Patch::Json(operations.clone());
        Self { kind: Kind::APPLICATION, name: application.name().to_owned(), patch }
    }

    async fn carry_out(&self, hub: &Hub) -> Result<(), ApiError> {
        match &self.patch {
            Patch::Merge(patch) => hub.change(&self.kind, &self.name, patch).await,
            Patch::Json(operations) => hub.patch(&self.kind, &self.name, operations).await,
            Patch::Finalizers(kept, seen) => hub.set_finalizers(&self.kind, seen, kept).await,
        }
    }
}

/// Requests to the controllers of one hub.
pub(super) struct Requests {
    hub: Hub,
    requests: Vec<Request>,
}

impl Requests {
    pub(super) fn to(hub: &Hub) -> Self {
        Self { hub: hub.clone(), requests: Vec::new() }
    }

    pub(super) fn push(&mut self, request: Request) {
        self.requests.push(request);
    }

    /// Sends them, one after the other.
    pub(super) async fn carry_out(&self, writer: &Writer) -> Result<(), ApiError> {
        for request in &self.requests {
            writer.perform(request.carry_out(&self.hub)).await?;
        }
        Ok(())
    }
}
