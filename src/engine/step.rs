//! What a step is, what looking at it yields, and how it stops.

use std::any::Any;
use std::error::Error;
use std::fmt;
use std::time::Duration;

use serde::Serialize;

use super::facts::{Facts, Missing};
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

    /// The same step as part of a survey: `survey/<path>`.
    #[must_use]
    pub fn survey(&self) -> Self {
        Self(format!("survey/{}", self.0))
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
    fn observe<'a>(&'a self, facts: &'a Facts) -> BoxFuture<'a, Result<Observed<AnyWork>, Stop>>;
    fn apply<'a>(
        &'a self,
        work: AnyWork,
        facts: &'a Facts,
        writer: &'a Writer,
    ) -> BoxFuture<'a, Result<(), Failure>>;
    fn patience(&self) -> Duration;
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
}

/// What kind of difference a [`Change`] removes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ChangeKind {
    /// The subject is absent.
    Create,
    /// The subject is there and differs.
    Update,
    /// The subject is there and should not be.
    Delete,
    /// Everything has been asked for; the world has not caught up yet.
    Wait,
}

impl fmt::Display for ChangeKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Create => "create",
            Self::Update => "update",
            Self::Delete => "delete",
            Self::Wait => "wait for",
        })
    }
}

/// One difference that a step would remove.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Change {
    /// What would happen to the subject.
    pub kind: ChangeKind,
    /// What it is about, such as `Secret argocd/dev`.
    pub subject: String,
    /// What differs, or why it is waited for. Never a secret's value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

impl Change {
    /// The subject is absent.
    pub fn create(subject: impl Into<String>) -> Self {
        Self { kind: ChangeKind::Create, subject: subject.into(), detail: None }
    }

    /// The subject differs; `detail` says in what.
    pub fn update(subject: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { kind: ChangeKind::Update, subject: subject.into(), detail: Some(detail.into()) }
    }

    /// The subject should not be there.
    pub fn delete(subject: impl Into<String>) -> Self {
        Self { kind: ChangeKind::Delete, subject: subject.into(), detail: None }
    }

    /// The subject is not there yet; `detail` says why, as the world tells it.
    pub fn wait(subject: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { kind: ChangeKind::Wait, subject: subject.into(), detail: Some(detail.into()) }
    }

    /// Whether this is something to wait for and not something to do.
    #[must_use]
    pub fn is_wait(&self) -> bool {
        self.kind == ChangeKind::Wait
    }
}

impl fmt::Display for Change {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {}", self.kind, self.subject)?;
        self.detail.as_ref().map_or(Ok(()), |detail| write!(formatter, ": {detail}"))
    }
}

/// What to do about an error, for errors that know it themselves: the last of their sources. A [`Failure`] that is
/// made from such an error has it as its hint.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Hint(pub String);

/// An error with what the person may type or look at next. Any error converts into one with `?`.
#[derive(Debug)]
pub struct Failure {
    error: Box<dyn Error + Send + Sync>,
    hint: Option<String>,
}

impl Failure {
    /// Adds what to do about it.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The error itself, if it is of that type.
    ///
    /// # Errors
    /// When it is of another: the failure as it was.
    pub fn downcast<E: Error + 'static>(self) -> Result<E, Self> {
        let Self { error, hint } = self;
        error.downcast().map(|error| *error).map_err(|error| Self { error, hint })
    }

    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> Option<&str> {
        let own = || self.sources().find_map(|source| source.downcast_ref::<Hint>());
        self.hint.as_deref().or_else(|| own().map(|hint| hint.0.as_str()))
    }

    /// The texts of the error's sources, nearest first.
    #[must_use]
    pub fn causes(&self) -> Vec<String> {
        self.sources().filter(|source| !source.is::<Hint>()).map(ToString::to_string).collect()
    }

    fn sources(&self) -> impl Iterator<Item = &(dyn Error + 'static)> {
        let mut next = self.error.source();
        std::iter::from_fn(move || {
            let source = next?;
            next = source.source();
            Some(source)
        })
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(formatter)
    }
}

impl<E: Error + Send + Sync + 'static> From<E> for Failure {
    fn from(error: E) -> Self {
        Self { error: Box::new(error), hint: None }
    }
}

/// Why looking yielded nothing.
#[derive(Debug)]
pub enum Stop {
    /// A fact is absent that another step yields.
    Blocked(Missing),
    /// Looking failed.
    Failed(Failure),
}

/// A fact was absent when applying that was there when observing.
#[derive(Debug, thiserror::Error)]
#[error("the {0} is not known any more")]
struct Forgotten(Missing);

impl Stop {
    /// What stopped `apply`, where an absent fact is a failure like any other.
    #[must_use]
    pub fn into_failure(self) -> Failure {
        match self {
            Self::Blocked(missing) => Forgotten(missing).into(),
            Self::Failed(failure) => failure,
        }
    }
}

impl<E: Error + Send + Sync + 'static> From<E> for Stop {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

impl From<Missing> for Stop {
    fn from(missing: Missing) -> Self {
        Self::Blocked(missing)
    }
}
