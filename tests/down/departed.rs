//! What somebody took out of the profile by hand: `plan` lists it, `up` leaves it, and `up --prune` takes it away.

use std::collections::BTreeSet;

use bridgehead::files;
use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use kube::api::{ListParams, PostParams};
use serde_json::json;

use super::mix::{Mix, SITE};
use super::unseen::differences;
use crate::kit::Lab;
use crate::kit::terminal::answer_after;
use crate::kit::world::{self, World};

const NOTHING: [&str; 0] = [];
const SPOKE_B: &str = "[spokes.b]\nenvironment = \"b\"\n[spokes.b.existing]\ncontext = \"made/b\"\n";
/// What is taken out, in the words of the list.
const DEPARTED: [&str; 5] = [
    "cluster b (https://127.0.0.1:",
    "ApplicationSet workloads, with everything it deployed",
    "addon namespace_quota, on hub, a",
    "repository workload, still in the cluster Secrets of hub, a",
    "Secret argocd/extra",
];

#[tokio::test(flavor = "multi_thread")]
async fn what_left_the_profile_is_listed_and_goes_when_that_is_asked_for() {
    let mix = Mix::up().await;
    let lab = &mix.lab;
    let named = files::read(&lab.profile(SITE)).unwrap();
    files::replace(&lab.path("value"), b"x", 0o600).unwrap();
    let extra =
        format!("[secrets.extra]\ndata = {{ k = {{ file = \"{}\" }} }}\n", lab.path("value").display());
    lab.write_profile(SITE, &(with_quota(&named) + &extra));
    lab.ok(&["up", SITE, "--yes"]);
    make_look_alikes(lab).await;
    let (strangers, all) = (secrets(lab).await, mix.spokes().await);

    let left = taken_out(&named);
    lab.write_profile(SITE, &left);
    is_listed(lab, &DEPARTED);
    // Whatever `up` does, nothing of it goes.
    lab.ok(&["up", SITE, "--yes"]);
    assert_eq!(world::differences(&all, &mix.spokes().await), NOTHING);
    is_listed(lab, &DEPARTED);
    let again = lab.ok(&["up", SITE, "--yes", "--output", "json"]);
    assert_eq!(again.events().last().unwrap()["changes"], 0, "{}", again.stdout);
    let asks = lab.bridgehead(&["up", SITE, "--prune"]);
    assert!(asks.code() == 2 && asks.stderr.contains("--yes"), "{}", asks.stderr);

    // A spoke that does not answer keeps what is on it, and keeps the rest of the site from nothing.
    mix.lead_nowhere("b");
    lab.write_profile(SITE, &left.replace("environment = \"a\"", "environment = \"other\""));
    let refused = lab.bridgehead(&["up", SITE, "--yes", "--prune", "--output", "json"]);
    assert_eq!(refused.code(), 4, "{}", refused.stderr);
    assert!(refused.stdout.contains("--lost b"), "{}", refused.stdout);
    assert_eq!(differences("b", &all, &mix.spokes().await), NOTHING);
    assert_eq!(registration(lab, "a").await["environment"], "other");
    mix.mend();

    lab.write_profile(SITE, &left);
    is_held_to_what_was_shown(lab, &left);
    assert_eq!(differences("b", &all, &mix.spokes().await), NOTHING);
    let digest = planned(lab)["digest"].as_str().unwrap().to_owned();
    let pruned = lab.ok(&["up", SITE, "--yes", "--prune", "--expect", &digest]);
    assert!(pruned.stderr.contains("switching namespace_quota off removes:"), "{}", pruned.stderr);
    assert_eq!(differences("b", &mix.before, &mix.spokes().await), NOTHING);
    let kept: World =
        all.into_iter().filter(|(name, _)| name.starts_with("a: ") && !is_of_the_departed(name)).collect();
    assert_eq!(differences("a", &kept, &mix.spokes().await), NOTHING);
    let now = secrets(lab).await;
    for stranger in ["argocd/look-alike", "default/extra", "argocd/other-cluster"] {
        assert_eq!(strangers[stranger], now[stranger], "{stranger}");
    }
    assert!(!now.contains_key("argocd/extra") && !now.contains_key("argocd/b"));
    let plan = lab.ok(&["plan", SITE, "--exit-code"]);
    assert_eq!(plan.stdout, "No changes: the world is as the profile says.\n");
    lab.ok(&["down", SITE, "--yes", "--with-others"]);
    assert_eq!(world::differences(&mix.before, &mix.spokes().await), NOTHING);
}

