//! The engine against a world that is a set of names.

use std::collections::BTreeSet;
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use super::{Mode, Plan, Report, Run};
use crate::engine::event::{Event, Events, RunResult};
use crate::engine::facts::{ClusterFacts, Facts};
use crate::engine::tree::{Tree, TreeError, finally, gate, rescue};
use crate::engine::writer::Writer;
use crate::engine::{Change, Failure, Observed, Step, StepId, Stop};
use crate::site::name::ClusterName;
use crate::site::secret::Secret;
use crate::{par, seq};

mod places;

type World = Arc<Mutex<BTreeSet<String>>>;

/// Makes its own id in the world; told to, it fails, needs a version, yields one, or takes its time.
#[expect(clippy::struct_excessive_bools, reason = "each is a way to be difficult")]
struct Make {
    cluster: ClusterName,
    path: &'static str,
    world: World,
    fails: bool,
    stubborn: bool,
    fails_to_look: bool,
    needs_version: bool,
    yields_version: bool,
    looks_to_ready: usize,
    looks: AtomicUsize,
    /// What goes by itself, and has to be gone before.
    after: Option<&'static str>,
    content: u8,
}

fn make(world: &World, cluster: &str, path: &'static str) -> Make {
    Make {
        cluster: cluster.parse().unwrap(),
        path,
        world: Arc::clone(world),
        fails: false,
        stubborn: false,
        fails_to_look: false,
        needs_version: false,
        yields_version: false,
        looks_to_ready: 0,
        looks: AtomicUsize::new(0),
        after: None,
        content: 0,
    }
}

impl Make {
    fn exists(&self) -> bool {
        self.world.lock().unwrap().contains(self.id().as_str())
    }
}

impl Step for Make {
    type Work = ();

    fn id(&self) -> StepId {
        StepId::of(&self.cluster, self.path)
    }

    fn cluster(&self) -> Option<&ClusterName> {
        Some(&self.cluster)
    }

    fn purpose(&self) -> &'static str {
        "it is in the world"
    }

    async fn observe(&self, facts: &Facts) -> Result<Observed, Stop> {
        if self.fails_to_look {
            return Err(Failure::from(io::Error::other("cannot look")).into());
        }
        if self.needs_version {
            facts.access(&self.cluster)?;
        }
        if let Some(after) = self.after
            && self.world.lock().unwrap().remove(after)
        {
            return Ok(Observed::differs(vec![Change::wait(self.path, format!("{after} is going"))], ()));
        }
        if !self.exists() {
            let change = Change::create(self.path).with_content(&self.content);
            return Ok(Observed::differs(vec![change], ()));
        }
        if self.looks.fetch_add(1, Ordering::Relaxed) < self.looks_to_ready {
            return Ok(Observed::differs(vec![Change::wait(self.path, "it is still small")], ()));
        }
        let version = self.yields_version.then(|| "v1".to_owned());
        Ok(Observed::ready(Facts::of(&self.cluster, ClusterFacts { version, ..ClusterFacts::default() })))
    }

    async fn apply(&self, _work: (), _: &Facts, writer: &Writer) -> Result<(), Failure> {
        if self.fails {
            return Err(Failure::from(io::Error::other("no")).with_hint("try harder"));
        }
        if self.stubborn {
            return Ok(());
        }
        let write = async { Ok::<_, Failure>(self.world.lock().unwrap().insert(self.id().to_string())) };
        writer.perform(write).await?;
        Ok(())
    }

    fn patience(&self) -> Duration {
        Duration::from_millis(200)
    }
}

/// Has a second thing to do, which shows only while it waits for what became of the first.
struct Twice(World);

impl Step for Twice {
    type Work = ();

    fn id(&self) -> StepId {
        StepId::site("twice")
    }

    fn cluster(&self) -> Option<&ClusterName> {
        None
    }

