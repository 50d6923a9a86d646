//! Compares what was typed with the schema, and takes out what does not fit, so that the rest can be read on.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeInteger, DeString, DeTable, DeValue};

use super::short::Short;
use crate::site::finding::{Finding, nearest};
use crate::site::profile::schema::{SOURCE, Shape, Table};

/// Takes out of `table` what the schema does not know or want; returns a finding for each.
pub(super) fn fit(table: &mut Spanned<DeTable<'_>>, schema: &Table) -> Vec<Finding> {
    let short = Short::of(table.get_ref());
    let mut fitting = Fitting { path: Vec::new(), short, findings: Vec::new() };
    fitting.table(0..0, table.get_mut(), schema);
    fitting.findings
}

struct Fitting {
    path: Vec<String>,
    short: Short,
    findings: Vec<Finding>,
}

impl Fitting {
    fn table(&mut self, span: Range<usize>, table: &mut DeTable<'_>, schema: &Table) {
        self.missing(&span, table, schema);
        retain(table, |key, value| {
            self.below(key.get_ref(), |fitting| {
                match schema.keys.iter().find(|(known, _)| known == key.get_ref()) {
                    Some((_, shape)) => fitting.value(&key.span(), value, shape),
                    None => fitting.unknown(key, schema),
                }
            })
        });
    }

    /// Whether the value is to stay.
    fn value(&mut self, key: &Range<usize>, value: &mut Spanned<DeValue<'_>>, shape: &Shape) -> bool {
        let span = value.span();
        match (shape, value.get_mut()) {
            (Shape::Later, _) => {
                let message = format!("`{}` is not built yet", self.path());
                self.found(
                    Finding::new(key.clone(), message)
                        .with_help("take it out: this version does nothing with it"),
                )
            }
            (Shape::Table(schema), DeValue::Table(table)) => {
                self.table(key.clone(), table, schema);
                true
            }
            (Shape::Tables(schema), DeValue::Array(values)) => {
                let mut fits = true;
                for value in values.iter_mut() {
                    let span = value.span();
                    match value.get_mut() {
                        DeValue::Table(table) => self.table(span, table, schema),
                        other => fits = self.misshapen(span, other, &Shape::Table(schema)),
                    }
                }
                fits
            }
            (Shape::Map(shape), DeValue::Table(table)) => {
                retain(table, |key, value| {
                    self.below(key.get_ref(), |fitting| fitting.value(&key.span(), value, shape))
                });
                true
            }
            (Shape::Source, DeValue::Table(table)) => {
                self.table(key.clone(), table, &SOURCE);
                true
            }
            (Shape::Texts, DeValue::Array(values)) => {
                let not_text = |value: &&Spanned<DeValue<'_>>| !matches!(value.get_ref(), DeValue::String(_));
                match values.iter().find(not_text) {
                    Some(other) => self.misshapen(other.span(), other.get_ref(), shape),
                    None => true,
                }
            }
            (Shape::Any, value) => match not_of_json(value) {
                Some(what) => self.found(Finding::new(span, format!("`{}` cannot be {what}", self.path()))),
                None => true,
            },
            (Shape::Text, DeValue::String(text)) if is_blank(text) => self.blank(span),
            (Shape::Text, DeValue::String(_)) | (Shape::Flag, DeValue::Boolean(_)) => true,
            (Shape::Count, DeValue::Integer(number)) if is_64_bits(number) => true,
            (shape, value) => self.misshapen(span, value, shape),
        }
    }

    fn blank(&mut self, span: Range<usize>) -> bool {
        let message = format!("`{}` is still to be filled in", self.path());
        self.found(
            Finding::new(span, message).with_help("replace what stands in <..>, and the marks with it"),
        )
    }

    fn misshapen(&mut self, span: Range<usize>, value: &DeValue<'_>, shape: &Shape) -> bool {
        let wanted = match shape {
            Shape::Source => {
                let message = format!("`{}`: a profile holds no secrets", self.path());
                let help = "write where it comes from: { env = \"NAME\" }, { file = \"path\" } or { command = [..] }";
                return self.found(Finding::new(span, message).with_help(help));
            }
            Shape::Text => "a string",
            Shape::Texts => "an array of strings",
            Shape::Tables(_) => "an array of tables",
            Shape::Flag => "`true` or `false`",
            Shape::Count => "an integer",
            Shape::Table(_) | Shape::Map(_) | Shape::Any | Shape::Later => "a table",
        };
        let message = format!("`{}` must be {wanted}, this is {}", self.path(), described(value));
        let finding = Finding::new(span, message);
        self.found(match (shape, value) {
            (Shape::Flag | Shape::Count, DeValue::String(text)) if plain(text) => {
                finding.with_help(format!("write it without quotes: {text}"))
            }
            (
                Shape::Text,
                DeValue::Integer(_) | DeValue::Float(_) | DeValue::Boolean(_) | DeValue::Datetime(_),
            ) => finding.with_help("write it in quotes"),
            (Shape::Text | Shape::Flag, DeValue::Table(_)) => {
                finding.with_help("a key that has a dot in it is written in quotes")
            }
            _ => finding,
        })
    }

