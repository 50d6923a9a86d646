//! One flow as a part of another, where both have steps of the same paths.

use std::sync::Arc;
use std::time::Duration;

use super::facts::Facts;
use super::step::{AnyWork, Observed, Step, StepId};
use super::stop::{Failure, Stop};
use super::tree::{Planted, Tree};
use super::writer::Writer;
use crate::site::name::ClusterName;

/// A step under another path.
struct Within {
    part: Arc<str>,
    step: Planted,
}

impl Step for Within {
    type Work = AnyWork;

    fn id(&self) -> StepId {
        self.step.0.id().within(&self.part)
    }

    fn cluster(&self) -> Option<&ClusterName> {
        self.step.0.cluster()
    }

    fn purpose(&self) -> &'static str {
        self.step.0.purpose()
    }

    async fn observe(&self, facts: &Facts) -> Result<Observed<AnyWork>, Stop> {
        self.step.0.observe(facts).await
    }

    async fn apply(&self, work: AnyWork, facts: &Facts, writer: &Writer) -> Result<(), Failure> {
        self.step.0.apply(work, facts, writer).await
    }

    fn patience(&self) -> Duration {
        self.step.0.patience()
    }

    fn longest_pause(&self) -> Duration {
        self.step.0.longest_pause()
    }
}

/// The same tree with all its steps, and the gates on them, under `<part>/`.
#[must_use]
pub fn within(part: &str, tree: Tree) -> Tree {
    put(&part.into(), tree)
}

fn put(part: &Arc<str>, tree: Tree) -> Tree {
    let all = |parts: Vec<Tree>| parts.into_iter().map(|tree| put(part, tree)).collect();
    let boxed = |tree: Box<Tree>| Box::new(put(part, *tree));
    match tree {
        Tree::Step(step) => Within { part: Arc::clone(part), step }.into(),
        Tree::Seq(parts) => Tree::Seq(all(parts)),
        Tree::Par(parts) => Tree::Par(all(parts)),
        Tree::Each(parts) => Tree::Each(all(parts)),
        Tree::Gate { step, is_needed } => Tree::Gate { step: step.within(part), is_needed },
        Tree::Guarded { body, cleanup, when } => {
            Tree::Guarded { body: boxed(body), cleanup: boxed(cleanup), when }
        }
    }
}
