//! Whether workloads have rolled out, and if not, why, as the world tells it.

use futures::future::try_join_all;
use kube::Client;
use serde_json::Value;

use super::api::{self, ApiError};
use super::kind::Kind;
use super::object::Object;
use crate::engine::Change;

/// The workloads that have the given labels.
///
/// # Errors
/// When the cluster cannot be asked.
pub async fn workloads(client: &Client, namespace: &str, labels: &str) -> Result<Vec<Object>, ApiError> {
    let kinds = [Kind::DEPLOYMENT, Kind::STATEFUL_SET, Kind::DAEMON_SET];
    let lists: Vec<_> = kinds.iter().map(|kind| api::list(client, kind, Some(namespace), labels)).collect();
    let lists = try_join_all(lists).await?;
    Ok(lists.into_iter().flatten().collect())
}

/// What must still be waited for until all these workloads of a namespace have rolled out.
///
/// # Errors
/// When the cluster cannot be asked.
pub async fn unready(
    client: &Client,
    namespace: &str,
    workloads: &[Object],
) -> Result<Vec<Change>, ApiError> {
    let unready: Vec<_> = workloads.iter().filter_map(|workload| Some((workload, lag(workload)?))).collect();
    if unready.is_empty() {
        return Ok(Vec::new());
    }
    let pods = api::list(client, &Kind::POD, Some(namespace), "").await?;
    let waits = unready.into_iter().map(|(workload, lag)| {
        let reason = pods.iter().filter(|pod| belongs(pod, workload)).find_map(pod_reason);
        let reason = reason.or_else(|| refusal(workload));
        let detail = reason.map_or_else(|| lag.clone(), |reason| format!("{lag}: {reason}"));
        Change::wait(workload.to_string(), detail)
    });
    Ok(waits.collect())
}

/// How far a workload is from having rolled out (the rules of `kubectl rollout status`).
fn lag(workload: &Object) -> Option<String> {
    let number = |path: [&str; 2]| workload.get(&path).and_then(Value::as_u64).unwrap_or_default();
    let status = |field| number(["status", field]);
    if status("observedGeneration") < number(["metadata", "generation"]) {
        return Some("its controller has not looked at it yet".to_owned());
    }
    let spec = workload.get(&["spec", "replicas"]).and_then(Value::as_u64).unwrap_or(1);
    let (wanted, updated, ready) = match workload.kind() {
        "DaemonSet" => {
            (status("desiredNumberScheduled"), status("updatedNumberScheduled"), status("numberAvailable"))
        }
        _ => (spec, status("updatedReplicas"), status("availableReplicas")),
    };
    let old = status("replicas").saturating_sub(updated);
    match () {
        () if updated < wanted => Some(format!("{updated} of {wanted} pods are of the new version")),
        () if workload.kind() == "Deployment" && old > 0 => Some(format!("{old} old pods are still there")),
        () if ready < wanted => Some(format!("{ready} of {wanted} pods are ready")),
        () => None,
    }
}

/// Whether a workload's selector selects a pod.
fn belongs(pod: &Object, workload: &Object) -> bool {
    let selector = workload.get(&["spec", "selector", "matchLabels"]).and_then(Value::as_object);
    selector.is_some_and(|labels| labels.iter().all(|(key, value)| pod.label(key) == value.as_str()))
}

/// Why a pod is not ready.
fn pod_reason(pod: &Object) -> Option<String> {
    let list = |field| pod.get(&["status", field]).and_then(Value::as_array).into_iter().flatten();
    let containers = || list("initContainerStatuses").chain(list("containerStatuses"));
    let condition =
        |kind: &str| list("conditions").find(|found| found["type"] == kind && found["status"] == "False");
    let unscheduled = || condition("PodScheduled").and_then(|found| text(found, "message"));
    let reason = containers().find_map(container_reason).or_else(unscheduled);
    reason.or_else(|| condition("Ready").and_then(|found| text(found, "message")))
}

fn container_reason(container: &Value) -> Option<String> {
    let name = text(container, "name")?;
    let last = &container["lastState"]["terminated"];
    let exit = last["exitCode"].as_i64().map(|code| format!(", last exit code {code}")).unwrap_or_default();
    if let Some(waiting) = container["state"].get("waiting") {
        let reason = text(waiting, "reason")?;
        let message = text(waiting, "message").map(|message| format!(" ({message})")).unwrap_or_default();
        return Some(format!("container {name}: {reason}{message}{exit}"));
    }
    if let Some(ended) = container["state"].get("terminated").filter(|ended| ended["exitCode"] != 0) {
        return Some(format!("container {name} ended with exit code {}", ended["exitCode"]));
    }
    let is_running = container["state"].get("running").is_some();
    (is_running && container["ready"] == false && container["started"] != false)
        .then(|| format!("container {name} runs and is not ready{exit}"))
}

/// Why no pod can be made, as the workload's controller tells it.
fn refusal(workload: &Object) -> Option<String> {
    let conditions = workload.get(&["status", "conditions"])?.as_array()?;
    let failure = conditions.iter().find(|found| found["type"] == "ReplicaFailure")?;
    text(failure, "message")
}

fn text(value: &Value, field: &str) -> Option<String> {
    value[field].as_str().filter(|text| !text.is_empty()).map(ToOwned::to_owned)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn deployment(status: &Value) -> Object {
        let value = json!({
            "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": { "name": "web", "namespace": "a", "generation": 2 },
            "spec": { "replicas": 1, "selector": { "matchLabels": { "app": "web" } } },
            "status": status,
        });
        Object::from_value(value).expect("it is an object")
    }

    fn pod(status: &Value) -> Object {
        let metadata = json!({ "name": "web-1", "labels": { "app": "web", "more": "x" } });
        let value = json!({ "apiVersion": "v1", "kind": "Pod", "metadata": metadata, "status": status });
        Object::from_value(value).expect("it is an object")
    }

    #[test]
    fn a_rollout_ends_when_every_pod_is_new_and_available() {
        let lag_of = |status| lag(&deployment(&status)).unwrap_or_default();
        assert!(lag_of(json!({ "observedGeneration": 1 })).contains("not looked at it yet"));
        let seen = |updated, replicas, available| {
            json!({ "observedGeneration": 2, "updatedReplicas": updated, "replicas": replicas,
                    "availableReplicas": available })
        };
        assert_eq!(lag_of(seen(0, 1, 1)), "0 of 1 pods are of the new version");
        assert_eq!(lag_of(seen(1, 2, 2)), "1 old pods are still there");
        assert_eq!(lag_of(seen(1, 1, 0)), "0 of 1 pods are ready");
        assert_eq!(lag_of(seen(1, 1, 1)), "");
    }

    #[test]
    fn a_pod_says_why_it_is_not_ready() {
        assert!(belongs(&pod(&json!({})), &deployment(&json!({}))));
        let waiting = json!({ "waiting": { "reason": "ErrImagePull", "message": "no such image" } });
        let status = json!({ "containerStatuses": [{ "name": "server", "state": waiting }] });
        assert_eq!(
            pod_reason(&pod(&status)).as_deref(),
            Some("container server: ErrImagePull (no such image)"),
        );
        let message = "0/1 nodes are available";
        let pending =
            json!({ "conditions": [{ "type": "PodScheduled", "status": "False", "message": message }] });
        assert_eq!(pod_reason(&pod(&pending)).as_deref(), Some(message));
    }
}
