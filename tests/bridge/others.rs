//! What others wrote, at work on the Secrets: sets in the shapes of the GitOps Bridge's repositories, unmodified
//! but for the address of the chart repository.

use std::collections::BTreeMap;
use std::time::Duration;

use bridgehead::files;
use k8s_openapi::api::core::v1::{ConfigMap, ServiceAccount};
use kube::api::{Api, DeleteParams, DynamicObject, ListParams, PostParams};
use serde_json::{Value, json};

use super::charts;
use super::hub::{Hub, Texts};
use crate::kit::http::Server;
use crate::kit::wait::eventually;
use crate::kit::{Lab, git};

/// A manifest where the set `addons` does not look.
const LEFT_OUT: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: left-out\n";

/// Puts the sets and values into the lab's repositories, which Git knows.
pub(super) fn add_to(lab: &Lab) -> Server {
    let charts = charts::serve(lab, "external-dns", &["1.0.0", "1.1.0", "1.2.0"]);
    let set = include_str!("files/external-dns.yaml").replace("CHART_REPOSITORY", &charts.url);
    let files = [
        // In place of ours: whoever keeps this set keeps it where its template is looked for.
        ("templates/bootstrap/workloads.yaml", include_str!("files/workloads.yaml")),
        ("addons/bootstrap/others/external-dns.yaml", set.as_str()),
        ("addons/bootstrap/exclude/left-out.yaml", LEFT_OUT),
        ("addons/environments/default/addons/external-dns/values.yaml", "logLevel: info\ninterval: 1m\n"),
        ("addons/environments/staging/addons/external-dns/values.yaml", "logLevel: debug\n"),
        ("addons/clusters/east/addons/external-dns/values.yaml", "interval: 5m\n"),
        (".gitignore", "*.local.yaml\n"),
    ];
    for (name, text) in files {
        write(lab, name, text);
    }
    git::commit(lab);
    charts
}

fn write(lab: &Lab, name: &str, text: &str) {
    let path = lab.path("root").join(name);
    files::make_folder(path.parent().unwrap()).unwrap();
    files::replace(&path, text.as_bytes(), 0o600).unwrap();
}

/// Application, set, cluster, target namespace, version of what is deployed.
const APPLICATIONS: [(&str, &str, &str, &str, &str); 6] = [
    ("addon-east-external-dns", "addons-external-dns", "east", "external-dns", "1.2.0"),
    ("addon-hub-external-dns", "addons-external-dns", "hub", "external-dns", "1.0.0"),
    ("addon-west-external-dns", "addons-external-dns", "west", "external-dns", "1.1.0"),
    ("addons", "addons", "hub", "argocd", "main"),
    ("workload-prod", "workloads", "east", "workload", "main"),
    ("workload-staging", "workloads", "west", "workload", "main"),
];

/// What the chart was told on each cluster: its version, then values of the environment, the cluster's own, and of
/// the Secret.
const TOLD: [(&str, [(&str, &str); 5]); 3] = [
    (
        "hub",
        [
            ("chart", "1.0.0"),
            ("cluster", "hub"),
            ("interval", "1m"),
            ("kubernetes", "1.34"),
            ("logLevel", "info"),
        ],
    ),
    (
        "west",
        [
            ("chart", "1.1.0"),
            ("cluster", "west"),
            ("interval", "1m"),
            ("kubernetes", "1.34"),
            ("logLevel", "debug"),
        ],
    ),
    (
        "east",
        [
            ("chart", "1.2.0"),
            ("cluster", "east"),
            ("interval", "5m"),
            ("kubernetes", "1.34"),
            ("logLevel", "info"),
        ],
    ),
];

