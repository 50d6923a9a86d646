//! The cluster Secrets of a fleet, key by key. What is expected is written out here, not computed.

use std::collections::BTreeSet;

use kube::api::{Patch, PatchParams};
use kube::config::Kubeconfig;
use serde_json::{Value, json};

use super::hub::{ClusterSecret, Hub, Texts};
use crate::kit::Lab;

/// Keys and the values that are expected; `$SERVED` stands for the folder of the repositories that are served.
type Table = [(&'static str, &'static str)];

const HUB_LABELS: &Table = &[
    ("app.kubernetes.io/managed-by", "bridgehead"),
    ("argocd.argoproj.io/secret-type", "cluster"),
    ("bridgehead/part", "cluster-secret"),
    ("bridgehead/site", "fleet"),
    ("cluster_name", "hub"),
    ("enable_argocd", "false"),
    ("enable_aws_efs_csi_driver", "false"),
    ("enable_aws_load_balancer_controller", "false"),
    ("enable_cert_manager", "true"),
    ("enable_external_dns", "true"),
    ("enable_metrics_server", "false"),
    ("environment", "control-plane"),
    ("fleet_member", "control-plane"),
    ("kubernetes_version", "1.34"),
];

const HUB_ANNOTATIONS: &Table = &[
    ("addons_repo_basepath", "addons/"),
    ("addons_repo_path", "bootstrap"),
    ("addons_repo_revision", "main"),
    ("addons_repo_url", "file://$SERVED/addons.git"),
    ("argocd_namespace", "argocd"),
    ("cert_manager_namespace", "cert-manager"),
    ("cert_manager_service_account", "cert-manager"),
    ("cluster_name", "hub"),
    ("environment", "control-plane"),
    ("external_dns_namespace", "external-dns"),
    ("external_dns_service_account", "external-dns-sa"),
    ("platform_repo_basepath", ""),
    ("platform_repo_path", "."),
    ("platform_repo_revision", "v1"),
    ("platform_repo_url", "https://git.example.com/platform/platform.git"),
    ("workload_repo_basepath", "workloads/"),
    ("workload_repo_path", "demo"),
    ("workload_repo_revision", "main"),
    ("workload_repo_url", "file://$SERVED/workload.git"),
];

const WEST_LABELS: &Table = &[
    ("app.kubernetes.io/managed-by", "bridgehead"),
    ("argocd.argoproj.io/secret-type", "cluster"),
    ("bridgehead/part", "cluster-secret"),
    ("bridgehead/site", "fleet"),
    ("cluster_name", "west"),
    ("enable_argocd", "false"),
    ("enable_aws_efs_csi_driver", "true"),
    ("enable_aws_load_balancer_controller", "true"),
    ("enable_cert_manager", "true"),
    ("enable_external_dns", "true"),
    ("enable_metrics_server", "false"),
    ("environment", "staging"),
    ("example.com/tenant", "shop"),
    ("fleet_member", "spoke"),
    ("kubernetes_version", "1.34"),
    ("ring", "canary"),
];

const WEST_ANNOTATIONS: &Table = &[
    ("addons_repo_basepath", "addons/"),
    ("addons_repo_path", "bootstrap"),
    ("addons_repo_revision", "main"),
    ("addons_repo_url", "file://$SERVED/addons.git"),
    ("argocd_namespace", "argocd"),
    ("aws_efs_csi_driver_controller_service_account", "efs-csi-controller-sa"),
    ("aws_efs_csi_driver_namespace", "kube-system"),
    ("aws_efs_csi_driver_node_service_account", "efs-csi-node-sa"),
    ("aws_load_balancer_controller_namespace", "kube-system"),
    ("aws_load_balancer_controller_service_account", "aws-load-balancer-controller-sa"),
    ("cert_manager_namespace", "certificates"),
    ("cert_manager_service_account", "cert-manager"),
    ("cluster_name", "west"),
    ("environment", "staging"),
    ("example.com/owner", "Shop & Co: #1"),
    ("external_dns_namespace", "external-dns"),
    ("external_dns_service_account", "external-dns-sa"),
    ("platform_repo_basepath", ""),
    ("platform_repo_path", "."),
    ("platform_repo_revision", "v1"),
    ("platform_repo_url", "https://git.example.com/platform/platform.git"),
    ("workload_repo_basepath", "workloads/"),
    ("workload_repo_path", "demo"),
    ("workload_repo_revision", "main"),
    ("workload_repo_url", "file://$SERVED/workload.git"),
];

