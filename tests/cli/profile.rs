//! Profiles: where they are looked for, and how what is wrong in one is told.

use bridgehead::files;

use crate::kit::Lab;
use crate::kit::command::run;

const INVALID: &str = r#"[site]
protekt = true

[hub.local]
nodes = "two"

[spokes.dev]
environment = "dev"

[registration]
ttl = "1h"

[adons]
priority_classes = true
"#;

/// Line, column, what is wrong and what helps, of everything that is wrong above.
const FINDINGS: [(u64, u64, &str, &str); 5] = [
    (2, 1, "unknown key `site.protekt`", "did you mean `protect`?"),
    (5, 9, "`hub.local.nodes` must be an integer", "without quotes"),
    (7, 9, "`spokes.dev` names no provider", "[spokes.dev.local]"),
    (10, 2, "`registration` is not built yet", ""),
    (13, 2, "unknown key `adons`", "did you mean `addons`?"),
];

#[test]
fn every_finding_is_shown_at_once_with_its_place() {
    let lab = Lab::new();
    lab.write_profile("bad", INVALID);
    for command in ["check", "plan", "up", "down", "status"] {
        let outcome = lab.bridgehead(&[command, "bad"]);
        assert_eq!(outcome.code(), 2, "{command}: {}", outcome.stderr);
        assert_eq!(outcome.stdout, "", "{command} has no data to give");
        for (line, column, message, help) in FINDINGS {
            let place = format!("sites/bad/profile.toml:{line}:{column}]");
            for part in [place.as_str(), message, help] {
                assert!(
                    outcome.stderr.contains(part),
                    "{command} does not say `{part}`:\n{}",
                    outcome.stderr
                );
            }
        }
        // The caret stands below the value and is as long.
        let lines: Vec<&str> = outcome.stderr.lines().collect();
        let value = lines.iter().position(|line| line.contains("nodes = \"two\"")).unwrap();
        let caret = lines[value + 1];
        let column = |line: &str, what| line.chars().position(|character| character == what).unwrap();
        assert_eq!(column(caret, '─'), column(lines[value], '"'), "{}", outcome.stderr);
        assert_eq!(caret.matches('─').count(), "\"two\"".len(), "{}", outcome.stderr);
    }
    assert!(!lab.state("bad").exists(), "an invalid profile made a state folder");
}

#[test]
fn findings_are_rows_for_machines_and_the_run_still_finishes() {
    let lab = Lab::new();
    lab.write_profile("bad", INVALID);
    let outcome = lab.bridgehead(&["up", "bad", "--output", "json"]);
    assert_eq!((outcome.code(), outcome.result().as_str()), (2, "invalid"));
    assert_eq!(outcome.events().len(), 1, "{}", outcome.stdout);
    let rows: Vec<serde_json::Value> = serde_json::from_str(&outcome.stderr).unwrap();
    let places: Vec<_> = rows.iter().map(|row| (row["line"].as_u64(), row["column"].as_u64())).collect();
    assert_eq!(places, FINDINGS.map(|(line, column, ..)| (Some(line), Some(column))));
    assert!(rows.iter().all(|row| row["file"].as_str().unwrap().ends_with("sites/bad/profile.toml")));
}

#[test]
fn colours_are_for_terminals_and_for_those_who_want_them() {
    let lab = Lab::new();
    lab.write_profile("bad", INVALID);
    let coloured = |environment: &[(&str, &str)]| {
        let outcome = lab.bridgehead_with(&["check", "bad"], environment);
        outcome.stderr.contains("\u{1b}[")
    };
    assert!(!coloured(&[]), "a pipe gets colours");
    assert!(coloured(&[("CLICOLOR_FORCE", "1")]));
    assert!(!coloured(&[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")]));
}

#[test]
fn sites_are_found_below_the_root_or_the_nearest_ancestor_that_has_some() {
    let lab = Lab::new();
    lab.write_profile("here", "[hub.local]\n");
    let checked = |folder: &str, arguments: &[&str]| {
        let mut command = lab.prepare(arguments);
        command.current_dir(lab.path(folder));
        run(command)
    };
    assert_eq!(checked("root/addons/bootstrap", &["check"]).stdout, "here: valid\n");
    let root = lab.path("root").to_string_lossy().into_owned();
    assert_eq!(checked("home", &["check", "--root", &root]).stdout, "here: valid\n");
    let none = checked("home", &["check", "here"]);
    assert_eq!(none.code(), 2);
    assert!(none.stderr.contains("no folder `sites`"), "{}", none.stderr);
    let missing = checked("root", &["check", "--root", "nowhere"]);
    assert_eq!(missing.code(), 2);
    assert!(missing.stderr.contains("`nowhere` of --root"), "{}", missing.stderr);
}

#[test]
fn the_site_local_is_built_in() {
    let lab = Lab::new();
    let listed = lab.ok(&["check", "local"]);
    assert_eq!(listed.stdout, "local: valid\n");
    // The one of the repository is the built-in one.
    let repository =
        files::read(&std::path::Path::new(crate::kit::lab::REPOSITORY).join("sites/local/profile.toml"));
    lab.write_profile("local", &repository.unwrap());
    lab.ok(&["check", "local"]);
}

#[test]
fn an_unknown_site_or_cluster_is_named() {
    let lab = Lab::new();
    lab.write_profile("here", "[hub.local]\n");
    let outcome = lab.bridgehead(&["plan", "there"]);
    assert_eq!(outcome.code(), 2);
    assert!(outcome.stderr.contains("sites/there/profile.toml"), "{}", outcome.stderr);
    for command in ["plan", "up", "down"] {
        let outcome = lab.bridgehead(&[command, "here", "--cluster", "moon"]);
        assert_eq!(outcome.code(), 2, "{command}");
        assert!(outcome.stderr.contains("site `here` has no cluster `moon`"), "{}", outcome.stderr);
        assert!(outcome.stderr.contains("bridgehead status here"), "{}", outcome.stderr);
    }
}

#[test]
fn findings_are_shown_in_the_file_or_the_option_that_they_are_about() {
    let lab = Lab::new();
    lab.write_profile("home", "[argocd]\ntarget_name = \"one\"\n[secrets.a]\ndata = { b = \"hunter2\" }\n");
    let inventory = "[vms.one]\nansible_host = \"10.0.0.1\"\nansible_prot = 22\n";
    files::replace(&lab.path("root/sites/home/inventory.toml"), inventory.as_bytes(), 0o600).unwrap();
    let outcome = lab.bridgehead(&["check", "home", "--argocd-target", "oen"]);
    assert_eq!(outcome.code(), 2, "{}", outcome.stdout);
    for part in [
        "sites/home/profile.toml:4:14]",
        "a profile holds no secrets",
        "sites/home/inventory.toml:3:1]",
        "did you mean `ansible_port`?",
        "[command line:1:17]",
        "did you mean `one`?",
    ] {
        assert!(outcome.stderr.contains(part), "`{part}` is not said:\n{}", outcome.stderr);
    }
    assert!(!outcome.stderr.contains("hunter2"), "{}", outcome.stderr);
}
