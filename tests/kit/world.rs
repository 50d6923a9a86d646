//! The world, spelled out: what two runs that end the same must agree on.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use kube::Client;
use kube::api::{Api, DynamicObject, ListParams};
use kube::discovery::{Discovery, verbs};
use serde_json::{Value, json};

use super::wait::eventually;
use super::{Lab, process, site};

/// Kinds whose objects come and go by themselves, or whose names are drawn by chance.
const FLEETING: [&str; 9] = [
    "ControllerRevision",
    "ComponentStatus",
    "Endpoints",
    "EndpointSlice",
    "Event",
    "IPAddress",
    "Lease",
    "Pod",
    "ReplicaSet",
];

/// What is drawn by chance or time wherever it appears in an object.
const CHANCE: [&str; 15] = [
    // The UID of a hub, which is another one each time that it is made.
    "bridgehead/hub",
    "clusterIP",
    "clusterIPs",
    "creationTimestamp",
    "generation",
    "kubernetes.io/legacy-token-last-used",
    "kubernetes.io/service-account.uid",
    "managedFields",
    "operation",
    "podCIDR",
    "podCIDRs",
    "resourceVersion",
    "since",
    "status",
    "uid",
];

/// Everything that a site is, by what it is called.
pub(crate) type World = BTreeMap<String, Value>;

/// Looks at a site: its objects, files, processes and ports, and what `status` says of it.
pub(crate) async fn look(lab: &Lab, site: &str, clusters: &[&str]) -> World {
    let mut world = World::new();
    for cluster in clusters {
        for (name, object) in objects(&lab.client(site, cluster).await).await {
            world.insert(format!("{cluster}: {name}"), object);
        }
        for (name, count) in processes(lab, site, cluster) {
            world.insert(format!("{cluster}: process {name}"), count.into());
        }
        world.insert(format!("{cluster}: ports"), ports(lab, site, cluster));
    }
    for name in files(&lab.state(site)) {
        if !is_a_programs_own(&name) {
            let content = lab.state(site).join(&name);
            let commit = name.contains("/refs/heads/").then(|| bridgehead::files::read(&content).unwrap());
            world.insert(format!("file {}", without_uids(&name)), commit.into());
        }
    }
    let status = lab.ok(&["status", site, "--output", "json"]).document();
    world.insert("status".to_owned(), without_chance(&status));
    world
}

/// The things in which two worlds differ, and how.
pub(crate) fn differences(one: &World, other: &World) -> Vec<String> {
    let keys: BTreeSet<_> = one.keys().chain(other.keys()).collect();
    let differing = keys.into_iter().filter(|key| one.get(*key) != other.get(*key));
    let show = |value: Option<&Value>| value.map_or_else(|| "absent".to_owned(), ToString::to_string);
    differing.map(|key| format!("{key}:\n  {}\n  {}", show(one.get(key)), show(other.get(key)))).collect()
}

/// Every lasting object of a cluster, as `kind namespace/name`, with what is not drawn by chance or time.
pub(crate) async fn objects(client: &Client) -> World {
    let discovery = discover(client).await;
    let mut objects = World::new();
    for group in discovery.groups() {
        for (resource, capabilities) in group.recommended_resources() {
            if !capabilities.supports_operation(verbs::LIST) || FLEETING.contains(&resource.kind.as_str()) {
                continue;
            }
            let api: Api<DynamicObject> = Api::all_with(client.clone(), &resource);
            // A kind that is being taken away is still told of for a moment.
            let list = api.list(&ListParams::default()).await;
            let gone = matches!(&list, Err(kube::Error::Api(status)) if status.is_not_found());
            if gone {
                continue;
            }
            for object in list.unwrap() {
                let name = object.metadata.name.clone().unwrap_or_default();
                let namespace = object.metadata.namespace.clone().unwrap_or_default();
                let value = serde_json::to_value(&object).unwrap();
                objects
                    .insert(format!("{} {namespace}/{name}", resource.kind), normal(&resource.kind, &value));
            }
        }
    }
    objects
}

