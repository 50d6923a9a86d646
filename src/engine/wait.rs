//! The only place that pauses. Every wait has a deadline and can say why it waits.

use std::time::Duration;

use tokio::time::Instant;

/// Pauses between two looks at the world: short at first, because most things take moments, then longer.
#[derive(Debug)]
pub struct Pace {
    next: Duration,
    longest: Duration,
    deadline: Instant,
}

impl Pace {
    const FIRST: Duration = Duration::from_millis(25);
    const LONGEST: Duration = Duration::from_secs(1);

    /// A pace that gives up after `patience`.
    #[must_use]
    pub fn new(patience: Duration) -> Self {
        Self { next: Self::FIRST, longest: Self::LONGEST, deadline: Instant::now() + patience }
    }

    /// The same with pauses of up to so long, for a world that should not be asked every second.
    #[must_use]
    pub fn with_longest_pause(self, longest: Duration) -> Self {
        Self { longest, ..self }
    }

    /// Pauses; `false` when there is no time left for another look.
    pub async fn pause(&mut self) -> bool {
        let now = Instant::now();
        if now >= self.deadline {
            return false;
        }
        pause(self.next.min(self.deadline - now)).await;
        self.next = (self.next * 5 / 4).min(self.longest);
        true
    }
}

/// Pauses for a fixed time, for loops that live as long as their process (a heartbeat, a probe's period).
#[expect(clippy::disallowed_methods, reason = "the one sleep that everything else uses")]
pub async fn pause(duration: Duration) {
    tokio::time::sleep(duration).await;
}