/// A prune does what was planned and confirmed, for the profile as it was then.
fn is_held_to_what_was_shown(lab: &Lab, left: &str) {
    let digest = planned(lab)["digest"].as_str().unwrap().to_owned();
    lab.write_profile(SITE, &left.replace("environment = \"a\"", "environment = \"third\""));
    let other = lab.bridgehead(&["up", SITE, "--yes", "--prune", "--expect", &digest]);
    assert_eq!(other.code(), 4, "{}", other.stderr);
    assert!(other.stderr.contains("label environment: other -> third"), "{}", other.stderr);
    lab.write_profile(SITE, left);

    let prune = lab.prepare(&["up", SITE, "--prune"]);
    let named = || lab.write_profile(SITE, &(left.to_owned() + SPOKE_B));
    let answers = [("Type the site's name, mix:", SITE)];
    let saved = answer_after(&prune, &lab.path("stdout"), &answers, named);
    assert_eq!(saved.code(), 4, "{}", saved.stderr);
    assert!(saved.stderr.contains("was saved meanwhile; nothing was changed"), "{}", saved.stderr);
    lab.write_profile(SITE, left);
    let steps = lab.bridgehead(&["plan", SITE, "--prune", "--steps"]);
    assert!(steps.code() == 2 && steps.stderr.contains("--steps"), "{}", steps.stderr);
}

/// The steps in which a prune would change something. As long as there are any, what left the profile is listed.
fn departing(lab: &Lab) -> Vec<String> {
    let plan = lab.ok(&["plan", SITE, "--prune", "--output", "json"]);
    let steps = plan.events_of("planned").into_iter().map(|event| event["step"].as_str().unwrap().to_owned());
    let steps: Vec<_> = steps.filter(|step| step.starts_with("departed/")).collect();
    assert_eq!(plan.events_of("departed").is_empty(), steps.is_empty(), "{}", plan.stdout);
    steps
}

/// The last event of what is planned with `--prune`.
fn planned(lab: &Lab) -> serde_json::Value {
    lab.ok(&["plan", SITE, "--prune", "--output", "json"]).events().pop().unwrap()
}

/// The profile with an addon more.
fn with_quota(profile: &str) -> String {
    profile.replace("priority_classes = true\n", "priority_classes = true\nnamespace_quota = true\n")
}

