//! Walks a tree: observes every step, and when applying changes what differs and observes again.

mod plan;
mod report;
mod settle;
mod walk;

use std::collections::BTreeSet;
use std::num::NonZeroU16;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use super::event::Events;
use super::guard::Guard;
use super::tree::Tree;
use super::writer::Fault;
use crate::site::name::ClusterName;
pub use plan::{DigestKey, Plan};
pub use report::{Failed, Report};
use walk::Walk;

/// How many steps of a run look at the world or change it at once, where nobody says otherwise: about as many clusters,
/// as most of the time each has one step under way. That is a laptop's worth of connections, and few enough that those of a
/// fleet whose turn comes later find a machine that answers within their timeouts.
pub const AT_ONCE: NonZeroU16 = NonZeroU16::new(64).expect("it is not 0");

/// What a run may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Only look.
    Plan,
    /// Look, change, look again.
    Apply,
}

/// How to walk a tree.
#[derive(Clone)]
pub struct Run {
    /// What it may do.
    pub mode: Mode,
    /// The clusters that may be changed; `None`: all. Of the others only that is looked at which these need.
    pub selection: Option<BTreeSet<ClusterName>>,
    /// What was shown and confirmed: nothing else is done. `None`: nobody was asked.
    pub confirmed: Option<Arc<Plan>>,
    /// How many steps look or change something at once. Whoever waits, for another step or between two looks, does not count.
    pub at_once: NonZeroU16,
    /// How long to wait for what a step changed; `None`: as long as that step says.
    pub patience: Option<Duration>,
    /// What has to be held before anything is written.
    pub guard: Option<Arc<dyn Guard>>,
    /// Counts the beginnings and the ends of writes, for those who have to know whether there were any.
    pub writes: Arc<AtomicU64>,
    /// Where events go.
    pub events: Events,
    /// Stops the run before its next step, and every wait at once.
    pub cancel: CancellationToken,
    /// Where a test kills the run.
    pub fault: Option<Fault>,
}

impl Run {
    /// A run of everything, for which nobody was asked and nothing has to be held.
    #[must_use]
    pub fn new(mode: Mode, events: Events) -> Self {
        Self {
            mode,
            selection: None,
            confirmed: None,
            at_once: AT_ONCE,
            patience: None,
            guard: None,
            writes: Arc::default(),
            events,
            cancel: CancellationToken::new(),
            fault: None,
        }
    }

    /// Walks the tree to its end, sending every event but `finished`, which the caller sends once it has
    /// said everything else that belongs to the command.
    ///
    /// # Panics
    /// When the tree has a mistake in it, which is a bug of its flow.
    pub async fn walk(&self, tree: &Tree) -> Report {
        if let Err(error) = tree.check() {
            panic!("{error}");
        }
        let started = Instant::now();
        let walk = Walk::new(self, tree);
        walk.tree(tree).await;
        if let Some(guard) = &self.guard {
            guard.release(&walk.facts()).await;
        }
        walk.report(started.elapsed())
    }
}

#[cfg(test)]
mod tests;
