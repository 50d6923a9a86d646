//! The Argo CD that runs on a hub, whoever installed it.

use kube::Client;
use serde::Serialize;
use serde_json::Value;

use super::pause;
use super::server::SERVICE;
use crate::k8s::{ApiError, Object, unready, workloads};

/// The label that releases and charts put on everything of Argo CD.
const LABEL: &str = "app.kubernetes.io/part-of=argocd";

/// What runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Installation {
    /// The version of its API server; `None` where there is none.
    pub version: Option<String>,
    /// Its workloads, by name; none where it is not installed.
    pub workloads: Vec<Workload>,
}

/// A Deployment or the like.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Workload {
    /// Such as `Deployment`.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// How many pods take work.
    pub ready: u64,
    /// How many pods there should be.
    pub desired: u64,
    /// Why it has not rolled out, if it has not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl Installation {
    /// Looks at a namespace.
    ///
    /// # Errors
    /// When the hub cannot be asked.
    pub async fn look(client: &Client, namespace: &str) -> Result<Self, ApiError> {
        let mut found = workloads(client, namespace, LABEL).await?;
        found.sort_by(|one, other| one.name().cmp(other.name()));
        let version = found.iter().find(|workload| workload.name() == SERVICE).and_then(version);
        let waits = unready(client, namespace, &found).await?;
        let workloads = found.iter().map(|workload| {
            let wait = waits.iter().find(|wait| wait.subject == workload.to_string());
            let paused = pause::is_paused(workload).then(|| "it is paused".to_owned());
            Workload::of(workload, paused.or_else(|| wait.and_then(|wait| wait.detail.clone())))
        });
        Ok(Self { version, workloads: workloads.collect() })
    }
}

impl Workload {
    fn of(workload: &Object, reason: Option<String>) -> Self {
        let number = |path: [&str; 2]| workload.get(&path).and_then(Value::as_u64);
        Self {
            kind: workload.kind().to_owned(),
            name: workload.name().to_owned(),
            ready: number(["status", "readyReplicas"]).unwrap_or_default(),
            desired: number(["spec", "replicas"]).unwrap_or(1),
            reason,
        }
    }
}

/// The tag of the first container's image.
fn version(workload: &Object) -> Option<String> {
    let containers = workload.get(&["spec", "template", "spec", "containers"])?;
    let image = containers[0]["image"].as_str()?.split('@').next()?;
    // A port of the registry is no tag.
    let (_, tag) = image.rsplit('/').next()?.split_once(':')?;
    Some(tag.to_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_version_is_the_tag_of_the_image() {
        let version = |image: &str| {
            let pod = json!({ "spec": { "containers": [{ "image": image }] } });
            let workload = json!({ "apiVersion": "apps/v1", "kind": "Deployment", "metadata": { "name": "x" },
                                   "spec": { "template": pod } });
            super::version(&Object::from_value(workload).expect("it is an object"))
        };
        assert_eq!(version("quay.io/argoproj/argocd:v3.2.11").as_deref(), Some("v3.2.11"));
        assert_eq!(version("mirror.example:5000/argocd:v3.2.11@sha256:00").as_deref(), Some("v3.2.11"));
        assert_eq!(version("mirror.example:5000/argocd@sha256:00"), None);
    }
}
