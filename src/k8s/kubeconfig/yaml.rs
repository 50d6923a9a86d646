//! YAML that is written back as it was meant, whoever reads it: plain scalars keep their text, because `yes`, `1e3`
//! and `0x10` mean different things to different readers; keys and entries keep their order. Comments are lost, as
//! `kubectl config` loses them; what an alias stands for is written out.

use std::collections::BTreeMap;

use serde_json::{Map, Value};
use serde_saphyr::granit_parser::{Event, Parser, ScalarStyle, ScanError};

/// The most nodes and the deepest nesting that a document may have: aliases can make a few lines into billions.
const MOST_NODES: usize = 1_000_000;
const DEEPEST: usize = 100;

/// A document that cannot be kept as it is. None of its content is told: it may be secret.
#[derive(Debug, thiserror::Error)]
pub enum YamlError {
    /// It is not YAML.
    #[error("line {line}, column {column}: it is not YAML")]
    Syntax {
        /// The line, from 1.
        line: usize,
        /// The column, from 1.
        column: usize,
    },
    /// It uses what no kubeconfig needs.
    #[error("line {line}: it has {what}")]
    Unsupported {
        /// The line, from 1.
        line: usize,
        /// What that is, with its article.
        what: &'static str,
    },
}

/// What a text has to say.
pub(super) struct Document {
    /// `None`: nothing.
    pub(super) content: Option<Node>,
    /// The line at which a second document begins, which nobody reads.
    pub(super) rest: Option<usize>,
}

/// A part of a document.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Node {
    /// A text, and whether it stands there without quotes.
    Scalar {
        text: String,
        plain: bool,
    },
    Sequence(Vec<Self>),
    Mapping(Vec<(Self, Self)>),
}

impl Node {
    /// Reads the first document of a text; `None` where there is nothing in it.
    pub(super) fn parse(text: &str) -> Result<Document, YamlError> {
        let parser = Parser::new_from_str(text.trim_start_matches('\u{feff}'));
        Builder { parser, anchors: BTreeMap::new(), nodes: 0, line: 1 }.document()
    }

    /// What stands under a key of a mapping.
    pub(super) fn get(&self, key: &str) -> Option<&Self> {
        let Self::Mapping(entries) = self else { return None };
        entries.iter().find(|(name, _)| name.text() == Some(key)).map(|(_, value)| value)
    }

    /// What stands under a key of a mapping; `null` is put there where there is nothing yet.
    pub(super) fn entry(&mut self, key: &str) -> Option<&mut Self> {
        let Self::Mapping(entries) = self else { return None };
        let position = entries.iter().position(|(name, _)| name.text() == Some(key));
        let position = position.unwrap_or_else(|| {
            entries.push((text(key), Self::null()));
            entries.len() - 1
        });
        Some(&mut entries[position].1)
    }

    /// Puts a text under a key of a mapping, where another one stands.
    pub(super) fn set(&mut self, key: &str, value: &str) {
        match self.entry(key) {
            Some(node) if node.text() != Some(value) => *node = text(value),
            _ => {}
        }
    }

    /// Puts something under a key of a mapping, unless the same stands there.
    pub(super) fn put(&mut self, key: &str, value: &Value) {
        match self.entry(key) {
            Some(node) if node.to_json() != *value => *node = Self::from_json(value),
            _ => {}
        }
    }

    /// Removes keys of a mapping.
    pub(super) fn retain(&mut self, stays: impl Fn(&str) -> bool) {
        if let Self::Mapping(entries) = self {
            entries.retain(|(key, _)| key.text().is_none_or(&stays));
        }
    }

    /// The text of a scalar.
    pub(super) fn text(&self) -> Option<&str> {
        match self {
            Self::Scalar { text, .. } => Some(text),
            _ => None,
        }
    }

    fn null() -> Self {
        Self::Scalar { text: "null".to_owned(), plain: true }
    }

    /// Whether it says that there is nothing.
    pub(super) fn is_null(&self) -> bool {
        const NULLS: [&str; 5] = ["", "~", "null", "Null", "NULL"];
        matches!(self, Self::Scalar { text, plain: true } if NULLS.contains(&text.as_str()))
    }

    /// The same as JSON. Scalars are texts but for `true`, `false` and `null`: a kubeconfig has no numbers, and what
    /// looks like one there is a name or a token.
    pub(super) fn to_json(&self) -> Value {
        match self {
            _ if self.is_null() => Value::Null,
            Self::Scalar { text, plain: true } if is_word(text, &["true", "yes", "on"]) => true.into(),
            Self::Scalar { text, plain: true } if is_word(text, &["false", "no", "off"]) => false.into(),
            Self::Scalar { text, .. } => text.as_str().into(),
            Self::Sequence(items) => items.iter().map(Self::to_json).collect(),
            Self::Mapping(entries) => {
                let entries = entries.iter().filter_map(|(key, value)| Some((key.text()?, value)));
                Value::Object(entries.map(|(key, value)| (key.to_owned(), value.to_json())).collect())
            }
        }
    }

