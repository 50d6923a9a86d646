//! Node passwords, by which the server knows a host again that comes back under a name:
//! Secrets `<node>.node-password.k3s`, which go with their nodes.

use std::pin::pin;
use std::time::Duration;

use bridgehead::engine::wait::pause;
use futures::StreamExt;
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::{Node, Secret};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::{DeleteParams, PostParams};
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, Client, ResourceExt};
use sha2::{Digest, Sha256};

use crate::log;
use crate::system::random;

/// Whether a node's password is the one that it had when it came first. The first one is kept.
pub(crate) async fn ensure(admin: &Client, node: &str, password: &str) -> kube::Result<bool> {
    let secrets = secrets(admin);
    let name = name(node);
    if let Some(secret) = secrets.get_opt(&name).await? {
        let known = secret.data.unwrap_or_default().remove("hash").unwrap_or_default();
        let known = String::from_utf8_lossy(&known.0).into_owned();
        let salt = known.split(':').nth(1).unwrap_or_default();
        return Ok(known == hash(salt, password));
    }
    let salt = random(8).unwrap_or_default();
    let hash = ByteString(hash(&salt, password).into_bytes());
    let secret = Secret {
        metadata: ObjectMeta { name: Some(name), ..ObjectMeta::default() },
        data: Some([("hash".to_owned(), hash)].into()),
        immutable: Some(true),
        ..Secret::default()
    };
    secrets.create(&PostParams::default(), &secret).await.map(|_| true)
}

/// Forgets passwords of nodes that are deleted, for ever.
pub(crate) async fn forget_deleted(admin: Client) {
    let nodes = Api::<Node>::all(admin.clone());
    let mut events = pin!(watcher(nodes, watcher::Config::default().timeout(50)));
    while let Some(event) = events.next().await {
        match event {
            Ok(Event::Delete(node)) => {
                let name = name(&node.name_any());
                if let Err(error) = secrets(&admin).delete(&name, &DeleteParams::default()).await {
                    log::error(format!("failed to delete secret {name}: {error}"));
                }
            }
            Ok(_) => {}
            Err(_) => pause(Duration::from_secs(1)).await,
        }
    }
}

fn secrets(admin: &Client) -> Api<Secret> {
    Api::namespaced(admin.clone(), "kube-system")
}

fn name(node: &str) -> String {
    format!("{}.node-password.k3s", node.to_lowercase())
}

fn hash(salt: &str, password: &str) -> String {
    let hash = Sha256::digest(format!("{salt}{password}"));
    let hash = hash.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    format!("$1:{salt}:{hash}")
}
