//! What is waited for, and what is said when it does not come.

use super::farm::{Farm, SITE, SLOW_START};
use crate::kit::command::Running;
use crate::kit::hosts::Plan;

/// As on a machine whose modules are built in. And k3s ends without a word.
const BROKEN: &str = r#"
cat >/usr/local/sbin/modprobe <<'END'
#!/bin/sh
echo "modprobe: FATAL: Module $1 not found in directory /lib/modules" >&2
exit 1
END
chmod 755 /usr/local/sbin/modprobe
mount --bind /usr/local/sbin/modprobe /sbin/modprobe 2>/dev/null || cp /usr/local/sbin/modprobe /sbin/modprobe
mkdir /etc/systemd/system/k3s.service.d
printf '[Service]\nExecStart=\nExecStart=/bin/false\nRestartSec=100ms\n' >/etc/systemd/system/k3s.service.d/broken.conf
"#;

#[test]
fn a_host_that_is_away_for_a_moment_is_waited_for() {
    let farm = Farm::new(&["one"], &[Plan::named("one")]);
    let host = &farm.hosts["one"];
    host.ok(SLOW_START);
    let running = Running::start(farm.prepare(&["k3s", "install", SITE]));
    running.until_event("applying", "hub/provision/one/service");
    running.until_event("progress", "hub/provision/one/service");
    // With every connection, as when it reboots.
    host.ok(
        "systemctl stop ssh; pkill -x sshd; pkill -f '^sshd' ; rm /run/slow; sleep 2; systemctl start ssh",
    );
    let outcome = running.finish();
    assert_eq!(outcome.code(), 0, "{}{}", outcome.stdout, outcome.stderr);
}

#[test]
fn what_runs_before_k3s_is_not_why_it_ends() {
    let farm = Farm::new(&["one"], &[Plan::named("one")]);
    farm.hosts["one"].ok(BROKEN);
    let text = farm.refusal();
    assert!(text.contains("keeps ending"), "{text}");
    assert!(!text.contains("modprobe"), "{text}");
}

#[test]
fn an_install_says_what_comes_next() {
    let farm = Farm::new(&["one"], &[Plan::named("one")]);
    // A link that leads nowhere keeps its name.
    farm.hosts["one"].ok("ln -s /nowhere /usr/local/bin/crictl");
    let install = farm.install();
    assert!(install.stderr.contains("next: bridgehead up home"), "{}", install.stderr);
    assert_eq!(farm.hosts["one"].ok("readlink /usr/local/bin/crictl"), "/nowhere\n");
}
