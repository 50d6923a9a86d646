//! An agent that somebody took out of the profile: it is listed, and goes when that is asked for.

use super::farm::{Farm, NOTHING, SITE, steps};
use crate::kit::hosts::Plan;
use crate::kit::world;

#[test]
fn an_agent_that_left_the_profile_is_listed_and_pruned() {
    let farm = Farm::new(&["one", "two"], &["one", "two"].map(Plan::named));
    let before = farm.hosts["two"].world();
    farm.ok(&["up", SITE, "--yes"]);
    let at_work = farm.hosts["two"].world();

    farm.forget_agents();
    let listed = |farm: &Farm| {
        let plan = farm.run(&["plan", SITE, "--exit-code"]);
        assert_eq!(plan.code(), 3, "{}{}", plan.stdout, plan.stderr);
        plan.events_of("departed")[0]["subjects"].to_string()
    };
    assert_eq!(listed(&farm), r#"["agent two of hub"]"#);
    farm.ok(&["up", SITE, "--yes"]);
    assert_eq!(world::differences(&at_work, &farm.hosts["two"].world()), NOTHING);

    let pruned = farm.ok(&["up", SITE, "--yes", "--prune"]);
    for step in ["departed/hub/remove/two/k3s", "departed/hub/remove/two/node"] {
        assert!(steps(&pruned, "applied").contains(&step.to_owned()), "{}", pruned.stdout);
    }
    assert_eq!(world::differences(&before, &farm.hosts["two"].world()), NOTHING);
    assert_eq!(farm.run(&["plan", SITE, "--exit-code"]).code(), 0);
    farm.ok(&["down", SITE, "--yes"]);
}
