//! Holding Argo CD's generator still: while it is paused, no Application is made, changed or removed.

use kube::Client;
use serde_json::{Value, json};

use crate::engine::Writer;
use crate::k8s::{ApiError, Kind, Object, api};

/// The controller that makes Applications from ApplicationSets.
const GENERATOR: &str = "argocd-applicationset-controller";
/// Says that we paused it, and how many replicas it had.
const PAUSED: &str = "bridgehead/paused";

/// Pauses the controller that makes Applications, as it was looked at.
///
/// # Errors
/// When the hub cannot be asked or does not allow it.
pub async fn pause(client: &Client, generator: &Object, writer: &Writer) -> Result<(), ApiError> {
    let replicas = generator.get(&["spec", "replicas"]).and_then(Value::as_u64).unwrap_or(1);
    change(client, generator, &patch(&json!(replicas.to_string()), 0), writer).await
}

/// Lets it go on with as many replicas as it had.
///
/// # Errors
/// When the hub cannot be asked or does not allow it.
pub async fn resume(client: &Client, generator: &Object, writer: &Writer) -> Result<(), ApiError> {
    match replicas_before(generator) {
        Some(replicas) => change(client, generator, &patch(&Value::Null, replicas), writer).await,
        None => Ok(()),
    }
}

async fn change(client: &Client, generator: &Object, patch: &Value, writer: &Writer) -> Result<(), ApiError> {
    writer
        .perform(api::merge(client, &Kind::DEPLOYMENT, generator.namespace(), generator.name(), patch))
        .await
}

/// Whether we paused a Deployment.
#[must_use]
pub fn is_paused(deployment: &Object) -> bool {
    replicas_before(deployment).is_some()
}

/// The controller's Deployment, and whether any of its pods is left.
pub(in crate::gitops) async fn look(
    client: &Client,
    namespace: &str,
) -> Result<Option<(Object, bool)>, ApiError> {
    let pods = format!("app.kubernetes.io/name={GENERATOR}");
    let (pod, deployment) = (Kind::POD, generator(client, namespace));
    let pods = api::list(client, &pod, Some(namespace), &pods);
    let (deployment, pods) = futures::try_join!(deployment, pods)?;
    Ok(deployment.map(|deployment| (deployment, !pods.is_empty())))
}

async fn generator(client: &Client, namespace: &str) -> Result<Option<Object>, ApiError> {
    api::get(client, &Kind::DEPLOYMENT, Some(namespace), GENERATOR).await
}

fn replicas_before(deployment: &Object) -> Option<u64> {
    deployment.text(&["metadata", "annotations", PAUSED])?.parse().ok()
}

fn patch(paused: &Value, replicas: u64) -> Value {
    json!({ "metadata": { "annotations": { PAUSED: paused } }, "spec": { "replicas": replicas } })
}
