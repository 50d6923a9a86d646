//! The gate that every external write passes. Only `apply` receives one, so "`plan` writes nothing" holds by type.

use std::future::Future;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use rustix::process::{Signal, getpid, kill_process};
use tokio_util::sync::CancellationToken;

use super::event::{Event, Events, Subject};
use super::run::Run;
use super::wait::Pace;

/// Lets one step's `apply` write, counts the writes, and is where tests kill or hold a run.
#[derive(Debug)]
pub struct Writer {
    subject: Subject,
    events: Events,
    cancel: CancellationToken,
    fault: Option<Fault>,
    writes: AtomicUsize,
    /// As in [`Run::writes`].
    of_run: Arc<AtomicU64>,
}

impl Writer {
    pub(super) fn new(subject: Subject, run: &Run, cancel: CancellationToken) -> Self {
        let (events, fault, of_run) = (run.events.clone(), run.fault.clone(), Arc::clone(&run.writes));
        Self { subject, events, cancel, fault, writes: AtomicUsize::new(0), of_run }
    }

    /// Performs one external write.
    ///
    /// # Errors
    /// Those of the write.
    pub async fn perform<T, E>(&self, write: impl Future<Output = Result<T, E>>) -> Result<T, E> {
        let ordinal = self.writes.fetch_add(1, Ordering::Relaxed) + 1;
        self.strike(ordinal, Moment::Before);
        self.of_run.fetch_add(1, Ordering::SeqCst);
        let result = write.await;
        self.of_run.fetch_add(1, Ordering::SeqCst);
        self.strike(ordinal, Moment::After);
        result
    }

    /// Says what a long write is at.
    pub fn progress(&self, message: impl Into<String>) {
        self.events.send(Event::Progress { subject: self.subject.clone(), message: message.into() });
    }

    /// Pauses between two looks at a long write; `false` when there is no time left for another, or the run is to stop.
    pub async fn pause(&self, pace: &mut Pace) -> bool {
        tokio::select! {
            goes_on = pace.pause() => goes_on,
            () = self.cancelled() => false,
        }
    }

    /// Resolves when the run is to stop; a long write selects on it.
    pub async fn cancelled(&self) {
        self.cancel.cancelled().await;
    }

    pub(super) fn writes(&self) -> usize {
        self.writes.load(Ordering::Relaxed)
    }

    fn strike(&self, ordinal: usize, moment: Moment) {
        if let Some(fault) = &self.fault
            && fault.step == self.subject.step.as_str()
            && fault.ordinal == ordinal
            && fault.moment == moment
        {
            let _ = kill_process(getpid(), fault.signal);
        }
    }
}

/// What a test does to the run before or after write `ordinal` of `step`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    step: String,
    ordinal: usize,
    moment: Moment,
    /// SIGKILL cannot be caught: this is the power failing at that very moment. SIGSTOP holds the run until the test
    /// lets it go on in another world.
    signal: Signal,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Moment {
    Before,
    After,
}

/// The text is not of the form `[stop:]before|after:<ordinal>:<step>`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not of the form [stop:]before|after:<ordinal>:<step>")]
pub struct FaultError(String);

impl FromStr for Fault {
    type Err = FaultError;

    fn from_str(text: &str) -> Result<Self, FaultError> {
        let refuse = || FaultError(text.to_owned());
        let (signal, place) = match text.strip_prefix("stop:") {
            Some(place) => (Signal::STOP, place),
            None => (Signal::KILL, text),
        };
        let mut parts = place.splitn(3, ':');
        let moment = match parts.next() {
            Some("before") => Moment::Before,
            Some("after") => Moment::After,
            _ => return Err(refuse()),
        };
        let ordinal = parts.next().and_then(|part| part.parse().ok()).ok_or_else(refuse)?;
        let step = parts.next().ok_or_else(refuse)?.to_owned();
        Ok(Self { step, ordinal, moment, signal })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_says_what_happens_where() {
        let at = |moment, signal| Fault { step: "hub/a:b".to_owned(), ordinal: 2, moment, signal };
        assert_eq!("before:2:hub/a:b".parse(), Ok(at(Moment::Before, Signal::KILL)));
        assert_eq!("stop:after:2:hub/a:b".parse(), Ok(at(Moment::After, Signal::STOP)));
        for other in ["", "stop", "stop:2:hub", "during:2:hub", "before:two:hub", "before:2"] {
            assert_eq!(other.parse::<Fault>(), Err(FaultError(other.to_owned())), "{other}");
        }
    }
}
