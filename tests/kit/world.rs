//! The world, spelled out: what two runs that end the same must agree on.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use kube::Client;
use kube::api::{Api, DynamicObject, ListParams};
use kube::discovery::{Discovery, verbs};
use serde_json::Value;

/// Kinds whose objects come and go by themselves, or whose names are drawn by chance.
const FLEETING: [&str; 9] = [
    "Event",
    "Lease",
    "Pod",
    "ReplicaSet",
    "ControllerRevision",
    "Endpoints",
    "EndpointSlice",
    "ComponentStatus",
    "PodMetrics",
];

/// Every lasting object of a cluster, as `kind namespace/name`, with what is not drawn by chance or time.
pub(crate) async fn objects(client: &Client) -> BTreeMap<String, Value> {
    let discovery = Discovery::new(client.clone()).run().await.unwrap();
    let mut objects = BTreeMap::new();
    for group in discovery.groups() {
        for (resource, capabilities) in group.recommended_resources() {
            if !capabilities.supports_operation(verbs::LIST) || FLEETING.contains(&resource.kind.as_str()) {
                continue;
            }
            let api: Api<DynamicObject> = Api::all_with(client.clone(), &resource);
            for object in api.list(&ListParams::default()).await.unwrap() {
                let name = object.metadata.name.clone().unwrap_or_default();
                let namespace = object.metadata.namespace.clone().unwrap_or_default();
                let key = format!("{} {namespace}/{name}", resource.kind);
                objects.insert(key, normal(&resource.kind, serde_json::to_value(&object).unwrap()));
            }
        }
    }
    objects
}

/// An object without uid, versions, times, status and values drawn by chance.
fn normal(kind: &str, mut object: Value) -> Value {
    for field in
        ["uid", "resourceVersion", "creationTimestamp", "generation", "managedFields", "ownerReferences"]
    {
        object["metadata"].as_object_mut().unwrap().remove(field);
    }
    let map = object.as_object_mut().unwrap();
    for field in ["status", "operation"] {
        map.remove(field);
    }
    if kind == "Secret" {
        let keys: BTreeSet<String> =
            object["data"].as_object().map(|data| data.keys().cloned().collect()).unwrap_or_default();
        object["data"] = serde_json::to_value(keys).unwrap();
    }
    let text = object.to_string();
    serde_json::from_str(&without_chance(&text)).unwrap()
}

/// Cluster IPs, ports and uids are drawn by chance; what they stand in must still agree.
fn without_chance(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find("127.0.0.1:") {
        let end = start + "127.0.0.1:".len();
        out.push_str(&rest[..end]);
        out.push_str("PORT");
        rest = rest[end..].trim_start_matches(|character: char| character.is_ascii_digit());
    }
    out.push_str(rest);
    out
}

/// The files of a site by name, without the names that are drawn by chance.
pub(crate) fn files(folder: &Path) -> BTreeSet<String> {
    let mut files = BTreeSet::new();
    collect(folder, folder, &mut files);
    files
}

fn collect(top: &Path, folder: &Path, files: &mut BTreeSet<String>) {
    let Ok(entries) = folder.read_dir() else { return };
    for entry in entries.flatten() {
        let path = entry.path();
        let name = path.strip_prefix(top).unwrap().to_string_lossy().into_owned();
        files.insert(name);
        if fs::symlink_metadata(&path).is_ok_and(|metadata| metadata.is_dir()) {
            collect(top, &path, files);
        }
    }
}
