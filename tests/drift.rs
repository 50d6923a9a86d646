//! What somebody or something changed behind our back: `plan` names it, `up` heals it, and what is not ours stays.

use std::collections::BTreeMap;
use std::path::Path;

use bridgehead::files;
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use k8s_openapi::api::rbac::v1::ClusterRole;
use kube::api::{ApiResource, DeleteParams, DynamicObject, ObjectMeta, Patch, PatchParams, PostParams};
use kube::{Api, Client};
use rustix::process::{Pid, Signal};
use serde_json::json;

use crate::kit::wait::eventually;
use crate::kit::{Lab, process, profile};

#[tokio::test(flavor = "multi_thread")]
async fn drift_is_named_and_healed() {
    let lab = Lab::new();
    lab.write_profile("drift", &profile::fleet(&["dev"]));
    lab.ok(&["up", "drift"]);
    somebody_adds_keys_of_their_own(&lab).await;

    objects_changed_and_removed(&lab).await;
    a_label_changed_in_the_profile(&lab);
    a_removed_role(&lab).await;
    a_stopped_and_a_killed_supervisor(&lab).await;
    a_crashed_process_comes_back_by_itself(&lab).await;
    lost_certificates(&lab).await;
    a_lost_cluster(&lab).await;
}

/// What `plan` would change: step, and the subjects of its changes.
fn planned(lab: &Lab) -> BTreeMap<String, Vec<String>> {
    let plan = lab.ok(&["plan", "drift", "--output", "json"]);
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    let subjects = |event: &serde_json::Value| {
        event["changes"].as_array().unwrap().iter().map(|change| text(&change["subject"])).collect()
    };
    plan.events_of("planned").iter().map(|event| (text(&event["step"]), subjects(event))).collect()
}

/// `plan` names each of these steps and subjects, `status` calls it drift, and `up` heals it for good.
async fn named_and_healed(lab: &Lab, expected: &[(&str, &str)]) {
    let plan = planned(lab);
    for (step, subject) in expected {
        let subjects = plan.get(*step).unwrap_or_else(|| panic!("`plan` does not name {step}: {plan:?}"));
        assert!(
            subjects.iter().any(|named| named == subject),
            "{step} does not name {subject}: {subjects:?}"
        );
    }
    assert_eq!(lab.bridgehead(&["plan", "drift", "--exit-code"]).code(), 3);
    let status = lab.bridgehead(&["status", "drift", "--exit-code"]);
    assert_eq!(status.code(), 3);
    for (step, subject) in expected {
        let named = |line: &str| line.trim_start().starts_with(step) && line.contains(subject);
        assert!(status.stdout.lines().any(named), "{step}, {subject}:\n{}", status.stdout);
    }
    let up = lab.ok(&["up", "drift", "--output", "json"]);
    for (step, _) in expected {
        assert!(up.events_of("applied").iter().any(|event| event["step"] == *step), "{step} was not healed");
    }
    assert_eq!(planned(lab), BTreeMap::new(), "after {expected:?}");
    keys_of_others_are_still_there(lab).await;
}

async fn cluster_secrets(lab: &Lab) -> Api<Secret> {
    Api::namespaced(lab.client("drift", "hub").await, "argocd")
}

async fn somebody_adds_keys_of_their_own(lab: &Lab) {
    let theirs = json!({"metadata": {
        "labels": {"team": "payments"},
        "annotations": {"example.com/contact": "payments@example.com"},
    }});
    let patch = PatchParams { field_manager: Some("somebody".into()), ..PatchParams::default() };
    cluster_secrets(lab).await.patch("dev", &patch, &Patch::Merge(theirs)).await.unwrap();
    assert_eq!(planned(lab), BTreeMap::new(), "keys of others are no drift");
}

async fn keys_of_others_are_still_there(lab: &Lab) {
    let secret = cluster_secrets(lab).await.get("dev").await.unwrap().metadata;
    assert_eq!(secret.labels.unwrap()["team"], "payments");
    assert_eq!(secret.annotations.unwrap()["example.com/contact"], "payments@example.com");
}

fn application_sets(client: Client) -> Api<DynamicObject> {
    let mut resource = ApiResource::erase::<ConfigMap>(&());
    resource.group = "argoproj.io".into();
    resource.version = "v1alpha1".into();
    resource.api_version = "argoproj.io/v1alpha1".into();
    resource.kind = "ApplicationSet".into();
    resource.plural = "applicationsets".into();
    Api::namespaced_with(client, "argocd", &resource)
}

