//! Whatever is edited and whatever is selected: a plan lists exactly what the run then does, and two plans have the same
//! digest if and only if they would do the same.
//!
//! One site is led from one drawn profile to the next, each time for one of its clusters or for all, so that what was
//! edited for the others stays pending. `BRIDGEHEAD_PLAN_CASES` says how many there are.

use std::cell::Cell;
use std::collections::BTreeSet;

use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use crate::kit::lab::variable;
use crate::kit::{Lab, Outcome};

const SITE: &str = "drawn";
const CLUSTERS: [&str; 3] = ["hub", "dev", "staging"];
const CASES: u32 = 6;
/// How much a wish says, and how much the hub's does.
const FIELDS: usize = 3;
const HUB_FIELDS: usize = 5;

/// What the profile says of one cluster: a label, an annotation, addons; and of the hub a setting of Argo CD and the
/// content of a Secret. Each is one of a few values.
type Wish = [u8; HUB_FIELDS];

/// What the profile says of them all.
type Wishes = [Wish; CLUSTERS.len()];

#[derive(Debug, Clone)]
struct Case {
    wishes: Wishes,
    /// The cluster that is selected; `None`: all.
    selected: Option<usize>,
    /// What else could have been wished: of which cluster, and what.
    other: (usize, usize),
}

#[derive(Debug)]
struct Plan {
    changes: BTreeSet<String>,
    digest: String,
}

/// Argo CD's setting, among what is wished of the hub.
const SETTING: usize = 3;

struct Site {
    lab: Lab,
    /// The setting that Argo CD has.
    setting: Cell<u8>,
}

#[test]
fn a_plan_lists_what_the_run_does() {
    let site = Site { lab: Lab::new(), setting: Cell::new(0) };
    site.write(&Wishes::default(), "");
    site.run(&["up", SITE, "--yes"], &Wishes::default());
    let cases =
        variable("BRIDGEHEAD_PLAN_CASES").map_or(CASES, |cases| cases.to_str().unwrap().parse().unwrap());
    // What one case leaves is what the next one starts from: none of them can be tried again.
    let config = Config { cases, max_shrink_iters: 0, failure_persistence: None, ..Config::default() };
    let planned = Cell::new(0);
    let mut runner = TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    runner
        .run(&cases_of_all_kinds(), |case| {
            planned.set(planned.get() + site.hold(&case));
            Ok(())
        })
        .unwrap();
    assert!(planned.get() > cases, "{} changes in {cases} cases", planned.get());
}

fn cases_of_all_kinds() -> impl Strategy<Value = Case> {
    let wishes = prop::array::uniform3(prop::array::uniform5(0..3_u8));
    let selected = prop::option::weighted(0.7, 0..CLUSTERS.len());
    let other =
        (0..CLUSTERS.len()).prop_flat_map(|at| (Just(at), 0..if at == 0 { HUB_FIELDS } else { FIELDS }));
    (wishes, selected, other).prop_map(|(wishes, selected, other)| Case { wishes, selected, other })
}

impl Site {
    /// What was planned is what is done, and nothing of it is left; how many changes that is.
    fn hold(&self, case: &Case) -> u32 {
        let Case { wishes, selected, other: (cluster, field) } = case;
        self.write(wishes, "");
        let plan = self.plan(*selected, wishes);
        self.write(wishes, "# Said in other words.\n");
        assert_eq!(self.plan(*selected, wishes).digest, plan.digest, "{case:?}");
        let mut others = *wishes;
        others[*cluster][*field] = (others[*cluster][*field] + 1) % 3;
        self.write(&others, "");
        let other = self.plan(*selected, &others);
        let concerns = selected.is_none_or(|selected| selected == *cluster);
        assert_eq!(other.digest != plan.digest, concerns, "{case:?}: {plan:?} {other:?}");

        self.write(wishes, "");
        let up = ["up", SITE, "--yes", "--expect", &plan.digest];
        let done = self.run(&with(&up, *selected), wishes);
        assert_eq!(decisions(&done, "applied"), plan.changes, "{case:?}");
        assert_eq!(self.plan(*selected, wishes).changes, BTreeSet::new(), "{case:?}");
        self.setting.set(wishes[0][SETTING]);
        u32::try_from(plan.changes.len()).unwrap()
    }

    fn write(&self, wishes: &Wishes, comment: &str) {
        let setting = format!("[argocd.cm]\n\"help.chatText\" = \"text {}\"\n", wishes[0][SETTING]);
        let secret = "[secrets.probe.data]\nvalue = { env = \"PROBE\" }\n";
        let clusters: String = CLUSTERS.iter().zip(wishes).map(|(name, wish)| of(name, *wish)).collect();
        let profile =
            format!("{comment}{clusters}[addons]\nprobe = false\nsecond = false\n{setting}{secret}");
        self.lab.write_profile(SITE, &profile);
    }

    fn plan(&self, selected: Option<usize>, wishes: &Wishes) -> Plan {
        let plan = self.run(&with(&["plan", SITE], selected), wishes);
        let digest = plan.events().last().unwrap()["digest"].as_str().unwrap().to_owned();
        Plan { changes: decisions(&plan, "planned"), digest }
    }

    fn run(&self, arguments: &[&str], wishes: &Wishes) -> Outcome {
        let secret = format!("value {}", wishes[0][SETTING + 1]);
        let arguments = [arguments, &["--output", "json"]].concat();
        let outcome = self.lab.bridgehead_with(&arguments, &[("PROBE", &secret)]);
        assert_eq!(outcome.code(), 0, "{arguments:?}: {}{}", outcome.stdout, outcome.stderr);
        outcome
    }
}

/// The part of the profile that is about one cluster. The first of the values is that nothing is said.
fn of(name: &str, [label, annotation, addon, ..]: Wish) -> String {
    let table = if name == "hub" { "hub".to_owned() } else { format!("spokes.{name}") };
    let entry = |part: &str, entry: String, value: u8| {
        if value == 0 { String::new() } else { format!("[{table}.{part}]\n{entry}\n") }
    };
    [
        format!("[{table}.local]\n"),
        entry("labels", format!("tier = \"{label}\""), label),
        entry("annotations", format!("note = \"{annotation}\""), annotation),
        entry("addons", format!("probe = true\nsecond = {}", addon == 2), addon),
    ]
    .concat()
}

fn with<'a>(arguments: &[&'a str], selected: Option<usize>) -> Vec<&'a str> {
    let selected = selected.map(|at| ["--cluster", CLUSTERS[at]]);
    arguments.iter().copied().chain(selected.into_iter().flatten()).collect()
}

/// What is created, changed and deleted, step by step. What Argo CD is asked to look at again, and what is waited for,
/// follows from that.
fn decisions(outcome: &Outcome, event: &str) -> BTreeSet<String> {
    let events = outcome
        .events_of(event)
        .into_iter()
        .filter(|event| !event["step"].to_string().contains("/gitops/refresh"));
    let changes = events.flat_map(|event| {
        let changes = event["changes"].as_array().unwrap().clone();
        changes.into_iter().map(move |change| (event["step"].clone(), change))
    });
    let changes = changes.filter(|(_, change)| change["kind"] != "wait");
    changes.map(|(step, change)| format!("{step}: {change}")).collect()
}
