//! Text in columns, each as wide as what is in it.

use std::fmt;

/// Rows, the first of which may be a heading.
#[derive(Default)]
pub(super) struct Table<const COLUMNS: usize>(Vec<[String; COLUMNS]>);

impl<const COLUMNS: usize> Table<COLUMNS> {
    pub(super) fn new(heading: [&str; COLUMNS]) -> Self {
        Self(vec![heading.map(ToOwned::to_owned)])
    }

    pub(super) fn row(&mut self, row: [&str; COLUMNS]) {
        self.0.push(row.map(ToOwned::to_owned));
    }
}

impl<const COLUMNS: usize> fmt::Display for Table<COLUMNS> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let widths: [usize; COLUMNS] =
            std::array::from_fn(|column| widest(self.0.iter().map(|row| row[column].as_str())));
        for row in &self.0 {
            let columns = row.iter().zip(widths);
            let line: String = columns.map(|(text, width)| format!("{text:<width$}  ")).collect();
            writeln!(formatter, "{}", line.trim_end())?;
        }
        Ok(())
    }
}

/// How many characters the longest of some texts has.
fn widest<'a>(texts: impl Iterator<Item = &'a str>) -> usize {
    texts.map(|text| text.chars().count()).max().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_what_is_in_them() {
        let mut table = Table::new(["CLUSTER", "ROLE", "SERVER"]);
        table.row(["größer-als-alle", "hub", "https://a"]);
        table.row(["b", "spoke", ""]);
        let expected =
            "CLUSTER          ROLE   SERVER\ngrößer-als-alle  hub    https://a\nb                spoke\n";
        assert_eq!(table.to_string(), expected);
    }
}
