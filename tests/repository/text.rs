//! What the repository's texts promise.

use std::path::Path;
use std::process::Command;

use bridgehead::files;

use crate::kit::command::run;
use crate::kit::lab::REPOSITORY;

fn read(name: &str) -> String {
    files::read(&Path::new(REPOSITORY).join(name)).unwrap()
}

#[test]
fn the_two_commands_of_the_readme_are_targets_of_the_makefile() {
    let readme = read("README.md");
    for command in ["make up SITE=local", "make test"] {
        assert!(readme.contains(command), "the README does not say `{command}`");
    }
    let mut make = Command::new("make");
    make.current_dir(REPOSITORY).args(["-n", "up", "test", "SITE=local"]);
    let outcome = run(make);
    assert!(outcome.status.success(), "{}", outcome.stderr);
    assert!(
        outcome.stdout.contains("up local") && outcome.stdout.contains("cargo test"),
        "{}",
        outcome.stdout
    );
}

#[test]
fn ci_runs_the_tests() {
    assert!(read(".ci/run").contains("make test"));
}

#[test]
fn make_help_lists_every_target() {
    let makefile = read("Makefile");
    let mut make = Command::new("make");
    make.current_dir(REPOSITORY).arg("help");
    let help = run(make).stdout;
    let phony = makefile.split(".PHONY:").nth(1).unwrap().split("\n\n").next().unwrap().replace('\\', " ");
    for target in phony.split_whitespace() {
        assert!(help.contains(&format!("  {target} ")), "`make help` does not list `{target}`:\n{help}");
    }
}
