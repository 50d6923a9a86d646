//! Help, completions, the man page: all made from the same definitions.

use std::process::Command;

use crate::kit::Lab;
use crate::kit::command::run;

/// The names under `Commands:` of a help text, with what is said of each.
fn commands(help: &str) -> Vec<(String, String)> {
    let lines = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    let rows = lines.take_while(|line| line.starts_with("  "));
    // A text that goes on in the next line stands further right.
    let rows = rows.filter(|line| !line.starts_with("   "));
    let rows = rows.map(|row| row.trim().split_once(' ').unwrap_or((row.trim(), "")));
    rows.filter(|(name, _)| *name != "help").map(|(name, about)| (name.into(), about.trim().into())).collect()
}

/// The help of every command below `path`, which is looked at on the way.
fn check_help(lab: &Lab, path: &[String]) -> usize {
    let mut arguments: Vec<&str> = path.iter().map(String::as_str).collect();
    arguments.push("--help");
    let help = lab.ok(&arguments).stdout;
    assert!(help.contains("Usage: bridgehead"), "{path:?}: {help}");
    let about = help.lines().next().unwrap_or_default();
    assert!(about.len() > 10 && !about.starts_with("Usage"), "{path:?} does not say what it does: {help}");
    // Of options, clap puts the text on the line after; of arguments too.
    let options = help.lines().skip_while(|line| *line != "Options:").take_while(|line| *line != "Examples:");
    for option in options.filter(|line| line.contains("--")) {
        let mut after = help.lines().skip_while(|line| *line != option).skip(1);
        let text = after.next().unwrap_or_default();
        assert!(option.trim().contains("  ") || !text.trim().is_empty(), "{path:?}: {option} has no text");
    }
    let mut seen = 1;
    for (name, about) in commands(&help) {
        assert!(!about.is_empty(), "`{name}` of {path:?} has no text");
        seen += check_help(lab, &[path, &[name]].concat());
    }
    seen
}

#[test]
fn every_command_says_what_it_does() {
    let lab = Lab::new();
    let seen = check_help(&lab, &[]);
    assert!(seen > 12, "only {seen} commands were found");
    let help = lab.ok(&["--help"]).stdout;
    for code in ["0 done", "2 usage", "3 changes", "4 a step failed", "5 not converged", "6 another", "130"] {
        assert!(help.contains(code), "the help does not explain the exit code `{code}`: {help}");
    }
    assert!(help.lines().all(|line| line.chars().count() <= 100), "a line is too long:\n{help}");
    // What bridgehead re-executes itself with is not for people.
    assert!(!help.contains("supervise"), "{help}");
}

#[test]
fn completions_and_man_page_are_what_shells_and_man_read() {
    let lab = Lab::new();
    let script = lab.path("bridgehead.bash");
    let completions = lab.ok(&["completions", "bash"]).stdout;
    bridgehead::files::replace(&script, completions.as_bytes(), 0o600).unwrap();
    let mut bash = Command::new("bash");
    let ask = "source \"$0\"; COMP_WORDS=(bridgehead argocd pass); COMP_CWORD=2; _bridgehead bridgehead pass argocd; \
               echo \"${COMPREPLY[@]}\"";
    bash.args(["-c", ask]).arg(&script);
    assert_eq!(run(bash).stdout.trim(), "password");
    for shell in ["zsh", "fish"] {
        assert!(lab.ok(&["completions", shell]).stdout.contains("kubeconfig"), "{shell}");
    }
    let page = lab.ok(&["man"]).stdout;
    assert!(page.contains(".TH bridgehead 1") && page.contains(".SH"), "{page}");
}

#[test]
fn a_mistyped_command_or_option_is_a_usage_error_with_a_suggestion() {
    let lab = Lab::new();
    for (arguments, suggestion) in [(["upp", "local"], "'up'"), (["up", "--clustr"], "'--cluster'")] {
        let outcome = lab.bridgehead(&arguments);
        assert_eq!(outcome.code(), 2, "{arguments:?}");
        assert!(outcome.stderr.contains(suggestion), "{}", outcome.stderr);
        assert_eq!(outcome.stdout, "");
    }
    assert_eq!(lab.bridgehead(&["up"]).code(), 2);
    assert_eq!(lab.bridgehead(&["up", "No_Name"]).code(), 2, "names are checked like any argument");
}

#[test]
fn the_version_is_the_packages() {
    let version = Lab::new().ok(&["--version"]).stdout;
    assert_eq!(version.trim(), format!("bridgehead {}", env!("CARGO_PKG_VERSION")));
}
