//! The world, spelled out: what two runs that end the same must agree on.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use kube::Client;
use kube::api::{Api, DynamicObject, ListParams};
use kube::discovery::{Discovery, verbs};
use serde_json::Value;

/// Kinds whose objects come and go by themselves, or whose names are drawn by chance.
const FLEETING: [&str; 10] = [
    "Event",
    "Lease",
    "Pod",
    "ReplicaSet",
    "ControllerRevision",
    "Endpoints",
    "EndpointSlice",
    "ComponentStatus",
    "PodMetrics",
    "IPAddress",
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

/// Fields that a server draws by chance or by its clock, wherever they stand.
const CHANCE: [&str; 12] = [
    "uid",
    "resourceVersion",
    "creationTimestamp",
    "generation",
    "managedFields",
    "ownerReferences",
    "clusterIP",
    "clusterIPs",
    "status",
    "operation",
    "kubernetes.io/service-account.uid",
    "kubernetes.io/legacy-token-last-used",
];

/// An object without what is drawn by chance; of a Secret's data only the keys.
fn normal(kind: &str, mut object: Value) -> Value {
    if kind == "Secret" {
        let keys: BTreeSet<String> =
            object["data"].as_object().map(|data| data.keys().cloned().collect()).unwrap_or_default();
        object["data"] = serde_json::to_value(keys).unwrap();
    }
    without_chance(&mut object);
    object
}

fn without_chance(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|name, _| !CHANCE.contains(&name.as_str()));
            fields.values_mut().for_each(without_chance);
        }
        Value::Array(values) => values.iter_mut().for_each(without_chance),
        Value::String(text) if text.contains("-----BEGIN CERTIFICATE-----") => {
            "a certificate".clone_into(text);
        }
        Value::String(text) => *text = without_ports(text),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Addresses on this machine without their ports.
fn without_ports(text: &str) -> String {
    const ADDRESS: &str = "127.0.0.1:";
    let mut parts = text.split(ADDRESS);
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        out.push_str(ADDRESS);
        out.push_str(part.trim_start_matches(|character: char| character.is_ascii_digit()));
    }
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