    fn unknown(&mut self, key: &Spanned<DeString<'_>>, schema: &Table) -> bool {
        let finding = Finding::new(key.span(), format!("unknown key `{}`", self.path()));
        let known = schema.keys.iter().map(|(known, _)| *known);
        self.found(finding.with_help(match nearest(key.get_ref(), known) {
            Some(nearest) => format!("did you mean `{nearest}`?"),
            None => format!("known here: {}", built(schema).join(", ")),
        }))
    }

    fn missing(&mut self, span: &Range<usize>, table: &DeTable<'_>, schema: &Table) {
        if !self.short.says(&self.path) {
            for key in schema.required.iter().filter(|key| !table.contains_key(**key)) {
                let path = self.below(key, |fitting| fitting.path());
                self.found(Finding::new(span.clone(), format!("`{path}` is missing")));
            }
        }
        let mut chosen: Vec<_> =
            table.keys().filter(|key| schema.one_of.contains(&key.get_ref().as_ref())).collect();
        chosen.sort_by_key(|key| key.span().start);
        let (none, several, help) = match schema.one_of {
            ["env", ..] => (
                "says nothing of where the value comes from",
                "has more than one source",
                format!("write one of: {}", schema.one_of.join(", ")),
            ),
            [first, ..] => (
                "names no provider",
                "has more than one provider",
                format!("add a table `[{}.{first}]`", self.path()),
            ),
            [] => return,
        };
        if chosen.is_empty() && !self.short.says(&self.path) {
            let message = format!("`{}` {none}", self.path());
            self.found(Finding::new(span.clone(), message).with_help(help));
        }
        for other in chosen.iter().skip(1) {
            let message = format!("`{}` {several}: {}", self.path(), names(&chosen));
            self.found(Finding::new(other.span(), message).with_help("keep one of them"));
        }
    }

    /// Notes a finding; what it is about does not stay.
    fn found(&mut self, finding: Finding) -> bool {
        self.findings.push(finding);
        false
    }

    fn below<T>(&mut self, key: &str, inside: impl FnOnce(&mut Self) -> T) -> T {
        self.path.push(if plain(key) { key.to_owned() } else { format!("{key:?}") });
        let result = inside(self);
        self.path.pop();
        result
    }

    fn path(&self) -> String {
        self.path.join(".")
    }
}

fn retain(
    table: &mut DeTable<'_>,
    mut keep: impl FnMut(&Spanned<DeString<'_>>, &mut Spanned<DeValue<'_>>) -> bool,
) {
    let all = std::mem::take(table).into_iter();
    *table = all.filter_map(|(key, mut value)| keep(&key, &mut value).then_some((key, value))).collect();
}

/// Whether a text is a blank that `init` has left to a person.
fn is_blank(text: &str) -> bool {
    text.len() > 2 && text.starts_with('<') && text.ends_with('>') && text.matches(['<', '>']).count() == 2
}

/// Whether TOML writes the key without quotes.
fn plain(key: &str) -> bool {
    !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
}

fn names(keys: &[&Spanned<DeString<'_>>]) -> String {
    keys.iter().map(|key| key.get_ref().as_ref()).collect::<Vec<_>>().join(", ")
}

fn built(schema: &Table) -> Vec<&'static str> {
    let built = schema.keys.iter().filter(|(_, shape)| !matches!(shape, Shape::Later));
    built.map(|(key, _)| *key).collect()
}

fn is_64_bits(number: &DeInteger<'_>) -> bool {
    i64::from_str_radix(number.as_str(), number.radix()).is_ok()
}

fn described(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(number) if !is_64_bits(number) => "one that is too large",
        DeValue::Integer(_) => "an integer",
        DeValue::Float(_) => "a float",
        DeValue::Boolean(_) => "a boolean",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "an array",
        DeValue::Table(_) => "a table",
    }
}

/// What JSON, and so the configuration of k3s, does not have.
fn not_of_json(value: &DeValue<'_>) -> Option<&'static str> {
    match value {
        DeValue::Datetime(_) => Some("a date: write it in quotes"),
        DeValue::Integer(number) if !is_64_bits(number) => Some("an integer that is so large"),
        DeValue::Float(number) if number.as_str().contains(['n', 'i']) => Some("a float that is no number"),
        DeValue::Array(values) => values.iter().find_map(|value| not_of_json(value.get_ref())),
        DeValue::Table(table) => table.values().find_map(|value| not_of_json(value.get_ref())),
        _ => None,
    }
}
