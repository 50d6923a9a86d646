//! Why k3s gives up.

use std::error::Error;
use std::fmt;

/// One line, causes behind colons, as k3s logs it before it exits with 1.
#[derive(Debug)]
pub(crate) struct Fatal(String);

impl Fatal {
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// An operation that failed, with all its causes.
    pub(crate) fn of(operation: &str, error: &dyn Error) -> Self {
        let mut text = format!("{operation}: {error}");
        let mut cause = error.source();
        while let Some(error) = cause {
            text.push_str(&format!(": {error}"));
            cause = error.source();
        }
        Self(text)
    }
}

impl fmt::Display for Fatal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}
