//! The Makefile: every target is one command, and says nothing of its own.

use std::process::Command;

use crate::kit::command::{Outcome, run};
use crate::kit::lab::{REPOSITORY, variable};

/// Targets of a site, and the command that each is.
const TARGETS: [(&str, &str); 16] = [
    ("k3s/install", "k3s install home"),
    ("k3s/status", "k3s status home"),
    ("k3s/config", "k3s config home"),
    ("k3s/kubeconfig", "k3s kubeconfig home"),
    ("k3s/kubeconfig/merge", "kubeconfig merge home"),
    ("k3s/kubeconfig/export", "kubeconfig export home"),
    ("rke2/kubeconfig/merge", "rke2 kubeconfig home --merge"),
    ("argocd/install", "argocd install home"),
    ("argocd/status", "argocd status home"),
    ("argocd/password", "argocd password home"),
    ("argocd/password/update", "argocd password update home"),
    ("argocd/port-forward", "argocd port-forward home"),
    ("argocd/cluster/add", "cluster add home"),
    ("site/inventory/render", "inventory render home"),
    ("kubernetes/secret/plan", "secret plan home"),
    ("kubernetes/secret/apply", "secret apply home"),
];

/// Runs make with a bridgehead that prints its arguments, one a line.
fn make(arguments: &[&str], environment: &[(&str, &str)]) -> Outcome {
    let mut make = Command::new("make");
    make.current_dir(REPOSITORY).args(["SITE=home", r"BRIDGEHEAD=printf '%s\n'"]);
    // The test may itself be run by make, and by somebody who has exported this and that.
    make.env_clear().env("PATH", variable("PATH").unwrap());
    make.args(arguments).envs(environment.iter().copied());
    run(make)
}

/// The arguments that a target runs bridgehead with.
fn arguments(arguments: &[&str], environment: &[(&str, &str)]) -> Vec<String> {
    let outcome = make(arguments, environment);
    assert_eq!((outcome.code(), outcome.stderr.as_str()), (0, ""), "{arguments:?}");
    outcome.stdout.lines().map(ToOwned::to_owned).collect()
}

#[test]
fn a_target_is_a_command_and_prints_nothing_else() {
    for (target, command) in TARGETS {
        assert_eq!(arguments(&[target], &[]).join(" "), command);
        let dry = make(&["-n", target], &[]).stdout;
        assert!(dry.trim_end().ends_with(command), "make -n {target}: {dry}");
    }
    let secret = arguments(&["kubernetes/secret/apply", "KUBERNETES_SECRET=registry"], &[]);
    assert_eq!(secret.join(" "), "secret apply home registry");
}

/// With the options and arguments that it is given there.
#[test]
fn the_command_of_every_target_exists() {
    let ours = concat!("BRIDGEHEAD=", env!("CARGO_BIN_EXE_bridgehead"));
    let help = make(&["help"], &[]).stdout;
    let targets: Vec<_> = help.lines().filter_map(|line| line.strip_prefix("  ")?.split_once(' ')).collect();
    let mut commands = 0;
    for (target, _) in targets {
        let given = [
            "ADDON=x",
            "CLUSTER=x",
            "LABEL=a=b c=d",
            "WAVE=5%",
            "OUTPUT=lines",
            "YES=1",
            "KEEP=1",
            "EXPECT=x",
            "KUBERNETES_SECRET=x",
        ];
        let dry = make(&[&["-n", target, ours], &given[..]].concat(), &[]).stdout;
        for line in dry.lines().filter(|line| line.starts_with(env!("CARGO_BIN_EXE_bridgehead"))) {
            let mut shell = Command::new("sh");
            shell.args(["-c", &format!("{line} --help")]);
            let outcome = run(shell);
            assert_eq!(outcome.code(), 0, "make {target}: {line}: {}", outcome.stderr);
            commands += 1;
        }
    }
    assert!(commands > TARGETS.len(), "{help}");
}

/// `make -C` says which folder it enters before it reads the Makefile, unless it is told to be silent.
#[test]
fn a_shell_uses_what_is_exported_from_anywhere() {
    let script = r#"eval "$(make -s -C "$1" k3s/kubeconfig/export BRIDGEHEAD='echo A=1 #')" && echo "$A""#;
    let mut shell = Command::new("sh");
    shell.current_dir("/").args(["-c", script, "sh", REPOSITORY]);
    let outcome = run(shell);
    assert_eq!((outcome.stdout.as_str(), outcome.stderr.as_str()), ("1\n", ""));
}

#[test]
fn variables_win_over_the_profile_whatever_is_in_them() {
    let given = [
        "k3s/status",
        "ASK_PASS=true",
        "KUBECONFIG=~/my config",
        "KUBECTX=a/b",
        "CLUSTER_KUBECTX=it's",
        "K3S_TARGET_NAME=one",
        "K3S_KUBECONFIG_PATH=/tmp/k3s.yml",
        "ARGOCD_TARGET_NAME=two",
        "ARGOCD_SERVER=localhost:8080",
        "ARGOCD_LOGIN_ARGS=--grpc-web  --prompts-enabled",
        "ARGOCD_AUTO_PORT_FORWARD=true",
    ];
    let expected = [
        "--ask-pass",
        "--kubeconfig=~/my config",
        "--hub-context=a/b",
        "--cluster-context=it's",
        "--k3s-target=one",
        "--k3s-kubeconfig=/tmp/k3s.yml",
        "--argocd-target=two",
        "--argocd-server=localhost:8080",
        "--argocd-login-args=--grpc-web  --prompts-enabled",
        "--argocd-auto-port-forward=true",
        "k3s",
        "status",
        "home",
    ];
    assert_eq!(arguments(&given, &[]), expected);
    assert_eq!(arguments(&["up", "ASK_PASS=false"], &[]), ["up", "home"]);
}

#[test]
fn an_exported_kubeconfig_is_not_an_answer() {
    assert_eq!(arguments(&["up"], &[("KUBECONFIG", "/one:/two")]), ["up", "home"]);
    assert_eq!(arguments(&["up"], &[("K3S_TARGET_NAME", "one")]), ["--k3s-target=one", "up", "home"]);
}
