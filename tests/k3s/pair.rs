//! Two clusters of one release: what they share, and what the one does not have to do with the other.

use bridgehead::files;

use super::farm::{Farm, NOTHING, SITE, TAG, steps};
use crate::kit::Outcome;
use crate::kit::hosts::Plan;

const INSTALL: [&str; 3] = ["k3s", "install", SITE];

/// A hub on `one` and a spoke `dev` on `two`.
fn pair() -> Farm {
    let farm = Farm::new(&["one", "two"], &["one", "two"].map(Plan::named));
    let table = |name: &str, host: &str| {
        format!(
            "[{name}.k3s]\nservers = [{host:?}]\nversion = {TAG:?}\nmirror = {:?}\n",
            farm.mirror.releases
        )
    };
    farm.lab.write_profile(SITE, &(table("hub", "one") + &table("spokes.dev", "two")));
    farm
}

/// How often the mirror was asked for a file.
fn asked(farm: &Farm, file: &str) -> usize {
    farm.mirror.asked().iter().filter(|path| path.starts_with("/objects/") && path.ends_with(file)).count()
}

fn nodes(status: &Outcome) -> Vec<String> {
    let status = status.document();
    let hosts = status.as_array().unwrap().iter().flat_map(|cluster| cluster["hosts"].as_array().unwrap());
    hosts.map(|host| host["node"].as_str().unwrap_or_default().to_owned()).collect()
}

#[test]
fn two_clusters_fetch_their_release_once() {
    let farm = pair();
    let install = farm.install();
    assert_eq!(nodes(&farm.ok(&["k3s", "status", SITE])), ["Ready"; 2]);
    for step in ["hub/provision/release", "dev/provision/release"] {
        assert!(steps(&install, "applied").contains(&step.to_owned()), "{}", install.stdout);
    }
    assert_eq!((asked(&farm, "/k3s"), asked(&farm, "/sha256sum-amd64.txt")), (1, 1));
    let kept = farm.lab.path("cache/bridgehead/k3s").join(TAG).join("amd64");
    assert_eq!(files::names(&kept).unwrap().len(), 2, "nothing is left beside what was fetched");
    assert_eq!(steps(&farm.install(), "applied"), NOTHING);
}

#[test]
fn an_unfit_host_stops_its_own_cluster_and_no_other() {
    let farm = pair();
    farm.hosts["two"].occupy(6443);
    let before = farm.hosts["two"].world();
    let install = farm.run(&INSTALL);
    assert_eq!(install.code(), 4, "{}", install.stdout);
    assert_eq!(steps(&install, "failed"), ["dev/provision/preflight"], "{}", install.stdout);
    assert!(
        steps(&install, "applied").contains(&"hub/provision/one/service".to_owned()),
        "{}",
        install.stdout
    );
    assert_eq!(nodes(&farm.run(&["k3s", "status", SITE])), ["Ready", ""]);
    assert_eq!(crate::kit::world::differences(&before, &farm.hosts["two"].world()), NOTHING);

    // What a host that has k3s already is short of is no reason to leave it alone.
    farm.hosts["one"].ok("systemctl stop k3s");
    farm.hosts["one"].occupy(10250);
    let again = farm.run(&INSTALL);
    assert!(!steps(&again, "failed").contains(&"hub/provision/preflight".to_owned()), "{}", again.stdout);
}

#[test]
fn a_host_that_is_off_is_told_as_such() {
    let farm = pair();
    farm.install();
    farm.hosts["two"].cut();
    let status = farm.run(&["k3s", "status", SITE]);
    assert_eq!(status.code(), 4, "{}{}", status.stdout, status.stderr);
    assert_eq!(nodes(&status), ["Ready", ""]);
    let error = status.document()[1]["hosts"][0]["error"].as_str().unwrap().to_owned();
    assert!(error.contains("host `two`") && error.contains("cannot be reached"), "{error}");
}