    /// The same as YAML.
    pub(super) fn from_json(value: &Value) -> Self {
        match value {
            Value::String(string) => text(string),
            Value::Array(items) => Self::Sequence(items.iter().map(Self::from_json).collect()),
            Value::Object(entries) => Self::from_map(entries),
            other => Self::Scalar { text: other.to_string(), plain: true },
        }
    }

    fn from_map(entries: &Map<String, Value>) -> Self {
        Self::Mapping(entries.iter().map(|(key, value)| (text(key), Self::from_json(value))).collect())
    }

    /// The document's text.
    pub(super) fn to_yaml(&self) -> String {
        let mut out = String::new();
        self.write(&mut out, 0);
        out
    }

    /// Writes a collection as lines that begin at a column, the first one wherever the text ends by now.
    fn write(&self, out: &mut String, column: usize) {
        match self {
            Self::Scalar { text, plain } => out.push_str(&scalar(text, *plain)),
            Self::Sequence(items) if items.is_empty() => out.push_str("[]"),
            Self::Mapping(entries) if entries.is_empty() => out.push_str("{}"),
            Self::Sequence(items) => lines(out, column, items.iter(), |out, item| {
                out.push_str("- ");
                item.write(out, column + 2);
            }),
            Self::Mapping(entries) => lines(out, column, entries.iter(), |out, (key, value)| {
                key.write(out, column);
                out.push(':');
                value.write_value(out, column);
            }),
        }
    }

    fn write_value(&self, out: &mut String, column: usize) {
        // `kubectl` writes sequences at the column of their key.
        let below = match self {
            Self::Sequence(items) if !items.is_empty() => Some(column),
            Self::Mapping(entries) if !entries.is_empty() => Some(column + 2),
            _ => None,
        };
        out.push_str(&below.map_or_else(|| " ".to_owned(), |column| format!("\n{}", " ".repeat(column))));
        self.write(out, below.unwrap_or(column));
    }
}

/// Writes one line, or more, for each of some things; the last one ends without a line end, but at the top.
fn lines<T>(
    out: &mut String,
    column: usize,
    things: impl Iterator<Item = T>,
    write: impl Fn(&mut String, T),
) {
    for (number, thing) in things.enumerate() {
        if number > 0 {
            out.push('\n');
            out.push_str(&" ".repeat(column));
        }
        write(out, thing);
    }
}

/// A text, with quotes where somebody could take it for something else.
fn text(text: &str) -> Node {
    const OTHERS: [&str; 9] = ["y", "n", "yes", "no", "on", "off", "true", "false", "null"];
    let is_harmless = |byte: u8| byte.is_ascii_alphanumeric() || b"_./@+=-".contains(&byte);
    let begins = text.starts_with(|first: char| first.is_ascii_alphabetic() || first == '/');
    let harmless =
        text.replace("://", "").split(':').all(|part| !part.is_empty() && part.bytes().all(is_harmless));
    Node::Scalar { text: text.to_owned(), plain: begins && harmless && !is_word(text, &OTHERS) }
}

fn is_word(text: &str, words: &[&str]) -> bool {
    words.iter().any(|word| text.eq_ignore_ascii_case(word))
}

fn scalar(text: &str, plain: bool) -> String {
    match text {
        "" if plain => return "null".to_owned(),
        text if plain && !text.contains('\n') => return text.to_owned(),
        _ => {}
    }
    let mut quoted = String::from("\"");
    for character in text.chars() {
        match character {
            '"' | '\\' => quoted.extend(['\\', character]),
            '\n' => quoted.push_str("\\n"),
            // Not printable, a line end to some readers, or a byte order mark.
            '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}' => escape(&mut quoted, character),
            _ if character.is_control() => escape(&mut quoted, character),
            _ => quoted.push(character),
        }
    }
    quoted.push('"');
    quoted
}

fn escape(out: &mut String, character: char) {
    out.push_str(&format!("\\u{:04x}", u32::from(character)));
}

/// Makes nodes of a parser's events.
struct Builder<'a> {
    parser: Parser<'a, serde_saphyr::granit_parser::StrInput<'a>>,
    anchors: BTreeMap<usize, Node>,
    nodes: usize,
    line: usize,
}

impl<'a> Builder<'a> {
    fn document(&mut self) -> Result<Document, YamlError> {
        let mut document = None;
        let mut rest = None;
        while let Some(event) = self.next()? {
            match event {
                Event::DocumentStart(..) if document.is_some() => {
                    rest = Some(self.line);
                    break;
                }
                Event::StreamStart | Event::StreamEnd | Event::DocumentStart(..) | Event::DocumentEnd => {}
                event => document = Some(self.node(event, 0)?),
            }
        }
        Ok(Document { content: document.filter(|document| !document.is_null()), rest })
    }

