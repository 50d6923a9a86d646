//! Machines that boot, reboot, die and are gone.

use std::net::TcpStream;
use std::time::Duration;

use crate::kit::Lab;
use crate::kit::hosts::{ADMIN, Host, Hosts, Plan};
use crate::kit::wait::until;

/// Whether this thread gets a connection to a host's sshd.
fn reaches(host: &Host) -> bool {
    let address = format!("{}:{}", host.address, host.port).parse().unwrap();
    TcpStream::connect_timeout(&address, Duration::from_secs(1)).is_ok()
}

/// What a host gets from the sshd of another.
fn banner(from: &Host, to: &Host) -> String {
    let Host { address, port, .. } = to;
    from.ok(&format!("timeout 5 bash -c 'exec 3<>/dev/tcp/{address}/{port}; head --bytes 8 <&3'"))
}

#[test]
fn hosts_boot_reach_each_other_and_come_back() {
    let lab = Lab::new();
    let hosts = Hosts::up(&lab, &[Plan::named("server"), Plan::named("agent").port(2222)]);
    let (server, agent) = (&hosts["server"], &hosts["agent"]);
    for host in [server, agent] {
        assert_eq!(host.ok("systemctl is-system-running; cat /proc/1/comm"), "running\nsystemd\n");
        let outcome = hosts.ssh(&lab, ADMIN, &host.name, "hostname; sudo -n id -un");
        assert_eq!(outcome.stdout, format!("{}\nroot\n", host.name), "{}", outcome.stderr);
        assert!(!lab.component("etcd").starts_with("/opt/parts"));
        host.ok("/opt/parts/etcd --version");
    }
    assert_eq!(banner(server, agent), "SSH-2.0-");
    assert_eq!(banner(agent, server), "SSH-2.0-");
    a_reboot_keeps_the_disk_and_nothing_else(server);
    without_power_or_cable_nobody_reaches_it(server);
}

fn a_reboot_keeps_the_disk_and_nothing_else(host: &Host) {
    host.ok("printf '[Service]\\nExecStart=sleep 1000\\n[Install]\\nWantedBy=multi-user.target\\n' \
            >/etc/systemd/system/ours.service
         systemctl enable --quiet ours.service; touch /run/ours
         ip link add ours type bridge; iptables -t nat -N OURS");
    host.occupy(6443);
    host.reboot();
    assert_eq!(host.ok("systemctl is-active ours.service; ss -Hltn 'sport = :6443'"), "active\n");
    assert_ne!(host.run("ls /run/ours || ip link show ours || iptables -t nat -S OURS").code(), 0);
}

fn without_power_or_cable_nobody_reaches_it(host: &Host) {
    host.unplug();
    assert!(!reaches(host));
    host.plug();
    until("the cable is in", || reaches(host));
    host.cut();
    assert!(!reaches(host));
    host.start();
    host.wait();
    until("the host is back", || reaches(host));
    assert_eq!(host.ok("systemctl is-active ours.service"), "active\n");
}

#[test]
fn one_host_leads_to_another_and_names_may_lie() {
    let lab = Lab::new();
    let plans = [
        Plan::named("jump").port(2222),
        Plan::named("inner").behind("jump").hostname("twin"),
        Plan::named("other").hostname("twin"),
    ];
    let hosts = Hosts::up(&lab, &plans);
    assert!(reaches(&hosts["jump"]) && !reaches(&hosts["inner"]));
    for name in ["inner", "other"] {
        let outcome = hosts.ssh(&lab, ADMIN, name, "hostname");
        assert_eq!(outcome.stdout, "twin\n", "{}", outcome.stderr);
    }
    assert_eq!(banner(&hosts["inner"], &hosts["other"]), "SSH-2.0-");
    assert_eq!(banner(&hosts["other"], &hosts["inner"]), "SSH-2.0-");
}

#[test]
fn a_host_without_systemd_has_sshd() {
    let lab = Lab::new();
    let hosts = Hosts::up(&lab, &[Plan::named("plain").without_systemd()]);
    let outcome = hosts.ssh(&lab, ADMIN, "plain", "sudo id -un; ls -d /run/systemd/system");
    assert_eq!(outcome.stdout, "root\n", "{}", outcome.stderr);
    assert_ne!(outcome.code(), 0);
}
