//! What a step is, and what looking at it yields.

use std::any::Any;
use std::fmt;
use std::time::Duration;

use serde::Serialize;

use super::change::Change;
use super::facts::Facts;
use super::stop::{Failure, Stop};
use super::writer::Writer;
use crate::site::name::ClusterName;

/// A boxed future: the tree holds `dyn Step`.
pub type BoxFuture<'a, T> = futures::future::BoxFuture<'a, T>;

/// The stable path of a step, such as `hub/argocd/install`. It appears in events, gates and messages.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct StepId(String);

impl StepId {
    /// A step of one cluster: `<cluster>/<path>`.
    #[must_use]
    pub fn of(cluster: &ClusterName, path: &str) -> Self {
        Self(format!("{cluster}/{path}"))
    }

    /// A step of the whole site: `site/<path>`.
    #[must_use]
    pub fn site(path: &str) -> Self {
        Self(format!("site/{path}"))
    }

    /// The same step as a part of a larger flow: `<part>/<path>`.
    #[must_use]
    pub fn within(&self, part: &str) -> Self {
        Self(format!("{part}/{}", self.0))
    }

    /// The path as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for StepId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// One thing that must be true. It decides once: [`observe`](Step::observe) finds what differs and what to do about it,
/// and [`apply`](Step::apply) carries that out and decides nothing more.
pub trait Step: Send + Sync {
    /// What there is to do about the changes, such as the objects to write: found by looking, carried out by applying.
    type Work: Send + 'static;

    /// Its stable path.
    fn id(&self) -> StepId;

    /// The cluster that it would change; `None` for a step of the whole site.
    fn cluster(&self) -> Option<&ClusterName>;

    /// What is true once it is done, in a few words.
    fn purpose(&self) -> &'static str;

    /// Looks at the world, never changes it, and says what is known, what differs and what is to be done.
    ///
    /// # Errors
    /// [`Stop::Blocked`] only when a fact is absent without which nothing can be said; [`Stop::Failed`] when
    /// looking itself failed, or when waiting longer cannot help.
    fn observe(&self, facts: &Facts) -> impl Future<Output = Result<Observed<Self::Work>, Stop>> + Send;

    /// Carries out what was found to be done. It may be killed anywhere, and tolerates its own earlier half. A step
    /// that only looks, or only waits, has nothing to carry out.
    ///
    /// # Errors
    /// What failed and at which subject.
    fn apply(
        &self,
        _work: Self::Work,
        _facts: &Facts,
        _writer: &Writer,
    ) -> impl Future<Output = Result<(), Failure>> + Send {
        async { Ok(()) }
    }

    /// How long the engine waits for the world to catch up after `apply`.
    fn patience(&self) -> Duration {
        Duration::from_mins(2)
    }

    /// The longest pause between two looks while the engine waits. They come close together at first.
    fn longest_pause(&self) -> Duration {
        Duration::from_secs(1)
    }
}

/// What looking yields: the facts learnt, what differs (empty: ready), and what to do about it.
#[derive(Debug)]
pub struct Observed<Work = ()> {
    /// Facts learnt, merged into the run's facts even when something differs.
    pub facts: Facts,
    /// What a run would change.
    pub changes: Vec<Change>,
    /// What to do about the changes; `None` where they are only to be waited for.
    pub work: Option<Work>,
}

impl<Work> Default for Observed<Work> {
    fn default() -> Self {
        Self::ready(Facts::default())
    }
}

impl<Work> Observed<Work> {
    /// Only facts: nothing differs.
    #[must_use]
    pub fn ready(facts: Facts) -> Self {
        Self { facts, changes: Vec::new(), work: None }
    }

    /// Differences, and what to do about them: nothing learnt that others need.
    #[must_use]
    pub fn differs(changes: Vec<Change>, work: Work) -> Self {
        Self { facts: Facts::default(), changes, work: Some(work) }
    }

    /// Differences that are only to be waited for.
    #[must_use]
    pub fn waits(changes: Vec<Change>) -> Self {
        Self { facts: Facts::default(), changes, work: None }
    }
}

/// A [`Step`] in a tree, whatever its work is: the one place where that type is forgotten and remembered.
pub(super) trait AnyStep: Send + Sync {
    fn id(&self) -> StepId;
    fn cluster(&self) -> Option<&ClusterName>;
    fn purpose(&self) -> &'static str;
    fn observe<'a>(&'a self, facts: &'a Facts) -> BoxFuture<'a, Result<Observed<AnyWork>, Stop>>;
    fn apply<'a>(
        &'a self,
        work: AnyWork,
        facts: &'a Facts,
        writer: &'a Writer,
    ) -> BoxFuture<'a, Result<(), Failure>>;
    fn patience(&self) -> Duration;
    fn longest_pause(&self) -> Duration;
}

/// The work of a step, for the same step only.
pub(super) type AnyWork = Box<dyn Any + Send>;

impl<S: Step> AnyStep for S {
    fn id(&self) -> StepId {
        Step::id(self)
    }

    fn cluster(&self) -> Option<&ClusterName> {
        Step::cluster(self)
    }

    fn purpose(&self) -> &'static str {
        Step::purpose(self)
    }

    fn observe<'a>(&'a self, facts: &'a Facts) -> BoxFuture<'a, Result<Observed<AnyWork>, Stop>> {
        Box::pin(async move {
            let Observed { facts, changes, work } = Step::observe(self, facts).await?;
            Ok(Observed { facts, changes, work: work.map(|work| Box::new(work) as AnyWork) })
        })
    }

    fn apply<'a>(
        &'a self,
        work: AnyWork,
        facts: &'a Facts,
        writer: &'a Writer,
    ) -> BoxFuture<'a, Result<(), Failure>> {
        Box::pin(async move {
            let work = work.downcast().expect("a step is given the work that it found itself");
            Step::apply(self, *work, facts, writer).await
        })
    }

    fn patience(&self) -> Duration {
        Step::patience(self)
    }

    fn longest_pause(&self) -> Duration {
        Step::longest_pause(self)
    }
}
