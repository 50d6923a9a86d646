//! The built-in site from nothing to everything synced, looked at from all sides, and taken away again.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Read as _;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use bridgehead::files;
use k8s_openapi::api::core::v1::{Node, Pod, Secret};
use k8s_openapi::api::scheduling::v1::PriorityClass;
use kube::api::{ListParams, LogParams};
use kube::{Api, Client};
use serde_json::Value;

use crate::kit::command::run;
use crate::kit::lab::REPOSITORY;
use crate::kit::wait::until;
use crate::kit::{Lab, Outcome, process, site, world};

const CLUSTERS: [&str; 3] = ["hub", "dev", "staging"];
const APPLICATIONS: [&str; 10] = [
    "addons",
    "default-deny-network-dev",
    "default-deny-network-hub",
    "default-deny-network-staging",
    "namespace-quota-dev",
    "priority-classes-dev",
    "priority-classes-hub",
    "priority-classes-staging",
    "workload-dev",
    "workload-staging",
];

#[tokio::test(flavor = "multi_thread")]
async fn a_site_from_nothing_and_back() {
    let lab = Lab::new();
    let profile = files::read(&Path::new(REPOSITORY).join("sites/local/profile.toml")).unwrap();
    lab.write_profile("local", &profile);

    let up = lab.ok(&["up", "local", "--output", "json"]);
    every_line_is_an_event(&up);
    nothing_changes_any_more(&lab);
    the_summary_tells_what_runs(&lab);
    the_kubeconfig_leads_to_every_cluster(&lab).await;
    argocd_lets_the_right_password_in(&lab);
    logs_are_read_through_the_api(&lab).await;
    long_logs_begin_anew(&lab);
    every_cluster_has_its_processes(&lab);
    what_is_kept_is_for_nobody_else_to_read(&lab);
    no_secret_shows(&lab, &up).await;
    down_leaves_nothing(&lab);
}

fn every_line_is_an_event(up: &Outcome) {
    assert_eq!(up.result(), "converged");
    let names = ["observing", "unchanged", "applying", "progress", "applied", "finished"];
    for event in up.events() {
        assert!(names.contains(&event["event"].as_str().unwrap()), "{event}");
        assert!(event["event"] == "finished" || event["step"].is_string(), "{event}");
        assert!(event["site"] == "local" && event["time"].is_string(), "{event}");
    }
    let applied = up.events_of("applied");
    for (step, cluster) in [("hub/argocd/install", "hub"), ("staging/registration/secret", "staging")] {
        let event = applied.iter().find(|event| event["step"] == step);
        let event = event.unwrap_or_else(|| panic!("{step} was not applied"));
        assert_eq!(event["cluster"], cluster);
        assert!(event["writes"].as_u64() > Some(0) && event["changes"][0]["subject"].is_string(), "{event}");
    }
    // The spokes do not wait for each other, and the hub's Argo CD does not wait for them.
    let position = |kind, step| {
        up.events().iter().position(|event| event["event"] == kind && event["step"] == step).unwrap()
    };
    assert!(
        position("applying", "staging/provision/supervisor")
            < position("applied", "dev/provision/supervisor")
    );
    assert!(position("observing", "hub/argocd/definitions") < position("applied", "dev/registration/secret"));
}

fn nothing_changes_any_more(lab: &Lab) {
    let again = lab.ok(&["up", "local", "--output", "json"]);
    assert_eq!(again.result(), "converged");
    assert_eq!(again.events_of("applying"), Vec::<Value>::new(), "a second `up` changes something");
    assert_eq!(again.events().last().unwrap()["changes"], 0);
    let plan = lab.ok(&["plan", "local", "--exit-code"]);
    assert_eq!(plan.stdout, "No changes: the world is as the profile says.\n");
    assert!(plan.stderr.contains("hub/gitops/applications        unchanged"), "{}", plan.stderr);
}

