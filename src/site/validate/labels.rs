//! Labels, annotations and namespaces by the rules of Kubernetes, and which of them are ours.
//!
//! The rules: <https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#syntax-and-character-set>,
//! <https://kubernetes.io/docs/concepts/overview/working-with-objects/annotations/#syntax-and-character-set>,
//! <https://kubernetes.io/docs/concepts/overview/working-with-objects/names/#dns-label-names>.

use std::collections::BTreeMap;

use toml::Spanned;

use super::Check;
use crate::site::finding::Finding;
use crate::site::profile::{ClusterTable, Map, RepositoryTable};

/// What the label of an addon begins with.
pub(super) const ENABLE: &str = "enable_";

/// Labels of every cluster Secret that only we write. A provider in a cloud has more.
const OWN_LABELS: &[&str] = &[
    "argocd.argoproj.io/secret-type",
    "app.kubernetes.io/managed-by",
    "cluster_name",
    "environment",
    "fleet_member",
    "kubernetes_version",
];

/// Annotations of every cluster Secret that only we write, besides those of the repositories.
const OWN_ANNOTATIONS: &[&str] = &["argocd_namespace", "cluster_name", "environment"];

/// The prefix of our marks.
const OWN_PREFIX: &str = "bridgehead/";

/// The four annotations of a repository, after its name.
const REPOSITORY_SUFFIXES: &[&str] = &["_repo_url", "_repo_basepath", "_repo_path", "_repo_revision"];

/// Why a key or value was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum SyntaxError {
    #[error(
        "a label's value is empty, or has up to 63 letters, digits, `-`, `_` and `.`, the first and last a letter or digit"
    )]
    Value,
    #[error(
        "the name in a label's or annotation's key has 1 to 63 letters, digits, `-`, `_` and `.`, the first and last a letter or digit"
    )]
    Name,
    #[error(
        "the prefix of a label's or annotation's key (before `/`) is a DNS name of up to 253 lower-case characters"
    )]
    Prefix,
    #[error(
        "a namespace has 1 to 63 lower-case letters, digits and `-`, the first and last a letter or digit (RFC 1123)"
    )]
    Namespace,
}

/// A label's value.
pub(super) fn value(text: &str) -> Result<String, SyntaxError> {
    (text.is_empty() || word(text, |byte| byte.is_ascii_alphanumeric()))
        .then(|| text.to_owned())
        .ok_or(SyntaxError::Value)
}

/// A namespace's name.
pub(super) fn namespace(text: &str) -> Result<String, SyntaxError> {
    is_dns_label(text).then(|| text.to_owned()).ok_or(SyntaxError::Namespace)
}

/// A label's or annotation's key.
fn key(text: &str) -> Result<String, SyntaxError> {
    let (prefix, name) = text.split_once('/').map_or((None, text), |(prefix, name)| (Some(prefix), name));
    if prefix.is_some_and(|prefix| prefix.len() > 253 || !prefix.split('.').all(is_dns_label)) {
        return Err(SyntaxError::Prefix);
    }
    word(name, |byte| byte.is_ascii_alphanumeric()).then(|| text.to_owned()).ok_or(SyntaxError::Name)
}

pub(super) fn is_dns_label(text: &str) -> bool {
    word(text, |byte| byte.is_ascii_lowercase() || byte.is_ascii_digit()) && !text.contains(['_', '.'])
}

/// 1 to 63 characters: `letter`s, and between them `-`, `_` and `.` too.
fn word(text: &str, letter: impl Fn(u8) -> bool) -> bool {
    let edge = |byte: Option<&u8>| byte.is_some_and(|byte| letter(*byte));
    text.len() <= 63
        && edge(text.as_bytes().first())
        && edge(text.as_bytes().last())
        && text.bytes().all(|byte| letter(byte) || matches!(byte, b'-' | b'_' | b'.'))
}

impl Check<'_> {
    pub(super) fn labels(&mut self, table: &Map<Spanned<String>>) -> BTreeMap<String, String> {
        let pairs = table.iter().filter_map(|(typed, text)| {
            let value = self.accept(text.span(), value(text.get_ref()));
            Some((self.label_key(typed)?, value?))
        });
        pairs.collect()
    }

    fn label_key(&mut self, typed: &Spanned<String>) -> Option<String> {
        if let Some(addon) = typed.get_ref().strip_prefix(ENABLE) {
            let message = format!("`{}` is the label of an addon", typed.get_ref());
            let help = format!("write `{addon}` into the addons of this cluster instead");
            return self.found(Finding::new(typed.span(), message).with_help(help));
        }
        self.foreign(typed, "label", OWN_LABELS)
    }

    pub(super) fn annotations(&mut self, table: &Map<Spanned<String>>) -> BTreeMap<String, String> {
        let pairs = table.iter().filter_map(|(typed, text)| {
            Some((self.foreign(typed, "annotation", OWN_ANNOTATIONS)?, text.get_ref().clone()))
        });
        pairs.collect()
    }

    /// A valid key that is not ours.
    fn foreign(&mut self, typed: &Spanned<String>, kind: &str, own: &[&str]) -> Option<String> {
        let key = self.accept(typed.span(), key(typed.get_ref()))?;
        if own.contains(&key.as_str()) || key.starts_with(OWN_PREFIX) {
            return self.own(typed, kind);
        }
        Some(key)
    }

    fn own<T>(&mut self, typed: &Spanned<String>, kind: &str) -> Option<T> {
        let message = format!("the {kind} `{}` is written by bridgehead", typed.get_ref());
        self.found(
            Finding::new(typed.span(), message)
                .with_help("its value comes from elsewhere in the profile; take it out here"),
        )
    }

    /// The annotations of the site's repositories are ours too.
    pub(super) fn own_annotations(&mut self, cluster: &ClusterTable, repositories: &Map<RepositoryTable>) {
        for typed in cluster.annotations.keys() {
            let repository =
                REPOSITORY_SUFFIXES.iter().find_map(|suffix| typed.get_ref().strip_suffix(suffix));
            if repository.is_some_and(|name| repositories.keys().any(|known| known.get_ref() == name)) {
                self.own::<()>(typed, "annotation");
            }
        }
    }
}
