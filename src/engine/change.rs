//! One difference that a step would remove: how a person reads it, and what of it counts when plans are compared.

use std::fmt;

use serde::Serialize;
use serde_json::Value;
use sha2::{Digest, Sha256};

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
///
/// Its text is for people and may say the same thing in other words tomorrow. What counts when two plans are compared
/// is its kind, its subject and its [`Content`].
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Change {
    /// What would happen to the subject.
    pub kind: ChangeKind,
    /// What it is about, such as `Secret argocd/dev`.
    pub subject: String,
    /// What differs, or why it is waited for. Never a secret's value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    #[serde(skip)]
    content: Content,
}

/// What a change would make of its subject, as far as plans are compared by it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Content {
    /// Nothing besides what kind and subject say.
    #[default]
    Implied,
    /// Content whose fingerprint may be shown.
    Open(Fingerprint),
    /// Content with a secret in it: whoever knows the rest could guess the secret by trying, so it is only shown
    /// mixed with a key.
    Secret(Fingerprint),
    /// None: a controller is asked to look again, to end or to go on with what it is at. Such a change follows from
    /// others, and is neither compared nor confirmed.
    Asks,
}

/// The SHA-256 of content as canonical JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fingerprint([u8; 32]);

impl Fingerprint {
    /// The fingerprint of anything that can be JSON. The order of the keys of a map does not matter.
    #[must_use]
    pub fn of(content: &impl Serialize) -> Self {
        let mut hasher = Sha256::new();
        // What cannot be JSON (a map with keys that are no texts) is a mistake that every test of its step meets.
        absorb(&mut hasher, &serde_json::to_value(content).unwrap_or_default());
        Self(hasher.finalize().into())
    }

    /// Its bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

fn absorb(hasher: &mut Sha256, value: &Value) {
    match value {
        Value::Object(map) => {
            let mut entries: Vec<_> = map.iter().collect();
            entries.sort_unstable_by_key(|(key, _)| *key);
            hasher.update(format!("{{{}", entries.len()));
            for (key, value) in entries {
                absorb(hasher, &Value::from(key.as_str()));
                absorb(hasher, value);
            }
        }
        Value::Array(items) => {
            hasher.update(format!("[{}", items.len()));
            for item in items {
                absorb(hasher, item);
            }
        }
        scalar => hasher.update(scalar.to_string()),
    }
}

impl Change {
    fn new(kind: ChangeKind, subject: impl Into<String>, detail: Option<String>) -> Self {
        Self { kind, subject: subject.into(), detail, content: Content::Implied }
    }

    /// The subject is absent.
    pub fn create(subject: impl Into<String>) -> Self {
        Self::new(ChangeKind::Create, subject, None)
    }

    /// The subject differs; `detail` says in what.
    pub fn update(subject: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::new(ChangeKind::Update, subject, Some(detail.into()))
    }

    /// The subject should not be there.
    pub fn delete(subject: impl Into<String>) -> Self {
        Self::new(ChangeKind::Delete, subject, None)
    }

    /// The subject is not there yet; `detail` says why, as the world tells it.
    pub fn wait(subject: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::new(ChangeKind::Wait, subject, Some(detail.into()))
    }

    /// A controller is asked to do what it would do anyway, later or not any more: see [`Content::Asks`].
    pub fn ask(subject: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { content: Content::Asks, ..Self::new(ChangeKind::Update, subject, Some(detail.into())) }
    }

    /// The same with a text for people.
    #[must_use]
    pub fn with_detail(self, detail: impl Into<String>) -> Self {
        Self { detail: Some(detail.into()), ..self }
    }

    /// The same with the whole content that would be written, or with what becomes of it.
    #[must_use]
    pub fn with_content(self, content: &impl Serialize) -> Self {
        Self { content: Content::Open(Fingerprint::of(content)), ..self }
    }

    /// The same with content that has a secret in it.
    #[must_use]
    pub fn with_secret_content(self, content: &impl Serialize) -> Self {
        Self { content: Content::Secret(Fingerprint::of(content)), ..self }
    }

    /// What counts when plans are compared.
    #[must_use]
    pub fn content(&self) -> Content {
        self.content
    }

    /// Whether this is something to wait for and not something to do.
    #[must_use]
    pub fn is_wait(&self) -> bool {
        self.kind == ChangeKind::Wait
    }

    /// Whether this is a decision of ours: neither a wait nor a request to a controller.
    #[must_use]
    pub fn is_decision(&self) -> bool {
        !self.is_wait() && self.content != Content::Asks
    }
}

impl fmt::Display for Change {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {}", self.kind, self.subject)?;
        self.detail.as_ref().map_or(Ok(()), |detail| write!(formatter, ": {detail}"))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_fingerprint_is_of_content_and_not_of_its_order() {
        let one = Fingerprint::of(&json!({ "a": [1, "x"], "b": { "c": null } }));
        assert_eq!(one, Fingerprint::of(&json!({ "b": { "c": null }, "a": [1, "x"] })));
        for other in [json!({ "a": [1, "y"], "b": { "c": null } }), json!({ "a": [1, "x"], "b": {} })] {
            assert_ne!(one, Fingerprint::of(&other));
        }
        assert_ne!(Fingerprint::of(&json!(["a", "b"])), Fingerprint::of(&json!(["a,b"])));
    }

    #[test]
    fn what_is_waited_for_or_asked_for_is_no_decision() {
        assert!(Change::delete("it").is_decision() && Change::update("it", "so").is_decision());
        assert!(!Change::wait("it", "so").is_decision() && !Change::ask("it", "look again").is_decision());
    }
}
