//! The account that the hub's Argo CD has on a spoke, and what is said of a cluster that it has nothing to do on.

use k8s_openapi::api::authorization::v1::SelfSubjectAccessReview;
use k8s_openapi::api::core::v1::{Namespace, Secret, ServiceAccount};
use k8s_openapi::api::rbac::v1::{ClusterRole, ClusterRoleBinding};
use kube::api::{Api, DeleteParams, ListParams, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use serde_json::{Value, json};

use super::contract::config;
use super::hub::{ClusterSecret, Hub};
use crate::kit::Lab;
use crate::kit::wait::eventually;

const TOKEN: &str = "argocd-manager-long-lived-token";

pub(super) fn a_cluster_without_applications_says_so(lab: &Lab) {
    let status = lab.ok(&["status", "bare", "--exit-code"]).stdout;
    for cluster in ["hub", "dev"] {
        let line = status.lines().find(|line| line.starts_with(cluster)).unwrap();
        assert!(line.ends_with("registered, nothing deployed yet"), "{line}");
    }
    let status: Value =
        serde_json::from_str(&lab.ok(&["status", "bare", "--output", "json"]).stdout).unwrap();
    for cluster in status["clusters"].as_array().unwrap() {
        let deployed = &cluster["deployed"];
        assert_eq!(
            (&deployed["registered"], &deployed["applications"]),
            (&json!(true), &json!([])),
            "{cluster}"
        );
    }
}

pub(super) async fn the_account_has_its_well_known_names(lab: &Lab) {
    let spoke = lab.client("bare", "dev").await;
    Api::<ServiceAccount>::namespaced(spoke.clone(), "kube-system").get("argocd-manager").await.unwrap();
    let role = Api::<ClusterRole>::all(spoke.clone()).get("argocd-manager-role").await.unwrap();
    assert_eq!(
        json!(role.rules),
        json!([
            { "apiGroups": ["*"], "resources": ["*"], "verbs": ["*"] },
            { "nonResourceURLs": ["*"], "verbs": ["*"] },
        ])
    );
    let bindings: Api<ClusterRoleBinding> = Api::all(spoke.clone());
    let binding = bindings.get("argocd-manager-role-binding").await.unwrap();
    assert_eq!(binding.role_ref.name, "argocd-manager-role");
    let subject = json!({ "kind": "ServiceAccount", "name": "argocd-manager", "namespace": "kube-system" });
    assert_eq!(json!(binding.subjects), json!([subject]));
    let token = Api::<Secret>::namespaced(spoke, "kube-system").get(TOKEN).await.unwrap();
    assert_eq!(token.type_.as_deref(), Some("kubernetes.io/service-account-token"));

    let registered = &Hub::of(lab, "bare").await.cluster_secrets().await["dev"];
    let written = String::from_utf8(token.data.unwrap()["token"].0.clone()).unwrap();
    assert_eq!(config(registered)["bearerToken"], written);
    it_may_do_everything(client_of(registered).await).await;
}

async fn it_may_do_everything(client: Client) {
    assert!(client.apiserver_version().await.unwrap().git_version.starts_with("v1.34."));
    let everything =
        json!({ "spec": { "resourceAttributes": { "verb": "*", "group": "*", "resource": "*" } } });
    let review: SelfSubjectAccessReview = serde_json::from_value(everything).unwrap();
    let reviews = Api::<SelfSubjectAccessReview>::all(client.clone());
    let review = reviews.create(&PostParams::default(), &review).await.unwrap();
    assert!(review.status.unwrap().allowed);
    let namespaces: Api<Namespace> = Api::all(client);
    let shop = serde_json::from_value(json!({ "metadata": { "generateName": "shop-" } })).unwrap();
    let shop = namespaces.create(&PostParams::default(), &shop).await.unwrap();
    namespaces.delete(&shop.metadata.name.unwrap(), &DeleteParams::default()).await.unwrap();
}

/// Behind everybody's back the token's Secret is deleted, then the account: Argo CD is locked out until the next
/// `up`.
pub(super) async fn a_spoke_that_locks_argo_cd_out_lets_it_in_again(lab: &Lab) {
    let hub = Hub::of(lab, "bare").await;
    let before = hub.cluster_secrets().await.remove("dev").unwrap();
    let spoke = lab.client("bare", "dev").await;
    let tokens: Api<Secret> = Api::namespaced(spoke.clone(), "kube-system");
    tokens.delete(TOKEN, &DeleteParams::default()).await.unwrap();
    let locked_out = client_of(&before).await;
    eventually("the old token refused", async || is_refused(&locked_out).await).await;
    let plan = lab.bridgehead(&["plan", "bare", "--exit-code"]);
    assert_eq!(plan.code(), 3, "{}{}", plan.stdout, plan.stderr);
    assert!(plan.stderr.contains(TOKEN), "{}", plan.stderr);
    let before = healed(lab, &hub, &before).await;
    assert!(is_refused(&locked_out).await, "the old token works again");

    let accounts: Api<ServiceAccount> = Api::namespaced(spoke, "kube-system");
    accounts.delete("argocd-manager", &DeleteParams::default()).await.unwrap();
    healed(lab, &hub, &before).await;
}

/// The Secret after an `up`, which has another token, and a good one.
async fn healed(lab: &Lab, hub: &Hub, before: &ClusterSecret) -> ClusterSecret {
    lab.ok(&["up", "bare"]);
    let after = hub.cluster_secrets().await.remove("dev").unwrap();
    assert_ne!(config(&after)["bearerToken"], config(before)["bearerToken"]);
    it_may_do_everything(client_of(&after).await).await;
    after
}

async fn is_refused(client: &Client) -> bool {
    let namespaces = Api::<Namespace>::all(client.clone()).list(&ListParams::default()).await;
    matches!(namespaces, Err(kube::Error::Api(status)) if status.code == 401)
}

/// A connection made of nothing but a cluster Secret, as Argo CD makes it.
pub(super) async fn client_of(secret: &ClusterSecret) -> Client {
    let config = config(secret);
    let tls = &config["tlsClientConfig"];
    let kubeconfig = json!({
        "clusters": [{ "name": "it", "cluster": {
            "server": secret.data["server"], "certificate-authority-data": tls["caData"] } }],
        "users": [{ "name": "it", "user": { "token": config["bearerToken"] } }],
        "contexts": [{ "name": "it", "context": { "cluster": "it", "user": "it" } }],
        "current-context": "it",
    });
    let kubeconfig: Kubeconfig = serde_json::from_value(kubeconfig).unwrap();
    let options = KubeConfigOptions::default();
    Config::from_custom_kubeconfig(kubeconfig, &options).await.unwrap().try_into().unwrap()
}
