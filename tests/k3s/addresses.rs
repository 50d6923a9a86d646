//! Where the API server of a host is found that `ssh` knows by another name.

use bridgehead::files;

use super::farm::{Farm, NOTHING, SITE, steps};
use crate::kit::command::run;
use crate::kit::hosts::Plan;

/// Writes the inventory of a farm of one host with another address.
fn address(farm: &Farm, address: &str) {
    let path = farm.lab.profile(SITE).with_file_name("inventory.toml");
    files::replace(&path, format!("[vms.one]\nansible_host = {address:?}\n").as_bytes(), 0o600).unwrap();
}

/// Puts lines before everything else in the operator's `ssh_config`.
fn configure(farm: &Farm, lines: &str) {
    let path = farm.lab.path("ssh/config");
    let config = format!("{lines}\n{}", files::read(&path).unwrap());
    files::replace(&path, config.as_bytes(), 0o600).unwrap();
}

#[test]
fn an_alias_of_ssh_config_leads_to_the_api_server_as_well() {
    let farm = Farm::new(&["one"], &[Plan::named("one")]);
    configure(&farm, &format!("Host lab\n  HostName {}", farm.hosts["one"].address));
    address(&farm, "lab");
    farm.install();
    farm.ok(&["k3s", "kubeconfig", SITE]);
    let text = files::read(&farm.lab.path("home/.kube/home.yml")).unwrap();
    assert!(text.contains(&format!("https://{}:6443", farm.hosts["one"].address)), "{text}");
    assert_eq!(steps(&farm.install(), "applied"), NOTHING);
}

/// As where a router passes the port on: the certificate has to name the address that is dialled.
#[test]
fn an_address_that_the_host_does_not_know_of_is_in_its_certificate() {
    let farm = Farm::new(&["one"], &[Plan::named("one")]);
    let host = &farm.hosts["one"];
    host.ok("iptables -t nat -A PREROUTING -d 10.77.0.99 -j REDIRECT");
    let mut route = farm.lab.command("ip");
    route.args(["route", "add", "10.77.0.99", "via", &host.address]);
    assert_eq!(run(route).code(), 0);
    configure(&farm, &format!("Host 10.77.0.99\n  HostKeyAlias {}", host.address));
    address(&farm, "10.77.0.99");
    farm.install();
    let config = host.ok("cat /etc/rancher/k3s/config.yaml");
    assert!(config.contains("10.77.0.99"), "{config}");
    assert_eq!(steps(&farm.install(), "applied"), NOTHING);
}

#[test]
fn an_address_that_nobody_can_dial_is_found_before_anything_is_changed() {
    let farm = Farm::new(&["one"], &[Plan::named("one")]);
    let before = farm.worlds();
    let outer = &farm.hosts["one"].address;
    let config = farm.lab.path("ssh/config");
    let proxy = format!("ssh -F {} -W 127.0.0.1:22 {outer}", config.display());
    configure(
        &farm,
        &format!("Host lab\n  HostName no-such-host.invalid\n  ProxyCommand {proxy}\n  HostKeyAlias {outer}"),
    );
    address(&farm, "lab");
    let text = farm.refusal();
    assert!(
        text.contains("one: ") && text.contains("no-such-host.invalid") && text.contains("tls-san"),
        "{text}"
    );
    farm.assert_untouched(&before);
}
