//! A site of clusters on this machine whose runs are killed.

pub(crate) mod runs;

use crate::kit::{Lab, profile, world};
use runs::Runs;

const SITE: &str = "kill";
const CLUSTERS: [&str; 2] = ["hub", "dev"];

#[tokio::test(flavor = "multi_thread")]
async fn a_run_killed_in_any_step_and_run_again_ends_like_an_undisturbed_one() {
    let lab = Lab::new();
    lab.write_profile(SITE, &profile::fleet(&["dev"]));
    let bridgehead = |arguments: &[&str], fault: Option<&str>| {
        let environment: Vec<_> = fault.iter().map(|fault| ("BRIDGEHEAD_FAULT", *fault)).collect();
        lab.bridgehead_with(&[arguments, &["--output", "json"]].concat(), &environment)
    };
    let runs = Runs { site: SITE, bridgehead };
    runs.have_the_five_properties(
        async || world::look(&lab, SITE, &CLUSTERS).await,
        || nothing_is_left(&lab),
    )
    .await;
}

fn nothing_is_left(lab: &Lab) {
    assert_eq!(lab.processes(), []);
    let left: Vec<_> =
        world::files(&lab.path("state")).into_iter().filter(|name| !name.contains("/log/")).collect();
    assert_eq!(left, ["bridgehead", "bridgehead/log"]);
}
