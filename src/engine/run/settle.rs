//! One step of a walk: looked at, changed as it was found and shown, and looked at again until nothing differs.

use std::collections::BTreeSet;
use std::panic::resume_unwind;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use super::walk::{Because, INTERRUPTED, Walk, Way, subject};
use super::{Mode, Plan};
use crate::engine::change::Change;
use crate::engine::event::Event;
use crate::engine::facts::Facts;
use crate::engine::guard::Refusal;
use crate::engine::step::{AnyStep, AnyWork, Observed, StepId};
use crate::engine::stop::{Failure, Stop};
use crate::engine::wait::Pace;
use crate::engine::writer::Writer;

/// How long one look may take, with everything that it asks: each request has a deadline of its own, which is shorter.
const LOOK: Duration = Duration::from_mins(5);

/// What stops a step.
pub(super) enum Halt {
    Failed(Failure),
    TimedOut(Failure),
    /// Another run is at work.
    Locked(Failure),
    /// Neither done nor failed: it is not this run's to do.
    Skipped(Because),
}

impl<E: Into<Failure>> From<E> for Halt {
    fn from(failure: E) -> Self {
        Self::Failed(failure.into())
    }
}

#[derive(Debug, thiserror::Error)]
enum StepError {
    #[error("`{0}` did not become ready within {1} s: {2}")]
    TimedOut(StepId, u64, String),
    #[error("`{0}` still differs after it was applied: {1}")]
    NotConverged(StepId, String),
    #[error("`{0}` found nothing to do about what differs: {1}")]
    NothingToDo(StepId, String),
    #[error("`{0}` looked for {1} s and did not come to an end")]
    Endless(StepId, u64),
    #[error("`{0}` needs the {1}, which no step has found out")]
    Blocked(StepId, String),
    #[error("`{0}` would do what was not shown before: {1}")]
    NotShown(StepId, String),
}

