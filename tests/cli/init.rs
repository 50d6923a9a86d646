//! `init`: what it writes is complete but for its blanks, and is never written over.

use std::process::Command;

use bridgehead::files;
use rustix::fs::Mode;

use crate::kit::Lab;
use crate::kit::command::run;

/// Each provider with what is typed for it, and what stands for that in the blanks.
const PROVIDERS: [(&str, &[(&str, &str)]); 4] = [
    ("local", &[]),
    ("k3s", &[("--address", "10.0.0.5"), ("--user", "ops")]),
    ("eks", &[("--region", "eu-west-1")]),
    ("existing", &[("--context", "team \"a\"")]),
];

#[test]
fn what_is_written_passes_check_once_its_blanks_are_filled() {
    let lab = Lab::new();
    for (provider, typed) in PROVIDERS {
        let site = format!("with-{provider}");
        let options = typed.iter().flat_map(|(option, value)| [*option, *value]);
        let arguments: Vec<_> = ["init", &site, "--provider", provider].into_iter().chain(options).collect();
        let made = lab.ok(&arguments);
        assert_eq!(made.stdout, format!("sites/{site}/profile.toml\n"));
        assert!(made.stderr.contains(&format!("next: bridgehead plan {site}")), "{}", made.stderr);
        lab.ok(&["check", &site]);
        assert!(files::read(&lab.profile(&site)).unwrap().starts_with("# "));

        let blank = format!("blank-{provider}");
        let made = lab.ok(&["init", &blank, "--provider", provider]);
        let inventory = lab.profile(&blank).with_file_name("inventory.toml");
        assert_eq!(inventory.is_file(), provider == "k3s");
        let checked = lab.bridgehead(&["check", &blank]);
        assert_eq!(checked.code(), if typed.is_empty() { 0 } else { 2 }, "{}", checked.stderr);
        let blanks = made.stderr.matches("fill in").count();
        assert_eq!(blanks, typed.len(), "{}", made.stderr);
        assert_eq!(checked.stderr.matches("is still to be filled in").count(), blanks, "{}", checked.stderr);
    }
}

#[test]
fn nothing_is_written_over_and_nobody_is_asked_without_a_terminal() {
    let lab = Lab::new();
    let refused = lab.bridgehead(&["init", "home"]);
    assert_eq!(refused.code(), 2);
    assert!(refused.stderr.contains("--provider local|k3s|eks|existing"), "{}", refused.stderr);
    assert!(!lab.profile("home").exists());
    lab.write_profile("home", "# mine\n");
    let refused = lab.bridgehead(&["init", "home", "--provider", "local"]);
    assert_eq!(refused.code(), 2);
    assert!(refused.stderr.contains("is there already, and is not overwritten"), "{}", refused.stderr);
    assert_eq!(files::read(&lab.profile("home")).unwrap(), "# mine\n");
    files::remove(&lab.profile("home")).unwrap();
    files::replace(&lab.profile("home").with_file_name("inventory.toml"), b"# mine\n", 0o600).unwrap();
    assert_eq!(lab.bridgehead(&["init", "home", "--provider", "k3s"]).code(), 2);
    assert!(!lab.profile("home").exists());
}

/// No folder `sites`, nothing of the repository: the folder that somebody happens to be in.
#[test]
fn a_site_begins_in_an_empty_folder() {
    let lab = Lab::new();
    let empty = lab.path("empty");
    rustix::fs::mkdir(&empty, Mode::RWXU).unwrap();
    let bridgehead = |arguments: &[&str]| {
        let mut command: Command = lab.prepare(arguments);
        command.current_dir(&empty).env("BRIDGEHEAD_SITE", "lab");
        let outcome = run(command);
        assert_eq!(outcome.code(), 0, "{arguments:?}: {}", outcome.stderr);
        outcome.stdout
    };
    bridgehead(&["init", "lab", "--provider", "local"]);
    // The site is the one of the environment.
    let plan = bridgehead(&["plan"]);
    assert!(plan.contains("hub") && plan.contains("staging"), "{plan}");
    assert!(bridgehead(&["graph", "--steps"]).contains("hub/argocd/install"));
}

#[test]
fn a_folder_that_can_be_no_site_is_told() {
    let lab = Lab::new();
    lab.write_profile("home", "[hub.local]\n");
    for name in ["Prod_EU", ".hidden"] {
        files::make_folder(&lab.path("root/sites").join(name)).unwrap();
    }
    let checked = lab.bridgehead(&["check"]);
    assert_eq!((checked.code(), checked.stdout.as_str()), (2, "home: valid\n"), "{}", checked.stderr);
    assert!(checked.stderr.contains("Prod_EU") && !checked.stderr.contains("hidden"), "{}", checked.stderr);
    lab.ok(&["check", "home"]);
}

#[test]
fn the_fleet_and_the_steps_are_drawn() {
    let lab = Lab::new();
    lab.write_profile("home", &crate::kit::profile::fleet(&["dev", "staging"]));
    let mermaid = lab.ok(&["graph", "home"]).stdout;
    let rows: Vec<_> = mermaid.lines().collect();
    assert_eq!(rows[0], "flowchart LR");
    assert!(rows[1].contains("hub<br/>local, control-plane"), "{mermaid}");
    assert_eq!(
        mermaid.matches(" --> ").count(),
        2 + 2,
        "repositories to the hub, the hub to its spokes: {mermaid}"
    );
    let dot = lab.ok(&["graph", "home", "--steps", "--format", "dot"]).stdout;
    assert!(dot.starts_with("digraph \"up\" {") && dot.contains("\"hub/argocd/install\""), "{dot}");
    let svg = lab.ok(&["graph", "home", "--format", "svg"]).stdout;
    assert!(svg.starts_with("<svg ") && svg.contains(">staging</text>"), "{svg}");
}
