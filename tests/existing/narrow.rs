//! An account `argocd-manager` that somebody made and gave few rights: it stays as it is, and is not used.

use k8s_openapi::api::core::v1::{Secret, ServiceAccount};
use k8s_openapi::api::rbac::v1::ClusterRole;
use kube::Api;
use kube::api::PostParams;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::MADE;
use crate::kit::wait::eventually;
use crate::kit::{Lab, world};

const ROLE: &str = "argocd-manager-role";
const TOKEN: &str = "argocd-manager-long-lived-token";
/// What ours are called then.
const OURS: &str = "bridgehead-host";

/// Makes it on the cluster x; the objects of that cluster that are about accounts.
pub(super) async fn an_account(lab: &Lab) -> world::World {
    let client = lab.client(MADE, "x").await;
    let metadata = |name: &str| json!({ "name": name });
    let rules = json!([{ "apiGroups": [""], "resources": ["configmaps"], "verbs": ["get", "list"] }]);
    let account = json!({ "metadata": metadata("argocd-manager") });
    let role = json!({ "metadata": metadata(ROLE), "rules": rules });
    let token = json!({
        "metadata": {
            "name": TOKEN, "labels": { "team": "blue" },
            "annotations": { "kubernetes.io/service-account.name": "argocd-manager" },
        },
        "type": "kubernetes.io/service-account-token",
    });
    let now = PostParams::default();
    let accounts: Api<ServiceAccount> = Api::namespaced(client.clone(), "kube-system");
    accounts.create(&now, &of(account)).await.unwrap();
    Api::<ClusterRole>::all(client.clone()).create(&now, &of(role)).await.unwrap();
    let tokens: Api<Secret> = Api::namespaced(client, "kube-system");
    tokens.create(&now, &of(token)).await.unwrap();
    let has_token =
        async || tokens.get(TOKEN).await.unwrap().data.is_some_and(|data| data.contains_key("token"));
    eventually("the token of the narrow account", has_token).await;
    about_accounts(lab).await
}

fn of<T: DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value).unwrap()
}

async fn about_accounts(lab: &Lab) -> world::World {
    let mut objects = world::objects(&lab.client(MADE, "x").await).await;
    let kinds = ["ServiceAccount kube-system/", "Secret kube-system/", "ClusterRole ", "ClusterRoleBinding "];
    objects.retain(|name, _| kinds.iter().any(|kind| name.starts_with(kind)));
    objects
}

pub(super) async fn is_untouched_and_not_used(lab: &Lab, before: &world::World) {
    let differences = world::differences(before, &about_accounts(lab).await);
    assert_eq!(differences.len(), 4, "{differences:?}");
    assert!(differences.iter().all(|difference| difference.contains(OURS)), "{differences:?}");
    let secrets: Api<Secret> = Api::namespaced(lab.client("host", "hub").await, "argocd");
    let config = secrets.get("gpu").await.unwrap().data.unwrap()["config"].0.clone();
    let config: Value = serde_json::from_slice(&config).unwrap();
    let tokens: Api<Secret> = Api::namespaced(lab.client(MADE, "x").await, "kube-system");
    let token = tokens.get(OURS).await.unwrap().data.unwrap()["token"].0.clone();
    assert_eq!(config["bearerToken"], String::from_utf8(token).unwrap());
}

pub(super) async fn is_left_alone(lab: &Lab, before: &world::World) {
    assert_eq!(world::differences(before, &about_accounts(lab).await), Vec::<String>::new());
}
