//! What a template's text becomes for one cluster, where only parameters of the cluster generator are named.

use std::collections::BTreeMap;

use super::super::fleet::Registered;

/// Fills in a template of either dialect; `None` if it names anything but plain parameters that are known.
pub(super) fn render(template: &str, cluster: &Registered, values: BTreeMap<&str, &str>) -> Option<String> {
    let mut parameters = parameters(cluster);
    for (key, value) in values {
        let value = fill(value, &parameters)?;
        parameters.insert(format!("values.{key}"), value);
    }
    fill(template, &parameters).filter(|name| !name.is_empty())
}

fn parameters(cluster: &Registered) -> BTreeMap<String, String> {
    let labels = cluster.labels.iter().map(|(key, value)| (format!("metadata.labels.{key}"), value.clone()));
    let annotations =
        cluster.annotations.iter().map(|(key, value)| (format!("metadata.annotations.{key}"), value.clone()));
    let own = [
        ("name", cluster.name.clone()),
        ("nameNormalized", normalized(&cluster.name)),
        ("server", cluster.server.clone()),
    ];
    let own = own.into_iter().map(|(key, value)| (key.to_owned(), value));
    own.chain(labels).chain(annotations).collect()
}

fn fill(template: &str, parameters: &BTreeMap<String, String>) -> Option<String> {
    let mut filled = String::new();
    let mut rest = template;
    while let Some((before, opened)) = rest.split_once("{{") {
        let (expression, after) = opened.split_once("}}")?;
        filled.push_str(before);
        filled.push_str(parameters.get(&key(expression.trim())?)?);
        rest = after;
    }
    filled.push_str(rest);
    Some(filled)
}

/// `name`, `.name`, `.metadata.labels.x` and `index .metadata.labels "x"` as keys of the parameters.
fn key(expression: &str) -> Option<String> {
    if let Some(indexed) = expression.strip_prefix("index ") {
        let (path, key) = indexed.trim().split_once(' ')?;
        let key = key.trim().strip_prefix('"')?.strip_suffix('"')?;
        return Some(format!("{}.{key}", path.strip_prefix('.')?));
    }
    let path = expression.strip_prefix('.').unwrap_or(expression);
    (!path.contains(['|', ' ', '(', '"'])).then(|| path.to_owned())
}

/// A name as Argo CD normalises it to a DNS name.
fn normalized(name: &str) -> String {
    let valid = |character: char| character.is_ascii_alphanumeric() || character == '-' || character == '.';
    let replaced = name.to_lowercase().replace(|character| !valid(character), "-");
    replaced.trim_matches(['-', '.']).to_owned()
}
