//! Whether an apply would change anything, told from the live object alone where that is possible.
//!
//! The server records in `managedFields` which fields the last apply of each manager named (the format is
//! `FieldsV1`, see <https://kubernetes.io/docs/reference/using-api/server-side-apply/#field-management>). If ours
//! are exactly the desired ones and their values are the desired ones, an apply changes nothing. Anything else
//! only *seems* to differ: the server alone knows defaults and normal forms.

use serde_json::{Map, Value};

use super::FIELD_MANAGER;
use super::fields::title;
use super::object::Object;

/// Paths of the fields that seem to differ; none: an apply would change nothing.
#[must_use]
pub(super) fn seeming_differences(desired: &Object, live: &Object) -> Vec<String> {
    let Some(owned) = owned_fields(live) else {
        return vec!["not applied by bridgehead yet".to_owned()];
    };
    let mut walk = Walk::default();
    walk.map(desired.fields(), Some(live.fields()), owned);
    walk.differences
}

/// The fields that our last apply named.
pub(super) fn owned_fields(live: &Object) -> Option<&Value> {
    let entries = live.get(&["metadata", "managedFields"])?.as_array()?;
    let ours = entries.iter().find(|entry| {
        entry["manager"] == FIELD_MANAGER
            && entry["operation"] == "Apply"
            && entry.get("subresource").is_none()
    });
    ours.map(|entry| &entry["fieldsV1"])
}

/// Whether our last apply named the entry of `data` with that key.
#[must_use]
pub fn owns_data(live: &Object, key: &str) -> bool {
    owned_fields(live).is_some_and(|owned| !owned["f:data"][format!("f:{key}")].is_null())
}

/// Whether we ever applied it.
pub(super) fn is_applied(live: &Object) -> bool {
    owned_fields(live).is_some()
}

/// What says which object it is; nobody owns that.
fn is_identity(path: &str, key: &str) -> bool {
    matches!((path, key), ("", "apiVersion" | "kind") | (".metadata", "name" | "namespace"))
}

#[derive(Default)]
struct Walk {
    path: String,
    differences: Vec<String>,
}

impl Walk {
    fn differs(&mut self) {
        self.differences.push(self.path.clone());
    }

    fn at(&mut self, step: &str, look: impl FnOnce(&mut Self)) {
        let length = self.path.len();
        self.path.push_str(step);
        look(self);
        self.path.truncate(length);
    }

    fn value(&mut self, desired: &Value, live: &Value, owned: &Value) {
        let is_leaf = owned.as_object().is_none_or(Map::is_empty);
        match desired {
            _ if is_leaf && contains(live, desired) => {}
            Value::Object(map) if !is_leaf => self.map(map, live.as_object(), owned),
            Value::Array(items) if !is_leaf => self.list(items, live, owned),
            _ => self.differs(),
        }
    }

    fn map(&mut self, desired: &Map<String, Value>, live: Option<&Map<String, Value>>, owned: &Value) {
        for (key, value) in desired {
            if value.is_null() || is_identity(&self.path, key) {
                continue;
            }
            let live = live.and_then(|live| live.get(key));
            let owned = owned.get(format!("f:{key}"));
            self.at(&step(key), |walk| match (live, owned) {
                (Some(live), Some(owned)) => walk.value(value, live, owned),
                _ => walk.differs(),
            });
        }
        for key in owned.as_object().into_iter().flat_map(Map::keys).filter_map(|key| key.strip_prefix("f:"))
        {
            if desired.get(key).is_none_or(Value::is_null) {
                self.at(&step(key), Self::differs);
            }
        }
    }

    /// A list whose items are told apart by keys or by value; `owned` has one entry for each item of ours.
    fn list(&mut self, desired: &[Value], live: &Value, owned: &Value) {
        let entries = || owned.as_object().into_iter().flatten().filter(|(entry, _)| *entry != ".");
        let live = live.as_array().map_or(&[][..], Vec::as_slice);
        if entries().count() != desired.len() {
            self.differs();
        }
        for item in desired {
            let found = entries().find(|(entry, _)| is_entry_of(entry, item));
            let pair = found.and_then(|(entry, owned)| {
                live.iter().find(|live| is_entry_of(entry, live)).map(|live| (live, owned))
            });
            self.at(&format!("[{}]", title(item)), |walk| match pair {
                Some((live, owned)) => walk.value(item, live, owned),
                None => walk.differs(),
            });
        }
    }
}

