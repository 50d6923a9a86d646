//! What is found of Applications in a cluster.

use std::fmt;

use serde::Serialize;

use super::kinds::{EVERYTHING, kind_name};

/// An object of a cluster.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct ObjectName {
    /// Its API group; empty for the core group.
    pub group: String,
    /// Its kind.
    pub kind: String,
    /// Its namespace, if it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// Its name.
    pub name: String,
}

impl fmt::Display for ObjectName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, namespace, name, .. } = self;
        match namespace {
            Some(namespace) => write!(formatter, "{kind} {namespace}/{name}"),
            None => write!(formatter, "{kind} {name}"),
        }
    }
}

/// An object that an Application deployed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::gitops) struct Tracked {
    pub(in crate::gitops) application: String,
    pub(in crate::gitops) object: ObjectName,
    /// Whether it says of itself that it is to stay when its Application goes.
    pub(in crate::gitops) stays: bool,
    /// The finalizers that hold it, if it is being deleted.
    pub(in crate::gitops) held: Option<Vec<String>>,
}

/// What was found in a cluster.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::gitops) struct Found {
    /// The objects.
    pub(in crate::gitops) objects: Vec<Tracked>,
    /// The kinds whose objects could not be listed: of those, nothing is known.
    pub(in crate::gitops) unlisted: Vec<Unlisted>,
}

impl Found {
    /// Whether nothing can be said of an object, because its kind could not be listed.
    pub(in crate::gitops) fn is_unlisted(&self, object: &ObjectName) -> bool {
        let kind = kind_name(&object.group, &object.kind);
        let is_of = |unlisted: &Unlisted| {
            let group = unlisted.kind.strip_prefix(EVERYTHING).and_then(|rest| rest.split_once('/'));
            unlisted.kind == kind || group.is_some_and(|(group, _)| group == object.group)
        };
        self.unlisted.iter().any(is_of)
    }
}

/// Objects of a cluster that the cluster itself cannot list, such as those of a kind whose conversion webhook does not
/// answer.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Unlisted {
    /// Their kind with its group, or a whole group and version.
    pub kind: String,
    /// Why, in the cluster's words.
    pub reason: String,
}

impl fmt::Display for Unlisted {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} cannot be listed: {}", self.kind, self.reason)
    }
}
