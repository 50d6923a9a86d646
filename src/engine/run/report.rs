//! What a run found and did.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

use crate::engine::change::Change;
use crate::engine::event::RunResult;
use crate::engine::facts::Facts;
use crate::engine::step::StepId;

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
    pub failed: BTreeMap<StepId, String>,
    /// How it ended.
    pub result: RunResult,
    /// How long it took.
    pub seconds: f64,
}

impl Report {
    /// How many changes there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.changes.values().map(Vec::len).sum()
    }

    /// A fingerprint of what differs: two plans with one digest would do the same.
    #[must_use]
    pub fn digest(&self) -> String {
        let mut hasher = Sha256::new();
        for (step, changes) in &self.changes {
            hasher.update(format!("{step}\n"));
            for change in changes {
                hasher.update(format!("  {change}\n"));
            }
        }
        for (step, fact) in &self.blocked {
            hasher.update(format!("{step}? {fact}\n"));
        }
        for step in self.failed.keys() {
            hasher.update(format!("{step}!\n"));
        }
        hasher.finalize().iter().take(6).map(|byte| format!("{byte:02x}")).collect()
    }

    /// Whether a plan found that the world is as the profile says. One that failed has not found that.
    #[must_use]
    pub fn is_unchanged(&self) -> bool {
        self.result == RunResult::Planned && self.changes.is_empty() && self.blocked.is_empty()
    }
}
