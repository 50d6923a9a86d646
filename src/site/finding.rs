//! What is wrong in a site's files, shown where it is wrong.

use std::fmt;
use std::ops::Range;

use miette::{Diagnostic, GraphicalReportHandler, GraphicalTheme, LabeledSpan, NamedSource, SourceCode};
use serde::Serialize;

/// One thing that is wrong in a site's files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What is wrong.
    pub message: String,
    /// Where, in bytes of the [`Sources`].
    pub span: Range<usize>,
    /// What to write instead.
    pub help: Option<String>,
}

impl Finding {
    /// Something is wrong at a place.
    pub fn new(span: Range<usize>, message: impl Into<String>) -> Self {
        Self { message: message.into(), span, help: None }
    }

    /// Adds what to write instead.
    #[must_use]
    pub fn with_help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// The finding in a text that begins later in the [`Sources`].
    #[must_use]
    pub(super) fn after(mut self, start: usize) -> Self {
        self.span = self.span.start + start..self.span.end + start;
        self
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.message)
    }
}

impl std::error::Error for Finding {}

impl Diagnostic for Finding {
    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.help.as_ref().map(|help| Box::new(help) as Box<dyn fmt::Display>)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let label = LabeledSpan::new_primary_with_span(None, self.span.clone());
        Some(Box::new(std::iter::once(label)))
    }
}

/// The texts that a site is read from. Their spans are in one row: each text begins after the one before it, so
/// that a span alone tells which text it is in.
#[derive(Debug, Default)]
pub struct Sources(Vec<Source>);

#[derive(Debug)]
struct Source {
    start: usize,
    text: NamedSource<String>,
}

impl Sources {
    /// Adds a text; returns where its spans begin.
    pub fn add(&mut self, name: &str, text: &str) -> usize {
        // One byte between two texts belongs to the first: something may be missing at its end.
        let start = self.0.last().map_or(0, |last| last.start + last.text.inner().len() + 1);
        self.0.push(Source { start, text: NamedSource::new(name, text.to_owned()) });
        start
    }

    /// Makes what stands at a place unreadable, without moving anything.
    pub fn hide(&mut self, span: &Range<usize>) {
        let Some(index) = self.index(span.start) else { return };
        let Source { start, text } = &mut self.0[index];
        let mut shown = text.inner().clone();
        let span = shown_span(&shown, &(span.start - *start..span.end.saturating_sub(*start)));
        let hidden: String = shown[span.clone()]
            .chars()
            .map(
                |character| {
                    if character == '\n' { "\n".to_owned() } else { "*".repeat(character.len_utf8()) }
                },
            )
            .collect();
        shown.replace_range(span, &hidden);
        *text = NamedSource::new(text.name(), shown);
    }

    fn index(&self, position: usize) -> Option<usize> {
        self.0.iter().rposition(|source| source.start <= position)
    }
}

/// Everything that is wrong in one site's texts, in their order.
#[derive(Debug)]
pub struct Findings {
    sources: Sources,
    findings: Vec<(usize, Finding)>,
}

/// A finding for programs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Row<'a> {
    /// The file, or `command line`.
    pub file: &'a str,
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
    /// What is wrong.
    pub message: &'a str,
    /// What to write instead.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub help: Option<&'a str>,
}

impl Findings {
    /// The findings in some texts.
    #[must_use]
    pub fn new(sources: Sources, findings: Vec<Finding>) -> Self {
        let mut placed: Vec<_> = findings
            .into_iter()
            .filter_map(|mut finding| {
                let index = sources.index(finding.span.start)?;
                let Source { start, text } = &sources.0[index];
                let span = finding.span.start - start..finding.span.end.saturating_sub(*start);
                finding.span = shown_span(text.inner(), &span);
                Some((index, finding))
            })
            .collect();
        placed.sort_by_key(|(source, finding)| (*source, finding.span.start));
        Self { sources, findings: placed }
    }

    /// The findings for programs.
    #[must_use]
    pub fn rows(&self) -> Vec<Row<'_>> {
        self.findings.iter().map(|(source, finding)| self.row(*source, finding)).collect()
    }

    fn row<'a>(&'a self, source: usize, finding: &'a Finding) -> Row<'a> {
        let text = &self.sources.0[source].text;
        let before = &text.inner()[..finding.span.start];
        let start_of_line = before.rfind('\n').map_or(0, |newline| newline + 1);
        Row {
            file: text.name(),
            line: before.matches('\n').count() + 1,
            column: before[start_of_line..].chars().count() + 1,
            message: &finding.message,
            help: finding.help.as_deref(),
        }
    }

    /// The findings for people: each with its lines, a caret and what to write instead.
    ///
    /// `color` is for terminals that want it; without it the text is plain ASCII, but for what it quotes.
    #[must_use]
    pub fn render(&self, color: bool, width: usize) -> String {
        let theme = if color { GraphicalTheme::unicode() } else { GraphicalTheme::none() };
        let handler = GraphicalReportHandler::new_themed(theme).with_width(width);
        let mut text = String::new();
        for (index, source) in self.sources.0.iter().enumerate() {
            let findings: Vec<_> = self
                .findings
                .iter()
                .filter(|(source, _)| *source == index)
                .map(|(_, finding)| finding)
                .collect();
            if !findings.is_empty() {
                // Writing to a string cannot fail, and a span that miette cannot show still leaves the rest.
                let _ = handler.render_report(&mut text, &OfOneText { text: &source.text, findings });
            }
        }
        text
    }
}

