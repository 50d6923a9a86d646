//! What is refused, with a text that says why, and nothing changed on any host.

use super::farm::{Farm, SITE, TAG};
use crate::kit::hosts::{GUEST, Plan};
use crate::kit::mirror::Fault;

#[test]
fn a_faulty_mirror_changes_no_host() {
    let mut farm = Farm::new(&["one"], &[Plan::named("one")]);
    let before = farm.worlds();
    farm.mirror.spoil("k3s", Fault::Tampered);
    let text = farm.refusal();
    assert!(text.contains("hub/provision/release") && text.contains(" has the SHA-256 "), "{text}");
    farm.mirror.spoil("k3s", Fault::Truncated);
    let text = farm.refusal();
    assert!(text.contains("/v1.34.4%2Bk3s1/k3s broke off after "), "{text}");
    farm.mirror.spoil("k3s", Fault::Missing);
    let text = farm.refusal();
    assert!(text.contains("/v1.34.4%2Bk3s1/k3s answers 404 Not Found"), "{text}");
    farm.mirror.close();
    let text = farm.refusal();
    assert!(text.contains(&format!("cannot reach {}/", farm.mirror.releases)), "{text}");
    farm.assert_untouched(&before);
}

#[test]
fn every_fault_of_every_host_is_in_one_report() {
    let farm = Farm::new(&["one", "two"], &[Plan::named("one"), Plan::named("two").hostname("one")]);
    farm.hosts["one"].occupy(6443);
    farm.hosts["two"].occupy(10250);
    let before = farm.worlds();
    let text = farm.refusal();
    for fault in [
        "one: port 6443/tcp is taken by sshd",
        "two: port 10250/tcp is taken by sshd",
        "two: it has the same host name as one: `one`",
    ] {
        assert!(text.contains(fault), "{text}");
    }
    farm.assert_untouched(&before);
}

#[test]
fn a_host_that_is_not_ours_is_left_alone() {
    let farm = Farm::new(&["one"], &[Plan::named("one")]);
    farm.write_inventory(&format!("ansible_user = {GUEST:?}"));
    let text = farm.refusal();
    assert!(text.contains("one: ") && text.contains("root"), "{text}");
    farm.write_inventory(
        "host_key = \"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIDdCXkDVbZ2wFpW5kQmK3b2b6yYyq0lq0k8mY3QyVn3r\"",
    );
    let text = farm.refusal();
    assert!(text.contains("shows another key"), "{text}");
    farm.write(&format!("version = {TAG:?}"), "");
    farm.hosts["one"]
        .ok("mkdir -p /etc/rancher/k3s; echo 'server: https://x' > /etc/rancher/k3s/config.yaml");
    let before = farm.worlds();
    let text = farm.refusal();
    assert!(text.contains("one: it has a k3s that is not ours (/etc/rancher/k3s/config.yaml)"), "{text}");
    farm.ok(&["down", SITE, "--yes"]);
    farm.assert_untouched(&before);
}
