//! Walks a tree: observes every step, and when applying changes what differs and observes again.

mod report;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use futures::future::join_all;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::change::Change;
use super::event::{Event, Events, RunResult, Subject};
use super::facts::Facts;
use super::step::{AnyStep, AnyWork, BoxFuture, Observed, StepId};
use super::stop::{Failure, Stop};
use super::tree::Tree;
use super::wait::Pace;
use super::writer::{Fault, Writer};
use crate::site::name::ClusterName;
pub use report::Report;

/// What a run may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Only look.
    Plan,
    /// Look, change, look again.
    Apply,
}

/// How to walk a tree.
#[derive(Debug, Clone)]
pub struct Run {
    /// What it may do.
    pub mode: Mode,
    /// The clusters that may be changed; `None`: all. The others are looked at.
    pub selection: Option<BTreeSet<ClusterName>>,
    /// Where events go.
    pub events: Events,
    /// Stops the run before its next step, and every wait at once.
    pub cancel: CancellationToken,
    /// Where a test kills the run.
    pub fault: Option<Fault>,
}

/// Why the rest of a branch is not tried.
type Because = String;

const INTERRUPTED: &str = "the run was interrupted";

struct Walk<'a> {
    run: &'a Run,
    board: BTreeMap<StepId, watch::Sender<Option<Result<(), Because>>>>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    facts: Facts,
    changes: BTreeMap<StepId, Vec<Change>>,
    blocked: BTreeMap<StepId, String>,
    failed: BTreeMap<StepId, String>,
    timed_out: bool,
}

/// What stops a step.
enum Halt {
    Failed(Failure),
    TimedOut(Failure),
    /// Neither done nor failed: it is not this run's to do.
    Left(Because),
}

impl<E: Into<Failure>> From<E> for Halt {
    fn from(failure: E) -> Self {
        Self::Failed(failure.into())
    }
}

#[derive(Debug, thiserror::Error)]
enum RunError {
    #[error("`{0}` did not become ready within {1} s: {2}")]
    TimedOut(StepId, u64, String),
    #[error("`{0}` still differs after it was applied: {1}")]
    NotConverged(StepId, String),
    #[error("`{0}` found nothing to do about what differs: {1}")]
    NothingToDo(StepId, String),
    #[error("`{0}` needs the {1}, which nothing has yielded")]
    Blocked(StepId, String),
    #[error("`{0}` was not tried: {1}")]
    Prerequisite(StepId, Because),
}

impl Run {
    /// Walks the tree to its end, sending every event but `finished`, which the caller sends once it has
    /// said everything else that belongs to the command.
    pub async fn walk(&self, tree: &Tree) -> Report {
        debug_assert_eq!(tree.check(), Ok(()));
        let started = Instant::now();
        let board = tree.steps().iter().map(|step| (step.id(), watch::Sender::new(None))).collect();
        let walk = Walk { run: self, board, state: Mutex::default() };
        let _ = walk.part(tree).await;
        let state = walk.state.into_inner().unwrap_or_else(PoisonError::into_inner);
        let result = match (&state, self.mode) {
            _ if self.cancel.is_cancelled() => RunResult::Interrupted,
            (State { timed_out: true, .. }, _) => RunResult::TimedOut,
            (State { failed, .. }, _) if !failed.is_empty() => RunResult::Failed,
            (_, Mode::Plan) => RunResult::Planned,
            (_, Mode::Apply) => RunResult::Converged,
        };
        let State { facts, changes, blocked, failed, .. } = state;
        Report { facts, changes, blocked, failed, result, seconds: started.elapsed().as_secs_f64() }
    }
}

