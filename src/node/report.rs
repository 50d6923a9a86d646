//! What the API server is told of a pod: its status and its end.

use k8s_openapi::api::core::v1::Pod;
use kube::api::{DeleteParams, Patch, PatchParams, Preconditions};
use kube::{Api, ResourceExt};

use super::pods::Node;
use super::status;
use super::worker::{RETRY, Worker};
use crate::engine::wait::pause;

/// Tells whatever changes, for ever.
pub(super) async fn changes(worker: &Worker) {
    let pods = Api::<Pod>::namespaced(worker.node.client.clone(), &worker.namespace);
    let mut told = None;
    let mut previous = worker.pod.status.clone().unwrap_or_default();
    loop {
        let status = status::compose(&worker.containers(), worker.address, &previous);
        if told.as_ref() != Some(&status) {
            let patch = Patch::Strategic(status::patch(&worker.uid, &status));
            match pods.patch_status(&worker.name, &PatchParams::default(), &patch).await {
                Ok(_) => {}
                // It is gone, and the watch will say so.
                Err(kube::Error::Api(status)) if status.is_not_found() => {}
                Err(error) => {
                    tracing::warn!(pod = worker.name, %error, "status not told");
                    pause(RETRY).await;
                    continue;
                }
            }
            previous.clone_from(&status);
            told = Some(status);
        }
        worker.changed.notified().await;
    }
}

/// Tells that a pod has ended, so that it disappears.
pub(super) async fn end(node: &Node, pod: &Pod) {
    let pods = Api::<Pod>::namespaced(node.client.clone(), &pod.namespace().unwrap_or_default());
    let parameters = DeleteParams {
        grace_period_seconds: Some(0),
        preconditions: Some(Preconditions { uid: pod.uid(), resource_version: None }),
        ..DeleteParams::default()
    };
    loop {
        match pods.delete(&pod.name_any(), &parameters).await {
            Ok(_) => return,
            // A conflict means that another pod has its name now.
            Err(kube::Error::Api(status)) if status.is_not_found() || status.is_conflict() => return,
            Err(error) => tracing::warn!(pod = pod.name_any(), %error, "pod not deleted"),
        }
        tokio::select! {
            // The next agent will see that it is to be deleted.
            () = node.stopped.cancelled() => return,
            () = pause(RETRY) => {}
        }
    }
}
