//! Machines that reboot or lose their network, on other ports and behind others.

use std::time::{Duration, Instant};

use bridgehead::ssh::SshError;

use super::{host, run};
use crate::kit::Lab;
use crate::kit::hosts::{ADMIN, Hosts, Plan};

#[tokio::test]
async fn a_machine_behind_another_is_reached_again_after_a_reboot() {
    let lab = Lab::new();
    let machines = Hosts::up(&lab, &[Plan::named("jump"), Plan::named("inner").port(2222).behind("jump")]);
    let hosts = run(&lab, None);
    let connection = hosts.get(&host("inner", ADMIN)).await.unwrap();
    let boot =
        async || connection.run("ask", "cat /proc/sys/kernel/hostname; cut -d' ' -f1 /proc/1/stat").await;
    assert_eq!(boot().await.unwrap().text().unwrap(), "inner\n1");
    machines["inner"].reboot();
    assert_eq!(boot().await.unwrap().text().unwrap(), "inner\n1");
    assert_eq!(connection.opened(), 2);
    hosts.close().await;
}

#[tokio::test]
async fn a_machine_without_a_network_is_given_up_soon() {
    let lab = Lab::new();
    let machines = Hosts::up(&lab, &[Plan::named("server")]);
    let hosts = run(&lab, None);
    let connection = hosts.get(&host("server", ADMIN)).await.unwrap();
    machines["server"].unplug();
    let started = Instant::now();
    let error = connection.run("work", "true").await.unwrap_err();
    assert!(matches!(error, SshError::Unreachable { .. }), "{error}");
    assert!(started.elapsed() < Duration::from_secs(35), "{:?}", started.elapsed());
    machines["server"].plug();
    assert_eq!(connection.run("work", "echo back").await.unwrap().text().unwrap(), "back");
    hosts.close().await;
}