    fn purpose(&self) -> &'static str {
        "both are asked for"
    }

    async fn observe(&self, _: &Facts) -> Result<Observed, Stop> {
        let mut world = self.0.lock().unwrap();
        let next = ["asked", "waited", "asked again"].into_iter().find(|step| !world.contains(*step));
        let change = next.map(|step| match step {
            "waited" => Change::wait("it", "it takes its time"),
            step => Change::create(step),
        });
        if next == Some("waited") {
            world.insert("waited".to_owned());
        }
        Ok(Observed::differs(change.into_iter().collect(), ()))
    }

    async fn apply(&self, _work: (), _: &Facts, writer: &Writer) -> Result<(), Failure> {
        let next = if self.0.lock().unwrap().contains("waited") { "asked again" } else { "asked" };
        let write = async { Ok::<_, Failure>(self.0.lock().unwrap().insert(next.to_owned())) };
        writer.perform(write).await.map(drop)
    }
}

/// Walks a tree and returns the report with the events as `name step` texts.
async fn walk(mode: Mode, selection: Option<&str>, tree: &Tree) -> (Report, Vec<String>) {
    walk_confirmed(mode, selection, None, tree).await
}

async fn walk_confirmed(
    mode: Mode,
    selection: Option<&str>,
    confirmed: Option<Plan>,
    tree: &Tree,
) -> (Report, Vec<String>) {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let sink = Arc::clone(&seen);
    let events = Events::new("home".parse().unwrap(), move |stamped| {
        let json = serde_json::to_value(stamped).unwrap();
        sink.lock().unwrap().push(format!(
            "{} {}",
            json["event"].as_str().unwrap(),
            json["step"].as_str().unwrap_or("")
        ));
        if let Event::Skipped { because, .. } = &stamped.event {
            sink.lock().unwrap().push(because.clone());
        }
    });
    let selection = selection.map(|name| BTreeSet::from([name.parse().unwrap()]));
    let confirmed = confirmed.map(Arc::new);
    let run = Run { selection, confirmed, ..Run::new(mode, events) };
    let report = run.walk(tree).await;
    let events = seen.lock().unwrap().clone();
    (report, events)
}

fn contains(events: &[String], text: &str) -> bool {
    events.iter().any(|event| event == text)
}

#[tokio::test]
async fn a_plan_writes_nothing_and_a_second_run_changes_nothing() {
    let world = World::default();
    let tree =
        || seq![make(&world, "hub", "one"), par![make(&world, "hub", "two"), make(&world, "dev", "three")]];
    let (plan, _) = walk(Mode::Plan, None, &tree()).await;
    assert_eq!((plan.result, plan.count()), (RunResult::Planned, 3));
    assert!(world.lock().unwrap().is_empty());
    let (first, events) = walk(Mode::Apply, None, &tree()).await;
    assert_eq!((first.result, first.count()), (RunResult::Converged, 3));
    assert!(contains(&events, "applied hub/one"));
    assert_eq!(world.lock().unwrap().len(), 3);
    let (second, events) = walk(Mode::Apply, None, &tree()).await;
    assert_eq!((second.result, second.count()), (RunResult::Converged, 0));
    assert!(contains(&events, "unchanged dev/three"));
}

#[tokio::test]
async fn a_failure_skips_its_branch_and_gates_on_it_but_not_the_siblings() {
    let world = World::default();
    let failing = Make { fails: true, ..make(&world, "hub", "bad") };
    let waiting = seq![
        make(&world, "dev", "before"),
        gate(StepId::of(&"hub".parse().unwrap(), "bad")),
        make(&world, "dev", "after")
    ];
    let tree = par![seq![failing, make(&world, "hub", "rest")], waiting, make(&world, "staging", "sibling")];
    let (report, events) = walk(Mode::Apply, None, &tree).await;
    assert_eq!(report.result, RunResult::Failed);
    for expected in ["failed hub/bad", "skipped hub/rest", "skipped dev/after", "hub/bad failed"] {
        assert!(contains(&events, expected), "{expected} in {events:?}");
    }
    let made: Vec<_> = world.lock().unwrap().iter().cloned().collect();
    assert_eq!(made, ["dev/before", "staging/sibling"]);
}

