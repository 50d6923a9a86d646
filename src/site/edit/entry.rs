//! One entry of a table, whichever of TOML's ways the table is written in.

use toml_edit::{Decor, InlineTable, Item, Key, RawString, Table, Value};

/// How a table that is made is written.
#[derive(Clone, Copy)]
pub(super) enum Header {
    /// With a header, after some text.
    Own { before: &'static str },
    /// Without: only tables that are made below it have one.
    OfWhatIsBelow,
}

/// The table at `key` of `parent`; made if it is absent, in the way that the parent is written.
/// `None` when something else stands there.
pub(super) fn table<'a>(parent: &'a mut Item, key: &str, header: Header) -> Option<&'a mut Item> {
    if parent.get(key).is_none() {
        if let Some(inline) = parent.as_inline_table_mut() {
            append(inline, key, InlineTable::new().into());
        } else {
            let mut table = Table::new();
            match header {
                Header::Own { before } => table.decor_mut().set_prefix(before),
                Header::OfWhatIsBelow => table.set_implicit(true),
            }
            parent.as_table_mut()?.insert(key, Item::Table(table));
        }
    }
    parent.get_mut(key).filter(|item| item.is_table_like())
}

/// Makes `key` of a table say `on`; what stands beside it stays.
pub(super) fn set(table: &mut Item, key: &str, on: bool) {
    match table.get_mut(key).and_then(Item::as_value_mut) {
        Some(value) => {
            let decor = value.decor().clone();
            *value = on.into();
            *value.decor_mut() = decor;
        }
        None => match table {
            Item::Value(Value::InlineTable(inline)) => append(inline, key, on.into()),
            table => table[key] = toml_edit::value(on),
        },
    }
}

/// Adds an entry at the end of an inline table, on a line of its own where the last entry ends its line.
fn append(table: &mut InlineTable, key: &str, mut value: Value) {
    let (comma, empty) = (table.trailing_comma(), table.is_empty());
    let indent = table.iter().last().and_then(|(last, _)| table.key(last)).map_or("  ".to_owned(), indent);
    let last = table.iter_mut().last().map(|(_, last)| last.decor_mut()).filter(|_| !comma);
    let gap = match last {
        Some(decor) => {
            let gap = text(decor.suffix());
            decor.set_suffix("");
            gap
        }
        None => text(Some(table.trailing())),
    };
    // What stood before `}` stands before it again; a comment stays on the line of the entry that it is about.
    let (before, after) = match gap.rsplit_once('\n') {
        Some((comment, end)) => (format!("{comment}\n{indent}"), format!("\n{end}")),
        None if empty => (" ".to_owned(), " ".to_owned()),
        None => (" ".to_owned(), gap),
    };
    let (suffix, trailing) = if comma { ("", after.as_str()) } else { (after.as_str(), "") };
    *value.decor_mut() = Decor::new(" ", suffix);
    table.set_trailing(trailing);
    table.insert_formatted(&Key::new(key).with_leaf_decor(Decor::new(before, " ")), value);
}

/// The space before a key that begins its line.
fn indent(key: &Key) -> String {
    let before = text(key.leaf_decor().prefix());
    before.rsplit_once('\n').map_or("  ", |(_, indent)| indent).to_owned()
}

fn text(raw: Option<&RawString>) -> String {
    raw.and_then(RawString::as_str).unwrap_or_default().to_owned()
}
