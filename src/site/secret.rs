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

/// Whether a text is a URL with a credential in it, however little else of it is right: it is not to be shown. Over SSH a
/// user is none; anywhere else a token may stand in its place. A query may carry one, too.
pub(super) fn url_has_credential(text: &str) -> bool {
    const NAMES: [&str; 5] = ["token", "secret", "password", "key", "sig"];
    let Some((scheme, rest)) = text.split_once("://") else { return false };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    // A password may have any character in it that should have been escaped.
    let login =
        authority.rsplit_once('@').or_else(|| rest.split_once('@').filter(|(user, _)| user.contains(':')));
    let is_ssh = scheme.to_ascii_lowercase().ends_with("ssh");
    let query = rest.split_once('?').map(|(_, query)| query).unwrap_or_default();
    let mut names = query.split('&').filter_map(|entry| entry.split_once('='));
    login.is_some_and(|(user, _)| !user.is_empty() && (!is_ssh || user.contains(':')))
        || names.any(|(name, value)| {
            let name = name.to_ascii_lowercase();
            !value.is_empty() && NAMES.iter().any(|known| name.ends_with(known))
        })
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

#[cfg(test)]
mod tests {
    use super::url_has_credential;

    #[test]
    fn a_credential_in_a_url_is_seen_in_any_form() {
        for url in [
            "https://me:token@git.example/a.git",
            "https://ghp_0123@git.example/a.git",
            "https://x-access-token:@git.example/a.git",
            "http://token@git.example",
            "ssh://git:pass@git.example/a.git",
            "https://me:a/b@git.example/a.git",
            "https://git.example/a.git?access_token=0123",
            "https://git.example/a.git?x=1&private-token=0123",
            "https://store.example/a?X-Amz-Signature=1&Sig=2",
        ] {
            assert!(url_has_credential(url), "{url}");
        }
        for url in [
            "https://git.example/a.git",
            "ssh://git@git.example:2222/a.git",
            "git+ssh://git@git.example/a.git",
            "git@git.example:a.git",
            "https://git.example/@me/a.git",
            "https://git.example/a.git?ref=main&token=",
            "../..",
        ] {
            assert!(!url_has_credential(url), "{url}");
        }
    }
}
