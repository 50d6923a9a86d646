//! A site of clusters on hosts whose runs are killed.

use bridgehead::files;

use super::farm::{Farm, SITE};
use crate::kill::runs::Runs;
use crate::kit::hosts::Plan;
use crate::kit::world;

#[tokio::test]
async fn a_run_killed_in_any_step_and_run_again_ends_like_an_undisturbed_one() {
    let farm = Farm::new(&["one", "two"], &[Plan::named("one"), Plan::named("two")]);
    let before = farm.worlds();
    let runs = Runs {
        site: SITE,
        bridgehead: |arguments: &[&str], fault: Option<&str>| farm.run_with(arguments, fault),
    };
    let look = async || world::objects(&farm.lab.client(SITE, "hub").await).await;
    let nothing_is_left = || {
        farm.assert_untouched(&before);
        // What was fetched is kept for the next time: every round begins on a machine that has nothing.
        files::remove_folder(&farm.lab.path("cache")).unwrap();
    };
    runs.have_the_five_properties(look, nothing_is_left).await;
}