const EAST_LABELS: &Table = &[
    ("app.kubernetes.io/managed-by", "bridgehead"),
    ("argocd.argoproj.io/secret-type", "cluster"),
    ("bridgehead/part", "cluster-secret"),
    ("bridgehead/site", "fleet"),
    ("cluster_name", "east"),
    ("enable_argocd", "false"),
    ("enable_aws_efs_csi_driver", "false"),
    ("enable_aws_load_balancer_controller", "false"),
    ("enable_cert_manager", "true"),
    ("enable_external_dns", "true"),
    ("enable_metrics_server", "false"),
    ("environment", "prod"),
    ("fleet_member", "spoke"),
    ("kubernetes_version", "1.34"),
];

const EAST_ANNOTATIONS: &Table = &[
    ("addons_repo_basepath", "addons/"),
    ("addons_repo_path", "bootstrap"),
    ("addons_repo_revision", "main"),
    ("addons_repo_url", "file://$SERVED/addons.git"),
    ("argocd_namespace", "argocd"),
    ("cert_manager_namespace", "cert-manager"),
    ("cert_manager_service_account", "cert-manager"),
    ("cluster_name", "east"),
    ("environment", "prod"),
    ("external_dns_namespace", "external-dns"),
    ("external_dns_service_account", "external-dns-sa"),
    ("platform_repo_basepath", ""),
    ("platform_repo_path", "."),
    ("platform_repo_revision", "v1"),
    ("platform_repo_url", "https://git.example.com/platform/platform.git"),
    ("workload_repo_basepath", "workloads/"),
    ("workload_repo_path", "demo"),
    ("workload_repo_revision", "main"),
    ("workload_repo_url", "file://$SERVED/workload.git"),
];

pub(super) async fn every_secret_is_as_written_there(lab: &Lab) {
    let secrets = Hub::of(lab, "fleet").await.cluster_secrets().await;
    assert_eq!(secrets.keys().collect::<Vec<_>>(), ["east", "hub", "west"]);
    let tables = [
        ("hub", HUB_LABELS, HUB_ANNOTATIONS),
        ("west", WEST_LABELS, WEST_ANNOTATIONS),
        ("east", EAST_LABELS, EAST_ANNOTATIONS),
    ];
    for (cluster, labels, annotations) in tables {
        let secret = &secrets[cluster];
        assert_eq!(secret.labels, expected(lab, labels), "labels of {cluster}");
        assert_eq!(secret.annotations, expected(lab, annotations), "annotations of {cluster}");
        assert_eq!(secret.data.keys().collect::<Vec<_>>(), ["config", "name", "server"], "{cluster}");
        assert_eq!(secret.data["name"], cluster);
    }
    assert_eq!(secrets["hub"].data["server"], "https://kubernetes.default.svc");
    assert_eq!(config(&secrets["hub"]), json!({ "tlsClientConfig": { "insecure": false } }));
    let kubeconfig = Kubeconfig::from_yaml(&lab.ok(&["kubeconfig", "show", "fleet"]).stdout).unwrap();
    for spoke in ["west", "east"] {
        a_spoke_is_reached_with_its_token(&kubeconfig, spoke, &secrets[spoke]);
    }
}

