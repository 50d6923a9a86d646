//! `cluster add`, `list` and `remove`, on a cluster that somebody has registered before with Argo CD's own command.

use bridgehead::files;
use k8s_openapi::api::core::v1::{Secret, ServiceAccount};
use kube::api::{DeleteParams, ListParams, PostParams};
use kube::{Api, ResourceExt};
use serde_json::json;

use super::MADE;
use crate::kit::command::run;
use crate::kit::{Lab, terminal};

/// The site that has a hub and no spoke.
const SITE: &str = "host";

pub(super) async fn they_come_and_go_by_command(lab: &Lab) {
    add_a_silent_context(lab);
    what_cannot_be_is_refused(lab);
    a_name_that_is_taken_is_refused(lab).await;
    register_with_argo_cd(lab);
    let before = registration(lab).await;

    lab.ok(&["cluster", "add", SITE, "--context", "made/y", "--name", "lab", "--environment", "staging"]);
    let rows = lab.ok(&["cluster", "list", SITE, "--output", "json"]).document();
    assert_eq!((&rows[1]["name"], &rows[1]["environment"]), (&"lab".into(), &"staging".into()), "{rows}");
    let registered = registration(lab).await;
    assert_eq!(registered.name_any(), before.name_any(), "there are not two Secrets for one cluster");
    keeps_what_is_theirs(&registered);
    assert_eq!(registered.data, before.data, "name, address and credentials are theirs");
    assert_eq!(
        (registered.labels()["environment"].as_str(), registered.labels()["enable_argocd"].as_str()),
        ("staging", "false")
    );
    // What the profile has already, is registered by its name, or all of it at once.
    for again in [
        &["cluster", "add", SITE, "--output", "json"][..],
        &["cluster", "add", SITE, "--name", "lab", "--output", "json"],
    ] {
        assert_eq!(lab.ok(again).events().last().unwrap()["changes"], 0);
    }
    what_is_there_is_refused(lab);

    an_edit_during_the_question_stays(lab);
    let left = registration(lab).await;
    keeps_what_is_theirs(&left);
    assert_eq!(
        (left.labels(), left.annotations(), &left.data, &left.type_),
        (before.labels(), before.annotations(), &before.data, &before.type_)
    );
    let accounts: Api<ServiceAccount> = Api::namespaced(lab.client(MADE, "y").await, "kube-system");
    accounts.get("argocd-manager").await.expect("the account that was there before stays");
}

/// A context that leads to where nobody answers.
fn add_a_silent_context(lab: &Lab) {
    for arguments in [
        &["set-cluster", "silent", "--server", "https://127.0.0.1:1"][..],
        &["set-context", "silent", "--cluster", "silent", "--user", "made/y"],
    ] {
        let mut kubectl = lab.command("kubectl");
        kubectl.arg("config").args(arguments).arg("--kubeconfig").arg(lab.path("home/.kube/config"));
        assert_eq!(run(kubectl).code(), 0);
    }
}

/// Each with a clear text, and nothing is changed.
fn what_cannot_be_is_refused(lab: &Lab) {
    let profile = files::read(&lab.profile(SITE)).unwrap();
    let add = |context, name| lab.bridgehead(&["cluster", "add", SITE, "--context", context, "--name", name]);
    for (outcome, code, said) in [
        (add("made/y", "hub"), 2, "a spoke and the hub are both called `hub`"),
        (add("made/y", "in-cluster"), 2, "a spoke cannot be called `in-cluster`"),
        (add("made/y", "Lab"), 2, "a cluster name is made of"),
        (add("silent", "lab"), 4, "the cluster `lab` (context `silent`) does not answer"),
        (lab.bridgehead(&["cluster", "add", SITE, "--context", "made/y"]), 2, "--name <NAME>"),
        (lab.bridgehead(&["cluster", "add", SITE]), 4, "has no spoke of the provider `existing`"),
        (lab.bridgehead(&["cluster", "remove", SITE, "hub", "--yes"]), 4, "`hub` is the hub"),
        (lab.bridgehead(&["cluster", "remove", SITE, "lab", "--yes"]), 2, "`host` has no cluster `lab`"),
    ] {
        assert!(
            outcome.code() == code && outcome.stderr.contains(said),
            "{said}: {} {}",
            outcome.code(),
            outcome.stderr
        );
    }
    assert_eq!(files::read(&lab.profile(SITE)).unwrap(), profile);
}

