//! A cluster that somebody else registered in the same Argo CD gets no workload of ours.

use k8s_openapi::api::core::v1::Secret;
use kube::api::{Api, ApiResource, DeleteParams, DynamicObject, Patch, PatchParams, PostParams};
use kube::core::GroupVersionKind;
use serde_json::{Value, json};

use crate::kit::Lab;
use crate::kit::wait::eventually;

/// The controller takes it off once it has generated.
const REFRESH: &str = "argocd.argoproj.io/application-set-refresh";

pub(super) async fn none_for_a_cluster_of_others(lab: &Lab) {
    let hub = lab.client("host", "hub").await;
    let api = |kind: &str| {
        let kind = GroupVersionKind::gvk("argoproj.io", "v1alpha1", kind);
        Api::<DynamicObject>::namespaced_with(hub.clone(), "argocd", &ApiResource::from_gvk(&kind))
    };
    let (sets, applications) = (api("ApplicationSet"), api("Application"));
    let secrets: Api<Secret> = Api::namespaced(hub.clone(), "argocd");
    let now = PostParams::default();
    secrets.create(&now, &serde_json::from_value(stranger()).unwrap()).await.unwrap();
    sets.create(&now, &serde_json::from_value(probe()).unwrap()).await.unwrap();
    let made = async || applications.get_opt("probe-stranger").await.unwrap().is_some();
    eventually("an Application of another set for the cluster", made).await;

    // The controller knows the cluster by now: what it generates from here on is about that, too.
    let refresh = json!({ "metadata": { "annotations": { REFRESH: "true" } } });
    sets.patch("workloads", &PatchParams::default(), &Patch::Merge(&refresh)).await.unwrap();
    let is_generated = async || {
        let annotations = sets.get("workloads").await.unwrap().metadata.annotations;
        annotations.is_none_or(|annotations| !annotations.contains_key(REFRESH))
    };
    eventually("the set `workloads` generated again", is_generated).await;
    assert!(applications.get_opt("workload-gpu").await.unwrap().is_some());
    assert!(applications.get_opt("workload-stranger").await.unwrap().is_none(), "it is not of our fleet");

    sets.delete("probe", &DeleteParams::default()).await.unwrap();
    eventually("the other set's Application gone", async || !made().await).await;
    secrets.delete("stranger", &DeleteParams::default()).await.unwrap();
}

fn stranger() -> Value {
    json!({
        "metadata": {
            "name": "stranger",
            "labels": { "argocd.argoproj.io/secret-type": "cluster", "team": "strangers" },
        },
        "stringData": { "name": "stranger", "server": "https://127.0.0.1:1", "config": "{}" },
    })
}

fn probe() -> Value {
    json!({
        "apiVersion": "argoproj.io/v1alpha1", "kind": "ApplicationSet", "metadata": { "name": "probe" },
        "spec": {
            "generators": [{ "clusters": { "selector": { "matchLabels": { "team": "strangers" } } } }],
            "syncPolicy": { "preserveResourcesOnDeletion": true },
            "template": {
                "metadata": { "name": "probe-{{name}}" },
                "spec": {
                    "project": "default",
                    "source": { "repoURL": "https://nowhere.invalid", "path": "." },
                    "destination": { "name": "{{name}}", "namespace": "default" },
                },
            },
        },
    })
}
