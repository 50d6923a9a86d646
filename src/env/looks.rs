//! Looks at the world that steps share, so that a thousand steps that ask at the same time cost one look.
//!
//! The rule: a caller is served by a look that *began* after it asked. It may share a look with others, but never gets
//! one that was under way already: a step that looks after it has written never sees the world from before the write.

use std::any::Any;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Mutex as AsyncMutex;

/// The looks of one command.
#[derive(Debug, Default)]
pub struct Looks {
    cells: Mutex<BTreeMap<String, Arc<Cell>>>,
    writes: Arc<AtomicU64>,
}

/// The looks at one thing.
#[derive(Debug, Default)]
struct Cell {
    /// How many looks have begun.
    begun: AtomicU64,
    /// The last look that ended. Held while a look is under way.
    last: AsyncMutex<Option<Ended>>,
}

/// A look that has ended.
#[derive(Debug)]
struct Ended {
    /// Which of the looks at the thing it was.
    number: u64,
    /// How many writes the command had begun or ended when it began.
    writes: u64,
    found: Arc<dyn Any + Send + Sync>,
}

/// Whom a look serves that has ended, besides those who asked before it began.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Serves {
    Nobody,
    /// Those who ask before the command writes anything.
    BeforeAnyWrite,
    Everybody,
}

/// What a look found, or why it failed, for everybody who shared it.
pub type Shared<T, E> = Result<Arc<T>, SharedError<E>>;

/// The error of a look that others shared.
#[derive(Debug)]
pub struct SharedError<E>(Arc<E>);

impl<E> Clone for SharedError<E> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<E: std::error::Error> std::fmt::Display for SharedError<E> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(formatter)
    }
}

impl<E: std::error::Error> std::error::Error for SharedError<E> {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source()
    }
}

impl Looks {
    /// Looks, or waits for the look of another caller that begins from now on. All looks at one `subject` must be of
    /// the same types.
    ///
    /// # Errors
    /// What the look that serves this caller failed with.
    pub async fn share<T, E>(&self, subject: &str, look: impl AsyncFnOnce() -> Result<T, E>) -> Shared<T, E>
    where
        T: Send + Sync + 'static,
        E: Send + Sync + 'static,
    {
        self.served(subject, Serves::Nobody, look).await
    }

    /// As [`Self::share`], but the last look will do if the command has written nothing since it began. For who looks for the
    /// first time: nobody who waits for others to do something would ever see it.
    ///
    /// # Errors
    /// What the look that serves this caller failed with.
    pub async fn recent<T, E>(&self, subject: &str, look: impl AsyncFnOnce() -> Result<T, E>) -> Shared<T, E>
    where
        T: Send + Sync + 'static,
        E: Send + Sync + 'static,
    {
        self.served(subject, Serves::BeforeAnyWrite, look).await
    }

    /// As [`Self::share`], but the last look will do, whatever was written since. For questions that only the caller's own
    /// writes give another answer to, before those.
    ///
    /// # Errors
    /// What the look that serves this caller failed with.
    pub async fn last<T, E>(&self, subject: &str, look: impl AsyncFnOnce() -> Result<T, E>) -> Shared<T, E>
    where
        T: Send + Sync + 'static,
        E: Send + Sync + 'static,
    {
        self.served(subject, Serves::Everybody, look).await
    }

    /// Forgets what was found: another run begins, and nobody knows what has happened since.
    pub fn forget(&self) {
        self.cells.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Counts the beginnings and ends of the command's writes, for the runs of its flows.
    #[must_use]
    pub fn writes(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.writes)
    }