#[tokio::test]
async fn waits_are_waited_out_within_the_steps_patience() {
    let world = World::default();
    let (report, events) =
        walk(Mode::Apply, None, &seq![Make { looks_to_ready: 2, ..make(&world, "hub", "slow") }]).await;
    assert_eq!(report.result, RunResult::Converged);
    assert!(contains(&events, "progress hub/slow"));
    let endless = Make { looks_to_ready: usize::MAX, ..make(&world, "hub", "endless") };
    let (report, events) = walk(Mode::Apply, None, &seq![endless]).await;
    assert_eq!(report.result, RunResult::TimedOut);
    assert!(contains(&events, "failed hub/endless"));
}

#[tokio::test]
async fn a_run_may_have_a_patience_of_its_own() {
    let world = World::default();
    let endless = Make { looks_to_ready: usize::MAX, ..make(&world, "hub", "endless") };
    let events = Events::new("test".parse().unwrap(), |_| {});
    let run = Run { patience: Some(Duration::ZERO), ..Run::new(Mode::Apply, events) };
    let started = Instant::now();
    let report = run.walk(&seq![endless]).await;
    assert_eq!(report.result, RunResult::TimedOut);
    assert!(started.elapsed() < Duration::from_secs(1), "{:?}", started.elapsed());
}

#[tokio::test]
async fn what_has_to_be_waited_for_first_is_made_afterwards() {
    let world = World::default();
    world.lock().unwrap().insert("hub/old".to_owned());
    let (report, _) =
        walk(Mode::Apply, None, &seq![Make { after: Some("hub/old"), ..make(&world, "hub", "new") }]).await;
    assert_eq!(report.result, RunResult::Converged);
    assert!(world.lock().unwrap().contains("hub/new"));
}

#[tokio::test]
async fn what_comes_up_while_waiting_is_applied_as_well() {
    let world = World::default();
    let (report, _) = walk(Mode::Apply, None, &seq![Twice(Arc::clone(&world))]).await;
    assert_eq!(report.result, RunResult::Converged);
    assert!(world.lock().unwrap().contains("asked again"));
}

#[tokio::test]
async fn an_apply_that_changes_nothing_is_not_believed() {
    let world = World::default();
    let (report, _) =
        walk(Mode::Apply, None, &seq![Make { stubborn: true, ..make(&world, "hub", "stubborn") }]).await;
    assert_eq!(report.result, RunResult::Failed);
}

#[tokio::test]
async fn a_plan_tells_what_is_known_later() {
    let world = World::default();
    let tree = seq![make(&world, "hub", "one"), Make { needs_version: true, ..make(&world, "hub", "two") }];
    let (plan, events) = walk(Mode::Plan, None, &tree).await;
    assert_eq!(plan.blocked.values().collect::<Vec<_>>(), ["access of hub"]);
    assert!(!plan.is_unchanged() && contains(&events, "blocked hub/two"));
}

#[tokio::test]
async fn facts_of_a_later_look_equal_those_of_the_run() {
    let world = World::default();
    let tree = || seq![Make { yields_version: true, ..make(&world, "hub", "one") }];
    let (up, _) = walk(Mode::Apply, None, &tree()).await;
    let (status, _) = walk(Mode::Plan, None, &tree()).await;
    assert_eq!(up.facts.cluster(&"hub".parse().unwrap()).unwrap().version.as_deref(), Some("v1"));
    assert_eq!(up.facts, status.facts);
}

