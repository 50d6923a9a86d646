//! What a run tells the outside. Events are data: reporters render them, tests read them.

use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;
use serde::Serialize;

use super::change::Change;
use super::step::StepId;
use crate::site::name::{ClusterName, SiteName};

/// One thing that happened. No event holds a secret.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "event", rename_all = "lowercase")]
pub enum Event {
    /// A step looks at the world.
    Observing(Subject),
    /// Nothing differs.
    Unchanged(Subject),
    /// A plan would change this.
    Planned {
        /// The step.
        #[serde(flatten)]
        subject: Subject,
        /// What differs.
        changes: Vec<Change>,
    },
    /// A plan cannot say more yet.
    Blocked {
        /// The step.
        #[serde(flatten)]
        subject: Subject,
        /// The fact that is known only later.
        on: String,
    },
    /// A step changes the world.
    Applying {
        /// The step.
        #[serde(flatten)]
        subject: Subject,
        /// What differs.
        changes: Vec<Change>,
    },
    /// A step is still at work, or waits.
    Progress {
        /// The step.
        #[serde(flatten)]
        subject: Subject,
        /// What it does, or what it waits for and why.
        message: String,
    },
    /// A step changed the world, looked again, and nothing differs any more.
    Applied {
        /// The step.
        #[serde(flatten)]
        subject: Subject,
        /// What differed before.
        changes: Vec<Change>,
        /// How many external writes it took.
        writes: usize,
        /// How long it took.
        seconds: f64,
    },
    /// A step failed.
    Failed {
        /// The step.
        #[serde(flatten)]
        subject: Subject,
        /// What failed, at which subject.
        error: String,
        /// Why, outermost first.
        causes: Vec<String>,
        /// What to do about it.
        #[serde(skip_serializing_if = "Option::is_none")]
        hint: Option<String>,
    },
    /// A step was not tried.
    Skipped {
        /// The step.
        #[serde(flatten)]
        subject: Subject,
        /// What stood in its way.
        because: String,
    },
    /// What carries the site's mark and left its profile, each thing in words.
    Departed {
        /// The things.
        subjects: Vec<String>,
    },
    /// The run is over. Always the last event.
    Finished {
        /// How it ended.
        result: RunResult,
        /// How many changes were planned or applied.
        changes: usize,
        /// How long the run took.
        seconds: f64,
        /// A plan's fingerprint, for `--expect`.
        #[serde(skip_serializing_if = "Option::is_none")]
        digest: Option<String>,
    },
}

/// The step that an event is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Subject {
    /// Its stable path.
    pub step: StepId,
    /// The cluster that it would change.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cluster: Option<ClusterName>,
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RunResult {
    /// Everything is as it should be.
    Converged,
    /// The plan is complete.
    Planned,
    /// A step failed, or leftovers remain.
    Failed,
    /// The world did not catch up in time.
    TimedOut,
    /// Another run holds the lock.
    Locked,
    /// The profile is invalid.
    Invalid,
    /// The question was answered with no.
    Declined,
    /// Somebody stopped the run.
    Interrupted,
}

/// An event with its site and time: one line of `--output json`.
#[derive(Debug, Clone, Serialize)]
pub struct Stamped {
    /// What happened.
    #[serde(flatten)]
    pub event: Event,
    /// The site that the run is about.
    pub site: SiteName,
    /// When it happened, UTC.
    pub time: Timestamp,
}

/// Where events go.
#[derive(Clone)]
pub struct Events {
    site: SiteName,
    sink: Arc<dyn Fn(&Stamped) + Send + Sync>,
}

impl Events {
    /// Sends every event of a site's run to `sink`, in order, as it happens.
    pub fn new(site: SiteName, sink: impl Fn(&Stamped) + Send + Sync + 'static) -> Self {
        Self { site, sink: Arc::new(sink) }
    }

    /// Tells that something happened now.
    pub fn send(&self, event: Event) {
        (self.sink)(&Stamped { event, site: self.site.clone(), time: Timestamp::now() });
    }
}

impl fmt::Debug for Events {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Events").field("site", &self.site).finish_non_exhaustive()
    }
}
