//! Rolling syncs: when an ApplicationSet syncs each of its Applications.

use std::collections::HashMap;

use serde::Deserialize;
use serde_json::Value;

use super::ApplicationSet;

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Strategy {
    #[serde(rename = "type")]
    kind: String,
    rolling_sync: RollingSync,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct RollingSync {
    steps: Vec<RolloutStep>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct RolloutStep {
    max_update: Option<Value>,
}

/// Where the Applications are in the rolling sync of their set, by name.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(from = "Vec<ApplicationStatus>")]
pub(super) struct Turns(HashMap<String, ApplicationStatus>);

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct ApplicationStatus {
    application: String,
    message: String,
    step: String,
}

impl From<Vec<ApplicationStatus>> for Turns {
    fn from(turns: Vec<ApplicationStatus>) -> Self {
        Self(turns.into_iter().map(|turn| (turn.application.clone(), turn)).collect())
    }
}

/// The turn of one Application in the rolling sync of its set. Steps count from 1.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::gitops) enum Turn<'a> {
    /// The set has not looked at it yet.
    Unknown,
    /// No step selects it.
    Never,
    /// Its step updates nothing by itself.
    Closed(usize),
    /// It is, or will be, synced in this step; the text is what the set says of it.
    Step(usize, &'a str),
}

impl ApplicationSet {
    /// The turn of an Application in its rolling sync: the set syncs it then, and nothing else does. `None` where the
    /// set does no such thing, or its controller is not told to.
    pub(in crate::gitops) fn turn(&self, application: &str) -> Option<Turn<'_>> {
        let Strategy { kind, rolling_sync: RollingSync { steps } } = &self.spec.strategy;
        let mut conditions = self.status.conditions.iter();
        let is_rolling = kind == "RollingSync" && !steps.is_empty();
        if !is_rolling || !conditions.any(|condition| condition.kind == "RolloutProgressing") {
            return None;
        }
        let Some(status) = self.status.application_status.0.get(application) else {
            return Some(Turn::Unknown);
        };
        let number = status.step.parse().unwrap_or_default();
        let step = steps.iter().enumerate().find(|(at, _)| at + 1 == number);
        Some(match step.map(|(_, step)| step.max_update.as_ref()) {
            None => Turn::Never,
            Some(Some(most)) if *most == 0 || *most == "0%" => Turn::Closed(number),
            Some(_) => Turn::Step(number, &status.message),
        })
    }
}
