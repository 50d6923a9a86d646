//! The mirror of releases behaves, and misbehaves, as it is told.

use bridgehead::files;

use crate::kit::command::run;
use crate::kit::mirror::{Fault, Mirror};
use crate::kit::{Lab, Outcome};

const TAG: &str = "v1.34.4+k3s1";

fn get(lab: &Lab, url: &str) -> Outcome {
    let mut curl = lab.command("curl");
    curl.args(["--silent", "--show-error", "--fail", "--location", "--write-out", "%{url_effective}", url]);
    run(curl)
}

#[test]
fn a_mirror_serves_releases_and_faults() {
    let lab = Lab::new();
    let binary = lab.path("k3s");
    files::replace(&binary, b"the binary", 0o600).unwrap();
    let mut mirror = Mirror::serve();
    mirror.release(TAG, &[("k3s", &binary)]);
    mirror.channel("stable", TAG);

    let channel = get(&lab, &format!("{}/stable", mirror.channels));
    assert!(channel.stdout.ends_with(&format!("/releases/tag/{TAG}")), "{channel:?}");
    assert_ne!(get(&lab, &format!("{}/testing", mirror.channels)).code(), 0);
    let file = |name: &str| format!("{}/v1.34.4%2Bk3s1/{name}", mirror.releases);
    let (k3s, checksums) = (file("k3s"), file("sha256sum-amd64.txt"));
    assert!(get(&lab, &k3s).stdout.starts_with("the binary"));
    let hash = "c9798c8b717225ba988b01e15f41967cbab9a4974dc4ac448866bd06a0619259";
    assert!(get(&lab, &checksums).stdout.contains(&format!("{hash}  k3s\n")));

    mirror.spoil("k3s", Fault::Tampered);
    assert!(get(&lab, &k3s).stdout.starts_with("the binarx"));
    mirror.spoil("k3s", Fault::Truncated);
    assert!(get(&lab, &k3s).stderr.contains("18"), "{:?}", get(&lab, &k3s));
    mirror.spoil("k3s", Fault::Missing);
    assert!(get(&lab, &k3s).stderr.contains("404"));
    mirror.heal();
    assert!(get(&lab, &k3s).status.success());
    assert!(mirror.asked().contains(&"/channels/stable".to_owned()));
    mirror.close();
    assert!(get(&lab, &k3s).stderr.contains("Failed to connect"));
}
