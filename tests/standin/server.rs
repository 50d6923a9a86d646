//! The command `k3s server`.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bridgehead::engine::wait::pause;
use bridgehead::engine::{Access, Credentials};
use bridgehead::k8s::connect;
use bridgehead::site::secret::Secret;
use hyper::Request;
use k8s_openapi::api::core::v1::Node as NodeObject;
use kube::api::{Patch, PatchParams};
use kube::{Api, Client};
use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};

use crate::control_plane::ControlPlane;
use crate::data::Data;
use crate::fatal::Fatal;
use crate::front::Front;
use crate::host::Host;
use crate::join::{authorities, join};
use crate::options::Options;
use crate::pki::{Pair, Pki};
use crate::supervisor::Supervisor;
use crate::system::make_folder;
use crate::token::Token;
use crate::{credentials, log, node, node_password, notify, ports};

pub(crate) async fn run(options: &Options) -> Result<(), Fatal> {
    if options.text("server").is_some() {
        return Err(Fatal::new("Error: the stand-in for k3s has one server only"));
    }
    let mut terminate = signal(SignalKind::terminate()).map_err(|error| Fatal::of("signals", &error))?;
    let (data, host, port) = (Data::of(options), Host::of(options)?, options.port()?);
    data.unpack()?;
    let preparing = |fatal| Fatal::new(format!("Error: starting kubernetes: preparing server: {fatal}"));
    let listener = ports::listen(port).map_err(preparing)?;
    ports::expect_free(&[ports::ETCD, ports::ETCD_PEER, ports::API_SERVER]).map_err(preparing)?;
    make_folder(&data.server(""), 0o700)?;
    let pki = Arc::new(Pki::open(&data.server("tls"), &names(&host, options)).map_err(preparing)?);
    let passwords = credentials::passwords(&data, options).map_err(preparing)?;
    let admin = Arc::new(OnceLock::new());
    let supervisor =
        Supervisor { pki: Arc::clone(&pki), passwords: passwords.clone(), port, admin: Arc::clone(&admin) };
    let front = Arc::new(Front::new(&pki, supervisor)?);
    tokio::spawn(front.serve(listener));
    let mut plane = ControlPlane::start(&data, &pki, &host)?;
    credentials::write_tokens(&data, &pki, &passwords)?;
    credentials::write_kubeconfig(&pki, port, options)?;

    let access = administrator(&pki, port)?;
    let client = connect(&access).await.map_err(|error| Fatal::of("starting kubernetes", &error))?;
    tokio::select! {
        () = ready(&client) => {}
        fatal = plane.ended() => return Err(fatal),
        _ = terminate.recv() => return stop(&mut plane).await,
    }
    log::info("Kube API server is now running");
    plane.start_controllers()?;
    let _ = admin.set(client.clone());
    let be_node = async {
        let server = format!("https://127.0.0.1:{port}");
        let token = Token { hash: None, password: passwords.node.clone() };
        let bundle = authorities(&server, &token).await?;
        let joined = join(&server, &token, &bundle, (&host, &data)).await?;
        let node = node::start(&data, &host, joined, &server, options).await?;
        take_role(&client, &host, options).await;
        node.live().await
    };
    log::info("k3s is up and running");
    notify::ready()?;
    tokio::select! {
        ended = be_node => ended,
        fatal = plane.ended() => Err(fatal),
        () = node_password::forget_deleted(client.clone()) => Err(Fatal::new("controllers exited")),
        _ = terminate.recv() => stop(&mut plane).await,
    }
}

async fn stop(plane: &mut ControlPlane<'_>) -> Result<(), Fatal> {
    log::info("Shutdown request received: terminated");
    plane.stop().await;
    Ok(())
}

/// What the server's certificates are for.
fn names(host: &Host, options: &Options) -> Vec<String> {
    let address = host.address.to_string();
    let fixed = [
        "kubernetes",
        "kubernetes.default",
        "kubernetes.default.svc",
        "kubernetes.default.svc.cluster.local",
        "localhost",
        "127.0.0.1",
        "::1",
        "10.43.0.1",
        &host.name,
        &address,
    ];
    let fixed = fixed.into_iter().map(ToOwned::to_owned);
    fixed.chain(options.list("tls-san")).chain(options.list("advertise-address")).collect()
}

fn administrator(pki: &Pki, port: u16) -> Result<Access, Fatal> {
    let Pair { certificate, key } = pki.pair("client-supervisor")?;
    let credentials = Credentials::Certificate { certificate, key: Secret::new(key) };
    Ok(Access::new(format!("https://127.0.0.1:{port}"), pki.server.certificate.clone(), credentials))
}

/// Waits until the API server is ready.
async fn ready(client: &Client) {
    loop {
        let Ok(request) = Request::get("/readyz").body(Vec::new()) else { return };
        if client.request_text(request).await.is_ok() {
            return;
        }
        pause(Duration::from_millis(50)).await;
    }
}

/// Labels the node as one of the control plane, which a node may not do itself.
async fn take_role(client: &Client, host: &Host, options: &Options) {
    let mut labels = json!({ "node-role.kubernetes.io/control-plane": "true" });
    if options.is_set("cluster-init") {
        labels["node-role.kubernetes.io/etcd"] = "true".into();
    }
    let patch = Patch::Merge(json!({ "metadata": { "labels": labels } }));
    let nodes = Api::<NodeObject>::all(client.clone());
    while let Err(error) = nodes.patch(&host.name, &PatchParams::default(), &patch).await {
        log::error(format!("Unable to set control-plane role label: {error}"));
        pause(Duration::from_secs(1)).await;
    }
}
