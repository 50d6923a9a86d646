//! Which entries of a live Secret's maps are ours: those that our last apply named.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::k8s::{FIELD_MANAGER, Object};

/// Keys and values.
pub(super) type Texts = BTreeMap<String, String>;

/// A map of a Secret that we write to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Field {
    Labels,
    Annotations,
    Data,
}

impl Field {
    fn path(self) -> &'static [&'static str] {
        match self {
            Self::Labels => &["metadata", "labels"],
            Self::Annotations => &["metadata", "annotations"],
            Self::Data => &["data"],
        }
    }

    /// The entries that are there, data as it is encoded.
    pub(super) fn of(self, live: &Object) -> Texts {
        let entries = live.get(self.path()).and_then(Value::as_object).into_iter().flatten();
        entries.filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned()))).collect()
    }
}

/// Who wrote the entries of a Secret. The format is `FieldsV1`, see
/// <https://kubernetes.io/docs/reference/using-api/server-side-apply/#field-management>.
pub(super) struct Owners<'a> {
    entries: Vec<&'a Value>,
}

impl<'a> Owners<'a> {
    pub(super) fn of(live: &'a Object) -> Self {
        let entries = live.get(&["metadata", "managedFields"]).and_then(Value::as_array);
        Self { entries: entries.into_iter().flatten().collect() }
    }

    /// Whether our last apply named the entry.
    pub(super) fn is_ours(&self, field: Field, key: &str) -> bool {
        self.entries.iter().any(|entry| is_our_apply(entry) && names(entry, field, key))
    }

    /// Whether somebody else wrote the same.
    pub(super) fn is_others(&self, field: Field, key: &str) -> bool {
        self.entries.iter().any(|entry| entry["manager"] != FIELD_MANAGER && names(entry, field, key))
    }

    /// Whether it goes when we apply without it: it is ours, and nobody else's.
    pub(super) fn is_only_ours(&self, field: Field, key: &str) -> bool {
        self.is_ours(field, key) && !self.is_others(field, key)
    }

    /// The entries of a map that are ours, as they are.
    pub(super) fn ours(&self, live: &Object, field: Field) -> Texts {
        let mut texts = field.of(live);
        texts.retain(|key, _| self.is_ours(field, key));
        texts
    }

    /// What `managedFields` is without us.
    pub(super) fn without_us(&self) -> Value {
        let others = self.entries.iter().filter(|entry| !is_our_apply(entry));
        match others.map(|entry| (*entry).clone()).collect::<Vec<_>>() {
            // An empty list would leave it as it is; one empty entry clears it.
            others if others.is_empty() => Value::Array(vec![Value::Object(Map::new())]),
            others => Value::Array(others),
        }
    }
}

fn is_our_apply(entry: &Value) -> bool {
    entry["manager"] == FIELD_MANAGER && entry["operation"] == "Apply"
}

fn names(entry: &Value, field: Field, key: &str) -> bool {
    let map = field.path().iter().fold(&entry["fieldsV1"], |fields, step| &fields[format!("f:{step}")]);
    !map[format!("f:{key}")].is_null()
}