impl Walk<'_> {
    pub(super) async fn look_and_change(&self, step: &Arc<dyn AnyStep>, way: &Way) -> Result<(), Halt> {
        if way.cancel.is_cancelled() {
            return Err(Halt::Skipped(INTERRUPTED.to_owned()));
        }
        let subject = subject(step.as_ref());
        let permit = self.place(way).await?;
        self.run.events.send(Event::Observing(subject.clone()));
        let observed = self.observe(step).await;
        drop(permit);
        let observed = match observed {
            Ok(observed) => observed,
            Err(Stop::Failed(failure)) => return Err(failure.into()),
            Err(Stop::Blocked(missing)) if self.run.mode == Mode::Plan => {
                self.run.events.send(Event::Blocked { subject, on: missing.to_string() });
                self.state().blocked.insert(step.id(), missing.to_string());
                return Ok(());
            }
            Err(Stop::Blocked(missing)) => {
                return Err(StepError::Blocked(step.id(), missing.to_string()).into());
            }
        };
        let Observed { facts, changes, work } = observed;
        self.learn(facts);
        if changes.is_empty() {
            self.run.events.send(Event::Unchanged(subject));
        } else if !self.is_selected(step.as_ref()) {
            let step = step.id();
            return Err(Halt::Skipped(format!(
                "{step} is not ready and was not selected: {}",
                list(&changes)
            )));
        } else if self.run.mode == Mode::Plan {
            self.run.events.send(Event::Planned { subject, changes: changes.clone() });
            self.state().changes.insert(step.id(), changes);
        } else {
            self.change(step, way, changes, work).await?;
        }
        Ok(())
    }

    async fn change(
        &self,
        step: &Arc<dyn AnyStep>,
        way: &Way,
        changes: Vec<Change>,
        work: Option<AnyWork>,
    ) -> Result<(), Halt> {
        let (started, subject) = (Instant::now(), subject(step.as_ref()));
        let events = self.run.events.clone();
        events.send(Event::Applying { subject: subject.clone(), changes: changes.clone() });
        let writer = Arc::new(Writer::new(subject.clone(), self.run, way.cancel.clone()));
        let facts = self.settle(step, way, &writer, (&changes, work)).await?;
        self.learn(facts);
        self.state().changes.insert(step.id(), changes.clone());
        let seconds = started.elapsed().as_secs_f64();
        events.send(Event::Applied { subject, changes, writes: writer.writes(), seconds });
        Ok(())
    }

    /// Applies as soon as something differs that is not only to be waited for, and observes until nothing differs.
    /// What still differs after it was applied has not converged; what comes up only later is applied then. What was
    /// told as the changes before is not said again.
    async fn settle(
        &self,
        step: &Arc<dyn AnyStep>,
        way: &Way,
        writer: &Arc<Writer>,
        (before, mut work): (&[Change], Option<AnyWork>),
    ) -> Result<Facts, Halt> {
        let mut pace = Pace::new(self.patience(step.as_ref())).with_longest_pause(step.longest_pause());
        let (mut changes, mut told, mut applied) = (before.to_vec(), list(before), BTreeSet::new());
        loop {
            let due = changes.iter().filter(|change| !change.is_wait()).map(|change| change.subject.clone());
            let due: BTreeSet<_> = due.collect();
            if due.is_empty() {
                self.pause(step.as_ref(), way, &mut pace, &told).await?;
            } else if due.is_disjoint(&applied) {
                self.refuse_what_was_not_shown(step.as_ref(), way, &changes)?;
                self.hold().await?;
                let work = work.take().ok_or_else(|| StepError::NothingToDo(step.id(), list(&changes)))?;
                let permit = self.place(way).await?;
                self.apply(step, work, writer).await?;
                drop(permit);
                self.state().changed.insert(step.cluster().cloned());
                applied.extend(due);
            } else {
                return Err(StepError::NotConverged(step.id(), list(&changes)).into());
            }
            let permit = self.place(way).await?;
            let observed = self.observe(step).await;
            drop(permit);
            let observed = match observed {
                Ok(observed) => observed,
                Err(Stop::Failed(failure)) => return Err(failure.into()),
                Err(Stop::Blocked(missing)) => {
                    return Err(StepError::Blocked(step.id(), missing.to_string()).into());
                }
            };
            (changes, work) = (observed.changes, observed.work);
            if changes.is_empty() {
                return Ok(observed.facts);
            }
            let message = list(&changes);
            if message != told {
                told.clone_from(&message);
                self.run.events.send(Event::Progress { subject: subject(step.as_ref()), message });
            }
        }
    }

    fn patience(&self, step: &dyn AnyStep) -> Duration {
        self.run.patience.unwrap_or_else(|| step.patience())
    }

    /// Looks, in a task of its own.
    async fn observe(&self, step: &Arc<dyn AnyStep>) -> Result<Observed<AnyWork>, Stop> {
        let (step, facts) = (Arc::clone(step), self.facts());
        let id = step.id();
        let look = beside(async move { step.observe(&facts).await });
        let ended = tokio::time::timeout(LOOK, look).await;
        ended.unwrap_or_else(|_| Err(Stop::Failed(StepError::Endless(id, LOOK.as_secs()).into())))
    }

    /// Changes, in a task of its own.
    async fn apply(
        &self,
        step: &Arc<dyn AnyStep>,
        work: AnyWork,
        writer: &Arc<Writer>,
    ) -> Result<(), Failure> {
        let (step, facts, writer) = (Arc::clone(step), self.facts(), Arc::clone(writer));
        beside(async move { step.apply(work, &facts, &writer).await }).await
    }

    /// Makes sure that nobody else is at work.
    async fn hold(&self) -> Result<(), Halt> {
        let Some(guard) = &self.run.guard else { return Ok(()) };
        guard.hold(&self.facts()).await.map_err(|refusal| match refusal {
            Refusal::Failed(failure) => Halt::Failed(failure),
            Refusal::Held(held) => {
                Halt::Locked(Failure::from(held).with_hint("wait for the other run to end, then run again"))
            }
        })
    }

    fn refuse_what_was_not_shown(
        &self,
        step: &dyn AnyStep,
        way: &Way,
        changes: &[Change],
    ) -> Result<(), Halt> {
        let Some(plan) = self.run.confirmed.as_deref().filter(|_| !way.is_cleanup) else { return Ok(()) };
        let state = self.state();
        let follows = state.changed.contains(&None) || state.changed.contains(&step.cluster().cloned());
        drop(state);
        let surprises = Plan::surprises(plan, &step.id(), changes, follows);
        if surprises.is_empty() {
            return Ok(());
        }
        let hint = "the world has changed since: run the command again to see what it would do now";
        let failure = Failure::from(StepError::NotShown(step.id(), list(&surprises)));
        Err(Halt::Failed(failure.with_hint(hint)))
    }

    async fn pause(
        &self,
        step: &dyn AnyStep,
        way: &Way,
        pace: &mut Pace,
        waiting_for: &str,
    ) -> Result<(), Halt> {
        let more = tokio::select! {
            more = pace.pause() => more,
            () = way.cancel.cancelled() => return Err(Halt::Skipped(INTERRUPTED.to_owned())),
        };
        if more {
            return Ok(());
        }
        let seconds = self.patience(step).as_secs();
        Err(Halt::TimedOut(StepError::TimedOut(step.id(), seconds, waiting_for.to_owned()).into()))
    }
}

/// Awaits on any of the runtime's threads, so that the order of a walk, its waits and its deadlines are not held up by who
/// parses and compares. Given up when the caller is.
async fn beside<T: Send + 'static>(work: impl Future<Output = T> + Send + 'static) -> T {
    let mut task = JoinSet::new();
    task.spawn(work);
    let ended = task.join_next().await.expect("there is one task");
    ended.unwrap_or_else(|error| resume_unwind(error.into_panic()))
}

fn list(changes: &[Change]) -> String {
    changes.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}
