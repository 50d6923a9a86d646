//! Compares what was typed with the schema, and takes out what does not fit, so that the rest can be read on.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeInteger, DeString, DeTable, DeValue};

use crate::site::finding::Finding;
use crate::site::profile::schema::{Shape, Table};

/// Takes out of `table` what the schema does not know or want; returns a finding for each.
pub(super) fn fit(table: &mut Spanned<DeTable<'_>>, schema: &Table) -> Vec<Finding> {
    let mut fitting = Fitting { path: Vec::new(), findings: Vec::new() };
    fitting.table(0..0, table.get_mut(), schema);
    fitting.findings
}

struct Fitting {
    path: Vec<String>,
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
            (Shape::Map(shape), DeValue::Table(table)) => {
                retain(table, |key, value| {
                    self.below(key.get_ref(), |fitting| fitting.value(&key.span(), value, shape))
                });
                true
            }
            (Shape::Text, DeValue::String(_)) | (Shape::Flag, DeValue::Boolean(_)) => true,
            (Shape::Count, DeValue::Integer(number)) if is_64_bits(number) => true,
            (shape, value) => self.misshapen(span, value, shape),
        }
    }

    fn misshapen(&mut self, span: Range<usize>, value: &DeValue<'_>, shape: &Shape) -> bool {
        let wanted = match shape {
            Shape::Text => "a string",
            Shape::Flag => "`true` or `false`",
            Shape::Count => "an integer",
            Shape::Table(_) | Shape::Map(_) | Shape::Later => "a table",
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
        for key in schema.required.iter().filter(|key| !table.contains_key(**key)) {
            let path = self.below(key, |fitting| fitting.path());
            self.found(Finding::new(span.clone(), format!("`{path}` is missing")));
        }
        let mut providers: Vec<_> =
            table.keys().filter(|key| schema.one_of.contains(&key.get_ref().as_ref())).collect();
        providers.sort_by_key(|key| key.span().start);
        if providers.is_empty() && !schema.one_of.is_empty() {
            let message = format!("`{}` says of no provider that makes it", self.path());
            let help = format!("add a table `[{}.{}]`", self.path(), schema.one_of[0]);
            self.found(Finding::new(span.clone(), message).with_help(help));
        }
        for provider in providers.iter().skip(1) {
            let message = format!("`{}` has more than one provider: {}", self.path(), names(&providers));
            self.found(Finding::new(provider.span(), message).with_help("keep one of them"));
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

/// The known key that was probably meant.
fn nearest<'a>(key: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let distance = |known: &str| strsim::damerau_levenshtein(key, known);
    let nearest = known.min_by_key(|known| distance(known))?;
    // A third of the letters may be wrong: more is another word.
    (distance(nearest) <= nearest.len().max(3) / 3).then_some(nearest)
}
