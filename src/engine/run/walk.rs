//! The order of a walk: which step is tried when, and what is skipped.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::future::join_all;
use tokio::sync::{Semaphore, SemaphorePermit, watch};
use tokio_util::sync::CancellationToken;

use super::report::{Failed, Report};
use super::settle::Halt;
use super::{Mode, Run};
use crate::engine::change::Change;
use crate::engine::event::{Event, RunResult, Subject};
use crate::engine::facts::Facts;
use crate::engine::step::{AnyStep, BoxFuture, StepId};
use crate::engine::stop::Failure;
use crate::engine::tree::{Tree, When};
use crate::site::name::ClusterName;

/// Why the rest of a branch is not tried.
pub(super) type Because = String;

pub(super) const INTERRUPTED: &str = "the run was interrupted";

/// A step that was selected cannot be tried.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` was not tried: {1}")]
struct Prerequisite(StepId, Because);

/// A run on its way through a tree.
pub(super) struct Walk<'a> {
    pub(super) run: &'a Run,
    board: BTreeMap<StepId, watch::Sender<Option<Result<(), Because>>>>,
    /// The steps that concern the selection; `None`: all.
    needed: Option<BTreeSet<StepId>>,
    places: Semaphore,
    state: Mutex<State>,
}

#[derive(Default)]
pub(super) struct State {
    pub(super) facts: Arc<Facts>,
    pub(super) changes: BTreeMap<StepId, Vec<Change>>,
    pub(super) blocked: BTreeMap<StepId, String>,
    pub(super) failed: BTreeMap<StepId, Failed>,
    pub(super) skipped: BTreeMap<StepId, Because>,
    pub(super) timed_out: BTreeSet<StepId>,
    pub(super) locked: bool,
    /// The clusters of which this run has changed something; `None`: the whole site.
    pub(super) changed: BTreeSet<Option<ClusterName>>,
}

/// How a part of the tree is walked.
#[derive(Debug, Clone)]
pub(super) struct Way {
    /// Stops it.
    pub(super) cancel: CancellationToken,
    /// Whether it puts back what others did, which nobody has to have been shown.
    pub(super) is_cleanup: bool,
}

impl<'a> Walk<'a> {
    pub(super) fn new(run: &'a Run, tree: &Tree) -> Self {
        let board = tree.steps().iter().map(|step| (step.id(), watch::Sender::new(None))).collect();
        let needed = run.selection.as_ref().map(|selection| {
            tree.needed(|step| step.cluster().is_none_or(|cluster| selection.contains(cluster)))
        });
        let places = Semaphore::new(run.at_once.get().into());
        Self { run, board, needed, places, state: Mutex::default() }
    }

    pub(super) async fn tree(&self, tree: &Tree) {
        let way = Way { cancel: self.run.cancel.clone(), is_cleanup: false };
        // What stopped is in the state.
        let _ = self.part(tree, &way).await;
    }

    pub(super) fn report(self, elapsed: Duration) -> Report {
        let state = self.state.into_inner().unwrap_or_else(PoisonError::into_inner);
        let result = match (&state, self.run.mode) {
            _ if self.run.cancel.is_cancelled() => RunResult::Interrupted,
            (State { locked: true, .. }, _) => RunResult::Locked,
            // What failed needs somebody, and what only took too long may not.
            (State { timed_out, failed, .. }, _) if !failed.is_empty() && timed_out.len() == failed.len() => {
                RunResult::TimedOut
            }
            (State { failed, .. }, _) if !failed.is_empty() => RunResult::Failed,
            (_, Mode::Plan) => RunResult::Planned,
            (_, Mode::Apply) => RunResult::Converged,
        };
        let State { facts, changes, blocked, failed, skipped, .. } = state;
        let facts = Arc::unwrap_or_clone(facts);
        Report { facts, changes, blocked, failed, skipped, result, seconds: elapsed.as_secs_f64() }
    }

