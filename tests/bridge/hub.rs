//! What a hub's Argo CD has: cluster Secrets, ApplicationSets, Applications.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::Secret;
use kube::Client;
use kube::api::{Api, DynamicObject, ListParams};
use kube::core::{ApiResource, GroupVersionKind};
use serde_json::{Value, json};

use crate::kit::Lab;

/// Keys and values.
pub(super) type Texts = BTreeMap<String, String>;

/// A hub, as its administrator sees it.
pub(super) struct Hub(pub(super) Client);

/// A cluster Secret, decoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ClusterSecret {
    pub(super) labels: Texts,
    pub(super) annotations: Texts,
    pub(super) data: Texts,
}

impl Hub {
    /// The hub of a site.
    pub(super) async fn of(lab: &Lab, site: &str) -> Self {
        Self(lab.client(site, "hub").await)
    }

    /// The Secrets of its Argo CD.
    pub(super) fn secrets(&self) -> Api<Secret> {
        Api::namespaced(self.0.clone(), "argocd")
    }

    /// The cluster Secrets, by their object's name.
    pub(super) async fn cluster_secrets(&self) -> BTreeMap<String, ClusterSecret> {
        let clusters = ListParams::default().labels("argocd.argoproj.io/secret-type=cluster");
        let secrets = self.secrets().list(&clusters).await.unwrap();
        secrets.into_iter().map(|secret| (secret.metadata.name.clone().unwrap(), decoded(secret))).collect()
    }

    /// The objects of one of Argo CD's kinds.
    pub(super) fn api(&self, kind: &str) -> Api<DynamicObject> {
        let kind = GroupVersionKind::gvk("argoproj.io", "v1alpha1", kind);
        Api::namespaced_with(self.0.clone(), "argocd", &ApiResource::from_gvk(&kind))
    }

    /// The Applications by name.
    pub(super) async fn applications(&self) -> BTreeMap<String, Value> {
        let applications = self.api("Application").list(&ListParams::default()).await.unwrap();
        let named = |each: DynamicObject| (each.metadata.name.clone().unwrap(), json!(each));
        applications.into_iter().map(named).collect()
    }

    /// What an ApplicationSet says went wrong; `None` if nothing did.
    pub(super) async fn set_error(&self, set: &str) -> Option<String> {
        let set = self.api("ApplicationSet").get(set).await.unwrap();
        let conditions = set.data["status"]["conditions"].as_array().cloned().unwrap_or_default();
        let failed =
            |condition: &&Value| condition["type"] == "ErrorOccurred" && condition["status"] == "True";
        conditions.iter().find(failed).map(|condition| condition["message"].as_str().unwrap().to_owned())
    }
}

fn decoded(secret: Secret) -> ClusterSecret {
    let text = |(key, value): (String, k8s_openapi::ByteString)| (key, String::from_utf8(value.0).unwrap());
    ClusterSecret {
        labels: secret.metadata.labels.unwrap_or_default(),
        annotations: secret.metadata.annotations.unwrap_or_default(),
        data: secret.data.unwrap_or_default().into_iter().map(text).collect(),
    }
}