/// What the API server serves. For a moment it tells of groups that it has no more, and refuses to tell what is in them.
async fn discover(client: &Client) -> Discovery {
    let mut found = None;
    eventually("the API server knows its groups", async || {
        found = Discovery::new(client.clone()).run().await.ok();
        found.is_some()
    })
    .await;
    found.unwrap()
}

/// An object without what is drawn by chance or time; of a Secret only the names of its keys.
fn normal(kind: &str, object: &Value) -> Value {
    let mut object = without_chance(object);
    if kind == "Secret" {
        let keys: Vec<_> =
            object["data"].as_object().into_iter().flat_map(|data| data.keys()).cloned().collect();
        object["data"] = json!(keys);
    }
    object
}

fn without_chance(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            let rest = map.iter().filter(|(key, _)| !CHANCE.contains(&key.as_str()));
            rest.map(|(key, value)| (key.clone(), without_chance(value))).collect()
        }
        Value::Array(values) => values.iter().map(without_chance).collect(),
        Value::String(text) => without_ports(&without_certificates(text)).into(),
        other => other.clone(),
    }
}

fn without_certificates(text: &str) -> String {
    if text.contains("-----BEGIN CERTIFICATE-----") { "CERTIFICATES".to_owned() } else { text.to_owned() }
}

fn without_ports(text: &str) -> String {
    const HOST: &str = "127.0.0.1:";
    let mut parts = text.split(HOST);
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let rest = part.trim_start_matches(|character: char| character.is_ascii_digit());
        out.push_str(&format!("{HOST}PORT{rest}"));
    }
    out
}

/// How many processes of each name a cluster has.
fn processes(lab: &Lab, site: &str, cluster: &str) -> BTreeMap<String, u64> {
    let mut names = BTreeMap::new();
    for process in process::below(&lab.state(site).join(cluster)) {
        *names.entry(process.name()).or_insert(0) += 1;
    }
    names
}

/// The ports that a cluster listens on: which of the control plane's, and how many for Services. How many ports
/// programs in pods open is up to them: Argo CD's applicationset-controller has one more for webhooks, if the
/// settings were there when it started.
fn ports(lab: &Lab, site: &str, cluster: &str) -> Value {
    const SERVICES: u16 = 24;
    const PODS: u16 = 72;
    let block = site::ports(lab, site, cluster);
    let used = block.clone().filter(|port| !process::is_free(*port)).map(|port| port - block.start);
    let used: Vec<u16> = used.collect();
    json!({
        "control plane": used.iter().filter(|port| **port < SERVICES).collect::<Vec<_>>(),
        "services": used.iter().filter(|port| (SERVICES..PODS).contains(*port)).count(),
    })
}

/// The files below a folder by name.
pub(crate) fn files(folder: &Path) -> BTreeSet<String> {
    let mut files = BTreeSet::new();
    collect(folder, folder, &mut files);
    files
}

fn collect(top: &Path, folder: &Path, files: &mut BTreeSet<String>) {
    let Ok(entries) = folder.read_dir() else { return };
    for entry in entries.flatten() {
        let path = entry.path();
        files.insert(path.strip_prefix(top).unwrap().to_string_lossy().into_owned());
        if fs::symlink_metadata(&path).is_ok_and(|metadata| metadata.is_dir()) {
            collect(top, &path, files);
        }
    }
}

/// What etcd keeps, what Argo CD's programs keep in the folders of their pods, and git's objects: one that a killed
/// `git` left is known to no branch. What the branches lead to is compared.
fn is_a_programs_own(name: &str) -> bool {
    ["/etcd/", "/node/pods/", ".git/objects/"].iter().any(|folder| name.contains(folder))
}

/// A path in which what is called by a uid is called `UID`.
fn without_uids(path: &str) -> String {
    let is_uid = |part: &str| part.len() == 36 && part.matches('-').count() == 4;
    path.split('/').map(|part| if is_uid(part) { "UID" } else { part }).collect::<Vec<_>>().join("/")
}