/// The span within the text; where something is missing, the character that stands there: a caret needs one.
fn shown_span(text: &str, span: &Range<usize>) -> Range<usize> {
    let start = text.floor_char_boundary(span.start.min(text.len()));
    let next = text[start..].chars().next().map_or(start, |next| start + next.len_utf8());
    start..text.ceil_char_boundary(span.end.min(text.len())).max(next)
}

impl fmt::Display for Findings {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut names: Vec<_> = self
            .findings
            .iter()
            .map(|(source, _)| format!("`{}`", self.sources.0[*source].text.name()))
            .collect();
        names.dedup();
        write!(formatter, "{} wrong in {}", things(self.findings.len()), names.join(" and "))
    }
}

impl std::error::Error for Findings {}

fn things(count: usize) -> String {
    if count == 1 { "1 thing is".to_owned() } else { format!("{count} things are") }
}

/// What is wrong in one of the texts.
#[derive(Debug)]
struct OfOneText<'a> {
    text: &'a NamedSource<String>,
    findings: Vec<&'a Finding>,
}

impl fmt::Display for OfOneText<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} wrong in `{}`", things(self.findings.len()), self.text.name())
    }
}

impl std::error::Error for OfOneText<'_> {}

impl Diagnostic for OfOneText<'_> {
    fn source_code(&self) -> Option<&dyn SourceCode> {
        Some(self.text)
    }

    fn related<'a>(&'a self) -> Option<Box<dyn Iterator<Item = &'a dyn Diagnostic> + 'a>> {
        Some(Box::new(self.findings.iter().map(|finding| *finding as &dyn Diagnostic)))
    }
}

/// The known word that was probably meant.
pub(super) fn nearest<'a>(word: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let distance = |known: &str| strsim::damerau_levenshtein(word, known);
    let nearest = known.min_by_key(|known| distance(known))?;
    // A third of the letters may be wrong: more is another word.
    (distance(nearest) <= nearest.len().max(3) / 3).then_some(nearest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings() -> Findings {
        let text = "# größe\n[hub]\nnmae = \"x\"\n";
        let mut sources = Sources::default();
        sources.add("sites/x/profile.toml", text);
        let typo = Finding::new(16..20, "unknown key `hub.nmae`").with_help("did you mean `name`?");
        Findings::new(sources, vec![Finding::new(900..901, "cut off"), typo])
    }

    #[test]
    fn rows_have_positions_in_characters() {
        let findings = findings();
        let rows = findings.rows();
        assert_eq!((rows[0].line, rows[0].column, rows[0].message), (3, 1, "unknown key `hub.nmae`"));
        assert_eq!((rows[1].line, rows[1].column, rows[1].message), (4, 1, "cut off"));
        assert_eq!(shown_span("é=", &(0..0)), 0..2);
    }

    #[test]
    fn a_span_tells_which_text_it_is_in() {
        let mut sources = Sources::default();
        assert_eq!(sources.add("one", "a = 1\n"), 0);
        let two = sources.add("two", "größe = 'x\ny'\n");
        let end = Finding::new(6..6, "at the end");
        let value = Finding::new(two + 10..two + 15, "value");
        sources.hide(&value.span);
        let findings = Findings::new(sources, vec![value, end]);
        let places: Vec<_> = findings.rows().iter().map(|row| (row.file, row.line, row.column)).collect();
        assert_eq!(places, [("one", 2, 1), ("two", 1, 9)]);
        let text = findings.render(false, 80);
        assert!(text.contains("größe = **") && !text.contains("'x"), "{text}");
        assert_eq!(findings.to_string(), "2 things are wrong in `one` and `two`");
    }

    #[test]
    fn plain_text_is_ascii_and_points_at_the_place() {
        let text = findings().render(false, 100);
        assert!(text.contains("2 things are wrong in"), "{text}");
        assert!(text.contains("[sites/x/profile.toml:3:1]"), "{text}");
        assert!(text.contains("^^"), "{text}");
        assert!(text.contains("did you mean `name`?"), "{text}");
        assert!(!text.contains('\u{1b}'), "{text}");
        assert!(findings().render(true, 100).contains('\u{1b}'));
    }
}
