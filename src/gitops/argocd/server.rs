//! Argo CD's API server: whether it speaks TLS, and which pods it is.

use kube::Client;
use serde_json::Value;

use super::settings::{INSECURE, PARAMETERS};
use crate::k8s::{ApiError, Kind, Object, api};

/// The Service in front of it.
pub(super) const SERVICE: &str = "argocd-server";

/// The port of the Service for HTTPS; the one for HTTP leads to the same place.
const PORT: u64 = 443;

/// The API server of an Argo CD, as its Service knows it.
#[derive(Debug)]
pub struct Server {
    /// Whether it speaks plain HTTP.
    pub insecure: bool,
    selector: String,
    target: Value,
}

/// A pod of the API server that takes connections.
#[derive(Debug)]
pub struct ServerPod {
    /// Its name.
    pub name: String,
    /// The port that it listens on.
    pub port: u16,
}

impl Server {
    /// Looks at the Service and the settings; nothing where Argo CD is not installed.
    ///
    /// # Errors
    /// When the hub cannot be asked.
    pub async fn look(client: &Client, namespace: &str) -> Result<Option<Self>, ApiError> {
        let get = |kind, name| async move { api::get(client, kind, Some(namespace), name).await };
        let (service, parameters) =
            futures::try_join!(get(&Kind::SERVICE, SERVICE), get(&Kind::CONFIG_MAP, PARAMETERS))?;
        let insecure = parameters.is_some_and(|found| found.text(&["data", INSECURE]) == Some("true"));
        Ok(service.and_then(|service| Self::of(&service, insecure)))
    }

    fn of(service: &Object, insecure: bool) -> Option<Self> {
        let selector = service.get(&["spec", "selector"])?.as_object()?;
        let labels = selector.iter().filter_map(|(key, value)| Some(format!("{key}={}", value.as_str()?)));
        let ports = service.get(&["spec", "ports"])?.as_array()?;
        let port = ports.iter().find(|port| port["port"] == PORT).or(ports.first())?;
        let target = port.get("targetPort").unwrap_or(&port["port"]).clone();
        Some(Self { insecure, selector: labels.collect::<Vec<_>>().join(","), target })
    }

    /// The pods that are ready.
    ///
    /// # Errors
    /// When the hub cannot be asked.
    pub async fn pods(&self, client: &Client, namespace: &str) -> Result<Vec<ServerPod>, ApiError> {
        let pods = api::list(client, &Kind::POD, Some(namespace), &self.selector).await?;
        let ready = pods.iter().filter(|pod| is_ready(pod));
        Ok(ready
            .filter_map(|pod| Some(ServerPod { name: pod.name().into(), port: self.port(pod)? }))
            .collect())
    }

    /// A Service names its target by number, or as the pod calls it.
    fn port(&self, pod: &Object) -> Option<u16> {
        let containers = pod.get(&["spec", "containers"])?.as_array()?;
        let mut ports = containers.iter().filter_map(|container| container["ports"].as_array()).flatten();
        let number = match &self.target {
            Value::String(name) => ports.find(|port| port["name"] == **name)?["containerPort"].as_u64(),
            target => target.as_u64(),
        };
        number?.try_into().ok()
    }
}

fn is_ready(pod: &Object) -> bool {
    let conditions = pod.get(&["status", "conditions"]).and_then(Value::as_array);
    let is_ready = |condition: &Value| condition["type"] == "Ready" && condition["status"] == "True";
    pod.get(&["metadata", "deletionTimestamp"]).is_none() && conditions.into_iter().flatten().any(is_ready)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn object(value: Value) -> Object {
        Object::from_value(value).expect("it is an object")
    }

    fn pod(ready: &str, deleted: Option<&str>) -> Object {
        object(json!({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": { "name": "server-1", "deletionTimestamp": deleted },
            "spec": { "containers": [{ "name": "a" }, { "ports": [{ "name": "http", "containerPort": 8081 }] }] },
            "status": { "conditions": [{ "type": "Ready", "status": ready }] },
        }))
    }

    #[test]
    fn a_service_leads_to_a_port_of_a_pod() {
        let server = |target: Value| {
            let service = object(json!({
                "apiVersion": "v1", "kind": "Service", "metadata": { "name": "argocd-server" },
                "spec": { "selector": { "app": "server", "of": "argocd" },
                          "ports": [{ "port": 80, "targetPort": 1 }, { "port": 443, "targetPort": target }] },
            }));
            Server::of(&service, false).expect("it is a Service")
        };
        assert_eq!(server(json!(8080)).port(&pod("True", None)), Some(8080));
        assert_eq!(server(json!("http")).port(&pod("True", None)), Some(8081));
        assert_eq!(server(json!("grpc")).port(&pod("True", None)), None);
        assert_eq!(server(json!(8080)).selector, "app=server,of=argocd");
    }

    #[test]
    fn a_pod_that_goes_or_does_not_answer_is_left_out() {
        let mut leaving = pod("True", Some("2026-01-01T00:00:00Z"));
        assert!(!is_ready(&leaving) && !is_ready(&pod("False", None)));
        leaving.fields_mut()["metadata"].as_object_mut().expect("it is a map").remove("deletionTimestamp");
        assert!(is_ready(&leaving));
    }
}