    /// The next event that is not about comments.
    fn next(&mut self) -> Result<Option<Event<'a>>, YamlError> {
        loop {
            let Some(next) = self.parser.next_event() else { return Ok(None) };
            let (event, span) = next.map_err(|error| syntax(&error))?;
            self.line = span.start.line();
            if !matches!(event, Event::Comment(..)) {
                return Ok(Some(event));
            }
        }
    }

    fn node(&mut self, event: Event<'a>, depth: usize) -> Result<Node, YamlError> {
        // The other tags of the core schema say what the node is without one.
        let is_text = match event.tag() {
            None => false,
            Some(tag) if tag.is_yaml_core_schema() => tag.is_yaml_core_schema_tag("str"),
            Some(_) => return Err(self.unsupported("a tag")),
        };
        if depth > DEEPEST {
            return Err(self.unsupported("too many levels"));
        }
        let anchor = event.anchor_id();
        let node = match event {
            Event::Scalar(text, style, ..) => {
                Node::Scalar { text: text.into_owned(), plain: style == ScalarStyle::Plain && !is_text }
            }
            Event::SequenceStart(..) => self.sequence(depth)?,
            Event::MappingStart(..) => self.mapping(depth)?,
            Event::Alias(anchor) => {
                self.anchors.get(&anchor).cloned().ok_or_else(|| self.unsupported("an alias of itself"))?
            }
            _ => return Err(self.unsupported("something unknown")),
        };
        self.count(size(&node))?;
        if let Some(anchor) = anchor {
            self.anchors.insert(anchor, node.clone());
        }
        Ok(node)
    }

    fn sequence(&mut self, depth: usize) -> Result<Node, YamlError> {
        let mut items = Vec::new();
        while let Some(event) = self.next()? {
            if matches!(event, Event::SequenceEnd) {
                break;
            }
            items.push(self.node(event, depth + 1)?);
        }
        Ok(Node::Sequence(items))
    }

    fn mapping(&mut self, depth: usize) -> Result<Node, YamlError> {
        let mut entries: Vec<(Node, Node)> = Vec::new();
        let mut merged = Vec::new();
        while let Some(event) = self.next()? {
            if matches!(event, Event::MappingEnd) {
                break;
            }
            let key = self.node(event, depth + 1)?;
            if key.text().is_none() {
                return Err(self.unsupported("a key that is not a text"));
            }
            let Some(event) = self.next()? else { break };
            let value = self.node(event, depth + 1)?;
            if matches!(&key, Node::Scalar { text, plain: true } if text == "<<") {
                merged.push(value);
                continue;
            }
            // As `kubectl` reads it, the last one counts.
            match entries.iter_mut().find(|(other, _)| other.text() == key.text()) {
                Some(entry) => entry.1 = value,
                None => entries.push((key, value)),
            }
        }
        for value in merged {
            self.merge(&mut entries, value)?;
        }
        Ok(Node::Mapping(entries))
    }

    /// Adds what a key `<<` leads to, but for the keys that are there already (YAML, "Merge Key Language-Independent Type").
    fn merge(&mut self, entries: &mut Vec<(Node, Node)>, value: Node) -> Result<(), YamlError> {
        match value {
            Node::Mapping(others) => {
                for (key, value) in others {
                    if entries.iter().all(|(other, _)| other.text() != key.text()) {
                        entries.push((key, value));
                    }
                }
            }
            Node::Sequence(items) if items.iter().all(|item| matches!(item, Node::Mapping(_))) => {
                for item in items {
                    self.merge(entries, item)?;
                }
            }
            _ => return Err(self.unsupported("a key `<<` that leads to no map")),
        }
        Ok(())
    }

    /// Counts what was made; what is in a collection is counted again with it, which its depth bounds.
    fn count(&mut self, nodes: usize) -> Result<(), YamlError> {
        self.nodes += nodes;
        if self.nodes > MOST_NODES { Err(self.unsupported("too many entries")) } else { Ok(()) }
    }

    fn unsupported(&self, what: &'static str) -> YamlError {
        YamlError::Unsupported { line: self.line, what }
    }
}

fn size(node: &Node) -> usize {
    match node {
        Node::Scalar { .. } => 1,
        Node::Sequence(items) => 1 + items.iter().map(size).sum::<usize>(),
        Node::Mapping(entries) => 1 + entries.iter().map(|(_, value)| 1 + size(value)).sum::<usize>(),
    }
}

fn syntax(error: &ScanError) -> YamlError {
    let marker = error.marker();
    YamlError::Syntax { line: marker.line(), column: marker.col() + 1 }
}