#[tokio::test]
async fn what_is_not_selected_is_looked_at_only_and_fails_those_that_need_it_by_name() {
    let world = World::default();
    let tree = || {
        let needs_hub = seq![gate(StepId::of(&"hub".parse().unwrap(), "one")), make(&world, "dev", "two")];
        par![make(&world, "hub", "one"), needs_hub, make(&world, "staging", "three")]
    };
    let (report, events) = walk(Mode::Apply, Some("dev"), &tree()).await;
    assert_eq!(report.result, RunResult::Failed);
    assert!(contains(&events, "failed dev/two") && world.lock().unwrap().is_empty());
    walk(Mode::Apply, Some("hub"), &tree()).await;
    let (report, _) = walk(Mode::Apply, Some("dev"), &tree()).await;
    assert_eq!(report.result, RunResult::Converged);
    assert_eq!(world.lock().unwrap().len(), 2);
}

#[tokio::test]
async fn a_cancelled_run_starts_no_further_step() {
    let world = World::default();
    let cancel = CancellationToken::new();
    cancel.cancel();
    let events = Events::new("home".parse().unwrap(), |_| {});
    let run = Run { cancel, ..Run::new(Mode::Apply, events) };
    let report = run.walk(&seq![make(&world, "hub", "one")]).await;
    assert_eq!(report.result, RunResult::Interrupted);
    assert!(world.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_plan_for_a_selection_is_what_a_run_for_it_does() {
    let world = World::default();
    let tree = || {
        let gated = seq![gate(StepId::of(&"hub".parse().unwrap(), "one")), make(&world, "dev", "two")];
        let dead = Make { fails: true, ..make(&world, "staging", "dead") };
        seq![
            Tree::Each(vec![make(&world, "hub", "one").into(), gated, dead.into()]),
            make(&world, "hub", "last")
        ]
    };
    let (plan, _) = walk(Mode::Plan, Some("dev"), &tree()).await;
    assert_eq!(plan.result, RunResult::Failed, "the hub is not ready");
    walk(Mode::Apply, Some("hub"), &tree()).await;
    let (plan, events) = walk(Mode::Plan, Some("dev"), &tree()).await;
    assert_eq!(plan.changes.keys().map(StepId::as_str).collect::<Vec<_>>(), ["dev/two"]);
    assert!(!events.iter().any(|event| event.contains("staging")), "{events:?}");
    let (run, _) = walk(Mode::Apply, Some("dev"), &tree()).await;
    assert_eq!((run.result, run.changes), (RunResult::Converged, plan.changes));
}

#[tokio::test]
async fn a_branch_that_fails_leaves_the_others_and_what_follows() {
    let world = World::default();
    let dead = Make { fails: true, ..make(&world, "dev", "dead") };
    let each = Tree::Each(vec![dead.into(), make(&world, "hub", "one").into()]);
    let after_dev = seq![gate(StepId::of(&"dev".parse().unwrap(), "dead")), make(&world, "dev", "after")];
    let tree = seq![each, par![make(&world, "hub", "after"), after_dev]];
    let (report, events) = walk(Mode::Apply, None, &tree).await;
    assert_eq!(report.result, RunResult::Failed);
    assert!(contains(&events, "applied hub/after") && contains(&events, "skipped dev/after"), "{events:?}");
    let skipped: Vec<_> =
        report.skipped.iter().map(|(step, because)| (step.as_str(), because.as_str())).collect();
    assert_eq!(skipped, [("dev/after", "dev/dead failed")]);
}

#[tokio::test]
async fn what_must_be_put_back_is_put_back() {
    for (fails, in_the_end, expected) in
        [(true, false, true), (false, false, false), (true, true, true), (false, true, true)]
    {
        let world = World::default();
        let body = seq![Make { fails, ..make(&world, "hub", "body") }];
        let cleanup = seq![make(&world, "hub", "back")];
        let tree = if in_the_end { finally(body, cleanup) } else { rescue(body, cleanup) };
        let (report, _) = walk(Mode::Apply, None, &tree).await;
        assert_eq!(report.result, if fails { RunResult::Failed } else { RunResult::Converged });
        assert_eq!(world.lock().unwrap().contains("hub/back"), expected, "{fails} {in_the_end}");
    }
}

#[tokio::test]
async fn an_interruption_does_not_stop_what_puts_things_back() {
    let world = World::default();
    let (events, cancel) = (Events::new("home".parse().unwrap(), |_| {}), CancellationToken::new());
    cancel.cancel();
    let run = Run { cancel, ..Run::new(Mode::Apply, events) };
    let back = Make { looks_to_ready: 1, ..make(&world, "hub", "back") };
    let report = run.walk(&rescue(seq![make(&world, "hub", "body")], seq![back])).await;
    assert_eq!(report.result, RunResult::Interrupted);
    assert_eq!(world.lock().unwrap().iter().collect::<Vec<_>>(), ["hub/back"]);
}

#[tokio::test]
async fn only_what_was_shown_is_done() {
    let world = World::default();
    let tree = |content| seq![Make { content, ..make(&world, "hub", "one") }];
    let shown = walk(Mode::Plan, None, &tree(1)).await.0.plan();
    let (report, events) = walk_confirmed(Mode::Apply, None, shown.clone(), &tree(2)).await;
    assert_eq!(report.result, RunResult::Failed, "{events:?}");
    assert!(
        report.failed.values().all(|failed| failed.error.contains("was not shown"))
            && world.lock().unwrap().is_empty()
    );
    let nothing = walk(Mode::Plan, None, &seq![]).await.0.plan();
    let (report, _) = walk_confirmed(Mode::Apply, None, nothing, &tree(1)).await;
    assert_eq!(report.result, RunResult::Failed);
    let (report, _) = walk_confirmed(Mode::Apply, None, shown, &tree(1)).await;
    assert_eq!(report.result, RunResult::Converged);
}

#[tokio::test]
async fn a_digest_is_of_subjects_and_content_and_only_of_a_whole_plan() {
    let world = World::default();
    let key = Secret::new([7; 32]);
    let plan = async |make: Make| walk(Mode::Plan, None, &seq![make]).await.0.plan();
    let digest = async |make: Make| plan(make).await.map(|plan| plan.digest(&key));
    let one = digest(make(&world, "hub", "one")).await;
    assert_eq!(one, digest(make(&world, "hub", "one")).await);
    assert_ne!(one, digest(Make { content: 1, ..make(&world, "hub", "one") }).await);
    assert_ne!(one, digest(make(&world, "hub", "two")).await);
    let waiting = Make { after: Some("hub/old"), ..make(&world, "hub", "one") };
    world.lock().unwrap().insert("hub/old".to_owned());
    let nothing = walk(Mode::Plan, None, &seq![]).await.0.plan().map(|plan| plan.digest(&key));
    assert_eq!(digest(waiting).await, nothing, "what is waited for does not count");
    assert_eq!(
        plan(Make { needs_version: true, fails_to_look: true, ..make(&world, "hub", "one") }).await,
        None
    );
}

#[test]
fn trees_with_mistakes_are_found() {
    let world = World::default();
    let id = |path| StepId::of(&"hub".parse().unwrap(), path);
    let one = || make(&world, "hub", "one");
    assert_eq!(par![one(), one()].check(), Err(TreeError::Duplicate(id("one"))));
    assert_eq!(seq![gate(id("none")), one()].check(), Err(TreeError::UnknownGate(id("none"))));
    assert_eq!(seq![gate(id("one")), one()].check(), Err(TreeError::Cycle(id("one"))));
    let crossed = par![seq![gate(id("two")), one()], seq![gate(id("one")), make(&world, "hub", "two")]];
    assert_eq!(crossed.check(), Err(TreeError::Cycle(id("one"))));
    assert_eq!(seq![one(), gate(id("one")), make(&world, "hub", "two")].check(), Ok(()));
}
