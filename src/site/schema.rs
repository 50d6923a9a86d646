//! The profile as JSON Schema, for editors: made of the tables that `check` compares a profile with. Whatever it refuses,
//! `check` refuses; `check` finds more.

use serde_json::{Map, Value, json};

use super::profile::schema::{HUB, INVENTORY, PROFILE, SOURCE, Shape, Table};

const DIALECT: &str = "https://json-schema.org/draft/2020-12/schema";

/// That of a site's `profile.toml`.
///
/// In the short form, `argocd.target_name` says where the hub is, and nothing of it has to be said under `hub`.
#[must_use]
pub fn profile() -> Value {
    let mut schema = table(&PROFILE, "");
    let said_elsewhere =
        json!({ "required": ["argocd"], "properties": { "argocd": { "required": ["target_name"] } } });
    let providers: Vec<_> = HUB.one_of.iter().map(|name| json!({ "required": [name] })).collect();
    let hub = json!({ "oneOf": providers, "properties": { "k3s": { "required": ["servers"] } } });
    let said_here = json!({ "required": ["hub"], "properties": { "hub": hub } });
    schema["anyOf"] = json!([said_here, said_elsewhere]);
    titled("A site of Bridgehead", schema)
}

/// That of a site's `inventory.toml`.
#[must_use]
pub fn inventory() -> Value {
    titled("The machines of a site of Bridgehead", table(&INVENTORY, ""))
}

fn titled(title: &str, schema: Value) -> Value {
    let mut titled = json!({ "$schema": DIALECT, "title": title });
    if let (Value::Object(all), Value::Object(schema)) = (&mut titled, schema) {
        all.extend(schema);
    }
    titled
}

/// The short form may say what tables at these paths leave out.
fn may_be_short(path: &str) -> bool {
    ["", ".hub", ".hub.k3s"].contains(&path)
}

fn table(table: &Table, path: &str) -> Value {
    let known = table.keys.iter().filter(|(_, shape)| !matches!(shape, Shape::Later));
    let properties: Map<_, _> =
        known.map(|(key, shape)| ((*key).to_owned(), of(shape, &format!("{path}.{key}")))).collect();
    let mut schema = json!({ "type": "object", "properties": properties, "additionalProperties": false });
    if !may_be_short(path) && !table.required.is_empty() {
        schema["required"] = json!(table.required);
    }
    // A spoke's provider may be said in the short form as well; two are too many anywhere.
    let pairs = table.one_of.iter().enumerate().flat_map(|(number, one)| {
        table.one_of[number + 1..].iter().map(move |other| json!({ "required": [one, other] }))
    });
    let pairs: Vec<_> = pairs.collect();
    if !pairs.is_empty() {
        schema["not"] = json!({ "anyOf": pairs });
    }
    schema
}

fn of(shape: &Shape, path: &str) -> Value {
    match shape {
        Shape::Text => json!({ "type": "string" }),
        Shape::Texts => json!({ "type": "array", "items": { "type": "string" } }),
        Shape::Flag => json!({ "type": "boolean" }),
        Shape::Count => json!({ "type": "integer" }),
        // What JSON has not, cannot stand in JSON.
        Shape::Any | Shape::Later => json!(true),
        Shape::Table(below) => table(below, path),
        Shape::Tables(below) => json!({ "type": "array", "items": table(below, &format!("{path}[]")) }),
        Shape::Map(shape) => {
            json!({ "type": "object", "additionalProperties": of(shape, &format!("{path}.*")) })
        }
        Shape::Source => table(&SOURCE, path),
    }
}
