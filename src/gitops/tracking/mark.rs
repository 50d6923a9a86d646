//! How Argo CD writes on an object which Application it belongs to.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use serde::Deserialize;

use super::found::{ObjectName, Tracked};
use super::kinds::Listable;

const TRACKING_ID: &str = "argocd.argoproj.io/tracking-id";
const INSTALLATION_ID: &str = "argocd.argoproj.io/installation-id";

/// How an Argo CD marks what it deploys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::gitops) struct Tracking {
    method: Method,
    /// What it tells itself from other Argo CDs by; empty where it is not told to.
    installation: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Method {
    /// By an annotation that also names the object, so that copies of it do not count. The default since 3.0.
    Annotation,
    /// By a label of this key.
    Label(String),
}

impl Tracking {
    /// What its settings say.
    pub(super) fn from_settings(
        method: Option<&str>,
        label: Option<&str>,
        installation: Option<&str>,
    ) -> Self {
        let label = label.filter(|label| !label.is_empty()).unwrap_or("app.kubernetes.io/instance");
        let method = match method {
            Some("label") => Method::Label(label.to_owned()),
            _ => Method::Annotation,
        };
        Self { method, installation: installation.unwrap_or_default().to_owned() }
    }

    /// What an object is, if it belongs to an Application.
    pub(super) fn tracked(&self, kind: &Listable, metadata: Metadata) -> Option<Tracked> {
        let application = match &self.method {
            Method::Label(key) => metadata.labels.get(key)?.clone(),
            Method::Annotation => {
                let installation = metadata.annotations.get(INSTALLATION_ID).map_or("", String::as_str);
                let id =
                    metadata.annotations.get(TRACKING_ID).filter(|_| installation == self.installation)?;
                named_by(id, kind, &metadata)?.to_owned()
            }
        };
        Some(Tracked {
            application,
            stays: metadata.stays(),
            held: metadata.deletion_timestamp.map(|_| metadata.finalizers),
            object: ObjectName {
                group: kind.group.clone(),
                kind: kind.kind.clone(),
                namespace: metadata.namespace,
                name: metadata.name,
            },
        })
    }
}

/// The Application of a tracking id, if the id is this object's own: `<application>:<group>/<kind>:<namespace>/<name>`.
fn named_by<'a>(id: &'a str, kind: &Listable, metadata: &Metadata) -> Option<&'a str> {
    let (application, object) = id.split_once(':')?;
    let (of_kind, named) = object.split_once(':')?;
    let (namespace, name) = named.split_once('/')?;
    // An object without a namespace is tracked under its Application's.
    let here = metadata.namespace.as_deref().is_none_or(|own| own == namespace);
    (of_kind == format!("{}/{}", kind.group, kind.kind) && name == metadata.name && here)
        .then_some(application)
}

#[derive(Deserialize)]
pub(super) struct List {
    /// Some servers say `null` where there is nothing.
    pub(super) items: Option<Vec<Item>>,
}

#[derive(Deserialize)]
pub(super) struct Item {
    pub(super) metadata: Metadata,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Metadata {
    pub(super) name: String,
    pub(super) namespace: Option<String>,
    labels: BTreeMap<String, String>,
    annotations: BTreeMap<String, String>,
    deletion_timestamp: Option<Time>,
    finalizers: Vec<String>,
}

impl Metadata {
    /// What Argo CD itself spares when an Application is deleted with everything.
    fn stays(&self) -> bool {
        let says = |key: &str, value: &str| {
            let said = self.annotations.get(key).map_or("", String::as_str);
            said.split(',').any(|option| option.trim() == value)
        };
        says("argocd.argoproj.io/sync-options", "Delete=false") || says("helm.sh/resource-policy", "keep")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(group: &str, kind: &str) -> Listable {
        let [group, kind] = [group, kind].map(ToOwned::to_owned);
        Listable { group, version: "v1".to_owned(), kind, plural: String::new() }
    }

    fn metadata(namespace: Option<&str>, name: &str, annotations: &[(&str, &str)]) -> Metadata {
        let annotations = annotations.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        Metadata {
            name: name.to_owned(),
            namespace: namespace.map(ToOwned::to_owned),
            annotations: annotations.collect(),
            ..Metadata::default()
        }
    }

    #[test]
    fn an_object_belongs_to_the_application_of_its_own_tracking_id() {
        let id = "web-dev:apps/Deployment:web/web";
        let deployment = kind("apps", "Deployment");
        assert_eq!(named_by(id, &deployment, &metadata(Some("web"), "web", &[])), Some("web-dev"));
        assert_eq!(named_by(id, &deployment, &metadata(Some("copy"), "web", &[])), None);
        assert_eq!(named_by(id, &deployment, &metadata(Some("web"), "copy", &[])), None);
        assert_eq!(named_by(id, &kind("apps", "ReplicaSet"), &metadata(Some("web"), "web", &[])), None);
    }

    #[test]
    fn an_object_without_namespace_is_tracked_under_that_of_its_application() {
        let id = "priority-dev:scheduling.k8s.io/PriorityClass:kube-system/high";
        let class = kind("scheduling.k8s.io", "PriorityClass");
        assert_eq!(named_by(id, &class, &metadata(None, "high", &[])), Some("priority-dev"));
    }

    #[test]
    fn what_asks_to_stay_stays() {
        let stays = |key, value| metadata(None, "x", &[(key, value)]).stays();
        assert!(stays("argocd.argoproj.io/sync-options", "Prune=false, Delete=false"));
        assert!(stays("helm.sh/resource-policy", "keep"));
        assert!(!stays("argocd.argoproj.io/sync-options", "Prune=false"));
    }

    #[test]
    fn the_tracking_method_is_the_one_that_argo_cd_is_told() {
        let method = |method, label| Tracking::from_settings(method, label, None).method;
        assert_eq!(method(None, None), Method::Annotation);
        assert_eq!(method(Some("annotation+label"), None), Method::Annotation);
        assert_eq!(method(Some("label"), Some("our/key")), Method::Label("our/key".to_owned()));
    }

    #[test]
    fn what_another_argo_cd_deployed_is_none_of_ours() {
        let owner = |ours: Option<&str>, theirs: &[(&str, &str)]| {
            let id = (TRACKING_ID, "web:/ConfigMap:web/web");
            let metadata = metadata(Some("web"), "web", &[&[id], theirs].concat());
            Tracking::from_settings(None, None, ours).tracked(&kind("", "ConfigMap"), metadata).is_some()
        };
        let other = [(INSTALLATION_ID, "other")];
        assert!(owner(None, &[]) && owner(Some("other"), &other));
        assert!(!owner(None, &other) && !owner(Some("ours"), &other) && !owner(Some("ours"), &[]));
    }
}