/// Whether an entry of `FieldsV1` is about a list item: `k:{"name":"a"}` by its keys, `v:"a"` by its value.
fn is_entry_of(entry: &str, item: &Value) -> bool {
    if let Some(keys) = entry.strip_prefix("k:") {
        let keys: Map<String, Value> = serde_json::from_str(keys).unwrap_or_default();
        // A key that has a default may be absent from what was applied, such as the protocol of a port.
        return keys.iter().all(|(key, value)| item.get(key).is_none_or(|own| own == value));
    }
    entry.strip_prefix("v:").and_then(|value| serde_json::from_str::<Value>(value).ok()).as_ref()
        == Some(item)
}

/// Whether everything that is desired is in a live value, which may have defaults besides.
fn contains(live: &Value, desired: &Value) -> bool {
    match (live, desired) {
        (Value::Object(live), Value::Object(desired)) => desired
            .iter()
            .filter(|(_, value)| !value.is_null())
            .all(|(key, value)| live.get(key).is_some_and(|live| contains(live, value))),
        (Value::Array(live), Value::Array(desired)) => {
            live.len() == desired.len()
                && live.iter().zip(desired).all(|(live, desired)| contains(live, desired))
        }
        _ => live == desired,
    }
}

/// A key as part of a path: quoted where it has dots of its own.
fn step(key: &str) -> String {
    if key.contains(['.', '/']) { format!("[{key}]") } else { format!(".{key}") }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn service(fields: &Value, owned: &Value) -> Object {
        let mut value = json!({
            "apiVersion": "v1", "kind": "Service",
            "metadata": { "name": "web", "labels": { "a.example/b": "c" } },
            "spec": fields,
        });
        value["metadata"]["managedFields"] = json!([
            { "manager": "someone", "operation": "Update", "fieldsV1": { "f:spec": { "f:x": {} } } },
            { "manager": "bridgehead", "operation": "Apply", "fieldsV1": {
                "f:metadata": { "f:labels": { "f:a.example/b": {} } },
                "f:spec": owned,
            } },
        ]);
        Object::from_value(value).expect("it is an object")
    }

    fn desired(fields: &Value) -> Object {
        let mut object = service(fields, &json!({}));
        object.fields_mut()["metadata"].as_object_mut().expect("it is a map").remove("managedFields");
        object
    }

    const PORT: &str = r#"k:{"port":80,"protocol":"TCP"}"#;

    fn live() -> Object {
        service(
            &json!({ "ports": [{ "port": 80, "protocol": "TCP", "targetPort": 80 }], "selector": { "app": "web" },
                     "clusterIP": "10.0.0.1" }),
            &json!({ "f:ports": { PORT: { ".": {}, "f:port": {} } }, "f:selector": {} }),
        )
    }

    #[test]
    fn defaults_of_the_server_do_not_differ() {
        let desired = desired(&json!({ "ports": [{ "port": 80 }], "selector": { "app": "web" } }));
        assert_eq!(seeming_differences(&desired, &live()), Vec::<String>::new());
    }

    #[test]
    fn values_new_fields_and_dropped_fields_seem_to_differ() {
        let other = desired(&json!({ "ports": [{ "port": 81 }], "type": "NodePort" }));
        assert_eq!(seeming_differences(&other, &live()), [".spec.ports[81]", ".spec.type", ".spec.selector"],);
        let mut unlabelled = desired(&json!({ "ports": [{ "port": 80 }], "selector": { "app": "web" } }));
        unlabelled.fields_mut()["metadata"].as_object_mut().expect("it is a map").remove("labels");
        assert_eq!(seeming_differences(&unlabelled, &live()), [".metadata.labels"]);
    }

    #[test]
    fn what_was_never_applied_differs() {
        let desired = desired(&json!({ "selector": { "app": "web" } }));
        assert_eq!(seeming_differences(&desired, &desired.clone()).len(), 1);
    }
}
