//! Argo CD's own commands: its password, what it is told, the way to it, how it is.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::time::Duration;

use bridgehead::files;
use k8s_openapi::api::core::v1::{Pod, Secret};
use kube::api::ListParams;
use kube::{Api, Client};
use rustix::process::{Pid, Signal};

use crate::kit::command::run;
use crate::kit::wait::eventually;
use crate::kit::{Lab, Outcome, process};

const SITE: &str = "argocd";
const PROFILE: &str = "[hub.local]\n";

#[tokio::test(flavor = "multi_thread")]
async fn the_commands_of_argo_cd() {
    let lab = Lab::new();
    lab.write_profile(SITE, PROFILE);
    nothing_is_done_without_a_hub(&lab);
    lab.ok(&["up", SITE]);
    let hub = lab.client(SITE, "hub").await;

    its_status_is_told(&lab);
    the_password_is_set(&lab, &hub).await;
    what_the_profile_says_replaces_only_who_reads_it(&lab, &hub).await;
    a_port_leads_to_it(&lab, &hub).await;
    what_the_profile_says_no_more_is_taken_back(&lab, &hub).await;
    lab.ok(&["down", SITE]);
}

fn nothing_is_done_without_a_hub(lab: &Lab) {
    let file = secret_file(lab, "some password");
    for arguments in [
        vec!["argocd", "status", SITE],
        vec!["argocd", "port-forward", SITE],
        vec!["argocd", "password", "update", SITE, "--password-file", &file],
    ] {
        let outcome = lab.bridgehead(&arguments);
        assert_eq!(outcome.code(), 4, "{arguments:?}");
        assert!(
            outcome.stderr.contains("bring the site up first: bridgehead up argocd"),
            "{}",
            outcome.stderr
        );
    }
}

fn its_status_is_told(lab: &Lab) {
    let status = lab.ok(&["argocd", "status", SITE, "--output", "json"]).document();
    assert_eq!((&status["version"], &status["namespace"]), (&"v3.2.11".into(), &"argocd".into()));
    let workloads = status["workloads"].as_array().unwrap();
    assert_eq!(workloads.len(), 7, "{status}");
    for workload in workloads {
        assert!(
            workload["ready"] == 1 && workload["desired"] == 1 && workload["reason"].is_null(),
            "{workload}"
        );
    }
    assert_eq!(status["clusters"][0]["cluster"], "hub");
    let url = status["url"].as_str().unwrap();
    let text = lab.ok(&["argocd", "status", SITE]).stdout;
    assert!(text.starts_with(&format!("Argo CD v3.2.11: {url}\n")), "{text}");
    assert!(text.contains("  argocd-repo-server                1/1\n"), "{text}");
}

/// Writes a file that only its owner may read.
fn secret_file(lab: &Lab, content: &str) -> String {
    let path = lab.path("home/password");
    files::replace(&path, content.as_bytes(), 0o600).unwrap();
    path.display().to_string()
}

fn login(lab: &Lab, password: &str) -> Outcome {
    let status = lab.ok(&["status", SITE, "--output", "json"]).document();
    let address = status["argocd"]["address"].as_str().unwrap();
    let mut command = lab.command(lab.component("argocd"));
    command.args(["login", address, "--insecure", "--username", "admin", "--password", password]);
    command.arg("--config").arg(lab.path("home/argocd"));
    run(command)
}

async fn the_password_is_set(lab: &Lab, hub: &Client) {
    let old = lab.ok(&["argocd", "password", SITE]).stdout.trim().to_owned();
    assert!(login(lab, &old).status.success());
    let update = |content: &str| {
        let file = secret_file(lab, content);
        lab.bridgehead(&["argocd", "password", "update", SITE, "--password-file", &file, "--output", "json"])
    };
    let refused = update("short");
    assert_eq!(refused.code(), 4);
    assert_eq!(refused.events_of("failed")[0]["hint"], "take one of 8 to 32 characters");
    let open = lab.path("home/open");
    files::replace(&open, b"a new password", 0o644).unwrap();
    let refused = ["argocd", "password", "update", SITE, "--password-file", &open.display().to_string()];
    assert!(lab.bridgehead(&refused).stderr.contains("others than its owner may use it"));
    assert_eq!(lab.bridgehead(&["argocd", "password", "update", SITE]).code(), 2, "there is nobody to ask");
    assert!(login(lab, &old).status.success(), "nothing was changed");

    let changed = update("a new password\n");
    assert_eq!((changed.code(), changed.result().as_str()), (0, "converged"));
    assert!(!changed.stdout.contains("a new password") && !changed.stderr.contains("a new password"));
    eventually("the new password is let in", async || login(lab, "a new password").status.success()).await;
    assert!(login(lab, &old).stderr.contains("Invalid username or password"));
    let secrets = Api::<Secret>::namespaced(hub.clone(), "argocd");
    assert!(secrets.get_opt("argocd-initial-admin-secret").await.unwrap().is_none());
    assert_eq!(update("a new password\n").events_of("applying"), Vec::<serde_json::Value>::new());
    let gone = lab.bridgehead(&["argocd", "password", SITE]);
    assert!(gone.stderr.contains("bridgehead argocd password update argocd"), "{}", gone.stderr);
}

