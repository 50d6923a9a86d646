//! Secrets that a profile declares, and the built-in ones: their values reach the hub, and nothing else.

use std::collections::BTreeMap;
use std::path::Path;

use bridgehead::files;
use k8s_openapi::api::core::v1::Secret;
use kube::{Api, Client};
use serde_json::json;

use crate::kit::{Lab, Outcome, world};

const SITE: &str = "secrets";
const PULL: &str = "argocd-image-updater-ghcr-pull";
const WRITE: &str = "argocd-image-updater-gitops-writeback";

const PULL_VARIABLES: [(&str, &str); 2] = [("GHCR_USERNAME", "someone"), ("GHCR_PULL_TOKEN", "canary-token")];
const REGISTRY: (&str, &str) = ("REGISTRY_USER", "canary-user");

#[tokio::test(flavor = "multi_thread")]
async fn values_reach_the_hub_and_nothing_else() {
    let lab = Lab::new();
    let file = lab.path("home/key");
    files::replace(&file, b"canary-file\n", 0o600).unwrap();
    lab.write_profile(SITE, &profile(&file, "printf 'canary-printed\\n'"));
    let hub = applied_by_up(&lab).await;
    a_plan_tells_keys(&lab);
    all_that_is_missing_is_one_error(&lab);
    by_themselves(&lab, &hub, &file).await;
    a_program_that_fails_is_told(&lab, &file);
    down_takes_them_away(&lab);
    no_value_shows(&lab);
}

fn profile(file: &Path, script: &str) -> String {
    format!(
        "[hub.local]\n[secrets.registry.data]\nuser = {{ env = \"REGISTRY_USER\" }}\n\
         key = {{ file = \"{}\" }}\nprinted = {{ command = [\"sh\", \"-c\", \"{script}\"] }}\n",
        file.display()
    )
}

fn told_nothing(outcome: &Outcome) {
    assert!(!outcome.stdout.contains("canary") && !outcome.stderr.contains("canary"), "{outcome:?}");
}

fn events_with(lab: &Lab, arguments: &[&str], variables: &[(&str, &str)]) -> Outcome {
    let outcome = lab.bridgehead_with(&[arguments, &["--output", "json"]].concat(), variables);
    told_nothing(&outcome);
    outcome
}

async fn values(hub: &Client, name: &str) -> Option<(String, BTreeMap<String, String>)> {
    let secret = Api::<Secret>::namespaced(hub.clone(), "argocd").get_opt(name).await.unwrap()?;
    assert_eq!(secret.metadata.labels.unwrap()["bridgehead/site"], SITE);
    let text = |(key, value): (String, k8s_openapi::ByteString)| (key, String::from_utf8(value.0).unwrap());
    Some((secret.type_.unwrap(), secret.data.unwrap_or_default().into_iter().map(text).collect()))
}

async fn applied_by_up(lab: &Lab) -> Client {
    let up = events_with(lab, &["up", SITE], &PULL_VARIABLES);
    assert_eq!(up.result(), "converged", "what is not set is no failure");
    let remarks: Vec<_> = up
        .events_of("progress")
        .into_iter()
        .filter(|event| event["step"] == "hub/gitops/secrets")
        .map(|event| event["message"].as_str().unwrap().to_owned())
        .filter(|message| message.starts_with("left as it is"))
        .collect();
    let write = format!("left as it is: {WRITE}, without GITOPS_WRITEBACK_TOKEN, GITOPS_WRITEBACK_USERNAME");
    assert_eq!(remarks, [write.as_str(), "left as it is: registry, without REGISTRY_USER"]);
    let hub = lab.client(SITE, "hub").await;
    let (kind, data) = values(&hub, PULL).await.unwrap();
    assert_eq!(kind, "kubernetes.io/dockerconfigjson");
    let login =
        json!({ "username": "someone", "password": "canary-token", "auth": "c29tZW9uZTpjYW5hcnktdG9rZW4=" });
    let config: serde_json::Value = serde_json::from_str(&data[".dockerconfigjson"]).unwrap();
    assert_eq!(config, json!({ "auths": { "ghcr.io": login } }));
    assert!(values(&hub, WRITE).await.is_none() && values(&hub, "registry").await.is_none());

    let again = events_with(lab, &["up", SITE], &PULL_VARIABLES);
    assert!(again.events_of("applying").is_empty(), "{}", again.stdout);
    let without = lab.ok(&["up", SITE]);
    assert!(values(&hub, PULL).await.is_some(), "without its variables it is left as it is");
    assert!(
        without.stdout.contains(&format!("  {PULL:<38} GHCR_PULL_TOKEN, GHCR_USERNAME\n")),
        "{without:?}"
    );
    hub
}

