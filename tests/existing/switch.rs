//! `addon on` and `off` where somebody else's cluster is in the site: both ask, and change one label.

use bridgehead::files;
use k8s_openapi::api::core::v1::Secret;
use kube::{Api, ResourceExt};

use crate::kit::Lab;
use crate::kit::terminal::{answer, answer_after};

const QUESTION: &str = "Go on? Type yes:";

/// The site `host` has the spoke `gpu`, with `priority_classes` on.
pub(super) async fn asks_and_changes_one_label(lab: &Lab) {
    nobody_is_asked_without_a_terminal(lab);
    a_no_changes_nothing(lab);
    an_edit_that_is_saved_at_the_question_stays(lab).await;
    lab.ok(&["addon", "on", "host", "priority_classes", "--cluster", "gpu", "--yes"]);
    lab.ok(&["plan", "host", "--exit-code"]);
}

fn nobody_is_asked_without_a_terminal(lab: &Lab) {
    let before = files::read(&lab.profile("host")).unwrap();
    for (way, addon, said) in [
        ("off", "priority_classes", "PriorityClass workload-high"),
        ("on", "namespace_quota", "Application namespace-quota-gpu"),
    ] {
        let asked = lab.bridgehead(&["addon", way, "host", addon, "--cluster", "gpu"]);
        assert_eq!(asked.code(), 2, "{}", asked.stderr);
        assert!(asked.stderr.contains(said) && asked.stderr.contains("--yes"), "{}", asked.stderr);
    }
    assert_eq!(files::read(&lab.profile("host")).unwrap(), before);
}

fn a_no_changes_nothing(lab: &Lab) {
    let before = files::read(&lab.profile("host")).unwrap();
    let on = lab.prepare(&["addon", "on", "host", "namespace_quota", "--cluster", "gpu"]);
    let declined = answer(&on, &lab.path("stdout"), &[(QUESTION, "n")]);
    assert_eq!(declined.code(), 0, "{}", declined.stderr);
    assert!(declined.stderr.contains("Declined: nothing was changed"), "{}", declined.stderr);
    assert_eq!(files::read(&lab.profile("host")).unwrap(), before);
}

/// The edit is kept, and what it asks for stays pending.
async fn an_edit_that_is_saved_at_the_question_stays(lab: &Lab) {
    let profile = lab.profile("host");
    let before = files::read(&profile).unwrap();
    let edited = before.replace("[spokes.gpu]\n", "# mine\n[spokes.gpu]\nlabels = { tier = \"gold\" }\n");
    assert_ne!(edited, before);
    let off = lab.prepare(&["addon", "off", "host", "priority_classes", "--cluster", "gpu"]);
    let save = || files::replace(&profile, edited.as_bytes(), 0o600).unwrap();
    let outcome = answer_after(&off, &lab.path("stdout"), &[(QUESTION, "y")], save);
    assert_eq!(outcome.code(), 0, "{}", outcome.stderr);
    let after = files::read(&profile).unwrap();
    assert!(after.contains("# mine\n") && after.contains("tier = \"gold\""), "{after}");
    assert!(after.contains("priority_classes = false"), "{after}");
    let secrets: Api<Secret> = Api::namespaced(lab.client("host", "hub").await, "argocd");
    let labels = secrets.get("gpu").await.unwrap().labels().clone();
    assert_eq!(labels["enable_priority_classes"], "false");
    assert!(!labels.contains_key("tier"), "nobody asked for that: {labels:?}");
    let again = lab.ok(&["addon", "off", "host", "priority_classes", "--cluster", "gpu", "--yes"]);
    assert!(again.stderr.contains("stay pending (1 on gpu): see `bridgehead plan host`"), "{}", again.stderr);
    files::replace(&profile, before.as_bytes(), 0o600).unwrap();
}
