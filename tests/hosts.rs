//! The hosts of the tests are what the other tests take them for.

use std::net::TcpStream;
use std::process::Command;

use crate::kit::Lab;
use crate::kit::command::run;
use crate::kit::hosts::{ADMIN, GUEST, Hosts, KEEPER, Plan, TYPIST, Watch};
use crate::kit::world::differences;

#[test]
fn two_hosts_boot_and_are_gone_afterwards() {
    let lab = Lab::new();
    let hosts = Hosts::up(&lab, &[Plan::named("server"), Plan::named("agent").port(2222)]);
    for name in ["server", "agent"] {
        assert_eq!(hosts[name].ok("systemctl is-system-running"), "running\n");
        assert_eq!(
            hosts.ssh(&lab, ADMIN, name, "hostname; sudo -n id -un").stdout,
            format!("{name}\nroot\n")
        );
        TcpStream::connect((hosts[name].address.as_str(), hosts[name].port)).unwrap();
    }
}