/// The token's own form and power are looked at where registration is.
fn a_spoke_is_reached_with_its_token(kubeconfig: &Kubeconfig, spoke: &str, secret: &ClusterSecret) {
    let named = kubeconfig.contexts.iter().find(|context| context.name == format!("fleet/{spoke}")).unwrap();
    let name = &named.context.as_ref().unwrap().cluster;
    let named = kubeconfig.clusters.iter().find(|cluster| cluster.name == *name).unwrap();
    let cluster = named.cluster.as_ref().unwrap();
    assert_eq!(Some(&secret.data["server"]), cluster.server.as_ref(), "{spoke}");
    let config = config(secret);
    let token = config["bearerToken"].as_str().unwrap();
    let authority = cluster.certificate_authority_data.as_deref().unwrap();
    let tls = json!({ "insecure": false, "caData": authority });
    assert_eq!(config, json!({ "bearerToken": token, "tlsClientConfig": tls }), "{spoke}");
}

/// West loses keys of every sort that the profile had given it, and gets some from somebody else.
pub(super) async fn keys_of_others_stay_and_keys_no_longer_wanted_go(lab: &Lab) {
    let hub = Hub::of(lab, "fleet").await;
    let before = hub.cluster_secrets().await;
    let theirs = json!({
        "metadata": {
            "labels": { "team": "blue", "enable_backstage": "true" },
            "annotations": { "example.com/note": "theirs", "aws_vpc_id": "vpc-1" },
        },
        "stringData": { "shard": "0" },
    });
    hub.secrets().patch("west", &PatchParams::default(), &Patch::Merge(&theirs)).await.unwrap();

    let mut profile = include_str!("files/fleet.toml").split("[repos.platform]").next().unwrap().to_owned();
    let controller = "aws_load_balancer_controller = ";
    for (line, instead) in [
        ("ring = \"canary\"\n", String::new()),
        ("\"example.com/owner\" = \"Shop & Co: #1\"\n", String::new()),
        (&format!("{controller}true\n"), format!("{controller}false\nargocd = true\n")),
    ] {
        assert!(profile.contains(line), "{line} is not in the profile");
        profile = profile.replace(line, &instead);
    }
    lab.write_profile("fleet", &profile);
    lab.ok(&["up", "fleet"]);
    // A repository is not taken from the sets that read it before that is asked for.
    let stays = &hub.cluster_secrets().await["west"].annotations["platform_repo_path"];
    assert_eq!(stays, ".");
    lab.ok(&["up", "fleet", "--prune"]);

    let after = hub.cluster_secrets().await;
    let (before, after) = (&before["west"], &after["west"]);
    let labels = [
        ("team", "blue"),
        ("enable_backstage", "true"),
        ("enable_aws_load_balancer_controller", "false"),
        ("enable_argocd", "true"),
    ];
    assert_eq!(after.labels, changed(&before.labels, &["ring"], &labels));
    let gone = [
        "aws_load_balancer_controller_namespace",
        "aws_load_balancer_controller_service_account",
        "example.com/owner",
        "platform_repo_basepath",
        "platform_repo_path",
        "platform_repo_revision",
        "platform_repo_url",
    ];
    let annotations = [("example.com/note", "theirs"), ("aws_vpc_id", "vpc-1")];
    assert_eq!(after.annotations, changed(&before.annotations, &gone, &annotations));
    assert_eq!(after.data, changed(&before.data, &[], &[("shard", "0")]));
}

/// The same without some keys, all of which must have been there, and with others.
fn changed(texts: &Texts, gone: &[&str], new: &[(&str, &str)]) -> Texts {
    let keys: BTreeSet<_> = texts.keys().map(String::as_str).collect();
    assert!(gone.iter().all(|key| keys.contains(key)), "{gone:?} were not all in {keys:?}");
    let mut texts = texts.clone();
    texts.retain(|key, _| !gone.contains(&key.as_str()));
    texts.extend(new.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())));
    texts
}

/// The JSON from which Argo CD makes its connection.
pub(super) fn config(secret: &ClusterSecret) -> Value {
    serde_json::from_str(&secret.data["config"]).unwrap()
}

fn expected(lab: &Lab, table: &Table) -> Texts {
    let served = lab.state("fleet").join("git").display().to_string();
    table.iter().map(|(key, value)| ((*key).to_owned(), value.replace("$SERVED", &served))).collect()
}
