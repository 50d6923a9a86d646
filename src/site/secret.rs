//! Values that must not be seen.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

/// A secret value. It has neither `Display` nor `Serialize`, and its `Debug` shows nothing.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret<T>(T);

impl<T> Secret<T> {
    /// Hides a value.
    pub const fn new(value: T) -> Self {
        Self(value)
    }

    /// The value itself. Every caller is a place where it leaves our hands.
    pub const fn expose(&self) -> &T {
        &self.0
    }
}

impl<T> fmt::Debug for Secret<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Secret(..)")
    }
}

/// Whether a text is a URL with a password in it, however little else of it is right: it is not to be shown.
pub(super) fn url_has_password(text: &str) -> bool {
    let authority = text.split_once("://").and_then(|(_, rest)| rest.split('/').next());
    authority.and_then(|authority| authority.rsplit_once('@')).is_some_and(|(user, _)| user.contains(':'))
}

/// A Secret that a profile declares: `[secrets.<name>]`. The profile says where its values come from, never what
/// they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeclaredSecret {
    /// The namespace on the hub.
    pub namespace: String,
    /// The type of the Secret, such as `Opaque`.
    pub kind: String,
    /// Where the value of every key comes from.
    pub data: BTreeMap<String, Source>,
}

/// Where a secret value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// This environment variable.
    Environment(String),
    /// The content of this file.
    File(PathBuf),
    /// What this program, with its arguments, writes to its standard output.
    Command(Vec<String>),
}
