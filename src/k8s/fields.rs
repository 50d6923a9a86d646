//! The fields that an apply would change, and how a person reads them. The values of a Secret are never told.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::compare::owned_fields;
use super::object::Object;

/// How much of a value is shown.
const LONGEST: usize = 60;

/// What an apply would change, given its outcome; `None`: nothing. Ownership of fields counts as well.
#[must_use]
pub(super) fn difference(live: &Object, outcome: &Object) -> Option<String> {
    let fields = changed_fields(live, outcome);
    if fields.is_empty() {
        return (owned_fields(live) != owned_fields(outcome)).then(|| "ownership of fields".to_owned());
    }
    let texts: Vec<_> = fields.iter().map(|field| field.text(live.kind())).collect();
    Some(summary(&texts))
}

/// The first few: a plan is read by people.
fn summary(texts: &[String]) -> String {
    const SHOWN: usize = 4;
    let shown = texts.iter().take(SHOWN).map(String::as_str).collect::<Vec<_>>().join(", ");
    match texts.len().checked_sub(SHOWN) {
        Some(more @ 1..) => format!("{shown} and {more} more"),
        _ => shown,
    }
}

/// A field that differs; `None`: it is absent.
struct Field {
    path: Vec<Step>,
    old: Option<Value>,
    new: Option<Value>,
}

/// A step of a path: a key of a map, or what tells an item of a list apart.
#[derive(Clone, PartialEq)]
enum Step {
    Key(String),
    Item(String),
}

impl Field {
    fn text(&self, kind: &str) -> String {
        let name = self.name();
        if kind == "Secret" && !self.may_be_shown() {
            let what = match (&self.old, &self.new) {
                (None, _) => "is added",
                (_, None) => "is removed",
                _ => "differs",
            };
            return format!("{name} {what}");
        }
        match (self.old.as_ref().map(said), self.new.as_ref().map(said)) {
            (Some(old), Some(new)) => {
                let start = common_start(&old, &new);
                format!("{name}: {} -> {}", shortened(&old, start), shortened(&new, start))
            }
            (old, new) => {
                let word = |value: Option<String>, word: &str| {
                    value.map_or_else(|| word.to_owned(), |value| shortened(&value, 0))
                };
                format!("{name}: {} -> {}", word(old, "absent"), word(new, "removed"))
            }
        }
    }

    /// What a person calls it: `label tier`, `data key password`, `.spec.replicas`.
    fn name(&self) -> String {
        match self.keys().as_slice() {
            [Some("metadata"), Some("labels"), Some(key)] => format!("label {key}"),
            [Some("metadata"), Some("annotations"), Some(key)] => format!("annotation {key}"),
            [Some("data" | "stringData" | "binaryData"), Some(key), ..] => format!("data key {key}"),
            _ => self.path.iter().map(ToString::to_string).collect(),
        }
    }

    /// Whether a Secret may show it. What `kubectl` keeps of its last apply has the data in it.
    fn may_be_shown(&self) -> bool {
        match self.keys().as_slice() {
            [Some("metadata"), Some("labels"), Some(_)] | [Some("type")] => true,
            [Some("metadata"), Some("annotations"), Some(key)] => {
                !key.ends_with("last-applied-configuration")
            }
            _ => false,
        }
    }

    /// The path as keys; `None` for an item of a list.
    fn keys(&self) -> Vec<Option<&str>> {
        let keys = self.path.iter().map(|step| match step {
            Step::Key(key) => Some(key.as_str()),
            Step::Item(_) => None,
        });
        keys.collect()
    }
}

/// A key is quoted where it has dots of its own.
impl std::fmt::Display for Step {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Key(key) if !key.contains(['.', '/']) => write!(formatter, ".{key}"),
            Self::Key(text) | Self::Item(text) => write!(formatter, "[{text}]"),
        }
    }
}

/// A value on one line: nobody's control characters reach the terminal.
fn said(value: &Value) -> String {
    let text = match value {
        Value::String(text) if !text.is_empty() => text.clone(),
        value => value.to_string(),
    };
    let mut line = String::new();
    for char in text.chars() {
        if char.is_control() { line.extend(char.escape_default()) } else { line.push(char) }
    }
    line
}

