//! A fleet of hundreds: what it costs grows with what changes, and what fails is told in a few lines.

use std::time::Duration;

use crate::kit::Outcome;
use crate::kit::command::run;
use crate::kit::door::{Manner, Seen};
use crate::kit::fleet::{Fleet, SITE, address};

/// How many spokes.
const COUNT: usize = 300;
/// How many of them do not answer for a while.
const SILENT: usize = COUNT / 5;

#[tokio::test(flavor = "multi_thread")]
async fn a_fleet_of_hundreds_is_ordinary() {
    let fleet = Fleet::of(COUNT).await;
    let first = fleet.lab.ok(&["up", SITE, "--yes"]);
    let (hub, _) = (fleet.hub(), fleet.spokes());
    // A list of everything for each spoke would be hundreds of megabytes.
    assert!(hub.bytes < 60 << 20, "{hub:?} in {:?}", first.elapsed);

    nothing_to_do_costs_little(&fleet);
    few_files_are_enough(&fleet);
    clusters_are_chosen_by_label(&fleet);
    some_do_not_answer(&fleet);
    the_next_run_does_the_rest(&fleet);
}

fn nothing_to_do_costs_little(fleet: &Fleet) {
    let plan = fleet.lab.ok(&["plan", SITE, "--exit-code"]);
    let (hub, spokes) = (fleet.hub(), fleet.spokes());
    let most = spokes.iter().map(|seen| seen.requests).max();
    assert_eq!(most, Some(3), "way, token and rights, and what we made there");
    assert!(hub.requests <= 60 && hub.bytes < 12 << 20, "{hub:?}");
    assert!(plan.memory < 200 << 10, "{} KiB, in {:?}", plan.memory, plan.elapsed);
    // Hundreds of clusters at one step are counted.
    let lines = plan.stderr.lines().count();
    let counted = format!("{COUNT} done");
    assert!(lines < COUNT / 2 && plan.stderr.contains(&counted), "{lines} lines:\n{}", plan.stderr);
}

/// Where a process may have less files open than there are clusters, connections do not stay open.
fn few_files_are_enough(fleet: &Fleet) {
    let mut shell = fleet.lab.command("sh");
    shell.args([
        "-c",
        "ulimit -n 256 && exec \"$0\" plan fleet --exit-code",
        env!("CARGO_BIN_EXE_bridgehead"),
    ]);
    let plan = run(shell);
    assert_eq!(plan.code(), 0, "{}{}", plan.stdout, plan.stderr);
    assert!(plan.stderr.contains("only 256 files open here: 28 clusters"), "{}", plan.stderr);
    let (hub, spokes) = (fleet.hub(), fleet.spokes());
    assert!(spokes.iter().all(|seen| (1..=3).contains(&seen.requests)), "{hub:?}");
    assert!(spokes.iter().all(|seen| seen.connections == seen.requests), "{spokes:?}");
}

fn clusters_are_chosen_by_label(fleet: &Fleet) {
    let of = |arguments: &[&str]| {
        let plan = fleet.lab.ok(&[&["plan", SITE, "--output", "json"], arguments].concat());
        let (_, spokes) = (fleet.hub(), fleet.spokes());
        let asked = spokes.iter().filter(|seen| seen.requests > 0).count();
        assert_eq!(plan.result(), "planned");
        asked
    };
    assert_eq!(of(&["--label", "environment=dev"]), COUNT / 2);
    assert_eq!(of(&["--label", "environment=dev", "--label", "cluster_name=c4"]), 1);
    let none = fleet.lab.bridgehead(&["up", SITE, "--yes", "--label", "environment=stage"]);
    assert_eq!(none.code(), 2, "{}", none.stderr);
    assert!(
        none.stderr.contains("values of `environment` there: control-plane, dev, prod"),
        "{}",
        none.stderr
    );
    let status =
        fleet.lab.ok(&["status", SITE, "--label", "environment=prod", "--output", "json"]).document();
    assert_eq!(status["clusters"].as_array().unwrap().len(), COUNT / 2);
    let (_, spokes) = (fleet.hub(), fleet.spokes());
    assert!((0..COUNT).all(|number| (spokes[number].requests > 0) == (number % 2 == 1)));
}

/// One in five is away, one is slow and one is busy: all others get what is new, and none of them waits for those.
fn some_do_not_answer(fleet: &Fleet) {
    let [slow, busy] = [SILENT + 1, SILENT + 2];
    (0..SILENT).for_each(|number| fleet.door.close(address(number)));
    fleet.door.set(address(slow), Manner::After(Duration::from_secs(5)));
    fleet.door.set(address(busy), Manner::Busy(2));
    fleet.write_profile(COUNT, "[addons]\nmetrics_server = true\n");

    let partial = fleet.lab.bridgehead(&["up", SITE, "--yes", "--output", "json"]);
    assert_eq!((partial.code(), partial.result().as_str()), (4, "failed"));
    let applied = written(&partial);
    assert_eq!(applied.len(), COUNT - SILENT + 1, "the hub and all that answer");
    assert_eq!(applied.last().map(String::as_str), Some(format!("c{slow}/registration/secret").as_str()));
    let told: Vec<_> = partial.stderr.lines().filter(|line| line.starts_with("not ")).collect();
    assert!(told.len() <= 3, "{}", partial.stderr);
    let is_named =
        |number| told[0].contains(&format!(" c{number},")) || told[0].contains(&format!(" c{number}:"));
    assert!((0..SILENT).all(is_named) && told[0].contains("Connection refused"), "{}", partial.stderr);
    those_that_are_away_are_told(fleet);
}

/// By `status` and `addon list` in a few lines, and one by one for machines.
fn those_that_are_away_are_told(fleet: &Fleet) {
    fleet.door.set(address(SILENT + 1), Manner::Plain);
    let status = fleet.lab.ok(&["status", SITE]);
    assert!(status.stdout.lines().count() < 30, "{}", status.stdout);
    for told in ["Connection refused", "does not answer; in Argo CD: ", "c10, c11"] {
        assert!(status.stdout.contains(told), "{told}: {}", status.stdout);
    }
    let unhealthy = fleet.lab.ok(&["status", SITE, "--unhealthy", "--output", "json"]).document();
    assert_eq!(unhealthy["clusters"].as_array().unwrap().len(), SILENT);
    let list = fleet.lab.ok(&["addon", "list", SITE, "--unhealthy", "--label", "environment=dev"]);
    let told = format!("profile on, label off, not seen: {}", SILENT / 2);
    assert!(list.stdout.contains(&told) && list.stdout.lines().count() < 10, "{}", list.stdout);
}

fn the_next_run_does_the_rest(fleet: &Fleet) {
    (0..SILENT).for_each(|number| assert_eq!(fleet.door.listen(address(number)).port(), fleet.door.port));
    fleet.door.set(address(SILENT + 1), Manner::Plain);
    let rest = fleet.lab.ok(&["up", SITE, "--yes", "--output", "json"]);
    assert_eq!(written(&rest).len(), SILENT);
    let (_, spokes) = (fleet.hub(), fleet.spokes());
    assert!(spokes.iter().all(|seen: &Seen| seen.requests > 0));
    fleet.lab.ok(&["plan", SITE, "--exit-code"]);
}

/// The steps that wrote a cluster Secret, in the order of their ends.
fn written(outcome: &Outcome) -> Vec<String> {
    let applied = outcome.events_of("applied").into_iter();
    let steps = applied.map(|event| event["step"].as_str().unwrap().to_owned());
    steps.filter(|step| step.ends_with("/registration/secret")).collect()
}
