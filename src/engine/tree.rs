//! The order of steps: one after the other, side by side, and gates that wait for another branch.

use std::collections::{BTreeMap, BTreeSet};

use super::step::{AnyStep, Step, StepId};

/// An ordered tree of steps.
pub enum Tree {
    /// One step.
    Step(Planted),
    /// One after the other; a failure skips the rest.
    Seq(Vec<Self>),
    /// Side by side; a failure lets the siblings finish.
    Par(Vec<Self>),
    /// Waits until a step of another branch is done; fails if that step failed.
    Gate(StepId),
}

/// A step in its place in a tree.
pub struct Planted(pub(super) Box<dyn AnyStep>);

impl<S: Step + 'static> From<S> for Tree {
    fn from(step: S) -> Self {
        Self::Step(Planted(Box::new(step)))
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

/// Waits for a step of another branch.
#[must_use]
pub fn gate(step: StepId) -> Tree {
    Tree::Gate(step)
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
        match self {
            Self::Step(step) => vec![step.0.as_ref()],
            Self::Seq(parts) | Self::Par(parts) => parts.iter().flat_map(Self::steps).collect(),
            Self::Gate(_) => Vec::new(),
        }
    }

    /// Checks that every path is unique, every gate names a step, and nothing waits for itself.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn check(&self) -> Result<(), TreeError> {
        let mut needs = BTreeMap::new();
        self.collect(&BTreeSet::new(), &mut needs)?;
        for gate in needs.values().flatten() {
            if !needs.contains_key(gate) {
                return Err(TreeError::UnknownGate(gate.clone()));
            }
        }
        for step in needs.keys() {
            if reachable(step, &needs).contains(step) {
                return Err(TreeError::Cycle(step.clone()));
            }
        }
        Ok(())
    }

    /// Records for each step what must be done before it; returns the steps and gates of this part.
    fn collect(
        &self,
        before: &BTreeSet<StepId>,
        needs: &mut BTreeMap<StepId, BTreeSet<StepId>>,
    ) -> Result<BTreeSet<StepId>, TreeError> {
        match self {
            Self::Step(Planted(step)) => {
                if needs.insert(step.id(), before.clone()).is_some() {
                    return Err(TreeError::Duplicate(step.id()));
                }
                Ok(BTreeSet::from([step.id()]))
            }
            Self::Gate(step) => Ok(BTreeSet::from([step.clone()])),
            Self::Par(parts) => {
                let mut all = BTreeSet::new();
                for part in parts {
                    all.extend(part.collect(before, needs)?);
                }
                Ok(all)
            }
            Self::Seq(parts) => {
                let mut so_far = before.clone();
                let mut all = BTreeSet::new();
                for part in parts {
                    let done = part.collect(&so_far, needs)?;
                    so_far.extend(done.iter().cloned());
                    all.extend(done);
                }
                Ok(all)
            }
        }
    }
}

fn reachable<'a>(from: &StepId, needs: &'a BTreeMap<StepId, BTreeSet<StepId>>) -> BTreeSet<&'a StepId> {
    let mut seen = BTreeSet::new();
    let mut open: Vec<&StepId> = needs[from].iter().collect();
    while let Some(step) = open.pop() {
        if seen.insert(step) {
            open.extend(&needs[step]);
        }
    }
    seen
}
