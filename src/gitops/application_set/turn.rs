//! Rolling syncs: when an ApplicationSet syncs each of its Applications.

use std::collections::HashMap;

use serde::Deserialize;
use serde_json::Value;

use super::ApplicationSet;
use crate::gitops::application::Application;

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
    match_expressions: Vec<Expression>,
    max_update: Option<Value>,
}

/// What a step wants of an Application's labels.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct Expression {
    key: String,
    operator: String,
    values: Vec<String>,
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
    ///
    /// Which step that is, is for the set's steps to say: its status keeps what was so before they were changed.
    pub(in crate::gitops) fn turn(&self, application: &Application) -> Option<Turn<'_>> {
        let Strategy { kind, rolling_sync: RollingSync { steps } } = &self.spec.strategy;
        let mut conditions = self.status.conditions.iter();
        let is_rolling = kind == "RollingSync" && !steps.is_empty();
        if !is_rolling || !conditions.any(|condition| condition.kind == "RolloutProgressing") {
            return None;
        }
        let Some(at) = steps.iter().position(|step| step.selects(application)) else {
            return Some(Turn::Never);
        };
        let number = at + 1;
        Some(match self.status.application_status.0.get(application.name()) {
            _ if steps[at].is_closed() => Turn::Closed(number),
            None => Turn::Unknown,
            Some(status) => Turn::Step(number, &status.message),
        })
    }
}

impl RolloutStep {
    /// A step that wants nothing selects everything.
    fn selects(&self, application: &Application) -> bool {
        self.match_expressions.iter().all(|expression| expression.matches(application))
    }

    fn is_closed(&self) -> bool {
        self.max_update.as_ref().is_some_and(|most| *most == 0 || *most == "0%")
    }
}

impl Expression {
    /// As Argo CD does it, which knows two operators: a label that is absent has none of the values.
    fn matches(&self, application: &Application) -> bool {
        let label = application.metadata.labels.as_ref().and_then(|labels| labels.get(&self.key));
        let has_one = label.is_some_and(|label| self.values.contains(label));
        match self.operator.as_str() {
            "In" => has_one,
            "NotIn" => !has_one,
            // One that it does not know holds only where there is no such label.
            _ => label.is_none(),
        }
    }
}
