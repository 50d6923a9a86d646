//! A fleet on one machine: from nothing to synced, back to nothing, and a label's way to a spoke.

use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::api::scheduling::v1::PriorityClass;
use kube::api::{Api, ApiResource, DynamicObject, Patch, PatchParams};
use serde_json::{Value, json};

use crate::kit::{Lab, Outcome, profile};
use crate::table::{median, plain, row};
use crate::{ROUNDS, pause};

/// Hub and two spokes from nothing to synced, back to nothing, and a label's way to an object on a spoke.
pub(crate) async fn rows() -> String {
    let (mut up, mut again, mut down, mut label, mut makespan) =
        (Vec::new(), Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let lab = Lab::new();
        lab.write_profile("bench", &profile::fleet(&["dev", "staging"]));
        let outcome = lab.ok(&["up", "bench", "--output", "json"]);
        up.push(outcome.elapsed.as_secs_f64());
        makespan.push(outcome.elapsed.as_secs_f64() / critical_path(&outcome));
        again.push(lab.ok(&["up", "bench"]).elapsed.as_secs_f64());
        label.push(label_to_object(&lab).await);
        down.push(lab.ok(&["down", "bench"]).elapsed.as_secs_f64());
    }
    let mut rows = row("hub and two spokes, from nothing to synced and healthy", median(up), None);
    rows.push_str(&row("a second `up`", median(again), None));
    rows.push_str(&row("a label switched on, until its object is on the spoke", median(label), None));
    rows.push_str(&row("`down`", median(down), None));
    rows.push_str(&plain("makespan of that first `up` over its critical path", median(makespan)));
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