async fn objects_changed_and_removed(lab: &Lab) {
    let hub = lab.client("drift", "hub").await;
    let changed = json!({"metadata": {"annotations": {"environment": "moon"}}});
    let secrets = Api::<Secret>::namespaced(hub.clone(), "argocd");
    secrets.patch("dev", &PatchParams::default(), &Patch::Merge(changed)).await.unwrap();
    let sets = application_sets(hub);
    sets.delete("workloads", &DeleteParams::default()).await.unwrap();
    eventually("the ApplicationSet goes", async || sets.get_opt("workloads").await.unwrap().is_none()).await;
    let detail = lab.ok(&["plan", "drift"]).stdout;
    assert!(detail.contains("annotation environment: moon -> dev"), "{detail}");
    let expected = [
        ("dev/registration/secret", "Secret argocd/dev"),
        ("hub/gitops/bootstrap", "ApplicationSet argocd/workloads"),
    ];
    named_and_healed(lab, &expected).await;
}

/// A plan says what there is and what there will be.
fn a_label_changed_in_the_profile(lab: &Lab) {
    let profile = profile::fleet(&["dev"]);
    for (tier, said) in [
        ("gold", "label tier: absent -> gold"),
        ("silver", "label tier: gold -> silver"),
        ("", "label tier: silver -> removed"),
    ] {
        let labels = format!("[spokes.dev.labels]\ntier = \"{tier}\"\n");
        let labels = if tier.is_empty() { "" } else { &labels };
        lab.write_profile("drift", &format!("{profile}{labels}"));
        let plan = lab.ok(&["plan", "drift"]).stdout;
        assert!(plan.contains(&format!("Secret argocd/dev: {said}")), "{plan}");
        lab.ok(&["up", "drift"]);
    }
    assert_eq!(planned(lab), BTreeMap::new());
}

async fn a_removed_role(lab: &Lab) {
    let roles = Api::<ClusterRole>::all(lab.client("drift", "dev").await);
    roles.delete("argocd-manager-role", &DeleteParams::default()).await.unwrap();
    let plan = lab.ok(&["plan", "drift"]).stdout;
    // What the Secret should say is not known as long as the account does not work.
    assert!(plan.contains("dev/registration/secret\n  ? known after the registration of dev"), "{plan}");
    named_and_healed(lab, &[("dev/registration/account", "ClusterRole argocd-manager-role")]).await;
}

fn supervisor(lab: &Lab, cluster: &str) -> Pid {
    process::supervisor(&lab.state("drift").join(cluster))
}

async fn a_stopped_and_a_killed_supervisor(lab: &Lab) {
    let (dev, hub) = (supervisor(lab, "dev"), supervisor(lab, "hub"));
    process::signal(dev, Signal::STOP);
    process::signal(hub, Signal::KILL);
    let left = || process::below(&lab.state("drift").join("hub"));
    eventually("what a supervisor started ends with it", async || left().is_empty()).await;
    let expected = [
        ("dev/provision/supervisor", "supervisor of dev"),
        ("hub/provision/supervisor", "supervisor of hub"),
    ];
    named_and_healed(lab, &expected).await;
    assert!(supervisor(lab, "dev") != dev && supervisor(lab, "hub") != hub);
}

async fn a_crashed_process_comes_back_by_itself(lab: &Lab) {
    let find = |name: &str| {
        let all = process::below(&lab.state("drift").join("dev"));
        all.into_iter().find(|process| process.name() == name).map(|process| process.pid)
    };
    let before = supervisor(lab, "dev");
    for name in ["kube-scheduler", "kube-apiserver", "etcd"] {
        eventually(name, async || find(name).is_some()).await;
        let crashed = find(name).unwrap();
        process::signal(crashed, Signal::KILL);
        eventually(name, async || find(name).is_some_and(|pid| pid != crashed)).await;
    }
    // A plan made while a server is away says so, and fails.
    let settles = async || lab.bridgehead(&["plan", "drift", "--exit-code"]).code() == 0;
    eventually("nothing differs", settles).await;
    assert_eq!(supervisor(lab, "dev"), before, "nobody had to start another supervisor");
}

async fn lost_certificates(lab: &Lab) {
    let maps = Api::<ConfigMap>::namespaced(lab.client("drift", "dev").await, "default");
    let metadata = ObjectMeta { name: Some("kept".into()), ..ObjectMeta::default() };
    let map = ConfigMap { metadata, ..ConfigMap::default() };
    maps.create(&PostParams::default(), &map).await.unwrap();
    remove(&lab.state("drift").join("dev/pki"));
    named_and_healed(lab, &[("dev/provision/files", "certificates of dev")]).await;
    let maps = Api::<ConfigMap>::namespaced(lab.client("drift", "dev").await, "default");
    assert!(maps.get_opt("kept").await.unwrap().is_some(), "its data is still there");
}

async fn a_lost_cluster(lab: &Lab) {
    let folder = lab.state("drift").join("dev");
    remove(&folder);
    eventually("its processes end", async || process::below(&folder).is_empty()).await;
    let expected = [
        ("dev/provision/files", "ports of dev"),
        ("dev/provision/files", "certificates of dev"),
        ("dev/provision/supervisor", "supervisor of dev"),
    ];
    named_and_healed(lab, &expected).await;
}

fn remove(folder: &Path) {
    assert!(folder.is_dir());
    files::remove_folder(folder).unwrap();
}
