//! The five properties: a plan writes nothing; a second run changes nothing; a run that is killed anywhere and
//! run again ends like an undisturbed one; `down` leaves nothing, also when it is killed; and what is known at
//! the end of a run is what a later look finds.
//!
//! Runs are killed in chains: one dies in the first step, the next one, which goes on where that stopped, in the
//! second, and so on. So a round of bringing the site up and taking it down has a kill in most of its steps. What
//! was done already when its turn came, in a branch at the side, has its turn in the next round.

use std::collections::BTreeSet;

use crate::kit::lab::variable;
use crate::kit::wait::eventually;
use crate::kit::world::World;
use crate::kit::{Lab, Outcome, profile, world};

/// 128 + SIGKILL.
const KILLED: i32 = 137;

const SITE: &str = "kill";
const CLUSTERS: [&str; 2] = ["hub", "dev"];

#[tokio::test(flavor = "multi_thread")]
async fn a_run_killed_in_any_step_and_run_again_ends_like_an_undisturbed_one() {
    let lab = Lab::new();
    lab.write_profile(SITE, &profile::fleet(&["dev"]));
    lab.ok(&["plan", SITE]);
    nothing_is_left(&lab);

    let first = run(&lab, "up", None);
    let undisturbed = world::look(&lab, SITE, &CLUSTERS).await;
    let second = run(&lab, "up", None);
    assert_eq!(steps(&second), [], "a second `up` changed something");
    let mut ups = kills(&first);
    let mut downs = kills(&run(&lab, "down", None));
    nothing_is_left(&lab);
    assert!(ups.len() > 8 && downs.len() > 4, "{ups:?} {downs:?}");

    while !(ups.is_empty() && downs.is_empty()) {
        let mut struck = chain(&lab, "up", &mut ups);
        ends_like(&lab, &undisturbed, &struck).await;
        struck.extend(chain(&lab, "down", &mut downs));
        nothing_is_left(&lab);
        assert!(!struck.is_empty(), "these writes are never reached: {ups:?} {downs:?}");
    }
}

/// A write at which a run is killed.
#[derive(Debug, Clone)]
struct Kill {
    step: String,
    fault: String,
}

/// Runs a command to its end, or to where it is to be killed.
fn run(lab: &Lab, command: &str, kill: Option<&Kill>) -> Outcome {
    let environment: Vec<_> = kill.iter().map(|kill| ("BRIDGEHEAD_FAULT", kill.fault.as_str())).collect();
    let outcome = lab.bridgehead_with(&[command, SITE, "--output", "json"], &environment);
    let killed = kill.is_some() && outcome.code() == KILLED;
    let text = format!("{}{}", outcome.stdout, outcome.stderr);
    assert!(killed || outcome.code() == 0, "{command}, {kill:?}, ended with {}:\n{text}", outcome.code());
    outcome
}

/// The steps of a run that wrote something, with how often, in the order in which they were done.
fn steps(outcome: &Outcome) -> Vec<(String, u64)> {
    let applied = outcome.events_of("applied").into_iter();
    let steps =
        applied.map(|event| (event["step"].as_str().unwrap().to_owned(), event["writes"].as_u64().unwrap()));
    steps.filter(|(_, writes)| *writes > 0).collect()
}

/// Where runs are to be killed. Usually once in every step, in turn at its first, a middle and its last write, in
/// turn before and after it; with `BRIDGEHEAD_KILL_MATRIX=all` before and after every write.
fn kills(undisturbed: &Outcome) -> Vec<Kill> {
    let all = variable("BRIDGEHEAD_KILL_MATRIX").is_some_and(|value| value == "all");
    let mut kills = Vec::new();
    for (index, (step, writes)) in steps(undisturbed).into_iter().enumerate() {
        let one = ([1, writes.div_ceil(2), writes][index % 3], ["before", "after"][index % 2]);
        let every = (1..=writes).flat_map(|ordinal| [(ordinal, "before"), (ordinal, "after")]);
        let chosen: Vec<_> = if all { every.collect() } else { vec![one] };
        let fault = |(ordinal, moment)| format!("{moment}:{ordinal}:{step}");
        kills.extend(chosen.into_iter().map(|at| Kill { step: step.clone(), fault: fault(at) }));
    }
    kills
}

/// Kills a command in one step after the other, at most once in each, and then lets it end. What was reached is
/// taken out of `kills`, and returned.
fn chain(lab: &Lab, command: &str, kills: &mut Vec<Kill>) -> Vec<Kill> {
    let mut struck: Vec<Kill> = Vec::new();
    let mut tried = BTreeSet::new();
    for kill in kills.clone() {
        if !tried.insert(kill.step.clone()) || command == "up" && !is_ahead(lab, &kill.step) {
            continue;
        }
        if run(lab, command, Some(&kill)).code() != KILLED {
            break;
        }
        println!("{command} killed {}", kill.fault);
        struck.push(kill);
    }
    kills.retain(|kill| !struck.iter().any(|struck| struck.fault == kill.fault));
    run(lab, command, None);
    struck
}

/// Whether `up` has something to write in a step, as far as a plan can tell.
fn is_ahead(lab: &Lab, step: &str) -> bool {
    let events = lab.ok(&["plan", SITE, "--output", "json"]).events();
    let events = events.iter().filter(|event| event["step"] == step);
    let mut writes = events.map(|event| match event["event"].as_str().unwrap() {
        "planned" => event["changes"].as_array().unwrap().iter().any(|change| change["kind"] != "wait"),
        name => name == "blocked",
    });
    writes.any(|writes| writes)
}

async fn ends_like(lab: &Lab, undisturbed: &World, struck: &[Kill]) {
    // Controllers may still be at what does not matter to the site, such as counting replicas.
    let mut differences = Vec::new();
    eventually(&format!("after {struck:?} nothing differs"), async || {
        let now = world::differences(undisturbed, &world::look(lab, SITE, &CLUSTERS).await);
        if now != differences {
            println!("{}", now.join("\n"));
            differences = now;
        }
        differences.is_empty()
    })
    .await;
    assert_eq!(lab.bridgehead(&["plan", SITE, "--exit-code"]).code(), 0);
}

fn nothing_is_left(lab: &Lab) {
    assert_eq!(lab.processes(), []);
    let left: Vec<_> =
        world::files(&lab.path("state")).into_iter().filter(|name| !name.contains("/log/")).collect();
    assert_eq!(left, ["bridgehead", "bridgehead/log"]);
}
