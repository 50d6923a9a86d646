//! Runs that do not come as far as a cluster: plans, failures, refusals, and what they leave behind.

use std::collections::BTreeSet;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use crate::kit::{Lab, world};

const PROFILE: &str = "[hub.local]\n[spokes.dev]\nenvironment = \"dev\"\n[spokes.dev.local]\n";

/// A site, and a folder of components in which there are none.
fn lab_without_components() -> (Lab, String) {
    let lab = Lab::new();
    lab.write_profile("here", PROFILE);
    let empty = lab.path("empty");
    bridgehead::files::make_folder(&empty).unwrap();
    (lab, empty.to_string_lossy().into_owned())
}

#[test]
fn a_plan_of_a_site_that_is_not_there_writes_nothing_but_its_log() {
    let lab = Lab::new();
    lab.write_profile("here", PROFILE);
    let before = world::files(lab.path("").as_path());
    let plan = lab.ok(&["plan", "here"]);
    for part in [
        "hub/provision/supervisor\n  + create supervisor of hub",
        "known after the access of hub",
        "Digest: ",
    ] {
        assert!(plan.stdout.contains(part), "`{part}` is missing:\n{}", plan.stdout);
    }
    let progress = plan.stderr.lines().find(|line| line.contains("hub/provision/supervisor")).unwrap();
    assert!(progress.contains("would create supervisor of hub"), "progress goes to stderr:\n{}", plan.stderr);
    let changes = lab.bridgehead(&["plan", "here", "--exit-code", "--output", "json"]);
    assert_eq!((changes.code(), changes.result().as_str()), (3, "planned"));
    let after = world::files(lab.path("").as_path());
    let written: BTreeSet<_> = after.difference(&before).filter(|name| !name.contains("/log/")).collect();
    assert_eq!(written, BTreeSet::from([&"state/bridgehead".to_owned(), &"state/bridgehead/log".to_owned()]));
}

#[test]
fn a_plan_and_the_run_that_expects_it_agree_on_the_digest() {
    let lab = Lab::new();
    lab.write_profile("here", PROFILE);
    let digest = |lab: &Lab| {
        let events = lab.ok(&["plan", "here", "--output", "json"]).events();
        events.last().unwrap()["digest"].as_str().unwrap().to_owned()
    };
    let first = digest(&lab);
    assert_eq!(digest(&lab), first, "two looks at one world");
    lab.write_profile("here", &format!("{PROFILE}[spokes.more.local]\n"));
    let outcome = lab.bridgehead(&["up", "here", "--expect", &first]);
    assert_eq!(outcome.code(), 4, "{}", outcome.stderr);
    assert!(outcome.stderr.contains(&first) && outcome.stderr.contains(&digest(&lab)), "{}", outcome.stderr);
    assert_eq!(lab.processes(), [], "nothing was started");
}

#[test]
fn a_step_that_fails_says_what_stands_still_and_how_to_go_on() {
    let (lab, empty) = lab_without_components();
    let outcome = lab.bridgehead_with(&["up", "here"], &[("BRIDGEHEAD_COMPONENTS", &empty)]);
    assert_eq!(outcome.code(), 4, "{}", outcome.stderr);
    let stderr = &outcome.stderr;
    for part in [
        "site/components                error: the folder",
        "hint: unset BRIDGEHEAD_COMPONENTS",
        "hub/argocd/install             skipped: site/components failed",
        "to continue: bridgehead up here",
        "log: ",
    ] {
        assert!(stderr.contains(part), "`{part}` is missing:\n{stderr}");
    }
    let log = stderr.lines().find_map(|line| line.strip_prefix("log: ")).unwrap();
    assert_eq!(Path::new(log).metadata().unwrap().mode() & 0o777, 0o600);
    assert!(bridgehead::files::read(Path::new(log)).unwrap().contains("site/components"));
    assert_eq!(outcome.stdout, "");
}

#[test]
fn for_machines_every_line_is_an_event_and_failures_are_events_too() {
    let (lab, empty) = lab_without_components();
    let outcome =
        lab.bridgehead_with(&["up", "here", "--output", "json"], &[("BRIDGEHEAD_COMPONENTS", &empty)]);
    assert_eq!((outcome.code(), outcome.result().as_str()), (4, "failed"));
    let failed = &outcome.events_of("failed")[0];
    assert_eq!(failed["step"], "site/components");
    assert!(failed["error"].as_str().unwrap().contains("has no"), "{failed}");
    assert!(failed["hint"].is_string() && failed["causes"].is_array(), "{failed}");
    let skipped = outcome.events_of("skipped");
    assert!(skipped.iter().all(|event| event["because"] == "site/components failed"), "{skipped:?}");
    assert!(skipped.iter().any(|event| event["step"] == "hub/argocd/install" && event["cluster"] == "hub"));
    for event in outcome.events() {
        assert_eq!(event["site"], "here", "{event}");
        let time = event["time"].as_str().unwrap();
        assert!(time.ends_with('Z') && time.contains('T'), "{event}");
    }
}

#[test]
fn answers_about_a_site_that_is_not_up_say_how_to_bring_it_up() {
    let lab = Lab::new();
    lab.write_profile("here", PROFILE);
    for arguments in [["kubeconfig", "show", "here"], ["argocd", "password", "here"]] {
        let outcome = lab.bridgehead(&arguments);
        assert_eq!((outcome.code(), outcome.stdout.as_str()), (4, ""), "{arguments:?}");
        assert!(outcome.stderr.contains("bridgehead up here"), "{arguments:?}: {}", outcome.stderr);
    }
    let status = lab.bridgehead(&["status", "here", "--exit-code"]);
    assert_eq!(status.code(), 3);
    assert!(status.stdout.contains("does not answer"), "{}", status.stdout);
}

#[test]
fn down_of_a_site_that_is_not_there_is_done() {
    let lab = Lab::new();
    lab.write_profile("here", PROFILE);
    let outcome = lab.ok(&["down", "here", "--output", "json"]);
    assert_eq!(outcome.result(), "converged");
    assert_eq!(outcome.events_of("applied"), Vec::<serde_json::Value>::new());
    assert!(!lab.state("here").exists());
}

#[test]
fn a_protected_site_is_not_taken_away() {
    let lab = Lab::new();
    lab.write_profile("here", &format!("[site]\nprotect = true\n{PROFILE}"));
    let outcome = lab.bridgehead(&["down", "here"]);
    assert_eq!(outcome.code(), 2);
    assert!(outcome.stderr.contains("site `here` is protected"), "{}", outcome.stderr);
    assert!(outcome.stderr.contains("protect = false"), "{}", outcome.stderr);
}

#[test]
fn components_say_which_where_from_and_why() {
    let (lab, empty) = lab_without_components();
    let environment: &[(&str, &str)] = &[("BRIDGEHEAD_COMPONENTS", &empty)];
    let rows = lab.bridgehead_with(&["components", "--output", "json"], environment).document();
    let rows = rows.as_array().unwrap();
    let names: BTreeSet<_> = rows.iter().map(|row| row["name"].as_str().unwrap()).collect();
    for name in ["argocd", "argocd-install.yaml", "etcd", "helm", "kube-apiserver", "redis"] {
        assert!(names.contains(name), "{names:?}");
    }
    assert!(rows.iter().all(|row| row["version"].is_string() && row["reason"].is_string()));
    assert!(rows.iter().any(|row| row["origin"] == "absent"), "{rows:?}");
    let text = lab.bridgehead_with(&["components"], environment).stdout;
    assert!(text.contains("kube-apiserver") && text.contains("not there yet"), "{text}");
}