fn a_plan_tells_keys(lab: &Lab) {
    let plan = lab.bridgehead_with(&["secret", "plan", SITE, "registry"], &[REGISTRY]);
    assert_eq!(plan.code(), 0);
    assert!(plan.stdout.contains("+ create Secret argocd/registry: key, printed, user\n"), "{}", plan.stdout);
    told_nothing(&plan);
    let variables = [PULL_VARIABLES[0], ("GHCR_PULL_TOKEN", "canary-other")];
    let plan = lab.bridgehead_with(&["secret", "plan", SITE, PULL], &variables);
    assert!(
        plan.stdout.contains(&format!("~ update Secret argocd/{PULL}: data key .dockerconfigjson differs\n")),
        "{plan:?}"
    );
    told_nothing(&plan);
}

fn all_that_is_missing_is_one_error(lab: &Lab) {
    for command in ["plan", "apply"] {
        let refused = lab.bridgehead_with(&["secret", command, SITE], &PULL_VARIABLES[..1]);
        assert_eq!(refused.code(), 4);
        let missing = format!(
            "missing: GHCR_PULL_TOKEN ({PULL}); GITOPS_WRITEBACK_TOKEN, GITOPS_WRITEBACK_USERNAME ({WRITE}); \
             REGISTRY_USER (registry)\n"
        );
        assert!(refused.stderr.contains(&missing), "{}", refused.stderr);
        told_nothing(&refused);
    }
    let unknown = lab.bridgehead(&["secret", "apply", SITE, "registri"]);
    assert!(unknown.stderr.contains(&format!("it has {PULL}, {WRITE}, registry")), "{}", unknown.stderr);
}

async fn by_themselves(lab: &Lab, hub: &Client, file: &Path) {
    let apply = ["secret", "apply", SITE, "registry"];
    assert_eq!(events_with(lab, &apply, &[REGISTRY]).result(), "converged");
    let (kind, data) = values(hub, "registry").await.unwrap();
    let wanted = [("key", "canary-file\n"), ("printed", "canary-printed"), ("user", "canary-user")];
    assert_eq!(kind, "Opaque");
    assert_eq!(data, wanted.map(|(key, value)| (key.to_owned(), value.to_owned())).into());
    assert!(events_with(lab, &apply, &[REGISTRY]).events_of("applying").is_empty());

    files::replace(file, b"canary-newer\n", 0o600).unwrap();
    let changed = events_with(lab, &apply, &[REGISTRY]);
    assert_eq!(changed.events_of("applied")[0]["changes"][0]["detail"], "data key key differs");
    assert_eq!(values(hub, "registry").await.unwrap().1["key"], "canary-newer\n");
    files::remove(file).unwrap();
    let missing = lab.bridgehead_with(&apply, &[REGISTRY]);
    assert!(
        missing.stderr.contains(&format!("missing: {} (registry)", file.display())),
        "{}",
        missing.stderr
    );
    files::replace(file, b"canary-newer\n", 0o600).unwrap();
}

fn a_program_that_fails_is_told(lab: &Lab, file: &Path) {
    let good = files::read(&lab.profile(SITE)).unwrap();
    lab.write_profile(SITE, &profile(file, "echo canary-half; echo 'no such entry' >&2; exit 3"));
    let failed = events_with(lab, &["secret", "apply", SITE, "registry"], &[REGISTRY]);
    let event = &failed.events_of("failed")[0];
    assert_eq!(event["error"], "cannot get the value of `printed` for the Secret registry");
    assert_eq!(event["causes"][0], "`sh` printed no value (exit status: 3): no such entry");
    lab.write_profile(SITE, &good);
}

/// Also where the hub would stay.
fn down_takes_them_away(lab: &Lab) {
    let down = events_with(lab, &["down", SITE], &[]);
    let applied = down.events_of("applied");
    let applied = applied.iter().find(|event| event["step"] == "hub/gitops/secrets").unwrap();
    let changes: Vec<_> =
        applied["changes"].as_array().unwrap().iter().map(|change| &change["subject"]).collect();
    assert_eq!(changes, [&json!(format!("Secret argocd/{PULL}")), &json!("Secret argocd/registry")]);
}

fn no_value_shows(lab: &Lab) {
    let state = lab.path("state/bridgehead");
    let names: Vec<_> = world::files(&state).into_iter().filter(|name| state.join(name).is_file()).collect();
    assert!(names.len() > 5, "where are the logs?");
    for name in names {
        assert!(!files::read(&state.join(&name)).unwrap().contains("canary"), "a value shows in {name}");
    }
}
