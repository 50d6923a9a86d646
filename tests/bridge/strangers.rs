//! Cluster Secrets that others made: one for a cluster of ours is used as it is, two are refused.

use kube::api::{DeleteParams, Patch, PatchParams, PostParams};
use serde_json::json;

use super::hub::{ClusterSecret, Hub};
use super::registration::client_of;
use crate::kit::Lab;

/// Makes a cluster Secret as a person would.
async fn make_by_hand(hub: &Hub, name: &str, server: &str, config: &str) {
    let secret = json!({
        "metadata": {
            "name": name,
            "labels": { "argocd.argoproj.io/secret-type": "cluster", "team": "blue", "environment": "theirs" },
            "annotations": { "example.com/note": "theirs" },
        },
        "stringData": { "name": format!("{name}-by-hand"), "server": server, "config": config, "shard": "0" },
    });
    hub.secrets().create(&PostParams::default(), &serde_json::from_value(secret).unwrap()).await.unwrap();
}

/// What is theirs is still there, what is ours is there too, and nobody will take the whole for ours.
fn is_adopted(secret: &ClusterSecret, cluster: &str, environment: &str) {
    let ClusterSecret { labels, annotations, data } = secret;
    assert_eq!((labels["team"].as_str(), annotations["example.com/note"].as_str()), ("blue", "theirs"));
    assert_eq!(data["shard"], "0");
    let ours = [
        ("cluster_name", cluster),
        ("environment", environment),
        ("enable_argocd", "false"),
        ("kubernetes_version", "1.34"),
    ];
    for (key, value) in ours {
        assert_eq!(labels.get(key).map(String::as_str), Some(value), "{key}");
    }
    assert!(data["name"].ends_with("-by-hand"), "what Argo CD calls it is theirs to say: {}", data["name"]);
    assert_eq!(annotations["cluster_name"], cluster);
    assert!(!labels.keys().any(|key| key.starts_with("bridgehead/")), "{labels:?}");
    assert!(annotations["bridgehead/before"].contains(r#""environment":"theirs""#), "{annotations:?}");
    assert!(!labels.contains_key("app.kubernetes.io/managed-by"), "{labels:?}");
}

pub(super) async fn register_the_hub_by_hand(lab: &Lab) {
    let hub = Hub::of(lab, "bare").await;
    assert!(hub.cluster_secrets().await.is_empty());
    let config = r#"{"tlsClientConfig":{"insecure":false}}"#;
    make_by_hand(&hub, "in-house", "https://kubernetes.default.svc", config).await;
}

pub(super) async fn the_hubs_secret_is_adopted(lab: &Lab) {
    let secrets = Hub::of(lab, "bare").await.cluster_secrets().await;
    assert_eq!(secrets.keys().collect::<Vec<_>>(), ["dev", "in-house"]);
    is_adopted(&secrets["in-house"], "hub", "control-plane");
    assert_eq!(secrets["in-house"].labels["fleet_member"], "control-plane");
}

pub(super) async fn two_secrets_for_one_server_are_refused(lab: &Lab) {
    let hub = Hub::of(lab, "bare").await;
    let ours = hub.cluster_secrets().await.remove("dev").unwrap();
    // Argo CD takes the two for one.
    make_by_hand(&hub, "twin", &format!("{}/", ours.data["server"]), "{}").await;
    let before = hub.cluster_secrets().await;
    for command in [&["plan", "bare"][..], &["up", "bare"]] {
        let refused = lab.bridgehead(command);
        assert_eq!(refused.code(), 4, "{command:?}\n{}", refused.stderr);
        for name in ["argocd/dev", "argocd/twin", &ours.data["server"]] {
            assert!(refused.stderr.contains(name), "{name} is not named:\n{}", refused.stderr);
        }
    }
    assert_eq!(hub.cluster_secrets().await, before);
}

/// The other one is left. What it says is theirs: it is used if it works, and never set right.
pub(super) async fn a_secret_made_by_hand_is_adopted(lab: &Lab) {
    let hub = Hub::of(lab, "bare").await;
    let ours = hub.cluster_secrets().await.remove("dev").unwrap();
    hub.secrets().delete("dev", &DeleteParams::default()).await.unwrap();
    let by_hand = hub.cluster_secrets().await;
    for (config, said) in [
        ("{}", "it has no credentials"),
        (
            r#"{"bearerToken":"forged","tlsClientConfig":{"insecure":false,"caData":"AUTHORITY"}}"#,
            "Unauthorized",
        ),
    ] {
        let authority =
            super::contract::config(&ours)["tlsClientConfig"]["caData"].as_str().unwrap().to_owned();
        let before = set_config(&hub, &config.replace("AUTHORITY", &authority)).await;
        let refused = lab.bridgehead(&["up", "bare"]);
        assert_eq!(refused.code(), 4, "{}", refused.stderr);
        assert!(refused.stderr.contains(said) && refused.stderr.contains("hint:"), "{}", refused.stderr);
        assert_eq!(hub.cluster_secrets().await["twin"], before, "it is not ours to change");
    }
    let before = set_config(&hub, &ours.data["config"]).await;
    lab.ok(&["up", "bare"]);
    let secrets = hub.cluster_secrets().await;
    assert_eq!(secrets.keys().collect::<Vec<_>>(), ["in-house", "twin"]);
    is_adopted(&secrets["twin"], "dev", "dev");
    assert_eq!(secrets["twin"].data, before.data);
    assert_eq!(secrets["twin"].labels["fleet_member"], "spoke");
    assert!(client_of(&secrets["twin"]).await.apiserver_version().await.is_ok());
    assert_eq!(super::written(&lab.ok(&["up", "bare", "--output", "json"])), 0, "it is adopted once");

    let before = set_config(&hub, r#"{"awsAuthConfig":{"clusterName":"dev"}}"#).await;
    assert_eq!(super::written(&lab.ok(&["up", "bare", "--output", "json"])), 0, "only Argo CD can try that");
    assert_eq!(hub.cluster_secrets().await["twin"], before);

    // When the cluster leaves, all of it is as it was.
    set_config(&hub, &by_hand["twin"].data["config"]).await;
    lab.ok(&["down", "bare", "--cluster", "dev", "--yes"]);
    assert_eq!(hub.cluster_secrets().await["twin"], by_hand["twin"]);
}

/// Its owner gives the Secret another `config`; the Secret afterwards.
async fn set_config(hub: &Hub, config: &str) -> ClusterSecret {
    let theirs = json!({ "stringData": { "config": config } });
    hub.secrets().patch("twin", &PatchParams::default(), &Patch::Merge(&theirs)).await.unwrap();
    hub.cluster_secrets().await.remove("twin").unwrap()
}
