//! The five properties: a plan writes nothing; a second run changes nothing; a run that is killed anywhere and
//! run again ends like an undisturbed one; `down` leaves nothing, also when it is killed; and what is known at
//! the end of a run is what a later look finds.
//!
//! Runs are killed in chains: one dies in the first step, the next one, which goes on where that stopped, in the
//! second, and so on. So a round of bringing the site up and taking it down has a kill in most of its steps. What
//! was done already when its turn came, in a branch at the side, has its turn in the next round.

use std::collections::BTreeSet;

use crate::kit::Outcome;
use crate::kit::lab::variable;
use crate::kit::wait::eventually;
use crate::kit::world::{World, differences};

/// 128 + SIGKILL.
const KILLED: i32 = 137;

/// The runs of a site: bridgehead with arguments, whose output are events, and with where it is to be killed.
pub(crate) struct Runs<Bridgehead> {
    pub(crate) site: &'static str,
    pub(crate) bridgehead: Bridgehead,
}

/// A write at which a run is killed.
#[derive(Debug, Clone)]
struct Kill {
    step: String,
    fault: String,
}

impl<Bridgehead: Fn(&[&str], Option<&str>) -> Outcome> Runs<Bridgehead> {
    /// Shows the five properties of a site that is not up. `look` is all that matters of one that is up.
    pub(crate) async fn have_the_five_properties(
        &self,
        look: impl AsyncFn() -> World,
        nothing_is_left: impl Fn(),
    ) {
        assert_eq!(self.planned(), 3, "`up` has nothing to do");
        nothing_is_left();
        let first = self.run("up", None);
        let undisturbed = look().await;
        assert_eq!(steps(&self.run("up", None)), [], "a second `up` changed something");
        let mut ups = kills(&first);
        let mut downs = kills(&self.run("down", None));
        nothing_is_left();
        assert!(ups.len() > 8 && downs.len() > 1, "{ups:?} {downs:?}");

        while !(ups.is_empty() && downs.is_empty()) {
            let mut struck = self.chain("up", &mut ups);
            // Controllers may still be at what does not matter to the site, such as counting replicas.
            let mut differing = Vec::new();
            eventually(&format!("after {struck:?} nothing differs"), async || {
                let now = differences(&undisturbed, &look().await);
                if now != differing {
                    println!("{}", now.join("\n"));
                    differing = now;
                }
                differing.is_empty()
            })
            .await;
            assert_eq!(self.planned(), 0, "after {struck:?}");
            struck.extend(self.chain("down", &mut downs));
            nothing_is_left();
            assert!(!struck.is_empty(), "these writes are never reached: {ups:?} {downs:?}");
        }
    }

    /// The exit code of a plan: 3 when `up` would change something.
    fn planned(&self) -> i32 {
        (self.bridgehead)(&["plan", self.site, "--exit-code"], None).code()
    }

    /// Runs a command to its end, or to where it is to be killed.
    fn run(&self, command: &str, kill: Option<&Kill>) -> Outcome {
        let fault = kill.map(|kill| kill.fault.as_str());
        let outcome = (self.bridgehead)(&[command, self.site, "--yes"], fault);
        let killed = kill.is_some() && outcome.code() == KILLED;
        let text = format!("{}{}", outcome.stdout, outcome.stderr);
        assert!(killed || outcome.code() == 0, "{command}, {kill:?}, ended with {}:\n{text}", outcome.code());
        outcome
    }

    /// Kills a command in one step after the other, at most once in each, and then lets it end. What was reached
    /// is taken out of `kills`, and returned.
    fn chain(&self, command: &str, kills: &mut Vec<Kill>) -> Vec<Kill> {
        let mut struck: Vec<Kill> = Vec::new();
        let mut tried = BTreeSet::new();
        for kill in kills.clone() {
            if !tried.insert(kill.step.clone()) || command == "up" && !self.is_ahead(&kill.step) {
                continue;
            }
            if self.run(command, Some(&kill)).code() != KILLED {
                break;
            }
            println!("{command} killed {}", kill.fault);
            struck.push(kill);
        }
        kills.retain(|kill| !struck.iter().any(|struck| struck.fault == kill.fault));
        self.run(command, None);
        struck
    }

    /// Whether `up` has something to write in a step, as far as a plan can tell.
    fn is_ahead(&self, step: &str) -> bool {
        let plan = (self.bridgehead)(&["plan", self.site], None);
        assert_eq!(plan.code(), 0, "{}{}", plan.stdout, plan.stderr);
        let events = plan.events().into_iter().filter(|event| event["step"] == step);
        let mut writes = events.map(|event| match event["event"].as_str().unwrap() {
            "planned" => event["changes"].as_array().unwrap().iter().any(|change| change["kind"] != "wait"),
            name => name == "blocked",
        });
        writes.any(|writes| writes)
    }
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
