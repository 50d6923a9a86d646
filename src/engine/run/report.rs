//! What a run found and did.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::engine::change::Change;
use crate::engine::event::RunResult;
use crate::engine::facts::Facts;
use crate::engine::step::StepId;
use crate::engine::stop::Failure;
use crate::site::name::ClusterName;

/// What a run found and did.
#[derive(Debug)]
pub struct Report {
    /// What is known at the end.
    pub facts: Facts,
    /// What differed, by step. When applying: what was changed.
    pub changes: BTreeMap<StepId, Vec<Change>>,
    /// Steps of which a plan could not say more, with the fact that is missing.
    pub blocked: BTreeMap<StepId, String>,
    /// Steps that failed, and how.
    pub failed: BTreeMap<StepId, Failed>,
    /// Steps that were not tried, and what stood in their way.
    pub skipped: BTreeMap<StepId, String>,
    /// How it ended.
    pub result: RunResult,
    /// How long it took.
    pub seconds: f64,
}

/// How a step failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Failed {
    /// The cluster that it was about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cluster: Option<ClusterName>,
    /// What failed, at which subject.
    pub error: String,
    /// Why, outermost first.
    pub causes: Vec<String>,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

impl Failed {
    pub(super) fn of(cluster: Option<&ClusterName>, failure: &Failure) -> Self {
        Self {
            cluster: cluster.cloned(),
            error: failure.to_string(),
            causes: failure.causes(),
            hint: failure.hint().map(ToOwned::to_owned),
        }
    }
}

impl Report {
    /// How many changes there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.changes.values().map(Vec::len).sum()
    }

    /// Whether everything is as it should be.
    #[must_use]
    pub fn is_converged(&self) -> bool {
        self.result == RunResult::Converged
    }

    /// This run and the one that came after it as one.
    #[must_use]
    pub fn then(mut self, next: Self) -> Self {
        self.changes.extend(next.changes);
        self.blocked.extend(next.blocked);
        self.failed.extend(next.failed);
        self.skipped.extend(next.skipped);
        self.facts.merge(next.facts);
        let result = match self.result {
            RunResult::Converged | RunResult::Planned => next.result,
            result => result,
        };
        Self { result, seconds: self.seconds + next.seconds, ..self }
    }

    /// The same with a failure that no step of the run met.
    #[must_use]
    pub fn with_failure(mut self, step: StepId, failure: &Failure) -> Self {
        self.failed.insert(step, Failed::of(None, failure));
        Self { result: RunResult::Failed, ..self }
    }

    /// Whether a plan found that the world is as the profile says. One that failed has not found that.
    #[must_use]
    pub fn is_unchanged(&self) -> bool {
        self.result == RunResult::Planned && self.changes.is_empty() && self.blocked.is_empty()
    }
}
