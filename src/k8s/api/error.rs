//! What is told of a call that failed.

use std::time::Duration;

use kube::core::Status;

use crate::engine::Hint;
use crate::k8s::kind::KindName;
use crate::k8s::plugin;

/// A call to an API server failed.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// The server answered that it will not.
    #[error("the API server refused to {operation} {subject}")]
    Refused {
        /// What was asked of it.
        operation: &'static str,
        /// About what.
        subject: String,
        /// Its answer.
        source: Box<Status>,
    },
    /// There was no answer, or one that cannot be read.
    #[error("cannot {operation} {subject}")]
    Failed {
        /// What was asked.
        operation: &'static str,
        /// About what.
        subject: String,
        /// What happened.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// There was no answer in the time that it may take.
    #[error("cannot {operation} {subject}: no answer within {} s", within.as_secs())]
    Late {
        /// What was asked.
        operation: &'static str,
        /// About what.
        subject: String,
        /// How long it may take.
        within: Duration,
    },
    /// The answer is not an object.
    #[error("the API server's answer about {subject} is not an object")]
    Malformed {
        /// What was asked about.
        subject: String,
    },
    /// An object was to be deleted, and is another one by now.
    #[error("{subject} was replaced since it was looked at: what is there now was not deleted")]
    Replaced {
        /// The object.
        subject: String,
        /// What to do about it.
        source: Hint,
    },
    /// The server does not serve a kind of object.
    #[error("the API server does not know the kind {kind} of {api_version}")]
    UnknownKind {
        /// The kind.
        kind: String,
        /// The API version.
        api_version: String,
    },
}

impl ApiError {
    /// Names a failed call of `kube`.
    #[must_use]
    pub fn of(operation: &'static str, subject: impl Into<String>, error: kube::Error) -> Self {
        let subject = subject.into();
        match error {
            kube::Error::Api(source) => Self::Refused { operation, subject, source },
            // These two only repeat what they wrap.
            kube::Error::Service(source) => {
                Self::Failed { operation, subject, source: plugin::without_secrets(source) }
            }
            kube::Error::HyperError(source) => Self::Failed { operation, subject, source: source.into() },
            source => Self::Failed { operation, subject, source: source.into() },
        }
    }

    pub(in crate::k8s) fn unknown_kind(name: KindName<'_>) -> Self {
        Self::UnknownKind { kind: name.kind.to_owned(), api_version: name.api_version.to_owned() }
    }

    /// What the server answered, if it did.
    #[must_use]
    pub fn status(&self) -> Option<&Status> {
        match self {
            Self::Refused { source, .. } => Some(source),
            _ => None,
        }
    }

    /// Whether there was no answer in time.
    #[must_use]
    pub fn is_late(&self) -> bool {
        matches!(self, Self::Late { .. })
    }

    /// Whether the object is not as it was when it was seen: it has another version, or a `test` of a patch failed. An
    /// object that is refused for what it would say has causes.
    #[must_use]
    pub fn is_outdated(&self) -> bool {
        self.status().is_some_and(|status| {
            let is_refused = status.details.as_ref().is_some_and(|details| !details.causes.is_empty());
            status.code == 409 || status.code == 422 && !is_refused
        })
    }

    /// Whether the object, its namespace or its kind is not there. By the code: an answer about a kind that is not
    /// served has no reason (`404 page not found`).
    #[must_use]
    pub fn is_absent(&self) -> bool {
        matches!(self, Self::UnknownKind { .. }) || self.status().is_some_and(|status| status.code == 404)
    }
}