/// Argo CD calls another cluster so already: nothing is changed, neither here nor there.
async fn a_name_that_is_taken_is_refused(lab: &Lab) {
    let profile = files::read(&lab.profile(SITE)).unwrap();
    let secrets: Api<Secret> = Api::namespaced(lab.client(SITE, "hub").await, "argocd");
    let other = json!({
        "metadata": { "name": "other", "labels": { "argocd.argoproj.io/secret-type": "cluster" } },
        "stringData": { "name": "lab", "server": "https://10.0.0.9:6443", "config": "{}" },
    });
    secrets.create(&PostParams::default(), &serde_json::from_value(other).unwrap()).await.unwrap();
    let refused = lab.bridgehead(&["cluster", "add", SITE, "--context", "made/y", "--name", "lab"]);
    assert_eq!(refused.code(), 4, "{}", refused.stderr);
    assert!(
        refused.stderr.contains("argocd/other already calls another cluster `lab`"),
        "{}",
        refused.stderr
    );
    assert_eq!(files::read(&lab.profile(SITE)).unwrap(), profile);
    let accounts: Api<ServiceAccount> = Api::namespaced(lab.client(MADE, "y").await, "kube-system");
    assert!(accounts.get_opt("argocd-manager").await.unwrap().is_none());
    secrets.delete("other", &DeleteParams::default()).await.unwrap();
}

fn what_is_there_is_refused(lab: &Lab) {
    let profile = files::read(&lab.profile(SITE)).unwrap();
    let add = |name| lab.bridgehead(&["cluster", "add", SITE, "--context", "made/y", "--name", name]);
    for (outcome, code, said) in [
        (add("lab"), 4, "the profile has a spoke `lab` already"),
        (add("twin"), 2, "`lab` and `twin` have the same context"),
        (lab.bridgehead(&["cluster", "remove", SITE, "lab"]), 2, "--yes"),
    ] {
        assert!(
            outcome.code() == code && outcome.stderr.contains(said),
            "{said}: {} {}",
            outcome.code(),
            outcome.stderr
        );
    }
    lab.write_profile(SITE, &format!("[site]\nprotect = true\n{profile}"));
    let refused = lab.bridgehead(&["cluster", "remove", SITE, "lab", "--yes"]);
    assert!(refused.code() != 0 && refused.stderr.contains("protect"), "{}", refused.stderr);
    lab.write_profile(SITE, &profile);
}

/// The profile is edited as it is when the spoke has gone, not as it was when the command began.
fn an_edit_during_the_question_stays(lab: &Lab) {
    let profile = lab.profile(SITE);
    let save = || {
        let text = files::read(&profile).unwrap();
        files::replace(&profile, format!("# saved meanwhile\n{text}").as_bytes(), 0o600).unwrap();
    };
    let remove = lab.prepare(&["cluster", "remove", SITE, "lab"]);
    let removed = terminal::answer_after(&remove, &lab.path("removed"), &[("Type yes:", "yes")], save);
    assert_eq!(removed.code(), 0, "{}", removed.stderr);
    let left = files::read(&profile).unwrap();
    assert!(left.starts_with("# saved meanwhile\n") && !left.contains("lab"), "{left}");
}

/// Registers the cluster as whoever does not know bridgehead does.
fn register_with_argo_cd(lab: &Lab) {
    let status = lab.ok(&["status", SITE, "--output", "json"]).document();
    let address = status["argocd"]["address"].as_str().unwrap();
    let password = lab.ok(&["argocd", "password", SITE]).stdout;
    let login = ["login", address, "--insecure", "--username", "admin", "--password", password.trim()];
    let add = [
        "cluster",
        "add",
        "made/y",
        "--name",
        "theirs",
        "--yes",
        "--label",
        "team=blue",
        "--label",
        "environment=theirs",
        "--annotation",
        "example.com/note=theirs",
    ];
    for arguments in [&login[..], &add] {
        let mut argocd = lab.command(lab.component("argocd"));
        argocd.args(arguments).arg("--config").arg(lab.path("home/argocd"));
        let outcome = run(argocd);
        assert!(outcome.status.success(), "{}", outcome.stderr);
    }
}

/// The cluster Secret of the only cluster besides the hub.
async fn registration(lab: &Lab) -> Secret {
    let secrets: Api<Secret> = Api::namespaced(lab.client(SITE, "hub").await, "argocd");
    let clusters = ListParams::default().labels("argocd.argoproj.io/secret-type=cluster");
    let mut secrets = secrets.list(&clusters).await.unwrap().items;
    secrets.retain(|secret| secret.name_any() != "hub");
    assert_eq!(secrets.len(), 1, "{secrets:?}");
    secrets.remove(0)
}

fn keeps_what_is_theirs(secret: &Secret) {
    assert_eq!(
        (secret.labels()["team"].as_str(), secret.annotations()["example.com/note"].as_str()),
        ("blue", "theirs")
    );
}
