//! The order of steps: one after the other, side by side, gates that wait for another branch, and what is put back.

mod graph;
mod outline;

use std::collections::BTreeSet;
use std::sync::Arc;

use super::step::{AnyStep, Step, StepId};
use graph::Graph;
pub use outline::Outline;

/// An ordered tree of steps.
pub enum Tree {
    /// One step.
    Step(Planted),
    /// One after the other; a failure skips the rest.
    Seq(Vec<Self>),
    /// Side by side; a failure lets the siblings finish, then skips what follows.
    Par(Vec<Self>),
    /// Side by side; what follows goes on without the parts that failed. What cannot do without one has a gate on it.
    Each(Vec<Self>),
    /// Waits until a step of another branch is done; fails if that step failed.
    Gate {
        /// The step.
        step: StepId,
        /// Whether what follows cannot do without it: then it is looked at even where only another cluster was
        /// selected.
        is_needed: bool,
    },
    /// Something to do, and what has to be put back after it.
    Guarded {
        /// What is to be done.
        body: Box<Self>,
        /// What puts things back. An interruption does not stop it.
        cleanup: Box<Self>,
        /// When that is needed.
        when: When,
    },
}

/// When a cleanup runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// Whatever became of the body.
    Always,
    /// Only if the body failed, or was interrupted.
    Failed,
}

/// A step in its place in a tree, and in the task that looks at it.
pub struct Planted(pub(super) Arc<dyn AnyStep>);

impl<S: Step + 'static> From<S> for Tree {
    fn from(step: S) -> Self {
        Self::Step(Planted(Arc::new(step)))
    }
}

/// One after the other.
#[macro_export]
macro_rules! seq {
    ($($part:expr),* $(,)?) => { $crate::engine::Tree::Seq(vec![$($crate::engine::Tree::from($part)),*]) };
}

/// Side by side.
#[macro_export]
macro_rules! par {
    ($($part:expr),* $(,)?) => { $crate::engine::Tree::Par(vec![$($crate::engine::Tree::from($part)),*]) };
}

/// Waits for a step of another branch, which what follows cannot do without.
#[must_use]
pub fn gate(step: StepId) -> Tree {
    Tree::Gate { step, is_needed: true }
}

/// Waits for a step of another branch if that is done at all in this run.
#[must_use]
pub fn after(step: StepId) -> Tree {
    Tree::Gate { step, is_needed: false }
}

/// Runs `cleanup` after `body`, whatever became of it.
#[must_use]
pub fn finally(body: Tree, cleanup: Tree) -> Tree {
    Tree::Guarded { body: Box::new(body), cleanup: Box::new(cleanup), when: When::Always }
}

/// Runs `cleanup` after `body` only if that failed or was interrupted.
#[must_use]
pub fn rescue(body: Tree, cleanup: Tree) -> Tree {
    Tree::Guarded { body: Box::new(body), cleanup: Box::new(cleanup), when: When::Failed }
}

/// What is wrong with a tree. Each is a bug in a flow.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TreeError {
    /// A gate names a step that is not in the tree.
    #[error("a gate waits for `{0}`, which is not in the tree")]
    UnknownGate(StepId),
    /// Two steps have one path.
    #[error("two steps are called `{0}`")]
    Duplicate(StepId),
    /// A gate waits for a step that comes after it.
    #[error("`{0}` waits for itself through a gate")]
    Cycle(StepId),
}

impl Tree {
    /// The steps in the order in which they stand.
    #[must_use]
    pub(super) fn steps(&self) -> Vec<&dyn AnyStep> {
        let mut steps = Vec::new();
        self.gather(&mut steps);
        steps
    }

    fn gather<'a>(&'a self, steps: &mut Vec<&'a dyn AnyStep>) {
        match self {
            Self::Step(step) => steps.push(step.0.as_ref()),
            Self::Seq(parts) | Self::Par(parts) | Self::Each(parts) => {
                for part in parts {
                    part.gather(steps);
                }
            }
            Self::Gate { .. } => {}
            Self::Guarded { body, cleanup, .. } => {
                body.gather(steps);
                cleanup.gather(steps);
            }
        }
    }

    /// Checks that every path is unique, every gate names a step, and nothing waits for itself.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn check(&self) -> Result<(), TreeError> {
        Graph::of(self)?.check()
    }

    /// Each step with those that come right before it. A tree with a mistake has no order.
    #[must_use]
    pub fn order(&self) -> Vec<(StepId, BTreeSet<StepId>)> {
        Graph::of(self).map(|graph| graph.order()).unwrap_or_default()
    }

    /// Those steps, and all others that have to be done before they can be tried. A tree with a mistake needs nothing.
    pub(super) fn needed(&self, wanted: impl Fn(&dyn AnyStep) -> bool) -> BTreeSet<StepId> {
        let wanted = self.steps().into_iter().filter(|step| wanted(*step)).map(AnyStep::id);
        Graph::of(self).map(|graph| graph.closure(wanted)).unwrap_or_default()
    }
}
