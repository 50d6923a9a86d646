//! Where secrets may stand in what was typed: findings quote their lines, and are shown and logged.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::site::secret::url_has_credential;

/// The values that are not to be shown: a literal where a secret's source belongs, a key that is called like a
/// secret, a URL with a password.
pub(super) fn secrets(table: &DeTable<'_>) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    visit_table(&mut Vec::new(), table, &mut found);
    found
}

fn visit_table<'a>(path: &mut Vec<&'a str>, table: &'a DeTable<'_>, found: &mut Vec<Range<usize>>) {
    for (key, value) in table {
        path.push(key.get_ref());
        visit(path, value, found);
        path.pop();
    }
}

fn visit<'a>(path: &mut Vec<&'a str>, value: &'a Spanned<DeValue<'_>>, found: &mut Vec<Range<usize>>) {
    match value.get_ref() {
        DeValue::Table(table) => visit_table(path, table, found),
        DeValue::Array(values) => values.iter().for_each(|value| visit(path, value, found)),
        DeValue::String(text) if url_has_credential(text) => found.push(value.span()),
        _ if may_be_secret(path) => found.push(value.span()),
        _ => {}
    }
}

fn may_be_secret(path: &[&str]) -> bool {
    let called = |key: &&str| {
        ["password", "token", "secret"].iter().any(|word| key.to_ascii_lowercase().contains(word))
    };
    match path {
        ["secrets", _, "namespace" | "type"] | ["secrets", _, "data", _, "env" | "file" | "command"] => false,
        ["secrets", ..] => true,
        [.., _, "env" | "file" | "command"] => false,
        _ => path.iter().any(called),
    }
}