pub(super) async fn sets_of_others_reach_every_cluster(lab: &Lab) {
    let hub = Hub::of(lab, "fleet").await;
    let applications = hub.applications().await;
    let found: Vec<_> = applications.iter().map(|(name, application)| summary(name, application)).collect();
    let expected = APPLICATIONS.map(|(name, set, cluster, namespace, version)| {
        json!([name, set, cluster, namespace, version, "Synced", "Healthy"])
    });
    assert_eq!(found, expected);
    for (cluster, told) in TOLD {
        let client = lab.client("fleet", cluster).await;
        let maps: Api<ConfigMap> = Api::namespaced(client.clone(), "external-dns");
        let told: Texts = told.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
        assert_eq!(maps.get("external-dns").await.unwrap().data, Some(told), "{cluster}");
        let accounts: Api<ServiceAccount> = Api::namespaced(client, "external-dns");
        accounts.get("external-dns-sa").await.unwrap();
    }
    // Workloads go to spokes only, and what is excluded goes nowhere.
    for (cluster, name, count) in
        [("hub", "demo", 0), ("west", "demo", 1), ("east", "demo", 1), ("hub", "left-out", 0)]
    {
        let maps: Api<ConfigMap> = Api::all(lab.client("fleet", cluster).await);
        let found = maps.list(&ListParams::default().fields(&format!("metadata.name={name}"))).await.unwrap();
        assert_eq!(found.items.len(), count, "`{name}` on {cluster}");
    }
}

fn summary(name: &str, application: &Value) -> Value {
    let (spec, status) = (&application["spec"], &application["status"]);
    let source = spec["sources"].as_array().map_or(&spec["source"], |sources| sources.last().unwrap());
    let destination = &spec["destination"];
    json!([
        name,
        application["metadata"]["ownerReferences"][0]["name"],
        destination["name"],
        destination["namespace"],
        source["targetRevision"],
        status["sync"]["status"],
        status["health"]["status"],
    ])
}

/// Its selector takes every cluster and its Application has one name: fine for a hub alone, and never again.
pub(super) async fn one_name_for_all_clusters_collides_and_ours_does_not(lab: &Lab) {
    let hub = Hub::of(lab, "fleet").await;
    let set: DynamicObject = serde_saphyr::from_str(include_str!("files/cluster-addons.yaml")).unwrap();
    let before = hub.applications().await.into_keys().collect::<Vec<_>>();
    hub.api("ApplicationSet").create(&PostParams::default(), &set).await.unwrap();
    eventually("the collision", async || hub.set_error("cluster-addons").await.is_some()).await;
    let error = hub.set_error("cluster-addons").await.unwrap();
    assert!(error.contains("applications with duplicate name: cluster-addons"), "{error}");
    let after = hub.applications().await.into_keys().collect::<Vec<_>>();
    assert_eq!(after, before, "it has no Application for any cluster");
    assert_eq!(hub.set_error("addons").await, None);
    let status = lab.ok(&["status", "fleet"]).stdout;
    assert!(status.contains(&format!("ApplicationSet argocd/cluster-addons: {error}")), "{status}");
    hub.api("ApplicationSet").delete("cluster-addons", &DeleteParams::default()).await.unwrap();
}

/// One file is edited, one is new and one is ignored; none is committed.
pub(super) async fn an_edited_file_is_on_the_spokes_after_the_next_up(lab: &Lab) {
    let demo = files::read(&lab.path("root/workloads/demo/demo.yaml")).unwrap();
    assert!(demo.contains("Hello from Git"));
    write(lab, "workloads/demo/demo.yaml", &demo.replace("Hello from Git", "Hello from a work tree"));
    let map = |name| format!("apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {name}\n");
    write(lab, "workloads/demo/new.yaml", &map("new"));
    write(lab, "workloads/demo/mine.local.yaml", &map("mine"));
    let elapsed = lab.ok(&["up", "fleet"]).elapsed;
    println!("from an edited file to the spokes: {:.1} s", elapsed.as_secs_f64());
    assert!(elapsed < Duration::from_secs(30), "that took {} s", elapsed.as_secs());
    for spoke in ["west", "east"] {
        let maps: Api<ConfigMap> = Api::namespaced(lab.client("fleet", spoke).await, "workload");
        let maps = maps.list(&ListParams::default()).await.unwrap();
        let maps: BTreeMap<_, _> =
            maps.into_iter().map(|map| (map.metadata.name.unwrap(), map.data.unwrap_or_default())).collect();
        assert_eq!(maps["demo"]["greeting"], "Hello from a work tree", "{spoke}");
        assert!(maps.contains_key("new") && !maps.contains_key("mine"), "{spoke}: {:?}", maps.keys());
    }
}
