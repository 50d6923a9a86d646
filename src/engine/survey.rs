//! Looking without wanting: the steps of one flow as the survey that opens another.

use super::facts::Facts;
use super::step::{BoxFuture, Failure, Observed, Step, StepId, Stop};
use super::tree::Tree;
use super::writer::Writer;
use crate::site::name::ClusterName;

/// A step that only yields the facts of another. It is always ready: what is not there yields nothing.
struct Survey(Box<dyn Step>);

impl Step for Survey {
    fn id(&self) -> StepId {
        self.0.id().survey()
    }

    fn cluster(&self) -> Option<&ClusterName> {
        self.0.cluster()
    }

    fn observe<'a>(&'a self, facts: &'a Facts) -> BoxFuture<'a, Result<Observed, Stop>> {
        Box::pin(async move {
            let facts = self.0.observe(facts).await.map(|observed| observed.facts).unwrap_or_default();
            Ok(Observed::ready(facts))
        })
    }

    fn apply<'a>(&'a self, _: &'a Facts, _: &'a Writer) -> BoxFuture<'a, Result<(), Failure>> {
        Box::pin(async { Ok(()) })
    }
}

/// The same tree, looked at only.
#[must_use]
pub fn survey(tree: Tree) -> Tree {
    let all = |parts: Vec<Tree>| parts.into_iter().map(survey).collect();
    match tree {
        Tree::Step(step) => Survey(step).into(),
        Tree::Seq(parts) => Tree::Seq(all(parts)),
        Tree::Par(parts) => Tree::Par(all(parts)),
        Tree::Gate(step) => Tree::Gate(step.survey()),
    }
}
