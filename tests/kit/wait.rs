//! Looking at the world until it is as expected.

use std::time::{Duration, Instant};

/// How long anything may take that is waited for, on a slow machine.
const PATIENCE: Duration = Duration::from_mins(2);

/// Looks until something is true; fails the test when it never becomes so.
pub(crate) async fn eventually(what: &str, mut look: impl AsyncFnMut() -> bool) {
    let started = Instant::now();
    while !look().await {
        assert!(started.elapsed() < PATIENCE, "{what}: not within {} s", PATIENCE.as_secs());
        pause().await;
    }
}

/// The same for tests without a runtime.
pub(crate) fn until(what: &str, mut look: impl FnMut() -> bool) {
    let started = Instant::now();
    while !look() {
        assert!(started.elapsed() < PATIENCE, "{what}: not within {} s", PATIENCE.as_secs());
        rest();
    }
}

#[expect(clippy::disallowed_methods, reason = "a test looks at the world from outside")]
fn rest() {
    std::thread::sleep(Duration::from_millis(50));
}

/// Between two looks.
#[expect(clippy::disallowed_methods, reason = "a test looks at the world from outside")]
pub(crate) async fn pause() {
    tokio::time::sleep(Duration::from_millis(100)).await;
}
