//! Runs that are killed before or after a write, and continued.

use super::farm::{Farm, NOTHING, SITE, steps};
use crate::kit::hosts::Plan;

/// What a shell says of a command that SIGKILL ended.
const KILLED: i32 = 137;

#[test]
fn a_run_that_is_killed_anywhere_is_continued() {
    let farm = Farm::new(&["one", "two"], &[Plan::named("one"), Plan::named("two")]);
    let before = farm.worlds();
    for fault in [
        "before:1:hub/provision/release",
        "after:1:hub/provision/release",
        "after:1:hub/provision/one/files",
        "before:3:hub/provision/one/files",
        "after:2:hub/provision/two/files",
        "before:2:hub/provision/one/service",
        "after:1:hub/provision/one/service",
        "after:1:hub/provision/two/service",
    ] {
        let outcome = farm.run_with(&["k3s", "install", SITE], Some(fault));
        assert_eq!(outcome.code(), KILLED, "{fault}\n{}{}", outcome.stdout, outcome.stderr);
    }
    farm.install();
    assert_eq!(steps(&farm.install(), "applied"), NOTHING);
    for fault in [
        "before:1:hub/remove/two/k3s",
        "after:1:hub/remove/two/k3s",
        "after:2:hub/remove/two/k3s",
        "after:1:hub/remove/one/k3s",
        "before:2:hub/remove/one/k3s",
    ] {
        let outcome = farm.run_with(&["down", SITE, "--yes"], Some(fault));
        assert_eq!(outcome.code(), KILLED, "{fault}\n{}{}", outcome.stdout, outcome.stderr);
    }
    farm.ok(&["down", SITE, "--yes"]);
    farm.assert_untouched(&before);
}
