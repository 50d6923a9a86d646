//! Clusters of k3s on real systemd hosts over real OpenSSH, with the stand-in release from a mirror.

mod addresses;
mod departed;
mod farm;
mod interrupts;
mod kills;
mod lost;
mod pair;
mod refusals;
mod releases;
mod waits;
mod ways;

use std::time::{Duration, SystemTime};

use bridgehead::files;
use jiff::Timestamp;
use rcgen::{CertificateParams, KeyPair};
use serde_json::Value;

use crate::kit::hosts::Plan;
use crate::kit::watch::Watch;
use farm::{Farm, NOTHING, SITE, TAG, steps};

#[test]
fn a_server_comes_and_goes() {
    let farm = Farm::new(&["one"], &[Plan::named("one")]);
    let before = farm.worlds();
    assert_eq!(farm.run(&["plan", SITE]).result(), "planned");
    farm.assert_untouched(&before);
    let first = farm.install();
    assert!(steps(&first, "applied").contains(&"hub/provision/one/service".to_owned()), "{}", first.stdout);
    let second = farm.install();
    assert_eq!(steps(&second, "applied"), NOTHING, "{}", second.stdout);
    let status = farm.ok(&["k3s", "status", SITE]).document();
    let host = &status[0]["hosts"][0];
    assert_eq!((&host["node"], &host["version"]), (&"Ready".into(), &TAG.into()), "{status}");
    certificates_are_looked_at(&farm);
    farm.ok(&["down", SITE, "--yes"]);
    farm.assert_untouched(&before);
    let again = farm.ok(&["down", SITE, "--yes"]);
    assert_eq!(steps(&again, "applied"), NOTHING, "{}", again.stdout);
}

/// All are good for a year, and their authorities for ten; the first of them to end is told.
fn certificates_are_looked_at(farm: &Farm) {
    const FOLDER: &str = "/var/lib/rancher/k3s/server/tls";
    let first = || farm.ok(&["k3s", "status", SITE]).document()[0]["hosts"][0]["certificate"].clone();
    let days = |certificate: &Value| {
        let ends: Timestamp = certificate["ends"].as_str().unwrap().parse().unwrap();
        ends.duration_since(Timestamp::now()).as_hours() / 24
    };
    let found = first();
    assert!(found["path"].as_str().unwrap().starts_with("/var/lib/rancher/k3s/"), "{found}");
    assert!((364..=365).contains(&days(&found)), "{found}");
    let mut params = CertificateParams::default();
    params.not_after = (SystemTime::now() + Duration::from_hours(30 * 24)).into();
    let short = params.self_signed(&KeyPair::generate().unwrap()).unwrap().pem();
    let authority = format!("{FOLDER}/etcd/server-ca.crt");
    farm.hosts["one"].ok(&format!("{{ echo '{short}'; cat {authority}; }} > {FOLDER}/etcd/short.crt"));
    let found = first();
    assert_eq!((&found["path"], days(&found)), (&format!("{FOLDER}/etcd/short.crt").into(), 29), "{found}");
    let table = farm.lab.ok(&["k3s", "status", SITE]).stdout;
    assert!(table.contains(&format!(" {} short.crt ", &found["ends"].as_str().unwrap()[..10])), "{table}");
}

#[test]
fn agents_join_without_a_secret_being_seen() {
    let names = ["one", "two", "three"];
    let farm = Farm::new(&names, &names.map(Plan::named));
    let before = farm.worlds();
    let watch = Watch::start();
    let install = farm.install();
    let status = farm.ok(&["k3s", "status", SITE]).document();
    let commands = watch.finish();
    for host in status[0]["hosts"].as_array().unwrap() {
        assert_eq!(host["node"], "Ready", "{status}");
    }

    let token = farm.hosts["one"].ok("cat /var/lib/rancher/k3s/server/node-token");
    let token = token.trim().rsplit(':').next().unwrap().to_owned();
    assert!(token.len() > 20, "no token");
    let texts = [install.stdout, install.stderr, format!("{commands:?}"), farm.logs()];
    assert!(texts.iter().all(|text| !text.contains(&token)), "the token was seen");
    assert_eq!(farm.files_with(&token, "nobody"), NOTHING);
    let mode = farm.hosts["two"].ok("stat -c %a:%U /etc/rancher/k3s/config.yaml /etc/bridgehead/home.json");
    assert_eq!(mode, "600:root\n600:root\n");

    // What agents join with makes no server of them, and is as secret.
    let own = farm.hosts["one"].ok("cat /etc/rancher/k3s/agent-token");
    assert!(own.len() > 20 && !token.contains(&own), "no token of agents");
    for name in ["two", "three"] {
        let config = farm.hosts[name].ok("cat /etc/rancher/k3s/config.yaml");
        assert!(config.contains(&format!("::node:{own}")) && !config.contains(&token));
    }
    assert!(!farm.logs().contains(&own) && farm.files_with(&own, "nobody").is_empty(), "it was seen");

    // Only the server has to do with names of its certificate.
    farm.write(&format!("version = {TAG:?}"), "tls-san = [\"other.example\"]");
    let changed = farm.install();
    let applied = steps(&changed, "applied");
    assert_eq!(applied[0], "hub/provision/one/service", "{}", changed.stdout);
    assert!(applied.iter().all(|step| !step.contains("/two/") && !step.contains("/three/")), "{applied:?}");
    assert_eq!(steps(&farm.install(), "applied"), NOTHING);
    farm.ok(&["down", SITE, "--yes"]);
    farm.assert_untouched(&before);
}

/// One that was set up before agents had a token of their own, or whose address was in its certificate anyway.
#[test]
fn a_server_that_is_there_is_not_restarted_for_what_is_new() {
    let farm = Farm::new(&["one", "two"], &["one", "two"].map(Plan::named));
    let host = &farm.hosts["one"];
    farm.ok(&["k3s", "install", SITE]);
    host.ok("systemctl stop k3s; rm /etc/rancher/k3s/agent-token /var/lib/rancher/k3s/server/agent-token
         sed -i '/agent-token-file/d; /tls-san/,/10.77/d' /etc/rancher/k3s/config.yaml
         systemctl start k3s");
    let config = host.ok("cat /etc/rancher/k3s/config.yaml");
    assert!(!config.contains("agent-token") && !config.contains("tls-san"), "{config}");
    let again = farm.install();
    let applied = steps(&again, "applied");
    assert!(applied.iter().all(|step| step.contains("/two/")), "{applied:?}");
    assert_eq!(host.ok("cat /etc/rancher/k3s/config.yaml"), config);
    assert_eq!(steps(&farm.install(), "applied"), NOTHING);
    // What it does differ in is said with its values.
    farm.write(&format!("version = {TAG:?}"), "node-label = \"a=b\"");
    let plan = farm.run(&["plan", SITE]);
    assert!(plan.stdout.contains("node-label: \\\"a=b\\\""), "{}", plan.stdout);
}

#[test]
fn the_kubeconfig_is_saved_for_others_to_use() {
    let farm = Farm::new(&["one"], &[Plan::named("one")]);
    farm.install();
    farm.ok(&["k3s", "kubeconfig", SITE]);
    let text = files::read(&farm.lab.path("home/.kube/home.yml")).unwrap();
    assert!(text.contains(&format!("https://{}:6443", farm.hosts["one"].address)), "{text}");
    assert!(text.contains("home/hub") && !text.contains("127.0.0.1"), "{text}");
    let config = farm.run(&["k3s", "config", SITE]);
    assert!(config.stdout.contains("\nwrite-kubeconfig-mode: \"0644\"\n"), "{}", config.stdout);
}
