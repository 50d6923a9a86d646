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

    // Wherever it is killed, the next look finds what is left: the mark, and then the node.
    for kill in ["after:1", "after:2"].map(|at| format!("{at}:departed/host/two/hub/remove/two/k3s")) {
        let killed = farm.run_with(&["up", SITE, "--yes", "--prune"], Some(&kill));
        assert_eq!(killed.code(), 137, "{kill}: {}{}", killed.stdout, killed.stderr);
        assert_eq!(listed(&farm), r#"["agent two of hub"]"#, "{kill}");
    }
    let pruned = farm.ok(&["up", SITE, "--yes", "--prune"]);
    let node = "departed/host/two/hub/remove/two/node".to_owned();
    assert!(steps(&pruned, "applied").contains(&node), "{}", pruned.stdout);
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

/// A spoke that has another name now has the same host: what was there goes first. A host of which nobody knows whether
/// it is a part of that is in the way only as long as the cluster itself does not say.
#[test]
fn a_renamed_spoke_gives_its_host_to_the_new_one() {
    let names = ["one", "two", "three"];
    let farm = Farm::new(&names, &names.map(Plan::named));
    let table = |name: &str, host: &str| {
        format!(
            "[{name}.k3s]\nservers = [{host:?}]\nversion = {TAG:?}\nmirror = {:?}\n",
            farm.mirror.releases
        )
    };
    let write = |spoke: &str, host: &str| {
        let spoke = table(&format!("spokes.{spoke}"), host);
        farm.lab.write_profile(SITE, &(table("hub", "one") + &spoke));
    };
    let mark = || farm.hosts["two"].ok("cat /etc/bridgehead/home.json");
    write("edge", "two");
    farm.ok(&["up", SITE, "--yes"]);
    assert!(mark().contains("\"edge\""), "{}", mark());

    write("shore", "two");
    let up = farm.run(&["up", SITE, "--yes"]);
    assert_eq!(up.code(), 4, "{}", up.stdout);
    assert!(up.stdout.contains("it is already server of `edge`"), "{}", up.stdout);
    assert!(mark().contains("\"edge\""), "{}", mark());
    farm.hosts["three"].ok("systemctl stop ssh.socket ssh.service");
    farm.hosts["two"].ok("systemctl stop k3s");
    let plan = farm.run(&["plan", SITE, "--prune"]);
    let refused = plan.events_of("failed")[0].to_string();
    assert!(refused.contains("three") && refused.contains("`--lost edge`"), "{refused}");
    farm.hosts["two"].ok("systemctl start k3s");
    farm.ok(&["up", SITE, "--yes", "--prune"]);
    assert!(mark().contains("\"shore\""), "{}", mark());
    assert_eq!(farm.run(&["plan", SITE, "--exit-code"]).code(), 0);

    // A cluster is where its server is: one on another host is another cluster, and takes the place of none.
    farm.hosts["three"].ok("systemctl start ssh");
    write("shore", "three");
    let plan = farm.run(&["plan", SITE, "--prune"]);
    let said = "two is still the server of a cluster `shore`";
    assert!(plan.code() == 4 && plan.stdout.contains(said), "{}{}", plan.stdout, plan.stderr);
    assert!(plan.stdout.contains("bridgehead down home --cluster shore"), "{}", plan.stdout);
    write("shore", "two");
    farm.ok(&["down", SITE, "--yes"]);
}
