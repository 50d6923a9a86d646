//! What a look found to be done, by which a later run is held to it.

use std::collections::{BTreeMap, BTreeSet};

use sha2::{Digest, Sha256};

use super::report::Report;
use crate::engine::change::{Change, ChangeKind, Content};
use crate::engine::event::RunResult;
use crate::engine::step::StepId;
use crate::site::secret::Secret;

/// The decisions of a complete plan: what is created, changed and deleted, not what is waited or asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    decisions: BTreeMap<StepId, Vec<Change>>,
    /// Steps of which no more could be said than that they come.
    open: BTreeSet<StepId>,
}

/// What digests of plans with secrets in them are mixed with, so that nobody can try out what a secret might be.
pub type DigestKey = Secret<[u8; 32]>;

impl Report {
    /// What was found to be done; `None` if the look failed or was interrupted: nobody knows then.
    #[must_use]
    pub fn plan(&self) -> Option<Plan> {
        let decisions = self.changes.iter().filter_map(|(step, changes)| {
            let decisions: Vec<_> = changes.iter().filter(|change| change.is_decision()).cloned().collect();
            (!decisions.is_empty()).then(|| (step.clone(), decisions))
        });
        (self.result == RunResult::Planned)
            .then(|| Plan { decisions: decisions.collect(), open: self.blocked.keys().cloned().collect() })
    }
}

impl Plan {
    /// Whether there is a secret in what would be written.
    #[must_use]
    pub fn holds_secrets(&self) -> bool {
        self.changes().any(|(_, change)| matches!(change.content(), Content::Secret(_)))
    }

    /// The decisions in their order.
    pub fn changes(&self) -> impl Iterator<Item = (&StepId, &Change)> {
        self.decisions.iter().flat_map(|(step, changes)| changes.iter().map(move |change| (step, change)))
    }

    /// A fingerprint of subjects and content: two plans have the same one if and only if they would do the same. The
    /// key matters only to a plan that holds secrets.
    #[must_use]
    pub fn digest(&self, key: &DigestKey) -> String {
        let mut hasher = Sha256::new();
        let mut absorb = |text: &str| {
            hasher.update(text.len().to_le_bytes());
            hasher.update(text.as_bytes());
        };
        for (step, change) in self.changes() {
            absorb(step.as_str());
            absorb(&change.kind.to_string());
            absorb(&change.subject);
            absorb(&content(change, key));
        }
        for step in &self.open {
            absorb("?");
            absorb(step.as_str());
        }
        hex(&hasher.finalize()[..6])
    }

    /// The changes of a step that were not shown: as they are, nothing may be done about them. What `follows` from
    /// something that the run has done to the same cluster may come up only now, unless it takes something away; and
    /// nobody was told of a step what could not be known of it.
    pub(super) fn surprises(plan: &Self, step: &StepId, changes: &[Change], follows: bool) -> Vec<Change> {
        if plan.open.contains(step) {
            return Vec::new();
        }
        let shown = plan.decisions.get(step).map_or(&[][..], Vec::as_slice);
        let is_shown = |change: &Change| {
            shown.iter().any(|shown| {
                (shown.kind, &shown.subject, shown.content())
                    == (change.kind, &change.subject, change.content())
            })
        };
        let is_allowed =
            |change: &&Change| is_shown(change) || (follows && change.kind != ChangeKind::Delete);
        let decisions = changes.iter().filter(|change| change.is_decision());
        decisions.filter(|change| !is_allowed(change)).cloned().collect()
    }
}

fn content(change: &Change, key: &DigestKey) -> String {
    match change.content() {
        Content::Implied | Content::Asks => String::new(),
        Content::Open(fingerprint) => hex(fingerprint.as_bytes()),
        Content::Secret(fingerprint) => {
            let mut keyed = Sha256::new();
            keyed.update(key.expose());
            keyed.update(fingerprint.as_bytes());
            hex(&keyed.finalize())
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