/// How many characters of two long texts to leave out, so that what differs is shown.
fn common_start(old: &str, new: &str) -> usize {
    const BEFORE: usize = 20;
    if old.chars().count().max(new.chars().count()) <= LONGEST {
        return 0;
    }
    old.chars().zip(new.chars()).take_while(|(old, new)| old == new).count().saturating_sub(BEFORE)
}

fn shortened(text: &str, start: usize) -> String {
    let before = if start > 0 { "..." } else { "" };
    let rest: Vec<_> = text.chars().skip(start).collect();
    match rest.get(..LONGEST) {
        Some(shown) if rest.len() > LONGEST => format!("{before}{}...", shown.iter().collect::<String>()),
        _ => format!("{before}{}", rest.iter().collect::<String>()),
    }
}

fn changed_fields(live: &Object, outcome: &Object) -> Vec<Field> {
    let mut walk = Walk::default();
    walk.value(Some(&settled(live)), Some(&settled(outcome)));
    walk.found
}

/// An object without what the server changes by itself.
fn settled(object: &Object) -> Value {
    let mut fields = object.fields().clone();
    fields.remove("status");
    if let Some(metadata) = fields.get_mut("metadata").and_then(Value::as_object_mut) {
        for key in ["managedFields", "resourceVersion", "generation", "creationTimestamp", "uid"] {
            metadata.remove(key);
        }
    }
    Value::Object(fields)
}

#[derive(Default)]
struct Walk {
    path: Vec<Step>,
    found: Vec<Field>,
}

impl Walk {
    fn value(&mut self, old: Option<&Value>, new: Option<&Value>) {
        let (old, new) = (old.filter(|old| !old.is_null()), new.filter(|new| !new.is_null()));
        match (old, new) {
            _ if old == new => {}
            (Some(Value::Object(old)), Some(Value::Object(new))) => self.maps(old, new),
            // Labels, data and the like are told one by one.
            (None, Some(Value::Object(map))) if is_flat(map) => self.maps(&Map::new(), map),
            (Some(Value::Object(map)), None) if is_flat(map) => self.maps(map, &Map::new()),
            (Some(Value::Array(old)), Some(Value::Array(new))) if old.len() == new.len() => {
                for (old, new) in old.iter().zip(new) {
                    self.at(Step::Item(title(new)), Some(old), Some(new));
                }
            }
            _ => {
                let (path, old, new) = (self.path.clone(), old.cloned(), new.cloned());
                self.found.push(Field { path, old, new });
            }
        }
    }

    fn maps(&mut self, old: &Map<String, Value>, new: &Map<String, Value>) {
        let keys: BTreeSet<_> = old.keys().chain(new.keys()).collect();
        for key in keys {
            self.at(Step::Key(key.clone()), old.get(key), new.get(key));
        }
    }

    fn at(&mut self, step: Step, old: Option<&Value>, new: Option<&Value>) {
        self.path.push(step);
        self.value(old, new);
        self.path.pop();
    }
}

/// Whether a map has only scalars, and has some.
fn is_flat(map: &Map<String, Value>) -> bool {
    let is_scalar = |value: &Value| !matches!(value, Value::Object(_) | Value::Array(_) | Value::Null);
    !map.is_empty() && map.values().all(is_scalar)
}

