//! What a host is, and what anybody on it can see.

use crate::kit::Lab;
use crate::kit::hosts::{ADMIN, Host, Hosts, Plan};
use crate::kit::watch::Watch;
use crate::kit::world::differences;

/// What a program that is installed badly leaves, and by what the world shows it.
const TRACES: [(&str, &str); 14] = [
    ("touch /usr/local/bin/ours", "disk /usr/local/bin/ours"),
    ("chmod 600 /etc/issue", "disk /etc/issue"),
    ("rm /etc/debian_version", "disk /etc/debian_version"),
    ("rm -r /etc/skel && mkdir /etc/skel", "disk /etc/skel"),
    ("useradd ours", "disk /etc/passwd"),
    ("touch /tmp/ours", "/tmp/ours"),
    ("mkdir /run/ours", "memory /run/ours"),
    ("ip link add ours type bridge", "link ours"),
    ("ip route add blackhole 10.99.0.0/16", "route blackhole 10.99.0.0/16"),
    ("iptables -t nat -N OURS", "iptables nat :OURS"),
    ("ip6tables -A INPUT -p tcp -j DROP", "ip6tables filter -A INPUT -p tcp -j DROP"),
    ("mkdir -p /mnt/ours && mount -t tmpfs ours /mnt/ours", "mount /mnt/ours"),
    ("setsid sleep 12345 >/dev/null 2>&1 &", "process sleep 12345"),
    (
        "printf '[Service]\\nExecStart=false\\n' >/etc/systemd/system/ours.service; systemctl start ours; true",
        "unit ours.service",
    ),
];

#[test]
fn a_world_changes_only_if_something_is_left() {
    let lab = Lab::new();
    let hosts = Hosts::up(&lab, &[Plan::named("server")]);
    let server = &hosts["server"];
    let before = server.world();
    assert!(before.len() > 50, "{before:?}");

    assert_eq!(hosts.ssh(&lab, ADMIN, "server", "sudo iptables -S; sudo systemctl daemon-reload").code(), 0);
    assert_eq!(differences(&before, &server.world()), Vec::<String>::new());
    server.reboot();
    assert_eq!(differences(&before, &server.world()), Vec::<String>::new());

    every_trace_is_seen(server);
}

fn every_trace_is_seen(host: &Host) {
    let mut before = host.world();
    for (script, shown) in TRACES {
        host.ok(script);
        let after = host.world();
        let differences = differences(&before, &after);
        assert!(differences.iter().any(|line| line.contains(shown)), "{script}: {differences:?}");
        before = after;
    }
}

#[test]
fn a_watch_sees_the_command_lines_of_hosts_and_operator() {
    let lab = Lab::new();
    let hosts = Hosts::up(&lab, &[Plan::named("server")]);
    let watch = Watch::start();
    let script =
        "printf 'export TOLD=secret-told; cat <<E >/dev/null\\nsecret-fed\\nE\\n' | sh -s; sudo sleep 0.2";
    assert_eq!(hosts.ssh(&lab, ADMIN, "server", script).code(), 0);
    hosts["server"].ok("sleep 0.21");
    let seen = watch.finish();
    for line in ["sudo sleep 0.2", "sleep 0.2", "sleep 0.21", "sshd: admin@notty"] {
        assert!(seen.contains(line), "{line} is not in {seen:?}");
    }
    assert!(seen.iter().any(|line| line.starts_with("ssh -F")), "{seen:?}");
}
