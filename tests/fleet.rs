//! A fleet of hundreds: what it costs grows with what changes, and what fails is told in a few lines.

use std::time::Duration;

use crate::kit::Outcome;
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
    let more = format!("and {} more", SILENT - 8);
    assert!(told[0].contains(&more) && told[0].contains("Connection refused"), "{}", partial.stderr);
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
