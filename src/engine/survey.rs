//! Looking without wanting: the steps of one flow as the survey that opens another.

use super::facts::Facts;
use super::step::{Observed, Step, StepId};
use super::stop::Stop;
use super::tree::{Planted, Tree};
use crate::site::name::ClusterName;

/// A step that only yields the facts of another. It is always ready: what is not there yields nothing.
struct Survey(Planted);

/// The part of a flow that only looks.
const SURVEY: &str = "survey";

impl Step for Survey {
    type Work = ();

    fn id(&self) -> StepId {
        self.0.0.id().within(SURVEY)
    }

    fn cluster(&self) -> Option<&ClusterName> {
        self.0.0.cluster()
    }

    fn purpose(&self) -> &'static str {
        self.0.0.purpose()
    }

    async fn observe(&self, facts: &Facts) -> Result<Observed, Stop> {
        let facts = self.0.0.observe(facts).await.map(|observed| observed.facts).unwrap_or_default();
        Ok(Observed::ready(facts))
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
        Tree::Each(parts) => Tree::Each(all(parts)),
        Tree::Gate { step, is_needed } => Tree::Gate { step: step.within(SURVEY), is_needed },
        Tree::Guarded { body, .. } => survey(*body),
    }
}