/// What `up` says at its end is what `status` says later.
fn the_summary_tells_what_runs(lab: &Lab) {
    let summary = lab.ok(&["up", "local"]).stdout;
    let status = lab.ok(&["status", "local", "--exit-code", "--output", "json"]).document();
    let address = status["argocd"]["address"].as_str().unwrap();
    for part in [
        "local is up",
        "bridgehead kubeconfig show local",
        &format!("https://{address} "),
        &format!("argocd login {address} --username admin"),
        "bridgehead argocd password local",
        "web pages come with a release binary only",
        "bridgehead down local",
    ] {
        assert!(summary.contains(part), "`{part}` is missing:\n{summary}");
    }
    let mut applications = BTreeSet::new();
    for (cluster, name) in status["clusters"].as_array().unwrap().iter().zip(CLUSTERS) {
        assert_eq!(cluster["name"], name);
        assert!(cluster["version"].as_str().unwrap().starts_with("v1."), "{cluster}");
        assert!(summary.contains(cluster["server"].as_str().unwrap()), "{cluster}\n{summary}");
        for application in cluster["deployed"]["applications"].as_array().unwrap() {
            assert_eq!((&application["sync"], &application["health"]), (&"Synced".into(), &"Healthy".into()));
            let name = application["name"].as_str().unwrap().to_owned();
            assert!(summary.contains(&format!("    {name} ")), "{name}\n{summary}");
            applications.insert(name);
        }
    }
    assert_eq!(applications, APPLICATIONS.map(ToOwned::to_owned).into());
    assert_eq!(status["drift"], serde_json::json!({}));
}

async fn the_kubeconfig_leads_to_every_cluster(lab: &Lab) {
    let document = lab.ok(&["kubeconfig", "show", "local", "--output", "json"]).document();
    assert_eq!(document["current-context"], "local/hub");
    assert!(document["clusters"].as_array().unwrap().iter().all(|cluster| {
        let cluster = &cluster["cluster"];
        cluster["insecure-skip-tls-verify"].is_null() && cluster["certificate-authority-data"].is_string()
    }));
    for cluster in CLUSTERS {
        let client = lab.client("local", cluster).await;
        let nodes = Api::<Node>::all(client.clone()).list(&ListParams::default()).await.unwrap();
        let names: Vec<_> = nodes.iter().filter_map(|node| node.metadata.name.as_deref()).collect();
        assert_eq!(names, [format!("{cluster}-node-1")]);
        // What Git says is there.
        let classes = Api::<PriorityClass>::all(client).list(&ListParams::default()).await.unwrap();
        assert!(classes.items.len() > 2, "the addon priority_classes has made nothing in {cluster}");
    }
}

fn argocd_lets_the_right_password_in(lab: &Lab) {
    let status = lab.ok(&["status", "local", "--output", "json"]).document();
    let address = status["argocd"]["address"].as_str().unwrap().to_owned();
    let password = lab.ok(&["argocd", "password", "local"]).stdout;
    assert_eq!(password.lines().count(), 1, "only the password");
    let program = lab.component("argocd");
    let argocd = |arguments: &[&str]| {
        let mut command = lab.command(&program);
        command.args(arguments).arg("--config").arg(lab.path("home/argocd"));
        run(command)
    };
    let login = |password: &str| {
        argocd(&["login", &address, "--insecure", "--username", "admin", "--password", password])
    };
    let refused = login("not-this-one");
    assert!(
        !refused.status.success() && refused.stderr.contains("Invalid username or password"),
        "{refused:?}"
    );
    let admitted = login(password.trim());
    assert!(admitted.stdout.contains("'admin:login' logged in successfully"), "{admitted:?}");
    let listed = argocd(&["app", "list", "--output", "name"]).stdout;
    let listed: BTreeSet<_> =
        listed.lines().map(|name| name.trim_start_matches("argocd/").to_owned()).collect();
    assert_eq!(listed, APPLICATIONS.map(ToOwned::to_owned).into());
}

async fn logs_are_read_through_the_api(lab: &Lab) {
    let pods = Api::<Pod>::namespaced(lab.client("local", "hub").await, "argocd");
    let selected = ListParams::default().labels("app.kubernetes.io/name=argocd-repo-server");
    let pod = pods.list(&selected).await.unwrap().items.remove(0).metadata.name.unwrap();
    let all = pods.logs(&pod, &LogParams::default()).await.unwrap();
    assert!(all.contains("is listening on"), "{all}");
    let tail = LogParams { tail_lines: Some(2), ..LogParams::default() };
    assert_eq!(pods.logs(&pod, &tail).await.unwrap().lines().count(), 2);
}

/// etcd goes on writing into the same file.
fn long_logs_begin_anew(lab: &Lab) {
    const LENGTH: u64 = 11 << 20;
    let logs = lab.state("local").join("hub/logs");
    let mut log = fs::File::options().append(true).open(logs.join("etcd.log")).unwrap();
    std::io::copy(&mut std::io::repeat(b'x').take(LENGTH), &mut log).unwrap();
    until("the log of etcd is short", || log.metadata().unwrap().len() < LENGTH);
    assert!(fs::metadata(logs.join("etcd.previous.log")).unwrap().len() >= LENGTH);
}

