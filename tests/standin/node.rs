//! The host as a node: the node agent of the provider `local`, and what a kubelet and its network leave on a host.

use std::collections::BTreeMap;
use std::time::Duration;

use bridgehead::engine::wait::pause;
use bridgehead::engine::{Access, Credentials};
use bridgehead::files;
use bridgehead::k8s::connect;
use bridgehead::node::{Agent, Config, NodeConfig};
use bridgehead::site::secret::Secret;
use k8s_openapi::api::core::v1::Node as NodeObject;
use kube::api::{Patch, PatchParams};
use kube::{Api, Client};
use serde_json::json;

use crate::data::{Data, components};
use crate::fatal::Fatal;
use crate::host::Host;
use crate::join::Joined;
use crate::options::Options;
use crate::{leftovers, log, ports};

/// A node at work.
pub(crate) struct Node {
    /// Its programs are not ended with it: containers outlive k3s.
    _agent: Agent,
}

impl Node {
    /// Is a node for ever.
    pub(crate) async fn live(&self) -> Result<(), Fatal> {
        std::future::pending().await
    }
}

/// Starts being a node, and returns when the Node object says so.
pub(crate) async fn start(
    data: &Data,
    host: &Host,
    joined: Joined,
    server: &str,
    options: &Options,
) -> Result<Node, Fatal> {
    ports::expect_free(&[ports::KUBELET]).map_err(|fatal| Fatal::new(format!("kubelet exited: {fatal}")))?;
    for image in files::names(&data.agent("images")).map_err(|error| Fatal::of("images", &error))? {
        log::info(format!("Importing images from {}", data.agent("images").join(image).display()));
    }
    leftovers::make(data, host)?;
    let Joined { authority, client_authority, client, serving } = joined;
    let credentials =
        Credentials::Certificate { certificate: client.certificate, key: Secret::new(client.key) };
    let access = Access::new(server, authority.clone(), credentials);
    let node = NodeConfig {
        name: host.name.clone(),
        access: access.clone(),
        address: host.address,
        port: ports::KUBELET,
        client_authority,
        certificate: serving.certificate,
        key: Secret::new(serving.key),
    };
    let agent = Agent::start(Config {
        nodes: vec![node],
        server: server.to_owned(),
        authority,
        folder: data.agent("containers"),
        components: components(),
        executable: data.shim(),
        service_ports: ports::SERVICES,
        pod_ports: ports::PODS,
    });
    let agent = agent.map_err(|error| Fatal::of("kubelet exited", &error))?;
    let client = connect(&access).await.map_err(|error| Fatal::of("kubelet exited", &error))?;
    label(client, host, options).await;
    Ok(Node { _agent: agent })
}

/// Adds labels and annotations as soon as the Node object is there.
async fn label(client: Client, host: &Host, options: &Options) {
    let labels = options.list("node-label");
    let labels = labels.iter().map(|label| label.split_once('=').unwrap_or((label, "")));
    let mut labels = labels.collect::<BTreeMap<_, _>>();
    labels.insert("node.kubernetes.io/instance-type", "k3s");
    let annotations = json!({ "k3s.io/hostname": host.name, "k3s.io/internal-ip": host.address });
    let patch = json!({ "metadata": { "labels": labels, "annotations": annotations } });
    let nodes = Api::<NodeObject>::all(client);
    while let Err(error) = nodes.patch(&host.name, &PatchParams::default(), &Patch::Merge(&patch)).await {
        // While the node agent has not made the object yet, there is nothing to say.
        if !matches!(&error, kube::Error::Api(status) if status.is_not_found()) {
            log::info(format!("Failed to set annotations and labels on node {}: {error}", host.name));
        }
        pause(Duration::from_millis(500)).await;
    }
    log::info(format!("Annotations and labels have been set successfully on node: {}", host.name));
}
