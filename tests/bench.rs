//! `make bench`: measures on real servers, side by side with kubectl, and writes `docs/bench.md`.
//!
//! Figures are medians. Ratios compare commands that took turns within one run, so that a machine's changing
//! speed falls on both.

#![expect(clippy::unwrap_used, reason = "a measurement that cannot be made ends the benchmarks")]

#[expect(dead_code, reason = "the tests use what the benchmarks do not")]
mod kit;

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::api::scheduling::v1::PriorityClass;
use kube::api::{Api, ApiResource, DynamicObject, Patch, PatchParams};
use serde_json::{Value, json};

use bridgehead::files;
use kit::command::run;
use kit::lab::REPOSITORY;
use kit::{Lab, Outcome, profile};

/// How often each thing is measured.
const ROUNDS: usize = 5;
/// How often a start is measured, which is short.
const STARTS: usize = 20;

const HUB: &str = "[hub.local]\n";
#[tokio::main]
async fn main() {
    // `cargo test --benches` only wants to know that it starts.
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    let mut page = String::from(
        "# Measurements\n\nWritten by `make bench`. Medians; ratios are of commands that took turns in one run.\n\n",
    );
    page.push_str(&machine());
    page.push_str("\n| what | bridgehead | other | ratio |\n|---|---|---|---|\n");
    page.push_str(&start());
    page.push_str(&manifest().await);
    page.push_str(&fleet().await);
    let path = Path::new(REPOSITORY).join("docs/bench.md");
    files::make_folder(path.parent().unwrap()).unwrap();
    files::replace(&path, page.as_bytes(), 0o644).unwrap();
}

fn machine() -> String {
    let cpu = read("/proc/cpuinfo");
    let model = cpu.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or_default();
    let memory = read("/proc/meminfo");
    let kib: u64 = memory.split_whitespace().nth(1).unwrap().parse().unwrap();
    let kernel = read("/proc/sys/kernel/osrelease");
    let cores = std::thread::available_parallelism().unwrap();
    let gib = kib / 1024 / 1024;
    format!(
        "Machine: {cores} cores ({}), {gib} GiB, Linux {}.\n",
        model.trim_matches([' ', '\t', ':']),
        kernel.trim()
    )
}

fn read(path: &str) -> String {
    files::read(Path::new(path)).unwrap()
}

fn median(mut seconds: Vec<f64>) -> f64 {
    seconds.sort_by(f64::total_cmp);
    seconds[seconds.len() / 2]
}

fn row(what: &str, ours: f64, other: Option<(&str, f64)>) -> String {
    let (name, ratio) = other.map_or((String::from("-"), String::from("-")), |(name, theirs)| {
        (format!("{theirs:.3} s ({name})"), format!("{:.2}", ours / theirs))
    });
    format!("| {what} | {ours:.3} s | {name} | {ratio} |\n")
}

fn timed(mut command: Command) -> f64 {
    let started = Instant::now();
    assert!(command.output().unwrap().status.success());
    started.elapsed().as_secs_f64()
}

fn start() -> String {
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..STARTS {
        let help = |program: &str| {
            let mut command = Command::new(program);
            command.arg("--help");
            timed(command)
        };
        ours.push(help(env!("CARGO_BIN_EXE_bridgehead")));
        theirs.push(help("kubectl"));
    }
    row("`--help`", median(ours), Some(("kubectl", median(theirs))))
}

/// The seconds that a step took, of a run's events.
fn seconds(outcome: &Outcome, step: &str) -> f64 {
    let applied = outcome.events_of("applied");
    applied.iter().find(|event| event["step"] == step).unwrap()["seconds"].as_f64().unwrap()
}

/// Argo CD's manifest onto a fresh API server: the step against `kubectl apply`, each on a hub of its own.
async fn manifest() -> String {
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let lab = Lab::new();
        lab.write_profile("bench", HUB);
        let outcome = lab.ok(&["up", "bench", "--output", "json"]);
        ours.push(seconds(&outcome, "hub/argocd/definitions") + seconds(&outcome, "hub/argocd/install"));
        lab.ok(&["down", "bench"]);
        // The run is killed where the manifest would be applied: what remains is a hub that waits for it.
        let fault = [("BRIDGEHEAD_FAULT", "before:1:hub/argocd/definitions")];
        lab.bridgehead_with(&["up", "bench"], &fault);
        theirs.push(kubectl_apply(&lab).await);
        lab.ok(&["down", "bench"]);
    }
    row(
        "Argo CD's manifest onto a fresh API server",
        median(ours),
        Some(("kubectl apply --server-side", median(theirs))),
    )
}

