//! Which release may follow which.

use std::io::Write;

use bridgehead::files;

use super::farm::{Farm, NOTHING, SITE, TAG, steps};
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

#[test]
fn images_come_with_the_release_to_hosts_without_a_registry() {
    const FILE: &str = "k3s-airgap-images-amd64.tar.zst";
    let farm = Farm::new(&["one"], &[Plan::named("one")]);
    let before = farm.worlds();
    let images = farm.lab.path("images");
    files::replace(&images, b"images of this release", 0o600).unwrap();
    farm.mirror.release(TAG, &[(FILE, &images)]);
    farm.write(&format!("version = {TAG:?}\nimages = true"), "");
    farm.install();
    let place = format!("/var/lib/rancher/k3s/agent/images/{FILE}");
    let host = &farm.hosts["one"];
    assert_eq!(host.ok(&format!("stat -c %a:%U {place}; cat {place}")), "600:root\nimages of this release");
    assert_eq!(steps(&farm.install(), "applied"), NOTHING);
    // k3s imports them when it starts, so it is started again with the right ones.
    host.ok(&format!("echo others >{place}"));
    let healed = farm.install();
    assert_eq!(steps(&healed, "applied")[..2], ["hub/provision/one/files", "hub/provision/one/service"]);
    assert_eq!(host.ok(&format!("cat {place}")), "images of this release");
    farm.ok(&["down", SITE, "--yes"]);
    farm.assert_untouched(&before);
}
