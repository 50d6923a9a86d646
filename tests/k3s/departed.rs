//! An agent that somebody took out of the profile: it is listed, and goes when that is asked for.

use super::farm::{Farm, NOTHING, SITE, TAG, steps};
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
    for step in ["departed/agent/two/hub/remove/two/k3s", "departed/agent/two/hub/remove/two/node"] {
        assert!(steps(&pruned, "applied").contains(&step.to_owned()), "{}", pruned.stdout);
    }
    assert_eq!(world::differences(&before, &farm.hosts["two"].world()), NOTHING);
    assert_eq!(farm.run(&["plan", SITE, "--exit-code"]).code(), 0);
    farm.ok(&["down", SITE, "--yes"]);
}

/// Two sites of one name have two hubs, and the mark on a host says which of them it belongs to.
#[test]
fn a_host_of_another_hub_is_left_alone() {
    let farm = Farm::new(&["one"], &[Plan::named("one")]);
    farm.install();
    let one = &farm.hosts["one"];
    one.ok(r#"cp /etc/bridgehead/home.json /root/mark; sed -i 's/"hub": "[0-9a-f]*"/"hub": "other"/' /etc/bridgehead/home.json"#);
    one.ok("grep -q other /etc/bridgehead/home.json");
    let said = "belongs to a different site that is also named `home`";
    let refusal = farm.refusal();
    assert!(refusal.contains(said), "{refusal}");
    let down = farm.run(&["down", SITE, "--yes"]);
    assert!(down.code() == 4 && down.stdout.contains(said), "{}{}", down.stdout, down.stderr);
    assert_eq!(steps(&down, "applied"), NOTHING, "{}", down.stdout);
    one.ok("systemctl is-active k3s && grep -q other /etc/bridgehead/home.json");
    // Whoever gives it up leaves it as it is.
    farm.ok(&["down", SITE, "--yes", "--lost", "hub"]);
    one.ok("systemctl is-active k3s && grep -q other /etc/bridgehead/home.json");

    // A mark of before there was anything to compare with gets it.
    one.ok(r#"grep -v '"hub":' /root/mark >/etc/bridgehead/home.json; rm /root/mark"#);
    assert!(steps(&farm.install(), "applied").contains(&"hub/provision/one/files".to_owned()));
    one.ok(r#"grep -q '"hub": "[0-9a-f]\{32\}"' /etc/bridgehead/home.json"#);
    assert_eq!(steps(&farm.install(), "applied"), NOTHING);
}

/// A spoke that has another name now has the same host: what was there goes first.
#[test]
fn a_renamed_spoke_gives_its_host_to_the_new_one() {
    let farm = Farm::new(&["one", "two"], &["one", "two"].map(Plan::named));
    let table = |name: &str, host: &str| {
        format!(
            "[{name}.k3s]\nservers = [{host:?}]\nversion = {TAG:?}\nmirror = {:?}\n",
            farm.mirror.releases
        )
    };
    let write = |spoke: &str| {
        farm.lab.write_profile(SITE, &(table("hub", "one") + &table(&format!("spokes.{spoke}"), "two")));
    };
    let mark = || farm.hosts["two"].ok("cat /etc/bridgehead/home.json");
    write("edge");
    farm.ok(&["up", SITE, "--yes"]);
    assert!(mark().contains("\"edge\""), "{}", mark());

    write("shore");
    let up = farm.run(&["up", SITE, "--yes"]);
    assert_eq!(up.code(), 4, "{}", up.stdout);
    assert!(up.stdout.contains("it is already server of `edge`"), "{}", up.stdout);
    assert!(mark().contains("\"edge\""), "{}", mark());
    farm.ok(&["up", SITE, "--yes", "--prune"]);
    assert!(mark().contains("\"shore\""), "{}", mark());
    assert_eq!(farm.run(&["plan", SITE, "--exit-code"]).code(), 0);
    farm.ok(&["down", SITE, "--yes"]);
}