fn every_cluster_has_its_processes(lab: &Lab) {
    let plane = ["bridgehead", "etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler"];
    let argocd = [
        "argocd-application-controller",
        "argocd-applicationset-controller",
        "argocd-notifications",
        "argocd-repo-server",
        "argocd-server",
        "redis-server",
    ];
    for cluster in CLUSTERS {
        let mut names = BTreeMap::new();
        for process in process::below(&lab.state("local").join(cluster)) {
            *names.entry(process.name()).or_insert(0) += 1;
        }
        for name in plane.iter().chain(argocd.iter().filter(|_| cluster == "hub")) {
            assert_eq!(names.get(*name), Some(&1), "{name} of {cluster}: {names:?}");
        }
        assert!(cluster == "hub" || names.len() == plane.len(), "{cluster}: {names:?}");
    }
}

fn what_is_kept_is_for_nobody_else_to_read(lab: &Lab) {
    let state = lab.path("state/bridgehead");
    assert_eq!(state.metadata().unwrap().mode() & 0o777, 0o700);
    for name in world::files(&state) {
        // The Kubernetes client library in Argo CD sets the modes of its cache itself.
        if name.contains("/kubecache") || !state.join(&name).exists() {
            continue;
        }
        let metadata = state.join(&name).symlink_metadata().unwrap();
        assert!(metadata.is_symlink() || metadata.mode() & 0o077 == 0, "{name}: {:o}", metadata.mode());
    }
}

/// The values of a Secret's keys.
async fn values(client: &Client, namespace: &str, name: &str) -> BTreeMap<String, String> {
    let secret = Api::<Secret>::namespaced(client.clone(), namespace).get(name).await.unwrap();
    let data = secret.data.unwrap_or_default();
    data.into_iter().map(|(key, value)| (key, String::from_utf8(value.0).unwrap())).collect()
}

async fn no_secret_shows(lab: &Lab, up: &Outcome) {
    let hub = lab.client("local", "hub").await;
    let mut secrets = BTreeMap::new();
    let config = &values(&hub, "argocd", "dev").await["config"];
    let config: Value = serde_json::from_str(config).unwrap();
    secrets.insert("bearer token", config["bearerToken"].as_str().unwrap().to_owned());
    secrets.insert("Redis password", values(&hub, "argocd", "argocd-redis").await["auth"].clone());
    secrets.insert("session key", values(&hub, "argocd", "argocd-secret").await["server.secretkey"].clone());
    secrets.insert("admin password", lab.ok(&["argocd", "password", "local"]).stdout.trim().to_owned());
    let kubeconfig = lab.ok(&["kubeconfig", "show", "local", "--output", "json"]).document();
    let key = &kubeconfig["users"][0]["user"]["client-key-data"];
    secrets.insert("administrator's key", key.as_str().unwrap().to_owned());

    let mut texts = vec![("events".to_owned(), up.stdout.clone())];
    let talkative = lab.ok(&["-vv", "up", "local"]);
    texts.push(("stderr of a talkative run".to_owned(), talkative.stderr));
    let words = process::all().into_iter().flat_map(|process| process.arguments);
    texts.push(("command lines".to_owned(), words.collect::<Vec<_>>().join("\n")));
    let state = lab.path("state/bridgehead");
    for name in world::files(&state) {
        if Path::new(&name).extension().is_some_and(|extension| extension == "log") {
            texts.push((name.clone(), files::read(&state.join(&name)).unwrap()));
        }
    }
    assert!(texts.len() > 20, "where are the logs?");
    for (what, secret) in &secrets {
        assert!(secret.len() > 10, "the {what} is not known");
        for (place, text) in &texts {
            assert!(!text.contains(secret), "the {what} shows in {place}");
        }
    }
}

fn down_leaves_nothing(lab: &Lab) {
    let ports: Vec<u16> =
        CLUSTERS.into_iter().flat_map(|cluster| site::ports(lab, "local", cluster)).collect();
    assert!(ports.iter().any(|port| !process::is_free(*port)));
    let down = lab.ok(&["down", "local", "--output", "json"]);
    assert_eq!(down.result(), "converged");
    assert_eq!(lab.processes(), []);
    let used: Vec<_> = ports.into_iter().filter(|port| !process::is_free(*port)).collect();
    assert_eq!(used, Vec::<u16>::new());
    let left: Vec<_> =
        world::files(&lab.path("state")).into_iter().filter(|name| !name.contains("/log/")).collect();
    assert_eq!(left, ["bridgehead", "bridgehead/log"]);
    assert_eq!(lab.bridgehead(&["plan", "local", "--exit-code"]).code(), 3);
}
