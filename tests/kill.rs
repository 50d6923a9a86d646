//! The five properties, with a kill in every step: a plan writes nothing, a second run changes nothing, a killed
//! run that is run again ends like an undisturbed one, `down` leaves nothing, and a later look agrees with the run.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::kit::lab::variable;
use crate::kit::{Lab, Outcome, world};

/// The lasting objects of every cluster.
type World = BTreeMap<String, BTreeMap<String, Value>>;

/// 128 + SIGKILL.
const KILLED: i32 = 137;

const PROFILE: &str = r#"
[hub.local]
[spokes.dev]
environment = "dev"
[spokes.dev.local]
[addons]
priority_classes = true
[repos.addons]
url = "../.."
basepath = "addons/"
path = "bootstrap"
[repos.workload]
url = "../.."
basepath = "workloads/"
path = "demo"
"#;

/// The steps of a run that wrote something, with how often, in the order in which they were done.
fn written(outcome: &Outcome) -> Vec<(String, u64)> {
    let applied = outcome.events_of("applied").into_iter();
    let writes =
        applied.map(|event| (event["step"].as_str().unwrap().to_owned(), event["writes"].as_u64().unwrap()));
    writes.filter(|(_, writes)| *writes > 0).collect()
}

/// Where to kill the run: at every write, before and after, if that is asked for; else once in every step, at its
/// first, middle or last write, before or after it, in turn.
fn faults(steps: &[(String, u64)]) -> Vec<String> {
    if variable("BRIDGEHEAD_KILL_MATRIX").is_some() {
        let writes =
            steps.iter().flat_map(|(step, writes)| (1..=*writes).map(move |ordinal| (step, ordinal)));
        let moments =
            |(step, ordinal)| ["before", "after"].map(|moment| format!("{moment}:{ordinal}:{step}"));
        return writes.flat_map(moments).collect();
    }
    let once = |(index, (step, writes)): (usize, &(String, u64))| {
        let ordinal = [1, writes.div_ceil(2), *writes][index % 3];
        let moment = ["before", "after"][index % 2];
        format!("{moment}:{ordinal}:{step}")
    };
    steps.iter().enumerate().map(once).collect()
}

/// Runs a command that is killed at a write, then runs it again to its end.
fn killed_and_run_again(lab: &Lab, arguments: &[&str], fault: &str) {
    let killed = lab.bridgehead_with(arguments, &[("BRIDGEHEAD_FAULT", fault)]);
    assert_eq!(killed.code(), KILLED, "{fault} was not reached:\n{}", killed.stderr);
    lab.ok(arguments);
}

async fn world(lab: &Lab) -> World {
    let mut clusters = BTreeMap::new();
    for cluster in ["hub", "dev"] {
        clusters.insert(cluster.to_owned(), world::objects(&lab.client("kill", cluster).await).await);
    }
    clusters
}

/// What two worlds do not agree on, with both sides of the first of it.
fn difference(one: &World, other: &World) -> Vec<String> {
    let mut different = Vec::new();
    for (cluster, objects) in one {
        let others = &other[cluster];
        let names: BTreeSet<_> = objects.keys().chain(others.keys()).collect();
        for name in names.into_iter().filter(|name| objects.get(*name) != others.get(*name)) {
            if different.is_empty() {
                different.push(format!("{:#?}\n{:#?}", objects.get(name), others.get(name)));
            }
            different.push(format!("{cluster}: {name}"));
        }
    }
    different
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_killed_in_any_step_and_run_again_ends_like_an_undisturbed_one() {
    let lab = Lab::new();
    lab.write_profile("kill", PROFILE);
    lab.ok(&["plan", "kill"]);
    let state = world::files(&lab.state("kill"));
    assert_eq!(state, BTreeSet::new(), "`plan` wrote to the state folder");

    let up = ["up", "kill", "--output", "json"];
    let down = ["down", "kill", "--output", "json"];
    let first = lab.ok(&up);
    let undisturbed = world(&lab).await;
    assert_eq!(written(&lab.ok(&up)), [], "a second `up` changed something");
    assert_eq!(lab.bridgehead(&["plan", "kill", "--exit-code"]).code(), 0);
    let steps_up = written(&first);
    let steps_down = written(&lab.ok(&down));
    assert!(steps_up.len() > 8 && steps_down.len() > 4, "{steps_up:?} {steps_down:?}");

    let (faults_up, faults_down) = (faults(&steps_up), faults(&steps_down));
    for index in 0..faults_up.len().max(faults_down.len()) {
        if let Some(fault) = faults_up.get(index) {
            killed_and_run_again(&lab, &up, fault);
        } else {
            lab.ok(&up);
        }
        let different = difference(&undisturbed, &world(&lab).await);
        assert!(different.is_empty(), "after {:?}: {different:#?}", faults_up.get(index));
        if let Some(fault) = faults_down.get(index) {
            killed_and_run_again(&lab, &down, fault);
        } else {
            lab.ok(&down);
        }
        assert!(lab.processes().is_empty(), "{:?} after {:?}", lab.processes(), faults_down.get(index));
        let left = world::files(&lab.path("state/bridgehead"));
        let left: Vec<_> = left.into_iter().filter(|name| !name.starts_with("log")).collect();
        assert_eq!(left, Vec::<String>::new(), "after {:?}", faults_down.get(index));
    }
}
