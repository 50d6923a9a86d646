//! The Node object and its lease, made and kept as a kubelet does.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::api::core::v1::{
    DaemonEndpoint, Node as NodeObject, NodeAddress, NodeCondition, NodeDaemonEndpoints, NodeStatus,
    NodeSystemInfo,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta};
use kube::api::{Patch, PatchParams, PostParams};
use kube::{Api, Client};
use serde_json::json;

use super::pods::{Node, RETRY};
use super::status::now;
use crate::engine::wait::pause;
use crate::files;

/// How often the lease is renewed, which lasts four times as long.
const HEARTBEAT: Duration = Duration::from_secs(10);

/// Keeps the node registered and its lease fresh, for ever.
pub(super) async fn keep(node: &Node) {
    let mut known = false;
    loop {
        match beat(node).await {
            Ok(()) => {
                if !std::mem::replace(&mut known, true) {
                    tracing::info!(node = node.name, "registered");
                }
                pause(HEARTBEAT).await;
            }
            Err(error) => {
                tracing::debug!(node = node.name, %error, "not registered");
                pause(RETRY).await;
            }
        }
    }
}

async fn beat(node: &Node) -> kube::Result<()> {
    let nodes = Api::<NodeObject>::all(node.client.clone());
    match nodes.get_opt(&node.name).await? {
        None => {
            let version = node.client.apiserver_version().await?.git_version;
            nodes.create(&PostParams::default(), &object(node, version)).await?;
        }
        Some(present) if is_current(&present, node) => {}
        Some(_) => {
            let version = node.client.apiserver_version().await?.git_version;
            let patch = Patch::Strategic(json!({ "status": status(node, version) }));
            nodes.patch_status(&node.name, &PatchParams::default(), &patch).await?;
        }
    }
    renew(node.client.clone(), &node.name).await
}

/// Whether the object says what we would say. The node controller, for one, gives up a node whose lease has ended.
fn is_current(present: &NodeObject, node: &Node) -> bool {
    let Some(status) = &present.status else { return false };
    let endpoints = status.daemon_endpoints.as_ref();
    let endpoint = endpoints.and_then(|endpoints| endpoints.kubelet_endpoint.as_ref());
    let address = node.address.to_string();
    let mut addresses = status.addresses.iter().flatten();
    let mut conditions = status.conditions.iter().flatten();
    conditions.any(|condition| condition.type_ == "Ready" && condition.status == "True")
        && endpoint.is_some_and(|endpoint| endpoint.port == i32::from(node.port))
        && addresses.any(|known| known.address == address)
}

async fn renew(client: Client, name: &str) -> kube::Result<()> {
    let leases = Api::<Lease>::namespaced(client, "kube-node-lease");
    let spec = LeaseSpec {
        holder_identity: Some(name.into()),
        lease_duration_seconds: Some(40),
        renew_time: Some(MicroTime(Timestamp::now())),
        ..LeaseSpec::default()
    };
    let patch = Patch::Merge(json!({ "spec": spec }));
    match leases.patch(name, &PatchParams::default(), &patch).await {
        Err(kube::Error::Api(status)) if status.is_not_found() => {
            let metadata = ObjectMeta { name: Some(name.into()), ..ObjectMeta::default() };
            leases.create(&PostParams::default(), &Lease { metadata, spec: Some(spec) }).await.map(drop)
        }
        renewed => renewed.map(drop),
    }
}

fn object(node: &Node, version: String) -> NodeObject {
    let labels = [
        ("kubernetes.io/hostname", node.name.as_str()),
        ("kubernetes.io/os", std::env::consts::OS),
        ("kubernetes.io/arch", architecture()),
    ];
    let labels = labels.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
    let metadata =
        ObjectMeta { name: Some(node.name.clone()), labels: Some(labels), ..ObjectMeta::default() };
    NodeObject { metadata, status: Some(status(node, version)), ..NodeObject::default() }
}

fn status(node: &Node, version: String) -> NodeStatus {
    // Nothing here counts what pods use, so that there is room for any demand.
    let resources = [("cpu", "64"), ("memory", "256Gi"), ("ephemeral-storage", "1Ti"), ("pods", "500")];
    let resources = resources.map(|(name, quantity)| (name.to_owned(), Quantity(quantity.into())));
    let resources = BTreeMap::from(resources);
    let kernel = files::read(Path::new("/proc/sys/kernel/osrelease")).unwrap_or_default();
    NodeStatus {
        capacity: Some(resources.clone()),
        allocatable: Some(resources),
        // No host name: the API server would look it up to fetch logs.
        addresses: Some(vec![NodeAddress { type_: "InternalIP".into(), address: node.address.to_string() }]),
        conditions: Some(conditions()),
        daemon_endpoints: Some(NodeDaemonEndpoints {
            kubelet_endpoint: Some(DaemonEndpoint { port: node.port.into() }),
        }),
        node_info: Some(NodeSystemInfo {
            architecture: architecture().into(),
            container_runtime_version: format!("proc://{}", env!("CARGO_PKG_VERSION")),
            kernel_version: kernel.trim().into(),
            kubelet_version: version,
            operating_system: std::env::consts::OS.into(),
            os_image: "bridgehead".into(),
            ..NodeSystemInfo::default()
        }),
        ..NodeStatus::default()
    }
}

fn conditions() -> Vec<NodeCondition> {
    let pressure = ["MemoryPressure", "DiskPressure", "PIDPressure"];
    let pressure = pressure.map(|kind| condition(kind, "False", "Sufficient"));
    pressure.into_iter().chain([condition("Ready", "True", "AgentReady")]).collect()
}

fn condition(kind: &str, status: &str, reason: &str) -> NodeCondition {
    NodeCondition {
        type_: kind.into(),
        status: status.into(),
        reason: Some(reason.into()),
        message: Some(String::new()),
        last_heartbeat_time: Some(now()),
        last_transition_time: Some(now()),
    }
}

/// The name that container images use.
fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}