async fn kubectl_apply(lab: &Lab) -> f64 {
    let kubeconfig = lab.path("kubeconfig");
    let text = lab.ok(&["kubeconfig", "show", "bench"]).stdout;
    files::replace(&kubeconfig, text.as_bytes(), 0o600).unwrap();
    let components: Value =
        serde_json::from_str(&lab.ok(&["components", "--output", "json"]).stdout).unwrap();
    let manifest =
        components.as_array().unwrap().iter().find(|row| row["name"] == "argocd-install.yaml").unwrap();
    // The node agent has had its moments: both start from a hub that is at rest.
    pause(Duration::from_secs(3)).await;
    let mut command = lab.command("kubectl");
    command.arg("--kubeconfig").arg(kubeconfig);
    command.args(["-n", "argocd", "apply", "--server-side", "-f", manifest["path"].as_str().unwrap()]);
    let outcome = run(command);
    assert!(outcome.status.success(), "{}", outcome.stderr);
    outcome.elapsed.as_secs_f64()
}

/// Hub and two spokes from nothing to synced, back to nothing, and a label's way to an object on a spoke.
async fn fleet() -> String {
    let (mut up, mut again, mut down, mut label, mut ratio) =
        (Vec::new(), Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let lab = Lab::new();
        lab.write_profile("bench", &profile::fleet(&["dev", "staging"]));
        let outcome = lab.ok(&["up", "bench", "--output", "json"]);
        up.push(outcome.elapsed.as_secs_f64());
        ratio.push(outcome.elapsed.as_secs_f64() / critical_path(&outcome));
        again.push(lab.ok(&["up", "bench"]).elapsed.as_secs_f64());
        label.push(label_to_object(&lab).await);
        down.push(lab.ok(&["down", "bench"]).elapsed.as_secs_f64());
    }
    let mut rows = row("hub and two spokes, from nothing to synced and healthy", median(up), None);
    rows.push_str(&row("a second `up`", median(again), None));
    rows.push_str(&row("a label switched on, until its object is on the spoke", median(label), None));
    rows.push_str(&row("`down`", median(down), None));
    let _ = writeln!(rows, "\nMakespan over critical path of `up`: {:.2}.", median(ratio));
    rows
}

/// The seconds of the chain of steps that ends last: before each the one that ended last before it began.
fn critical_path(outcome: &Outcome) -> f64 {
    let time = |event: &Value| event["time"].as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
    let mut steps: Vec<(f64, f64)> = Vec::new();
    let began = time(&outcome.events()[0]);
    for event in outcome.events_of("applied") {
        let end = time(&event).duration_since(began).as_secs_f64();
        steps.push((end - event["seconds"].as_f64().unwrap(), end));
    }
    let mut path = 0.0;
    let mut before = f64::INFINITY;
    while let Some((start, end)) =
        steps.iter().filter(|(_, end)| *end <= before).max_by(|one, other| one.1.total_cmp(&other.1))
    {
        path += end - start;
        before = *start;
    }
    path
}

async fn label_to_object(lab: &Lab) -> f64 {
    let hub: Api<Secret> = Api::namespaced(lab.client("bench", "hub").await, "argocd");
    let kind = kube::core::GroupVersionKind::gvk("argoproj.io", "v1alpha1", "Application");
    let applications: Api<DynamicObject> =
        Api::namespaced_with(hub.clone().into_client(), "argocd", &ApiResource::from_gvk(&kind));
    let spoke: Api<PriorityClass> = Api::all(lab.client("bench", "dev").await);
    let switch = async |value: &str| {
        let patch = json!({ "metadata": { "labels": { "enable_priority_classes": value } } });
        hub.patch("dev", &PatchParams::default(), &Patch::Merge(patch)).await.unwrap();
    };
    let ours = async || spoke.list(&kube::api::ListParams::default()).await.unwrap().items.len();
    let with = ours().await;
    switch("false").await;
    // Its objects go before the Application does, and one that is still going would not be made again.
    while applications.get_opt("priority-classes-dev").await.unwrap().is_some() {
        pause(Duration::from_millis(20)).await;
    }
    assert!(ours().await < with);
    let started = Instant::now();
    switch("true").await;
    while ours().await < with {
        pause(Duration::from_millis(20)).await;
    }
    started.elapsed().as_secs_f64()
}

#[expect(clippy::disallowed_methods, reason = "a measurement looks at the world from outside")]
async fn pause(duration: Duration) {
    tokio::time::sleep(duration).await;
}
