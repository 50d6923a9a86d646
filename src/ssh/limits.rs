//! What the hosts of a run share of this machine and of its line.
//!
//! A login is waited for by whoever may have a place among the uploads, never the other way round: neither limit can wait
//! for itself.

use tokio::sync::{Semaphore, SemaphorePermit};

use super::put::Content;

/// How many connections are opened at once: each is a process, and key exchange takes a processor's time.
/// (`k0sctl` has the same two defaults.)
pub const LOGINS: usize = 30;

/// How many files of this machine are on their way to hosts at once: more would only divide its line, and all of them
/// would be late.
pub const UPLOADS: usize = 5;

/// The limits of one command.
#[derive(Debug)]
pub(super) struct Limits {
    logins: Semaphore,
    uploads: Semaphore,
}

impl Default for Limits {
    fn default() -> Self {
        Self { logins: Semaphore::new(LOGINS), uploads: Semaphore::new(UPLOADS) }
    }
}

impl Limits {
    /// Waits for a place to log in from, which is kept until the host has answered.
    pub(super) async fn login(&self) -> SemaphorePermit<'_> {
        place(&self.logins).await
    }

    /// Waits for a place among the uploads. What comes from memory is small and needs none.
    pub(super) async fn upload(&self, content: &Content<'_>) -> Option<SemaphorePermit<'_>> {
        match content {
            Content::Bytes(_) => None,
            Content::File(_) => Some(place(&self.uploads).await),
        }
    }
}

async fn place(places: &Semaphore) -> SemaphorePermit<'_> {
    places.acquire().await.expect("nobody closes it")
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures::future::join_all;
    use tokio::task::yield_now;

    use super::*;

    /// How many of a hundred are at it at once.
    async fn crowd<P>(place: impl AsyncFn() -> P) -> usize {
        let (now, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let come = async || {
            let place = place().await;
            most.fetch_max(now.fetch_add(1, Ordering::Relaxed) + 1, Ordering::Relaxed);
            yield_now().await;
            now.fetch_sub(1, Ordering::Relaxed);
            drop(place);
        };
        join_all((0..100).map(|_| come())).await;
        most.into_inner()
    }

    #[tokio::test]
    async fn so_many_log_in_and_upload_at_once() {
        let limits = Limits::default();
        assert_eq!(crowd(async || limits.login().await).await, LOGINS);
        assert_eq!(crowd(async || limits.upload(&Path::new("k3s").into()).await).await, UPLOADS);
        assert_eq!(crowd(async || limits.upload(&"a unit".into()).await).await, 100);
    }
}
