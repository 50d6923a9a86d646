//! Which release may follow which.

use std::io::Write;

use super::farm::{Farm, NOTHING, TAG, steps};
use crate::kit::hosts::Plan;
use crate::kit::standin::executable;

/// Another release: what is appended makes another file of it, which names another version.
fn release(farm: &Farm, tag: &str) {
    let path = farm.lab.path(tag);
    std::fs::copy(executable(), &path).unwrap();
    let mut file = std::fs::File::options().append(true).open(&path).unwrap();
    writeln!(file, "\nK3S_STANDIN_VERSION={tag}").unwrap();
    farm.mirror.release(tag, &[("k3s", &path)]);
}

#[test]
fn releases_follow_each_other_forward() {
    let farm = Farm::new(&["one"], &[Plan::named("one")]);
    farm.mirror.channel("stable", TAG);
    farm.write(&format!("channel = \"stable\"\nchannel_server = {:?}", farm.mirror.channels), "");
    farm.install();
    for (tag, text) in [
        ("v1.34.3+k3s1", "k3s cannot go back to an older version"),
        ("v1.36.0+k3s1", "k3s must not skip a minor version: v1.35 comes first"),
    ] {
        release(&farm, tag);
        farm.mirror.channel("stable", tag);
        let refusal = farm.refusal();
        assert!(refusal.contains(text), "{refusal}");
    }
    release(&farm, "v1.34.5+k3s1");
    farm.mirror.channel("stable", "v1.34.5+k3s1");
    let upgrade = farm.install();
    let applied = steps(&upgrade, "applied");
    for step in ["hub/provision/release", "hub/provision/one/files", "hub/provision/one/service"] {
        assert!(applied.contains(&step.to_owned()), "{}", upgrade.stdout);
    }
    assert_eq!(farm.hosts["one"].ok("k3s --version | head -n 1"), "k3s version v1.34.5+k3s1 (abcdef12)\n");
    assert_eq!(steps(&farm.install(), "applied"), NOTHING);
}
