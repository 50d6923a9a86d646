use serde_json::{Value, json};

use super::super::REFRESH;
use super::*;

const NOW: &str = "2026-01-01T00:01:00Z";

/// An Application that is synced and healthy, changed by a merge patch.
fn application(patch: Value) -> Application {
    let source = json!({"repoURL": "https://git.example/a.git", "path": "x", "targetRevision": "main"});
    let destination = json!({"name": "dev", "namespace": "x"});
    let mut value = json!({
        "metadata": {"name": "a"},
        "spec": {"source": source, "destination": destination, "project": "default",
                 "syncPolicy": {"automated": {"prune": true, "selfHeal": true}}},
        "status": {
            "sync": {"status": "Synced", "revision": "abc", "comparedTo": {"source": source, "destination": destination}},
            "health": {"status": "Healthy"},
            "operationState": {"phase": "Succeeded", "message": "done", "finishedAt": "2026-01-01T00:00:00Z"},
        },
    });
    merge(&mut value, patch);
    serde_json::from_value(value).expect("it is an Application")
}

fn merge(into: &mut Value, patch: Value) {
    match (into, patch) {
        (Value::Object(into), Value::Object(patch)) => {
            patch.into_iter().for_each(|(key, value)| merge(into.entry(key).or_insert(Value::Null), value));
        }
        (into, patch) => *into = patch,
    }
}

fn standing(patch: Value) -> Standing {
    application(patch).standing(NOW.parse().expect("a time"))
}

fn status(patch: &Value) -> Standing {
    standing(json!({ "status": patch }))
}

fn waiting(reason: &str) -> Standing {
    Standing::Waiting(reason.to_owned())
}

#[test]
fn synced_and_healthy_is_settled_and_so_is_suspended() {
    assert_eq!(status(&json!({})), Standing::Settled);
    assert_eq!(status(&json!({"health": {"status": "Suspended"}})), Standing::Settled);
    let degraded = status(&json!({"health": {"status": "Degraded"}}));
    assert_eq!(degraded, Standing::Unhealthy("it is Synced and Degraded".to_owned()));
}

#[test]
fn a_new_target_is_not_settled_before_it_was_compared() {
    let moved = standing(json!({"spec": {"source": {"targetRevision": "v2"}}}));
    assert_eq!(moved, waiting("it has not been compared with its repository yet"));
    assert_eq!(
        status(&json!({"sync": {"status": ""}})),
        waiting("it has not been compared with its repository yet")
    );
}

#[test]
fn a_failed_comparison_is_waited_for_at_first() {
    let failed = |since: &str| {
        let condition =
            json!({"type": "ComparisonError", "message": "no such path", "lastTransitionTime": since});
        status(&json!({"sync": {"status": "Unknown"}, "conditions": [condition]}))
    };
    assert_eq!(failed("2026-01-01T00:00:45Z"), waiting("no such path"));
    assert_eq!(failed("2026-01-01T00:00:15Z"), Standing::Stuck("no such path".to_owned(), Retry::Comparison));
}

#[test]
fn a_comparison_that_was_asked_for_is_waited_for() {
    let error = json!({"type": "InvalidSpecError", "message": "no project", "lastTransitionTime": "2026-01-01T00:00:00Z"});
    let asked = json!({
        "metadata": {"annotations": {REFRESH: "hard"}},
        "status": {"sync": {"status": "Unknown"}, "conditions": [error]},
    });
    assert_eq!(standing(asked), waiting("no project"));
}

#[test]
fn a_sync_that_failed_for_good_may_be_tried_again() {
    let out =
        |operation: Value| status(&json!({"sync": {"status": "OutOfSync"}, "operationState": operation}));
    let running = json!({"phase": "Running", "message": "retrying", "finishedAt": null});
    assert_eq!(out(running), waiting("retrying"));
    let failed = json!({"phase": "Failed", "message": "refused"});
    assert_eq!(out(failed), Standing::Stuck("refused".to_owned(), Retry::Sync));
    let just_now = json!({"phase": "Failed", "message": "refused", "finishedAt": "2026-01-01T00:00:58Z"});
    assert_eq!(out(just_now), waiting("refused"));
}

#[test]
fn what_its_policy_leaves_alone_is_settled() {
    let resources =
        json!([{"kind": "ConfigMap", "name": "old", "status": "OutOfSync", "requiresPruning": true}]);
    let with = |automated: Value| {
        standing(json!({
            "spec": {"syncPolicy": {"automated": automated}},
            "status": {"sync": {"status": "OutOfSync"}, "resources": resources},
        }))
    };
    assert_eq!(
        with(json!({"prune": true, "selfHeal": true})),
        waiting("it is OutOfSync and Healthy: ConfigMap old")
    );
    assert_eq!(with(json!({"prune": false, "selfHeal": true})), Standing::Settled);
    assert_eq!(with(json!({"prune": true, "selfHeal": false})), Standing::Settled);
    assert_eq!(with(Value::Null), Standing::Settled);
}

#[test]
fn a_deletion_says_what_holds_it() {
    let deleting = json!({"deletionTimestamp": NOW});
    assert_eq!(standing(json!({"metadata": deleting})), waiting("it is being deleted"));
    let condition = json!({"type": "DeletionError", "message": "forbidden"});
    let failed = standing(json!({"metadata": deleting, "status": {"conditions": [condition]}}));
    assert_eq!(failed, waiting("it cannot be deleted: forbidden"));
}

#[test]
fn several_sources_have_a_revision_each() {
    let sources = json!([{"repoURL": "https://git.example/values.git", "ref": "values"},
                         {"repoURL": "https://charts.example", "chart": "c"}]);
    let several = application(json!({
        "spec": {"source": null, "sources": sources},
        "status": {"sync": {"revisions": ["abc", "1.0.0"], "comparedTo": {"source": {"repoURL": ""}, "sources": sources}}},
    }));
    let revisions: Vec<_> =
        several.revisions().map(|(source, revision)| (source.repository.as_str(), revision)).collect();
    assert_eq!(revisions, [("https://git.example/values.git", "abc"), ("https://charts.example", "1.0.0")]);
    assert_eq!(several.standing(NOW.parse().expect("a time")), Standing::Settled);
}
