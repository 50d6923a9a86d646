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

/// Nothing around it says anything.
fn alone() -> Surroundings<'static> {
    Surroundings { set: None, project: None, now: NOW.parse().expect("a time") }
}

fn standing(patch: Value) -> Standing {
    application(patch).standing(alone())
}

fn held(standing: Standing) -> String {
    match standing {
        Standing::Held(Held { reason, remedy }) => format!("{reason} | {remedy}"),
        other => panic!("{other:?}"),
    }
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

/// Argo CD compares an Application again whose project was not there only when it does so anyway, after minutes.
#[test]
fn an_error_about_a_project_that_is_there_is_out_of_date() {
    let message = "application referencing project default which does not exist";
    let error =
        json!({"type": "InvalidSpecError", "message": message, "lastTransitionTime": "2026-01-01T00:00:59Z"});
    let lacking = application(json!({"status": {"sync": {"status": "Unknown"}, "conditions": [error]}}));
    let with = |made: &str| {
        let project = json!({"metadata": {"name": "default", "creationTimestamp": made}, "spec": {}});
        let project = serde_json::from_value(project).expect("it is a project");
        lacking.standing(Surroundings { project: Some(&project), ..alone() })
    };
    let stuck = Standing::Stuck(message.to_owned(), Retry::Comparison);
    assert_eq!(with("2026-01-01T00:00:50Z"), stuck);
    assert_eq!(with("2026-01-01T00:00:58Z"), waiting(message), "Argo CD may not have heard of it");
    assert_eq!(lacking.standing(alone()), waiting(message));
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
fn what_nobody_will_sync_is_held_with_what_to_type() {
    let resources =
        json!([{"kind": "ConfigMap", "name": "old", "status": "OutOfSync", "requiresPruning": true}]);
    let with = |automated: Value| {
        standing(json!({
            "spec": {"syncPolicy": {"automated": automated}},
            "status": {"sync": {"status": "OutOfSync"}, "resources": resources},
        }))
    };
    let differs = "it is OutOfSync and Healthy: ConfigMap old";
    assert_eq!(with(json!({"prune": true, "selfHeal": true})), waiting(differs));
    let left = format!("{differs}, and its sync policy leaves that as it is | argocd app sync a --prune");
    assert_eq!(held(with(json!({"prune": false, "selfHeal": true}))), left);
    assert_eq!(held(with(json!({"prune": true, "selfHeal": false}))), left);
    let manual = format!("{differs}, and its sync policy is manual | argocd app sync a");
    assert_eq!(held(with(Value::Null)), manual);
    assert_eq!(held(with(json!({"enabled": false}))), manual);
    assert_eq!(standing(json!({"spec": {"syncPolicy": {"automated": null}}})), Standing::Settled);
}

#[test]
fn a_revision_that_was_not_tried_yet_is_waited_for() {
    let status = json!({"sync": {"status": "OutOfSync", "revision": "new"},
                        "operationState": {"syncResult": {"revision": "abc"}}});
    let policy = json!({"syncPolicy": {"automated": {"prune": false, "selfHeal": false}}});
    let new = standing(json!({"spec": policy, "status": status}));
    assert_eq!(new, waiting("it is OutOfSync and Healthy"));
    let message = "Skipping sync attempt to new: auto-sync will wipe out all resources";
    let refused = json!({"status": {"sync": {"status": "OutOfSync", "revision": "new"},
        "operationState": null, "conditions": [{"type": "SyncError", "message": message}]}});
    assert_eq!(held(standing(refused)), format!("{message} | argocd app sync a --prune"));
}

#[test]
fn what_is_skipped_is_held_whatever_its_status_says() {
    let annotated = |value: &str| standing(json!({"metadata": {"annotations": {SKIP_RECONCILE: value}}}));
    assert_eq!(annotated("false"), Standing::Settled);
    let text = held(annotated("true"));
    assert!(text.ends_with("annotate application a argocd.argoproj.io/skip-reconcile-"), "{text}");
}

#[test]
fn a_rolling_sync_is_waited_for_while_its_turn_can_come() {
    let rolling = |condition: &str, ring: &str, turn: Value, automated: Value| {
        let step = |operator: &str, values: Value| json!({"matchExpressions": [{"key": "ring", "operator": operator, "values": values}]});
        let mut closed = step("NotIn", json!(["first", "none"]));
        closed["maxUpdate"] = json!("0%");
        let steps = json!([step("In", json!(["first"])), closed]);
        let set = json!({"metadata": {"name": "s"},
            "spec": {"strategy": {"type": "RollingSync", "rollingSync": {"steps": steps}}},
            "status": {"conditions": [{"type": condition}], "applicationStatus": [turn]}});
        let set = serde_json::from_value(set).expect("it is an ApplicationSet");
        let out_of_sync = json!({"metadata": {"labels": {"ring": ring}}, "spec": {"syncPolicy": {"automated": automated}},
                                 "status": {"sync": {"status": "OutOfSync"}, "health": {"status": "Missing"}}});
        application(out_of_sync).standing(Surroundings { set: Some(&set), ..alone() })
    };
    let told = || json!({"application": "a", "status": "Waiting", "step": "1", "message": "not yet"});
    let progressing = |ring, turn| rolling("RolloutProgressing", ring, turn, Value::Null);
    assert_eq!(progressing("first", told()), waiting("step 1 of the RollingSync of s: not yet"));
    assert_eq!(progressing("first", json!({})), waiting("the RollingSync of s has not looked at it yet"));
    // What the set's status says is of before its steps were changed.
    for ring in ["second", ""] {
        let closed = held(progressing(ring, told()));
        assert!(
            closed.starts_with("step 2 of the RollingSync of s has a maxUpdate of 0"),
            "{ring}: {closed}"
        );
    }
    assert!(held(progressing("none", told())).starts_with("no step of the RollingSync of s selects it"));
    // The controller is not told to sync progressively: then the policy of the Application counts.
    let ignored = rolling("ResourcesUpToDate", "first", json!({}), json!({"prune": true, "selfHeal": true}));
    assert_eq!(ignored, waiting("it is OutOfSync and Missing"));
}

#[test]
fn a_sync_window_that_is_closed_holds_what_would_be_synced() {
    let window = json!([{"kind": "deny", "schedule": "* * * * *", "duration": "1h", "applications": ["*"]}]);
    let project = json!({"metadata": {"name": "p"}, "spec": {"syncWindows": window}});
    let project = serde_json::from_value(project).expect("it is a project");
    let around = Surroundings { project: Some(&project), ..alone() };
    let stands = |status: Value| application(json!({"status": status})).standing(around);
    assert_eq!(stands(json!({})), Standing::Settled);
    let denied = "the sync window `deny * * * * * for 1h` of its project p does not let it be synced now";
    assert!(
        held(stands(json!({"sync": {"status": "OutOfSync"}, "operationState": null}))).starts_with(denied)
    );
    let blocked = json!({"phase": "Running", "message": "Sync operation blocked by sync window"});
    assert!(held(stands(json!({"operationState": blocked}))).starts_with(denied));
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
    assert_eq!(several.standing(alone()), Standing::Settled);
}
