//! AWS says yes before everybody there knows: what it has accepted may not be seen for a while.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::aws::AwsError;
use crate::engine::wait::Pace;
use crate::engine::{Change, Observed, Writer};

/// How long a role that has just been made is waited for. AWS publishes no figure; tools give it two to three minutes.
const PROPAGATION: Duration = Duration::from_mins(3);

/// Whether a step has asked for everything already. What still differs then is waited for and not asked for again.
#[derive(Debug, Default)]
pub(super) struct Asked(AtomicBool);

impl Asked {
    /// Everything has been asked for.
    pub(super) fn set(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// What differs, as far as it is still to be asked for.
    pub(super) fn settle<Work>(&self, observed: Observed<Work>) -> Observed<Work> {
        if !self.0.load(Ordering::Relaxed) {
            return observed;
        }
        let wait = |change: Change| {
            if change.is_wait() { change } else { Change::wait(change.subject, "AWS does not show it yet") }
        };
        let changes = observed.changes.into_iter().map(wait).collect();
        Observed { facts: observed.facts, changes, work: None }
    }
}

/// Makes a call until AWS knows the roles in it.
pub(super) async fn once_known<T, E, Call: Future<Output = Result<T, E>>>(
    writer: &Writer,
    call: impl Fn() -> Call,
    failed: impl Fn(&E) -> AwsError,
) -> Result<T, AwsError> {
    let mut pace = Pace::new(PROPAGATION).with_longest_pause(Duration::from_secs(5));
    loop {
        match writer.perform(call()).await.map_err(|error| failed(&error)) {
            Err(error) if error.is_propagation() => {
                writer.progress(format!("IAM is not through with a role yet: {}", error.text()));
                if !writer.pause(&mut pace).await {
                    return Err(error);
                }
            }
            answer => return answer,
        }
    }
}