impl Walk<'_> {
    fn part<'a>(&'a self, tree: &'a Tree) -> BoxFuture<'a, Result<(), Because>> {
        Box::pin(async move {
            match tree {
                Tree::Step(step) => self.step(step.0.as_ref()).await,
                Tree::Gate(step) => self.gate(step).await,
                Tree::Par(parts) => {
                    join_all(parts.iter().map(|part| self.part(part))).await.into_iter().collect()
                }
                Tree::Seq(parts) => {
                    let mut outcome = Ok(());
                    for part in parts {
                        match &outcome {
                            Ok(()) => outcome = self.part(part).await,
                            Err(because) => self.skip(part, because),
                        }
                    }
                    outcome
                }
            }
        })
    }

    async fn gate(&self, step: &StepId) -> Result<(), Because> {
        let mut done = self.board[step].subscribe();
        let outcome = done.wait_for(Option::is_some).await.map(|outcome| outcome.clone());
        outcome.ok().flatten().unwrap_or(Ok(()))
    }

    fn skip(&self, tree: &Tree, because: &Because) {
        for step in tree.steps() {
            let left_out = self.run.selection.is_some() && !self.run.cancel.is_cancelled();
            if left_out && self.is_selected(step) {
                self.fail(step, &RunError::Prerequisite(step.id(), because.clone()).into());
            } else {
                self.run.events.send(Event::Skipped { subject: subject(step), because: because.clone() });
            }
            self.board[&step.id()].send_replace(Some(Err(because.clone())));
        }
    }

    async fn step(&self, step: &dyn AnyStep) -> Result<(), Because> {
        let outcome = match self.look_and_change(step).await {
            Ok(()) => Ok(()),
            Err(Halt::Left(because)) => {
                self.run.events.send(Event::Skipped { subject: subject(step), because: because.clone() });
                Err(because)
            }
            Err(Halt::TimedOut(failure)) => {
                self.state().timed_out = true;
                Err(self.fail(step, &failure))
            }
            Err(Halt::Failed(failure)) => Err(self.fail(step, &failure)),
        };
        self.board[&step.id()].send_replace(Some(outcome.clone()));
        outcome
    }

    async fn look_and_change(&self, step: &dyn AnyStep) -> Result<(), Halt> {
        if self.run.cancel.is_cancelled() {
            return Err(Halt::Left(INTERRUPTED.to_owned()));
        }
        let subject = subject(step);
        self.run.events.send(Event::Observing(subject.clone()));
        let observed = match step.observe(&self.facts()).await {
            Ok(observed) => observed,
            Err(Stop::Failed(failure)) => return Err(failure.into()),
            Err(Stop::Blocked(missing)) if self.run.mode == Mode::Plan => {
                self.run.events.send(Event::Blocked { subject, on: missing.to_string() });
                self.state().blocked.insert(step.id(), missing.to_string());
                return Ok(());
            }
            Err(Stop::Blocked(missing)) => {
                return Err(RunError::Blocked(step.id(), missing.to_string()).into());
            }
        };
        let Observed { facts, changes, work } = observed;
        self.state().facts.merge(facts);
        if changes.is_empty() {
            self.run.events.send(Event::Unchanged(subject));
        } else if self.run.mode == Mode::Plan {
            self.run.events.send(Event::Planned { subject, changes: changes.clone() });
            self.state().changes.insert(step.id(), changes);
        } else if self.is_selected(step) {
            self.change(step, changes, work).await?;
        } else {
            let step = step.id();
            return Err(Halt::Left(format!("{step} is not ready and was not selected: {}", list(&changes))));
        }
        Ok(())
    }

    async fn change(
        &self,
        step: &dyn AnyStep,
        changes: Vec<Change>,
        work: Option<AnyWork>,
    ) -> Result<(), Halt> {
        let started = Instant::now();
        let subject = subject(step);
        self.run.events.send(Event::Applying { subject: subject.clone(), changes: changes.clone() });
        let writer = Writer::new(
            subject.clone(),
            self.run.events.clone(),
            self.run.cancel.clone(),
            self.run.fault.clone(),
        );
        let facts = self.settle(step, &subject, &writer, &changes, work).await?;
        let mut state = self.state();
        state.facts.merge(facts);
        state.changes.insert(step.id(), changes.clone());
        drop(state);
        self.run.events.send(Event::Applied {
            subject,
            changes,
            writes: writer.writes(),
            seconds: started.elapsed().as_secs_f64(),
        });
        Ok(())
    }

    /// Applies as soon as something differs that is not only to be waited for, and observes until nothing differs.
    /// What still differs after it was applied has not converged; what comes up only later is applied then. What was
    /// told as the changes before is not said again.
    async fn settle(
        &self,
        step: &dyn AnyStep,
        subject: &Subject,
        writer: &Writer,
        before: &[Change],
        mut work: Option<AnyWork>,
    ) -> Result<Facts, Halt> {
        let mut pace = Pace::new(step.patience());
        let (mut changes, mut told, mut applied) = (before.to_vec(), list(before), BTreeSet::new());
        loop {
            let due = changes.iter().filter(|change| !change.is_wait()).map(|change| change.subject.clone());
            let due: BTreeSet<_> = due.collect();
            if due.is_empty() {
                self.pause(step, &mut pace, &told).await?;
            } else if due.is_disjoint(&applied) {
                let work = work.take().ok_or_else(|| RunError::NothingToDo(step.id(), list(&changes)))?;
                step.apply(work, &self.facts(), writer).await?;
                applied.extend(due);
            } else {
                return Err(RunError::NotConverged(step.id(), list(&changes)).into());
            }
            let observed = match step.observe(&self.facts()).await {
                Ok(observed) => observed,
                Err(Stop::Failed(failure)) => return Err(failure.into()),
                Err(Stop::Blocked(missing)) => {
                    return Err(RunError::Blocked(step.id(), missing.to_string()).into());
                }
            };
            (changes, work) = (observed.changes, observed.work);
            if changes.is_empty() {
                return Ok(observed.facts);
            }
            let message = list(&changes);
            if message != told {
                told.clone_from(&message);
                self.run.events.send(Event::Progress { subject: subject.clone(), message });
            }
        }
    }

    async fn pause(&self, step: &dyn AnyStep, pace: &mut Pace, waiting_for: &str) -> Result<(), Halt> {
        let more = tokio::select! {
            more = pace.pause() => more,
            () = self.run.cancel.cancelled() => return Err(Halt::Left(INTERRUPTED.to_owned())),
        };
        if more {
            return Ok(());
        }
        let seconds = step.patience().as_secs();
        Err(Halt::TimedOut(RunError::TimedOut(step.id(), seconds, waiting_for.to_owned()).into()))
    }

    fn fail(&self, step: &dyn AnyStep, failure: &Failure) -> Because {
        self.run.events.send(Event::Failed {
            subject: subject(step),
            error: failure.to_string(),
            causes: failure.causes(),
            hint: failure.hint().map(ToOwned::to_owned),
        });
        self.state().failed.insert(step.id(), failure.to_string());
        format!("{} failed", step.id())
    }

    /// Steps of the whole site belong to every selection.
    fn is_selected(&self, step: &dyn AnyStep) -> bool {
        match (&self.run.selection, step.cluster()) {
            (Some(selection), Some(cluster)) => selection.contains(cluster),
            _ => true,
        }
    }

    fn facts(&self) -> Facts {
        self.state().facts.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn subject(step: &dyn AnyStep) -> Subject {
    Subject { step: step.id(), cluster: step.cluster().cloned() }
}

fn list(changes: &[Change]) -> String {
    changes.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests;