/// The pods of Argo CD: workload to pod.
async fn pods(hub: &Client) -> BTreeMap<String, Pod> {
    let pods = Api::<Pod>::namespaced(hub.clone(), "argocd").list(&ListParams::default()).await.unwrap();
    let pods = pods.into_iter().filter(|pod| pod.metadata.deletion_timestamp.is_none());
    pods.map(|pod| (pod.metadata.labels.as_ref().unwrap()["app.kubernetes.io/name"].clone(), pod)).collect()
}

async fn uids(hub: &Client) -> BTreeMap<String, String> {
    pods(hub).await.into_iter().map(|(name, pod)| (name, pod.metadata.uid.unwrap())).collect()
}

/// The workloads whose pods are others after the next `up`.
async fn replaced(lab: &Lab, hub: &Client, profile: &str) -> Vec<String> {
    let before = uids(hub).await;
    lab.write_profile(SITE, profile);
    lab.ok(&["up", SITE]);
    assert_eq!(lab.bridgehead(&["plan", SITE, "--exit-code"]).code(), 0);
    let after = uids(hub).await;
    before.into_iter().filter(|(name, uid)| after[name] != *uid).map(|(name, _)| name).collect()
}

async fn what_the_profile_says_replaces_only_who_reads_it(lab: &Lab, hub: &Client) {
    let profile = format!(
        "{PROFILE}[argocd]\nserver_insecure = true\nserver = \"gitops.example\"\nlogin_args = \"--grpc-web\"\n"
    );
    assert_eq!(replaced(lab, hub, &profile).await, ["argocd-server"]);
    let summary = lab.ok(&["up", SITE]).stdout;
    assert!(summary.contains("argocd login gitops.example --username admin --grpc-web\n"), "{summary}");
}

async fn what_the_profile_says_no_more_is_taken_back(lab: &Lab, hub: &Client) {
    assert_eq!(replaced(lab, hub, PROFILE).await, ["argocd-server"]);
    assert!(login(lab, "a new password").status.success(), "TLS is back");
}

/// A connection that stays open.
struct Connection(TcpStream);

impl Connection {
    fn open(port: u16) -> Option<Self> {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).ok()?;
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        Some(Self(stream))
    }

    /// The answer to a request; empty if the connection is of no use any more.
    fn get(&mut self, path: &str) -> String {
        let request = format!("GET {path} HTTP/1.1\r\nHost: argocd\r\n\r\n");
        let mut answer = Vec::new();
        let mut bytes = [0; 4096];
        if self.0.write_all(request.as_bytes()).is_ok() {
            while let Ok(length @ 1..) = self.0.read(&mut bytes) {
                answer.extend(&bytes[..length]);
                if String::from_utf8_lossy(&answer).contains("\"Version\"") {
                    break;
                }
            }
        }
        String::from_utf8_lossy(&answer).into_owned()
    }
}

fn version(port: u16) -> bool {
    Connection::open(port).is_some_and(|mut connection| is_version(&connection.get("/api/version")))
}

fn is_version(answer: &str) -> bool {
    answer.starts_with("HTTP/1.1 200") && answer.contains("v3.2.11")
}

async fn a_port_leads_to_it(lab: &Lab, hub: &Client) {
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = taken.local_addr().unwrap().port();
    let arguments = ["argocd", "port-forward", SITE, "--port", &port.to_string()];
    let refused = lab.bridgehead(&arguments);
    assert_eq!(refused.code(), 4);
    assert!(refused.stderr.contains("take another one with --port"), "{}", refused.stderr);
    drop(taken);

    let forward = lab.start(&arguments);
    eventually("the port leads to Argo CD", async || version(port)).await;
    let mut one = Connection::open(port).unwrap();
    let mut other = Connection::open(port).unwrap();
    for _ in 0..2 {
        assert!(is_version(&other.get("/api/version")) && is_version(&one.get("/api/version")));
    }
    drop(one);
    assert!(is_version(&other.get("/api/version")), "the end of one is not that of the other");

    // Its program is killed, and started again: connections go with it, the port does not.
    let status = pods(hub).await.remove("argocd-server").unwrap().status.unwrap();
    let id = status.container_statuses.unwrap()[0].container_id.clone().unwrap();
    process::signal(
        Pid::from_raw(id.strip_prefix("proc://").unwrap().parse().unwrap()).unwrap(),
        Signal::KILL,
    );
    eventually("the old connection ends", async || other.get("/api/version").is_empty()).await;
    eventually("a new one leads to Argo CD again", async || version(port)).await;

    let kept = Connection::open(port);
    forward.signal(Signal::INT);
    let ended = forward.finish();
    drop(kept);
    assert_eq!(ended.code(), 0, "{}", ended.stderr);
    let told = format!("Argo CD is at http://127.0.0.1:{port} until Ctrl-C\n");
    assert!(ended.stderr.starts_with(&told), "{}", ended.stderr);
    assert_eq!(ended.stdout, "");
    assert!(Connection::open(port).is_none(), "nobody listens any more");
}
