//! Whether anything is left to wait for, and why.

use jiff::{SignedDuration, Timestamp};

use super::{Application, ApplicationSummary, ComparedTo, Condition, Resource, Status};

/// How long the comparison that follows a sync may take before its result counts as final.
const COMPARISON: SignedDuration = SignedDuration::from_secs(5);
/// How old a failed comparison may be before it counts as one that stays. Argo CD compares again by itself when the
/// Application changes, and else only every few minutes.
const GRACE: SignedDuration = SignedDuration::from_secs(30);

/// Whether anything is left to wait for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::gitops) enum Standing {
    /// It is as its own policy wants it.
    Settled,
    /// Argo CD is still at it; the text says with what.
    Waiting(String),
    /// What it deployed is not healthy yet; the text is what Argo CD says of it.
    Unhealthy(String),
    /// Argo CD has given up by itself: one more try may be asked for.
    Stuck(String, Retry),
}

/// What to ask Argo CD for once more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::gitops) enum Retry {
    /// To compare with the repository.
    Comparison,
    /// To sync.
    Sync,
}

impl Application {
    /// Whether anything is left to wait for.
    pub(in crate::gitops) fn standing(&self, now: Timestamp) -> Standing {
        if let Some(error) = self.error().filter(|_| !self.is_deleting()) {
            let reason = error.message.clone();
            return match error.last_transition_time {
                _ if self.is_refreshing() => Standing::Waiting(reason),
                Some(since) if since + GRACE < now => Standing::Stuck(reason, Retry::Comparison),
                _ => Standing::Waiting(reason),
            };
        }
        let is_known = matches!(self.status.sync.status.as_str(), "Synced" | "OutOfSync");
        match () {
            () if self.is_deleting() => self.waiting("it is being deleted"),
            () if self.is_operating() => self.waiting("it is being synced"),
            () if !is_known || !self.is_compared() => {
                Standing::Waiting("it has not been compared with its repository yet".to_owned())
            }
            () if !self.is_automated() => Standing::Settled,
            () if self.status.sync.status == "OutOfSync" => self.out_of_sync(now),
            () => self.health(),
        }
    }

    /// Why it could not be compared with its repository, if so.
    pub(in crate::gitops) fn error_message(&self) -> Option<&str> {
        self.error().map(|condition| condition.message.as_str())
    }

    /// Why it is not synced and healthy, in Argo CD's words.
    pub(in crate::gitops) fn reason(&self) -> Option<String> {
        let Status { sync, health, operation_state, conditions, resources, .. } = &self.status;
        if self.is_deleting() {
            return Some(self.deletion());
        }
        if sync.status == "Synced" && health.status == "Healthy" {
            return None;
        }
        let condition = conditions.iter().find(|condition| condition.kind.ends_with("Error"));
        let operation = operation_state.iter().filter(|state| state.phase != "Succeeded");
        let said = condition.map(|condition| condition.message.clone()).into_iter();
        let said = said.chain(operation.map(|state| state.message.clone()));
        let said = said.chain(resources.iter().filter_map(Resource::unhealthy));
        let said = said.chain(health.message.clone());
        Some(said.into_iter().find(|text| !text.is_empty()).unwrap_or_else(|| self.in_words()))
    }

    fn waiting(&self, otherwise: &str) -> Standing {
        Standing::Waiting(self.reason().unwrap_or_else(|| otherwise.to_owned()))
    }

    fn health(&self) -> Standing {
        match self.status.health.status.as_str() {
            // What is suspended stays so until somebody resumes it.
            "Healthy" | "Suspended" => Standing::Settled,
            _ => Standing::Unhealthy(self.reason().unwrap_or_default()),
        }
    }

    fn out_of_sync(&self, now: Timestamp) -> Standing {
        let last = self.status.operation_state.as_ref();
        let is_final = last.and_then(|last| last.finished_at).is_some_and(|at| at + COMPARISON < now);
        match last.filter(|_| is_final) {
            Some(last) if matches!(last.phase.as_str(), "Failed" | "Error") => {
                Standing::Stuck(last.message.clone(), Retry::Sync)
            }
            // Its policy leaves what differs now alone, so it stays.
            Some(last) if last.phase == "Succeeded" && self.is_left_alone() => Standing::Settled,
            _ => self.waiting("it is out of sync"),
        }
    }

    /// Whether its policy does nothing about what differs after a sync.
    fn is_left_alone(&self) -> bool {
        let policy = self.spec.sync_policy.automated.as_ref();
        let [heals, prunes] =
            [policy.is_some_and(|policy| policy.self_heal), policy.is_some_and(|policy| policy.prune)];
        let is_extra =
            |resource: &Resource| resource.requires_pruning || resource.status.as_deref() == Some("Synced");
        !heals || (!prunes && self.status.resources.iter().all(is_extra))
    }

    fn is_automated(&self) -> bool {
        self.spec.sync_policy.automated.as_ref().is_some_and(|automated| automated.enabled != Some(false))
    }

    /// Whether the last comparison was with what it is told to be now.
    fn is_compared(&self) -> bool {
        let ComparedTo { destination, source, sources } = &self.status.sync.compared_to;
        let is_same_source = if self.spec.sources.is_empty() {
            self.spec.source.as_ref().is_none_or(|told| told == source)
        } else {
            self.spec.sources == *sources
        };
        is_same_source && self.spec.destination == *destination
    }

    fn error(&self) -> Option<&Condition> {
        const ERRORS: [&str; 3] = ["ComparisonError", "InvalidSpecError", "UnknownError"];
        self.status.conditions.iter().find(|condition| ERRORS.contains(&condition.kind.as_str()))
    }

    /// How its deletion gets on.
    fn deletion(&self) -> String {
        let failed = self.status.conditions.iter().find(|condition| condition.kind == "DeletionError");
        let operation = self.status.operation_state.as_ref().filter(|_| self.is_operating());
        match (failed, operation) {
            (Some(condition), _) => format!("it cannot be deleted: {}", condition.message),
            (None, Some(state)) => format!("it is being deleted after a sync: {}", state.message),
            (None, None) => "it is being deleted".to_owned(),
        }
    }

    fn in_words(&self) -> String {
        let ApplicationSummary { sync, health, .. } = self.words();
        let resources = &mut self.status.resources.iter();
        let differing = resources.find(|resource| resource.status.as_deref() == Some("OutOfSync"));
        let subject = differing.map(|resource| format!(": {} {}", resource.kind, resource.name));
        format!("it is {sync} and {health}{}", subject.unwrap_or_default())
    }
}

impl Resource {
    fn unhealthy(&self) -> Option<String> {
        let health =
            self.health.as_ref().filter(|health| !matches!(health.status.as_str(), "" | "Healthy"))?;
        let message = health.message.as_deref().unwrap_or_default();
        Some(format!("{} {} is {}: {message}", self.kind, self.name, health.status))
    }
}

#[cfg(test)]
mod tests;
