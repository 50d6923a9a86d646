//! How many steps look or change something at once, and where.

use std::num::NonZeroU16;
use std::sync::Barrier;
use std::sync::atomic::AtomicBool;

use tokio::task::yield_now;

use super::*;
use crate::engine::tree::Planted;

/// How many steps are at work, and how many were at most.
#[derive(Default)]
struct Crowd {
    now: AtomicUsize,
    most: AtomicUsize,
}

impl Crowd {
    /// Is among them for as long as it takes all others that may to come, too.
    async fn join(&self) {
        let now = self.now.fetch_add(1, Ordering::Relaxed) + 1;
        self.most.fetch_max(now, Ordering::Relaxed);
        for _ in 0..8 {
            yield_now().await;
        }
        self.now.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Has one change to make.
struct Crowded {
    name: String,
    crowd: Arc<Crowd>,
    done: AtomicBool,
}

impl Step for Crowded {
    type Work = ();

    fn id(&self) -> StepId {
        StepId::site(&self.name)
    }

    fn cluster(&self) -> Option<&ClusterName> {
        None
    }

    fn purpose(&self) -> &'static str {
        "it was among the others"
    }

    async fn observe(&self, _: &Facts) -> Result<Observed, Stop> {
        self.crowd.join().await;
        let change = (!self.done.load(Ordering::Relaxed)).then(|| Change::create(&self.name));
        Ok(Observed::differs(change.into_iter().collect(), ()))
    }

    async fn apply(&self, _work: (), _: &Facts, _: &Writer) -> Result<(), Failure> {
        self.crowd.join().await;
        self.done.store(true, Ordering::Relaxed);
        Ok(())
    }
}

fn crowded(crowd: &Arc<Crowd>, number: usize) -> Tree {
    let (name, crowd) = (format!("step-{number}"), Arc::clone(crowd));
    Tree::Step(Planted(Arc::new(Crowded { name, crowd, done: AtomicBool::new(false) })))
}

/// Applies with so many places.
fn run(at_once: u16) -> Run {
    Run {
        at_once: NonZeroU16::new(at_once).unwrap(),
        ..Run::new(Mode::Apply, Events::new("home".parse().unwrap(), |_| {}))
    }
}

#[tokio::test]
async fn no_more_steps_are_at_work_than_there_are_places() {
    for (places, most) in [(3, 3), (64, 10)] {
        let crowd = Arc::new(Crowd::default());
        let tree = Tree::Each((0..10).map(|number| crowded(&crowd, number)).collect());
        let report = run(places).walk(&tree).await;
        assert_eq!((report.result, report.changes.len()), (RunResult::Converged, 10));
        assert_eq!(crowd.most.load(Ordering::Relaxed), most);
    }
}

#[tokio::test]
async fn one_place_is_enough_for_steps_that_wait_for_each_other() {
    let world = World::default();
    let slow = Make { looks_to_ready: 3, ..make(&world, "dev", "slow") };
    let tree = par![
        seq![gate(StepId::of(&"dev".parse().unwrap(), "last")), make(&world, "hub", "first")],
        seq![gate(StepId::of(&"hub".parse().unwrap(), "other")), make(&world, "dev", "second")],
        seq![slow, make(&world, "dev", "last")],
        make(&world, "hub", "other"),
    ];
    let report = tokio::time::timeout(Duration::from_secs(20), run(1).walk(&tree)).await.expect("it ends");
    assert_eq!(report.result, RunResult::Converged);
    assert_eq!(world.lock().unwrap().len(), 5);
}

#[tokio::test]
async fn an_interrupted_run_does_not_try_steps_that_wait_for_a_place() {
    let crowd = Arc::new(Crowd::default());
    let tree = Tree::Each((0..10).map(|number| crowded(&crowd, number)).collect());
    let run = run(2);
    let (report, ()) = tokio::join!(run.walk(&tree), async { run.cancel.cancel() });
    assert_eq!(report.result, RunResult::Interrupted);
    assert_eq!(report.skipped.len(), 8, "only the two that had begun go on");
    assert_eq!(crowd.most.load(Ordering::Relaxed), 2);
}

/// Looks for as long as it takes another one to look, too, and lets nothing else have its thread meanwhile.
struct Long(&'static str, Arc<Barrier>);

impl Step for Long {
    type Work = ();

    fn id(&self) -> StepId {
        StepId::site(self.0)
    }

    fn cluster(&self) -> Option<&ClusterName> {
        None
    }

    fn purpose(&self) -> &'static str {
        "another one was at work at the same time"
    }

    async fn observe(&self, _: &Facts) -> Result<Observed, Stop> {
        self.1.wait();
        Ok(Observed::default())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn steps_side_by_side_have_a_processor_each() {
    let both = Arc::new(Barrier::new(2));
    let tree = par![Long("one", Arc::clone(&both)), Long("other", both)];
    assert_eq!(run(2).walk(&tree).await.result, RunResult::Converged);
}
