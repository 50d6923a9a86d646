//! Runs that a person stops, or does not let begin.

use rustix::process::Signal;

use super::farm::{Farm, NOTHING, SITE, SLOW_START, steps};
use crate::kit::Outcome;
use crate::kit::command::Running;
use crate::kit::hosts::Plan;
use crate::kit::terminal;
use crate::kit::wait::until;

/// What remains on a host whose power fails while it gets files.
const REST: [&str; 3] = [
    "/usr/local/bin/k3s.new.7.new",
    "/etc/rancher/k3s/config.yaml.7.new",
    "/etc/systemd/system/k3s.service.7.new",
];

/// Lets no file arrive as long as `/run/slow` is there.
const SLOW_FILES: &str = r#"
touch /run/slow
cat >/usr/local/sbin/cat <<'END'
#!/bin/sh
while [ $# = 0 ] && [ -e /run/slow ]; do sleep 0.1; done
exec /bin/cat "$@"
END
chmod 755 /usr/local/sbin/cat
"#;

#[test]
fn a_person_stops_a_run_or_says_no() {
    let farm = Farm::new(&["one"], &[Plan::named("one")]);
    let before = farm.worlds();
    let host = &farm.hosts["one"];
    // Looking at a host that does not answer takes a while.
    host.unplug();
    let at_once = interrupted(&farm, ("observing", "hub/provision/preflight"), &[Signal::INT, Signal::TERM]);
    assert!(at_once.stderr.contains("stopped at once"), "{}", at_once.stderr);
    host.plug();

    host.ok(SLOW_FILES);
    let in_the_middle = interrupted(&farm, ("progress", "hub/provision/one/files"), &[Signal::INT]);
    let error = in_the_middle.events_of("failed")[0]["error"].clone();
    assert_eq!(error, "stopped before k3s had arrived on one");
    host.ok("rm /run/slow /usr/local/sbin/cat");
    // What had arrived of it goes by itself. A host whose power fails keeps it.
    until("the rest of the binary goes", || host.run("ls /usr/local/bin/k3s*new").code() != 0);
    host.ok(&format!("mkdir -p /etc/rancher/k3s && touch {}", REST.join(" ")));

    host.ok(SLOW_START);
    let before_the_next = interrupted(&farm, ("applying", "hub/provision/one/service"), &[Signal::INT]);
    assert!(before_the_next.stderr.contains("stopping before the next step"), "{}", before_the_next.stderr);
    assert!(before_the_next.stderr.contains("to continue: bridgehead k3s install home"));
    let skipped = steps(&before_the_next, "skipped");
    assert!(skipped.contains(&"hub/provision/one/node".to_owned()), "{skipped:?}");
    host.ok("rm -r /run/slow /etc/systemd/system/k3s.service.d");
    farm.install();
    assert_eq!(steps(&farm.install(), "applied"), NOTHING);
    assert_eq!(host.run(&format!("ls {}", REST.join(" "))).stdout, "");

    let no = answered(&farm, "no");
    assert_eq!((no.code(), no.result().as_str()), (0, "declined"), "{}", no.stdout);
    assert!(no.stderr.contains("- delete k3s on one: "), "{}", no.stderr);
    assert!(no.stderr.contains("/usr/local/bin/k3s"), "{}", no.stderr);
    assert_eq!(steps(&farm.install(), "applied"), NOTHING);
    let yes = answered(&farm, SITE);
    assert_eq!((yes.code(), yes.result().as_str()), (0, "converged"), "{}{}", yes.stdout, yes.stderr);
    farm.assert_untouched(&before);

    // The same host, whose power failed just when it got its mark.
    host.ok("mkdir /etc/bridgehead && touch /etc/bridgehead/home.json.new");
    farm.ok(&["down", SITE, "--yes"]);
    farm.assert_untouched(&before);
}

/// An install that gets signals after an event about a step. No `ssh` survives it for long.
fn interrupted(farm: &Farm, (kind, step): (&str, &str), signals: &[Signal]) -> Outcome {
    let running = Running::start(farm.prepare(&["k3s", "install", SITE]));
    running.until_event(kind, step);
    for signal in signals {
        running.signal(*signal);
    }
    let outcome = running.finish();
    let (code, result) = (outcome.code(), outcome.result());
    assert_eq!((code, result.as_str()), (130, "interrupted"), "{}{}", outcome.stdout, outcome.stderr);
    until("ssh ends", || !farm.lab.processes().iter().any(|process| process.name() == "ssh"));
    outcome
}

/// `down` on a terminal, where it is answered so.
fn answered(farm: &Farm, answer: &str) -> Outcome {
    let command = farm.prepare(&["down", SITE]);
    terminal::answer(&command, &farm.lab.path("events"), &[("Type the site's name, home:", answer)])
}
