//! How a step stops: it failed, or a fact is absent that another step yields.

use std::error::Error;
use std::fmt;

use super::facts::Missing;

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

    /// The error and its sources in one line.
    #[must_use]
    pub fn in_full(&self) -> String {
        std::iter::once(self.to_string()).chain(self.causes()).collect::<Vec<_>>().join(": ")
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

/// What an error comes down to: the text of the last of its sources.
#[must_use]
pub fn innermost(error: &dyn Error) -> String {
    error.source().map_or_else(|| error.to_string(), innermost)
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
#[error("the {0} is no longer known")]
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