    async fn served<T, E>(
        &self,
        subject: &str,
        serves: Serves,
        look: impl AsyncFnOnce() -> Result<T, E>,
    ) -> Shared<T, E>
    where
        T: Send + Sync + 'static,
        E: Send + Sync + 'static,
    {
        let cell = self.cell(subject);
        let asked = cell.begun.load(Ordering::SeqCst);
        let mut last = cell.last.lock().await;
        let writes = self.writes.load(Ordering::SeqCst);
        if let Some(ended) = &*last
            && (ended.number > asked
                || serves == Serves::Everybody
                || (serves == Serves::BeforeAnyWrite && ended.writes == writes))
            && let Some(found) = ended.found.downcast_ref::<Shared<T, E>>()
        {
            return found.clone();
        }
        let number = cell.begun.fetch_add(1, Ordering::SeqCst) + 1;
        let found: Shared<T, E> = look().await.map(Arc::new).map_err(|error| SharedError(Arc::new(error)));
        *last = Some(Ended { number, writes, found: Arc::new(found.clone()) });
        found
    }

    fn cell(&self, subject: &str) -> Arc<Cell> {
        let mut cells = self.cells.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(cell) = cells.get(subject) {
            return Arc::clone(cell);
        }
        Arc::clone(cells.entry(subject.to_owned()).or_default())
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use futures::future::join_all;
    use tokio::sync::Notify;

    use super::*;

    /// A world that counts how often it was looked at.
    #[derive(Default)]
    struct World(AtomicU64);

    impl World {
        async fn seen(&self, looks: &Looks) -> u64 {
            let looked =
                looks.share("it", async || Ok::<_, Infallible>(self.0.fetch_add(1, Ordering::SeqCst)));
            *looked.await.expect("it cannot fail")
        }
    }

    #[tokio::test]
    async fn those_that_ask_while_a_look_is_under_way_share_the_next_one() {
        let (looks, started, go_on) = (Looks::default(), Notify::new(), Notify::new());
        let world = World::default();
        let first = looks.share("it", async || {
            started.notify_one();
            go_on.notified().await;
            Ok::<_, Infallible>(world.0.fetch_add(1, Ordering::SeqCst))
        });
        let others = async {
            started.notified().await;
            let asked = join_all((0..100).map(|_| world.seen(&looks)));
            let (seen, ()) = tokio::join!(asked, async { go_on.notify_one() });
            seen
        };
        let (first, others) = tokio::join!(first, others);
        assert_eq!(*first.expect("it cannot fail"), 0);
        assert!(others.iter().all(|seen| *seen == 1), "{others:?}");
        assert_eq!(world.0.load(Ordering::SeqCst), 2, "a hundred callers shared one look");
    }

    #[tokio::test]
    async fn a_look_that_has_ended_serves_nobody_who_asks_later() {
        let (looks, world) = (Looks::default(), World::default());
        assert_eq!([world.seen(&looks).await, world.seen(&looks).await], [0, 1]);
    }

    #[tokio::test]
    async fn who_looks_for_the_first_time_is_served_by_a_look_since_the_last_write() {
        let (looks, world) = (Looks::default(), World::default());
        let look = async || Ok::<_, Infallible>(world.0.fetch_add(1, Ordering::SeqCst));
        let recent = async || *looks.recent("it", look).await.expect("it cannot fail");
        let last = async || *looks.last("it", look).await.expect("it cannot fail");
        assert_eq!([recent().await, recent().await, last().await], [0, 0, 0]);
        looks.writes().fetch_add(1, Ordering::SeqCst);
        assert_eq!([last().await, recent().await, recent().await, last().await], [0, 1, 1, 1]);
        assert_eq!([world.seen(&looks).await, last().await], [2, 2]);
        looks.forget();
        assert_eq!([last().await, recent().await], [3, 3]);
    }

    #[tokio::test]
    async fn an_error_is_shared_too() {
        let (looks, asked) = (Looks::default(), AtomicU64::new(0));
        let look = || {
            looks.share("it", async || {
                asked.fetch_add(1, Ordering::SeqCst);
                tokio::task::yield_now().await;
                Err::<(), _>(std::fmt::Error)
            })
        };
        assert!(join_all((0..10).map(|_| look())).await.iter().all(Result::is_err));
        assert!(asked.load(Ordering::SeqCst) <= 2);
    }
}