/// The profile without a spoke and a repository, as somebody leaves it who edits it by hand.
fn taken_out(profile: &str) -> String {
    assert!(profile.contains(SPOKE_B), "{profile}");
    profile.split("[repos.workload]").next().unwrap().replace(SPOKE_B, "")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_prune_that_is_killed_in_any_step_is_finished_by_the_next_one() {
    let mix = Mix::up().await;
    let lab = &mix.lab;
    let named = files::read(&lab.profile(SITE)).unwrap();
    lab.write_profile(SITE, &with_quota(&named));
    lab.ok(&["up", SITE, "--yes"]);
    lab.write_profile(SITE, &taken_out(&named));
    let mut killed = BTreeSet::new();
    loop {
        let left = departing(lab);
        let Some(step) = left.into_iter().find(|step| !killed.contains(step)) else { break };
        let moment = ["before", "after"][killed.len() % 2];
        let kill = format!("{moment}:1:{step}");
        let run = lab.bridgehead_with(&["up", SITE, "--yes", "--prune"], &[("BRIDGEHEAD_FAULT", &kill)]);
        assert_eq!(run.code(), 137, "{kill}: {}", run.stderr);
        killed.insert(step);
    }
    assert!(killed.len() > 8, "{killed:?}");
    lab.ok(&["up", SITE, "--yes", "--prune"]);
    assert_eq!(
        lab.ok(&["plan", SITE, "--exit-code"]).stdout,
        "No changes: the world is as the profile says.\n"
    );
    assert_eq!(differences("b", &mix.before, &mix.spokes().await), NOTHING);
    lab.ok(&["down", SITE, "--yes"]);
    assert_eq!(world::differences(&mix.before, &mix.spokes().await), NOTHING);
}

/// `plan` and `status` list these things and no others, as something that is not as the profile says.
fn is_listed(lab: &Lab, things: &[&str]) {
    let plan = lab.bridgehead(&["plan", SITE, "--exit-code", "--output", "json"]);
    assert_eq!(plan.code(), 3, "{}", plan.stderr);
    let listed = plan.events_of("departed")[0]["subjects"].clone();
    let listed: Vec<_> = listed.as_array().unwrap().iter().map(|thing| thing.as_str().unwrap()).collect();
    assert_eq!(listed.len(), things.len(), "{listed:?}");
    for (listed, thing) in listed.iter().zip(things) {
        assert!(listed.starts_with(thing), "{listed} is not {thing}");
    }
    let text = lab.ok(&["plan", SITE]).stdout;
    let status = lab.bridgehead(&["status", SITE, "--exit-code"]);
    assert_eq!(status.code(), 3, "{}", status.stdout);
    for thing in things {
        assert!(text.contains(thing) && status.stdout.contains(thing), "{text}{}", status.stdout);
    }
}

/// Things that look like ours and are not.
async fn make_look_alikes(lab: &Lab) {
    let hub = lab.client(SITE, "hub").await;
    let of_part = |part: &str, site: &str| json!({ "bridgehead/site": site, "bridgehead/part": part });
    let cluster = json!({ "argocd.argoproj.io/secret-type": "cluster", "cluster_name": "gone" });
    for (namespace, name, labels, data) in [
        ("argocd", "look-alike", of_part("secret", "other"), json!({})),
        ("default", "extra", json!({ "app": "theirs" }), json!({})),
        (
            "argocd",
            "other-cluster",
            cluster,
            json!({ "name": "gone", "server": "https://10.0.0.9:6443", "config": "{}" }),
        ),
    ] {
        let secret = json!({ "metadata": { "name": name, "labels": labels }, "stringData": data });
        let secrets: Api<Secret> = Api::namespaced(hub.clone(), namespace);
        secrets.create(&PostParams::default(), &serde_json::from_value(secret).unwrap()).await.unwrap();
    }
}

/// The Secrets of the hub, by namespace and name.
async fn secrets(lab: &Lab) -> std::collections::BTreeMap<String, Secret> {
    let secrets =
        Api::<Secret>::all(lab.client(SITE, "hub").await).list(&ListParams::default()).await.unwrap();
    let named = secrets.into_iter().map(|secret| {
        let metadata = &secret.metadata;
        (format!("{}/{}", metadata.namespace.as_deref().unwrap(), metadata.name.as_deref().unwrap()), secret)
    });
    named.collect()
}

async fn registration(lab: &Lab, cluster: &str) -> std::collections::BTreeMap<String, String> {
    secrets(lab).await[&format!("argocd/{cluster}")].metadata.labels.clone().unwrap()
}

/// Whether an object belongs to what left the profile.
fn is_of_the_departed(name: &str) -> bool {
    ["ResourceQuota", "LimitRange", " team", "workload/"].iter().any(|part| name.contains(part))
}
