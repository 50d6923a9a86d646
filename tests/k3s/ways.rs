//! Ways to hosts: other ports, a host behind another one, a key that only an agent can open, passwords. And that
//! nobody else sees the password.

use std::collections::BTreeSet;
use std::process::Command;

use bridgehead::files;

use super::farm::{Farm, NOTHING, SITE, refusal, steps};
use crate::kit::Outcome;
use crate::kit::agent::Agent;
use crate::kit::command::run;
use crate::kit::hosts::{KEEPER, Plan, TYPIST};
use crate::kit::terminal;
use crate::kit::watch::Watch;

const INSTALL: [&str; 3] = ["k3s", "install", SITE];
const READY: [&str; 3] = ["Ready"; 3];
const PASSPHRASE: &str = "not for scripts";

/// `sudo` wants the password on the server, on another port; one agent is behind it and takes keys only; the login of
/// the other one wants the password, on a port that only the inventory knows.
#[test]
fn every_host_is_reached_in_its_own_way() {
    let plans =
        [Plan::named("one").port(2222), Plan::named("two").behind("one"), Plan::named("three").port(2200)];
    let farm = Farm::new(&["one", "two", "three"], &plans);
    let password = &farm.hosts.password;
    let (keeper, typist) =
        (format!("ansible_user = {KEEPER:?}"), format!("ansible_user = {TYPIST:?}\nansible_port = 2200"));
    farm.write_hosts(|name| match name {
        "one" => &keeper,
        "three" => &typist,
        _ => "",
    });
    let before = farm.worlds();
    lock_the_key(&farm);
    let locked_out = refusal(&farm.run_with_password(&INSTALL, password));
    assert!(locked_out.contains("two: ") && locked_out.contains("`ssh-add`"), "{locked_out}");
    assert!(!locked_out.contains("one: ") && !locked_out.contains("three: "), "{locked_out}");
    farm.assert_untouched(&before);

    let agent = Agent::start(&farm.lab.path("ssh/agent"));
    agent.add(&farm.lab.path("ssh/id_ed25519"), PASSPHRASE);
    let watch = Watch::start();
    let command = farm.prepare(&[&INSTALL[..], &["--ask-pass"]].concat());
    let first = terminal::answer(&command, &farm.lab.path("events"), &[("Password for hosts", password)]);
    let commands = watch.finish();
    assert_eq!(first.code(), 0, "{}{}", first.stdout, first.stderr);
    let second = farm.run_with_password(&INSTALL, password);
    assert_eq!(steps(&second, "applied"), NOTHING, "{}", second.stdout);
    assert_eq!(nodes(&farm), READY);
    logins_were_as_wanted(&farm);
    nobody_saw(&farm, &[first, second], &commands);

    a_reboot_is_no_change(&farm);
    let down = farm.run_with_password(&["down", SITE, "--yes"], password);
    assert_eq!(down.code(), 0, "{}{}", down.stdout, down.stderr);
    farm.assert_untouched(&before);
}

/// From now on the operator's key has a passphrase, which can be typed nowhere, and `ssh_config` names an agent. It
/// does not know the port of the third host any more.
fn lock_the_key(farm: &Farm) {
    let mut keygen = Command::new("ssh-keygen");
    keygen.args(["-q", "-p", "-P", "", "-N", PASSPHRASE, "-f"]).arg(farm.lab.path("ssh/id_ed25519"));
    assert_eq!(run(keygen).code(), 0);
    let path = farm.lab.path("ssh/config");
    let config = files::read(&path).unwrap().replace("  Port 2200\n", "");
    let config = format!("{config}  IdentityAgent {}\n", farm.lab.path("ssh/agent").display());
    files::replace(&path, config.as_bytes(), 0o600).unwrap();
}

fn nodes(farm: &Farm) -> Vec<String> {
    farm.nodes(&farm.run_with_password(&["k3s", "status", SITE], &farm.hosts.password))
}

/// Each run so far has logged in once.
fn logins_were_as_wanted(farm: &Farm) {
    const RUNS: &str = "4\n";
    for (host, login) in [
        ("one", "Accepted publickey for keeper"),
        ("one", "Accepted publickey for admin"),
        ("two", "Accepted publickey for admin"),
        ("three", "Accepted password for typist"),
    ] {
        farm.hosts[host].ok(&format!("journalctl -q -t sshd | grep -q '{login}'"));
    }
    let count = farm.hosts["three"].ok("journalctl -q -t sshd | grep -c 'Accepted '");
    assert_eq!(count, RUNS);
}

/// Neither who lists processes, nor who reads what bridgehead says, logs or leaves lying about, here or on a host.
fn nobody_saw(farm: &Farm, runs: &[Outcome], commands: &BTreeSet<String>) {
    let password = farm.hosts.password.as_str();
    assert!(commands.iter().any(|command| command.contains("sudo -k -S")), "no `sudo` was seen");
    assert!(!format!("{commands:?}{runs:?}").contains(password), "the password was seen");
    let own = farm.lab.path("password");
    assert!(files::is_private(&own).unwrap());
    assert_eq!(farm.files_with(password, "root"), [own.to_str().unwrap()]);
    for name in &farm.names {
        assert!(!farm.hosts[name].ok("journalctl -q").contains(password), "it is in the journal of {name}");
    }
}

/// k3s starts with its host. Whatever it is at then, the next run ends with a cluster that is ready.
fn a_reboot_is_no_change(farm: &Farm) {
    for name in ["one", "three"] {
        farm.hosts[name].reboot();
    }
    for _ in 0..2 {
        let outcome = farm.run_with_password(&INSTALL, &farm.hosts.password);
        assert_eq!(outcome.code(), 0, "{}{}", outcome.stdout, outcome.stderr);
        let applied = outcome.events_of("applied");
        assert!(applied.iter().all(|event| event["writes"] == 0), "{applied:?}");
    }
    assert_eq!(nodes(farm), READY);
}