/// What tells a list item apart for a person.
pub(super) fn title(item: &Value) -> String {
    let key = ["name", "mountPath", "port", "containerPort"].into_iter().find_map(|key| item.get(key));
    match key.unwrap_or(item) {
        Value::String(text) => text.clone(),
        Value::Object(_) | Value::Array(_) => "*".to_owned(),
        scalar => scalar.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn object(kind: &str, fields: &Value) -> Object {
        let mut value = fields.clone();
        value["apiVersion"] = "v1".into();
        value["kind"] = kind.into();
        value["metadata"]["name"] = "web".into();
        Object::from_value(value).expect("it is an object")
    }

    fn said_of(kind: &str, old: &Value, new: &Value) -> Option<String> {
        difference(&object(kind, old), &object(kind, new))
    }

    #[test]
    fn a_change_shows_old_and_new() {
        let old = json!({ "metadata": { "labels": { "tier": "gold", "gone": "x" },
                                        "annotations": { "a.example/b": "1" } },
                          "spec": { "replicas": 1 } });
        let new = json!({ "metadata": { "labels": { "tier": "silver" },
                                        "annotations": { "a.example/b": "2", "new": "" } },
                          "spec": { "replicas": 2 } });
        assert_eq!(
            said_of("Deployment", &old, &new).as_deref(),
            Some(
                "annotation a.example/b: 1 -> 2, annotation new: absent -> \"\", label gone: x -> removed, \
                 label tier: gold -> silver and 1 more"
            )
        );
        let ports = |port: u16| json!({ "spec": { "ports": [{ "port": 80, "targetPort": port }] } });
        assert_eq!(
            said_of("Service", &ports(1), &ports(2)).as_deref(),
            Some(".spec.ports[80].targetPort: 1 -> 2")
        );
        assert_eq!(
            said_of("ConfigMap", &json!({}), &json!({ "data": { "a.b": "x\ny\u{1b}[2J" } })).as_deref(),
            Some("data key a.b: absent -> x\\ny\\u{1b}[2J")
        );
        assert_eq!(said_of("Service", &ports(1), &ports(1)), None);
    }

    #[test]
    fn of_long_values_that_part_is_shown_that_differs() {
        let data = |end: &str| json!({ "data": { "policy": format!("{}{end}", "x".repeat(100)) } });
        let shown = said_of("ConfigMap", &data("old"), &data("new")).expect("they differ");
        let start = "x".repeat(20);
        assert_eq!(shown, format!("data key policy: ...{start}old -> ...{start}new"));
        let shown = said_of("ConfigMap", &json!({}), &data("")).expect("they differ");
        assert_eq!(shown, format!("data key policy: absent -> {}...", "x".repeat(LONGEST)));
    }

    #[test]
    fn of_a_secret_only_what_is_no_secret_is_shown() {
        let secret = |value: &str, tier: &str| {
            let applied = "kubectl.kubernetes.io/last-applied-configuration";
            json!({ "type": "Opaque", "data": { "password": value }, "stringData": { "token": value },
                    "metadata": { "labels": { "tier": tier }, "annotations": { applied: value } } })
        };
        assert_eq!(
            said_of("Secret", &secret("hunter1", "gold"), &secret("hunter2", "silver")).as_deref(),
            Some(
                "data key password differs, annotation kubectl.kubernetes.io/last-applied-configuration differs, \
                 label tier: gold -> silver, data key token differs"
            )
        );
        assert_eq!(
            said_of("Secret", &json!({}), &json!({ "data": { "password": "hunter1" } })).as_deref(),
            Some("data key password is added")
        );
    }

    #[test]
    fn an_outcome_may_differ_by_ownership_alone() {
        let owned = |fields: Value| {
            let entry = json!({ "manager": "bridgehead", "operation": "Apply", "fieldsV1": fields });
            json!({ "metadata": { "managedFields": [entry] } })
        };
        let (one, more) = (owned(json!({})), owned(json!({ "f:spec": {} })));
        assert_eq!(said_of("Service", &one, &more).as_deref(), Some("ownership of fields"));
        assert_eq!(said_of("Service", &one, &one), None);
    }

    proptest! {
        #[test]
        fn a_secrets_value_never_shows(old in "[a-z]{12}", new in "[a-z]{12}", nested in any::<bool>()) {
            let data = |value: &str| {
                if nested {
                    return json!({ "data": { "k": [{ "name": value, "v": value }] } });
                }
                json!({ "data": { "k": value }, "spec": value })
            };
            for (old, new) in [(data(&old), data(&new)), (json!({}), data(&new)), (data(&old), json!({}))] {
                if let Some(shown) = said_of("Secret", &old, &new) {
                    let values = [&old, &new].map(ToString::to_string);
                    for word in values.iter().flat_map(|text| text.split('"')).filter(|word| word.len() == 12) {
                        prop_assert!(!shown.contains(word), "{shown}");
                    }
                }
            }
        }
    }

    #[test]
    fn a_plan_names_a_few_fields() {
        let texts: Vec<_> = (1..=6).map(|number| format!(".{number}")).collect();
        assert_eq!(summary(&texts), ".1, .2, .3, .4 and 2 more");
        assert_eq!(summary(&texts[..4]), ".1, .2, .3, .4");
    }
}
