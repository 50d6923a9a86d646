//! What is refused, with a text that says why, and nothing changed on any host.

use bridgehead::files;

use super::farm::{Farm, SITE, TAG, refusal};
use crate::kit::hosts::{GUEST, KEEPER, Plan, TYPIST};
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
    let before = farm.worlds();
    farm.write_inventory(&format!("ansible_user = {GUEST:?}"));
    let text = farm.refusal();
    assert!(text.contains("one: ") && text.contains("root"), "{text}");
    farm.write_inventory(
        "host_key = \"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIDdCXkDVbZ2wFpW5kQmK3b2b6yYyq0lq0k8mY3QyVn3r\"",
    );
    let text = farm.refusal();
    assert!(text.contains("presents a different host key"), "{text}");
    farm.assert_untouched(&before);
    farm.write(&format!("version = {TAG:?}"), "");
    farm.hosts["one"]
        .ok("mkdir -p /etc/rancher/k3s; echo 'server: https://x' > /etc/rancher/k3s/config.yaml");
    let before = farm.worlds();
    let text = farm.refusal();
    assert!(text.contains("one: it has a k3s that is not ours (/etc/rancher/k3s/config.yaml)"), "{text}");
    farm.ok(&["down", SITE, "--yes"]);
    farm.assert_untouched(&before);
}

#[test]
fn what_keeps_us_out_is_said() {
    let farm = Farm::new(&["one", "two"], &[Plan::named("one"), Plan::named("two").without_systemd()]);
    let before = farm.worlds();
    let known_hosts = farm.lab.path("ssh/known_hosts");
    let [one, two] = ["one", "two"].map(|name| &farm.hosts[name]);
    let swapped = format!("{} {}\n{} {}\n", one.address, two.key, two.address, one.key);
    files::replace(&known_hosts, swapped.as_bytes(), 0o600).unwrap();
    let text = farm.refusal();
    for (host, line) in [("one", 1), ("two", 2)] {
        let known =
            format!("presents a different host key from the one in `{}:{line}`", known_hosts.display());
        assert!(text.contains(&format!("{host}: host `{host}`")) && text.contains(&known), "{text}");
    }
    let keys = [one, two].map(|host| format!("{} {}\n", host.address, host.key));
    files::replace(&known_hosts, b"", 0o600).unwrap();
    let text = farm.refusal();
    for (host, address) in [("one", &one.address), ("two", &two.address)] {
        assert!(
            text.contains(&format!("{host}: the key of host `{host}` ({address}) is not known")),
            "{text}"
        );
        let command = format!("ssh -F {} {address}`", farm.lab.path("ssh/config").display());
        assert!(text.contains(&command) && text.contains("--accept-new-host-keys"), "{text}");
    }
    assert_eq!(files::read(&known_hosts).unwrap(), "");
    let accepting = || refusal(&farm.run(&["k3s", "install", SITE, "--accept-new-host-keys"]));
    for text in [accepting(), accepting(), farm.refusal()] {
        assert!(text.contains("two: systemd does not run it") && !text.contains("one: "), "{text}");
        let recorded = files::read(&known_hosts).unwrap();
        assert_eq!(recorded.lines().count(), keys.len(), "{recorded}");
        assert!(keys.iter().all(|key| recorded.contains(key)), "{recorded}");
    }
    for (user, fault, advice) in [
        (KEEPER, "one: `sudo` on host `one` (10.77.0.11) does not take the password", "the user who logs in"),
        (TYPIST, "one: host `one` (10.77.0.11) refuses the login: ", "the password is wrong, or the user is"),
    ] {
        farm.write_inventory(&format!("ansible_user = {user:?}"));
        let text = refusal(&farm.run_with_password(&["k3s", "install", SITE], "a wrong one"));
        assert!(text.contains(fault) && text.contains(advice), "{text}");
        assert!(!text.contains("a wrong one"), "{text}");
    }
    farm.assert_untouched(&before);
}
