//! What a profile tells Argo CD: entries of the settings that its release comes with.
//!
//! They are written together with the release: two applies of one object by one field manager would take each
//! other's fields away. What the profile no longer says goes with the next apply.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::git_server;
use crate::k8s::Object;
use crate::site::ArgoCd;

/// The ConfigMap that Argo CD looks at all the time, but for what its programs get as environment.
const GENERAL: &str = "argocd-cm";
/// The ConfigMap that its programs get as environment when they start.
pub(super) const PARAMETERS: &str = "argocd-cmd-params-cm";
/// Who may do what.
const RBAC: &str = "argocd-rbac-cm";
/// Who is told of what, and how.
const NOTIFICATIONS: &str = "argocd-notifications-cm";
/// The authorities that vouch for Git servers, by the server's name.
const CERTIFICATES: &str = "argocd-tls-certs-cm";
/// Whether the API server speaks plain HTTP.
pub(super) const INSECURE: &str = "server.insecure";
/// On the pods of programs that get parameters of the profile: another checksum, other pods.
const CHECKSUM: &str = "bridgehead/parameters";

/// Entries by the `ConfigMap` that they are in.
#[derive(Debug)]
pub(super) struct Settings(BTreeMap<&'static str, BTreeMap<String, String>>);

impl Settings {
    /// Those of a profile.
    pub(super) fn of(argocd: &ArgoCd) -> Self {
        let mut parameters = argocd.params.clone();
        if argocd.server_insecure {
            parameters.insert(INSECURE.to_owned(), "true".to_owned());
        }
        let entries = [
            (GENERAL, argocd.cm.clone()),
            (PARAMETERS, parameters),
            (RBAC, argocd.rbac.clone()),
            (NOTIFICATIONS, argocd.notifications.clone()),
            (CERTIFICATES, git_server::certificates(&argocd.git_servers)),
        ];
        Self(entries.into())
    }

    /// Every entry, as the ConfigMap's name and the key.
    pub(super) fn keys(&self) -> BTreeSet<(String, String)> {
        let keys = |(name, entries): (&&str, &BTreeMap<String, String>)| {
            entries.keys().map(|key| ((*name).to_owned(), key.clone())).collect::<Vec<_>>()
        };
        self.0.iter().flat_map(keys).collect()
    }

    /// Writes the entries into the objects of a release.
    pub(super) fn place(&self, objects: &mut [Object]) {
        for object in objects {
            let entries = self.0.get(object.name()).filter(|entries| !entries.is_empty());
            match (object.kind(), entries) {
                ("ConfigMap", Some(entries)) => {
                    let data = object.fields_mut().entry("data").or_insert_with(|| json!({}));
                    for (key, value) in entries {
                        data[key] = value.as_str().into();
                    }
                }
                ("Deployment" | "StatefulSet", _) => self.restart(object),
                _ => {}
            }
        }
    }

    /// Sees to it that pods know what they read only when they start: what the release gives them as environment.
    fn restart(&self, workload: &mut Object) {
        let mut hasher = Sha256::new();
        let mut read = 0;
        let pod = workload.get(&["spec", "template", "spec"]).cloned().unwrap_or_default();
        for (name, entries) in &self.0 {
            for (key, value) in entries.iter().filter(|(key, _)| reads(&pod, name, key)) {
                hasher.update(format!("{key}={value}\n"));
                read += 1;
            }
        }
        if read > 0 {
            let checksum =
                hasher.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect::<String>();
            workload.fields_mut()["spec"]["template"]["metadata"]["annotations"][CHECKSUM] = checksum.into();
        }
    }
}

/// Whether a container of a pod gets an entry of a ConfigMap when it starts.
fn reads(pod: &Value, name: &str, key: &str) -> bool {
    let lists = ["initContainers", "containers"].into_iter().filter_map(|list| pod[list].as_array());
    let variables = lists.flatten().filter_map(|container| container["env"].as_array()).flatten();
    let mut sources = variables.map(|variable| &variable["valueFrom"]["configMapKeyRef"]);
    sources.any(|source| source["name"] == name && source["key"] == key)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::k8s::parse;
    use crate::site::Login;

    const RELEASE: &str = "
{apiVersion: v1, kind: ConfigMap, metadata: {name: argocd-cmd-params-cm}}
---
{apiVersion: apps/v1, kind: Deployment, metadata: {name: argocd-server}, spec: {template: {spec: {containers:
  [{env: [{valueFrom: {configMapKeyRef: {name: argocd-cmd-params-cm, key: server.insecure}}}]}]}}}}
---
{apiVersion: apps/v1, kind: StatefulSet, metadata: {name: argocd-application-controller}, spec: {template: {spec: {containers:
  [{env: [{valueFrom: {configMapKeyRef: {name: argocd-cm, key: timeout.reconciliation}}}]}]}}}}
---
{apiVersion: apps/v1, kind: Deployment, metadata: {name: argocd-redis}, spec: {template: {spec: {containers: []}}}}
";

    fn placed(server_insecure: bool, cm: &[(&str, &str)]) -> Vec<Object> {
        let argocd = ArgoCd {
            version: "v3.2.11".to_owned(),
            namespace: "argocd".to_owned(),
            server_insecure,
            ingress: None,
            cm: cm.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect(),
            params: BTreeMap::new(),
            rbac: BTreeMap::new(),
            notifications: BTreeMap::new(),
            projects: BTreeMap::new(),
            repositories: Vec::new(),
            git_servers: BTreeMap::new(),
            login: Login::default(),
        };
        let mut objects = parse("a test", RELEASE).expect("valid");
        Settings::of(&argocd).place(&mut objects);
        objects
    }

    #[test]
    fn only_pods_that_read_a_parameter_are_replaced_for_it() {
        assert_eq!(placed(false, &[]), parse("a test", RELEASE).expect("valid"), "the release as it is");
        let objects = placed(true, &[]);
        assert_eq!(objects[0].text(&["data", INSECURE]), Some("true"));
        let checksum = |object: &Object| {
            object.text(&["spec", "template", "metadata", "annotations", CHECKSUM]).map(str::len)
        };
        let checksums = |objects: &[Object]| objects[1..].iter().map(checksum).collect::<Vec<_>>();
        assert_eq!(checksums(&objects), [Some(16), None, None]);
        // Of the general settings, too, some are read at the start alone; the others are looked at all the time.
        let objects = placed(false, &[("timeout.reconciliation", "60s"), ("url", "https://argocd.example")]);
        assert_eq!(checksums(&objects), [None, Some(16), None]);
        let other = placed(false, &[("timeout.reconciliation", "90s")]);
        assert_ne!(objects[2], other[2]);
        assert_eq!(placed(false, &[("timeout.reconciliation", "60s")])[2], objects[2]);
    }
}