    fn part<'b>(&'b self, tree: &'b Tree, way: &'b Way) -> BoxFuture<'b, Result<(), Because>> {
        Box::pin(async move {
            match tree {
                Tree::Step(step) => self.step(&step.0, way).await,
                Tree::Gate { step, .. } => self.gate(step).await,
                Tree::Par(parts) => self.beside(parts, way).await.into_iter().collect(),
                Tree::Each(parts) => {
                    self.beside(parts, way).await;
                    Ok(())
                }
                Tree::Seq(parts) => self.sequence(parts, way).await,
                Tree::Guarded { body, cleanup, when } => self.guarded(body, cleanup, *when, way).await,
            }
        })
    }

    async fn beside(&self, parts: &[Tree], way: &Way) -> Vec<Result<(), Because>> {
        join_all(parts.iter().map(|part| self.part(part, way))).await
    }

    async fn sequence(&self, parts: &[Tree], way: &Way) -> Result<(), Because> {
        let mut outcome = Ok(());
        for part in parts {
            match &outcome {
                Ok(()) => outcome = self.part(part, way).await,
                Err(because) => self.skip(part, because),
            }
        }
        outcome
    }

    /// A plan does not show the cleanup of what would not be done.
    async fn guarded(&self, body: &Tree, cleanup: &Tree, when: When, way: &Way) -> Result<(), Because> {
        let outcome = self.part(body, way).await;
        let failed = outcome.is_err() && self.run.mode == Mode::Apply;
        if failed || (when == When::Always && outcome.is_ok()) {
            let way = Way { cancel: CancellationToken::new(), is_cleanup: true };
            return outcome.and(self.part(cleanup, &way).await);
        }
        for step in cleanup.steps() {
            self.conclude(step, outcome.clone());
        }
        outcome
    }

    async fn gate(&self, step: &StepId) -> Result<(), Because> {
        if !self.is_needed(step) {
            return Ok(());
        }
        let mut done = self.board[step].subscribe();
        let outcome = done.wait_for(Option::is_some).await.map(|outcome| outcome.clone());
        outcome.ok().flatten().unwrap_or(Ok(()))
    }

    fn skip(&self, tree: &Tree, because: &Because) {
        for step in tree.steps().into_iter().filter(|step| self.is_needed(&step.id())) {
            let left_out = self.run.selection.is_some() && !self.run.cancel.is_cancelled();
            if left_out && self.is_selected(step) {
                self.fail(step, &Prerequisite(step.id(), because.clone()).into());
            } else {
                self.leave(step, because);
            }
            self.conclude(step, Err(because.clone()));
        }
    }

    async fn step(&self, step: &Arc<dyn AnyStep>, way: &Way) -> Result<(), Because> {
        if !self.is_needed(&step.id()) {
            return Ok(());
        }
        let outcome = match self.look_and_change(step, way).await {
            Ok(()) => Ok(()),
            Err(Halt::Skipped(because)) => {
                self.leave(step.as_ref(), &because);
                Err(because)
            }
            Err(Halt::TimedOut(failure)) => {
                self.state().timed_out.insert(step.id());
                Err(self.fail(step.as_ref(), &failure))
            }
            Err(Halt::Locked(failure)) => {
                self.state().locked = true;
                Err(self.fail(step.as_ref(), &failure))
            }
            Err(Halt::Failed(failure)) => Err(self.fail(step.as_ref(), &failure)),
        };
        self.conclude(step.as_ref(), outcome.clone());
        outcome
    }

    fn conclude(&self, step: &dyn AnyStep, outcome: Result<(), Because>) {
        self.board[&step.id()].send_replace(Some(outcome));
    }

    fn leave(&self, step: &dyn AnyStep, because: &Because) {
        self.run.events.send(Event::Skipped { subject: subject(step), because: because.clone() });
        self.state().skipped.insert(step.id(), because.clone());
    }

    fn fail(&self, step: &dyn AnyStep, failure: &Failure) -> Because {
        let failed = Failed::of(step.cluster(), failure);
        let Failed { error, causes, hint, .. } = failed.clone();
        self.run.events.send(Event::Failed { subject: subject(step), error, causes, hint });
        self.state().failed.insert(step.id(), failed);
        format!("{} failed", step.id())
    }

    fn is_needed(&self, step: &StepId) -> bool {
        self.needed.as_ref().is_none_or(|needed| needed.contains(step))
    }

    /// Steps of the whole site belong to every selection.
    pub(super) fn is_selected(&self, step: &dyn AnyStep) -> bool {
        match (&self.run.selection, step.cluster()) {
            (Some(selection), Some(cluster)) => selection.contains(cluster),
            _ => true,
        }
    }

    /// Waits for a place among the steps that look or change something, unless the run is interrupted.
    ///
    /// A place is kept for one look or one deed. Neither waits for another step, except for a look that another one is
    /// taking, which has a place of its own; gates, pauses and locks of the run are waited for without one. So every place
    /// comes back, and a run can never wait for itself.
    pub(super) async fn place(&self, way: &Way) -> Result<SemaphorePermit<'_>, Halt> {
        tokio::select! {
            // Who finds one free goes on: an interrupted step still looks at what it has just done.
            biased;
            place = self.places.acquire() => Ok(place.expect("nobody closes it")),
            () = way.cancel.cancelled() => Err(Halt::Skipped(INTERRUPTED.to_owned())),
        }
    }

    /// What is known at this moment.
    pub(super) fn facts(&self) -> Arc<Facts> {
        Arc::clone(&self.state().facts)
    }

    /// Adds what a step has learnt.
    pub(super) fn learn(&self, facts: Facts) {
        // Steps that are looking hold what was known when they began: only what is new makes another copy.
        if !facts.is_empty() {
            Arc::make_mut(&mut self.state().facts).merge(facts);
        }
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(super) fn subject(step: &dyn AnyStep) -> Subject {
    Subject { step: step.id(), cluster: step.cluster().cloned() }
}
