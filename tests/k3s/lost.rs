//! Hosts that die, and what becomes of the others.

use super::farm::{Farm, NOTHING, SITE, TAG, steps};
use crate::kit::command::Running;
use crate::kit::hosts::Plan;

const NAMES: [&str; 3] = ["one", "two", "three"];
const INSTALL: [&str; 3] = ["k3s", "install", SITE];

#[test]
fn an_agent_that_dies_in_the_middle_holds_up_nothing_else() {
    let farm = Farm::new(&NAMES, &NAMES.map(Plan::named));
    let before = farm.worlds();
    let running = Running::start(farm.prepare(&INSTALL));
    running.until_event("applying", "hub/provision/three/files");
    farm.hosts["three"].cut();
    let outcome = running.finish();
    assert_eq!((outcome.code(), outcome.result().as_str()), (4, "failed"), "{}", outcome.stdout);
    let failed = outcome.events_of("failed");
    assert_eq!(failed.len(), 1, "{failed:?}");
    assert!(failed[0]["step"].as_str().unwrap().starts_with("hub/provision/three/"), "{failed:?}");
    let hint = failed[0]["hint"].as_str().unwrap();
    assert!(hint.contains("once the host is back") || hint.contains("check that it runs"), "{hint}");
    let error = failed[0]["error"].as_str().unwrap();
    assert!(error.contains("host `three` (10.77.0.13)") && !error.contains("says nothing"), "{error}");
    for text in ["left behind: what ", "to continue: bridgehead k3s install home"] {
        assert!(outcome.stderr.contains(text), "{}", outcome.stderr);
    }
    assert!(
        steps(&outcome, "skipped").contains(&"hub/provision/three/node".to_owned()),
        "{}",
        outcome.stdout
    );
    let status = farm.run(&["k3s", "status", SITE]);
    assert_eq!(
        (status.code(), farm.nodes(&status)),
        (4, ["Ready", "Ready", ""].map(ToOwned::to_owned).to_vec())
    );

    farm.hosts["three"].start();
    farm.hosts["three"].wait();
    let again = farm.install();
    let applied = steps(&again, "applied");
    assert!(applied.iter().all(|step| step.starts_with("hub/provision/three/")), "{applied:?}");
    assert_eq!(farm.nodes(&farm.ok(&["k3s", "status", SITE])), ["Ready"; 3]);
    assert_eq!(steps(&farm.install(), "applied"), NOTHING);
    farm.ok(&["down", SITE, "--yes"]);
    farm.assert_untouched(&before);
}

#[test]
fn an_agent_that_is_gone_keeps_the_server_until_the_profile_forgets_it() {
    let mut farm = Farm::new(&NAMES, &NAMES.map(Plan::named));
    let before = farm.worlds();
    farm.install();
    farm.hosts["two"].ok("systemctl stop k3s-agent; rm /etc/rancher/k3s/config.yaml");
    farm.hosts["three"].unplug();
    // An agent that cannot be seen holds up nothing but itself.
    let blind = farm.run(&INSTALL);
    assert_eq!(blind.code(), 4, "{}", blind.stdout);
    assert_eq!(steps(&blind, "failed"), ["hub/provision/three/files"], "{}", blind.stdout);
    assert!(steps(&blind, "applied").contains(&"hub/provision/two/service".to_owned()), "{}", blind.stdout);

    let down = farm.run(&["down", SITE, "--yes"]);
    assert_eq!(down.code(), 4, "{}", down.stdout);
    // All hosts are asked before anything goes anywhere.
    assert_eq!(steps(&down, "failed"), ["site/presence"], "{}", down.stdout);
    // Only the hub's answer was waited for.
    assert_eq!(steps(&down, "applied"), ["hub/presence"], "{}", down.stdout);
    let failed = &down.events_of("failed")[0];
    assert!(failed["error"].as_str().unwrap().contains("host `three`"), "{failed}");
    let hint = failed["hint"].as_str().unwrap();
    assert!(hint.contains("check that it runs") && hint.contains("take `three` out of `agents`"), "{hint}");
    assert!(down.stderr.contains("to continue: "), "{}", down.stderr);

    farm.names.truncate(2);
    farm.write(&format!("version = {TAG:?}"), "");
    farm.ok(&["down", SITE, "--yes"]);
    farm.assert_untouched(&before[..2]);
    farm.hosts["three"].plug();
    farm.names.push("three".to_owned());
    farm.write(&format!("version = {TAG:?}"), "");
    farm.ok(&["down", SITE, "--yes"]);
    farm.assert_untouched(&before);
}
