//! What is wrong in a profile, shown where it is wrong.

use std::fmt;
use std::ops::Range;

use miette::{Diagnostic, GraphicalReportHandler, GraphicalTheme, LabeledSpan, NamedSource, SourceCode};
use serde::Serialize;

/// One thing that is wrong in a profile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What is wrong.
    pub message: String,
    /// Where, in bytes of the profile's text.
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

/// Everything that is wrong in one profile, in the order of its text.
#[derive(Debug)]
pub struct Findings {
    source: NamedSource<String>,
    findings: Vec<Finding>,
}

/// A finding for programs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Row<'a> {
    /// The profile's file.
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
    /// The findings in the text of a file.
    #[must_use]
    pub fn new(file: &str, text: &str, mut findings: Vec<Finding>) -> Self {
        for finding in &mut findings {
            finding.span = shown(text, &finding.span);
        }
        findings.sort_by_key(|finding| finding.span.start);
        Self { source: NamedSource::new(file, text.to_owned()), findings }
    }

    /// The findings for programs.
    #[must_use]
    pub fn rows(&self) -> Vec<Row<'_>> {
        self.findings.iter().map(|finding| self.row(finding)).collect()
    }

    fn row<'a>(&'a self, finding: &'a Finding) -> Row<'a> {
        let before = &self.source.inner()[..finding.span.start];
        let start_of_line = before.rfind('\n').map_or(0, |newline| newline + 1);
        Row {
            file: self.source.name(),
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
        let mut text = String::new();
        let handler = GraphicalReportHandler::new_themed(theme).with_width(width);
        // Writing to a string cannot fail, and a span that miette cannot show still leaves the rest.
        let _ = handler.render_report(&mut text, self);
        text
    }
}

/// The span within the text; where something is missing, the character that stands there: a caret needs one.
fn shown(text: &str, span: &Range<usize>) -> Range<usize> {
    let start = text.floor_char_boundary(span.start.min(text.len()));
    let next = text[start..].chars().next().map_or(start, |next| start + next.len_utf8());
    start..text.ceil_char_boundary(span.end.min(text.len())).max(next)
}

impl fmt::Display for Findings {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let things = if self.findings.len() == 1 { "thing is" } else { "things are" };
        write!(formatter, "{} {things} wrong in `{}`", self.findings.len(), self.source.name())
    }
}

impl std::error::Error for Findings {}

impl Diagnostic for Findings {
    fn source_code(&self) -> Option<&dyn SourceCode> {
        Some(&self.source)
    }

    fn related<'a>(&'a self) -> Option<Box<dyn Iterator<Item = &'a dyn Diagnostic> + 'a>> {
        Some(Box::new(self.findings.iter().map(|finding| finding as &dyn Diagnostic)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings() -> Findings {
        let text = "# größe\n[hub]\nnmae = \"x\"\n";
        let typo = Finding::new(16..20, "unknown key `hub.nmae`").with_help("did you mean `name`?");
        Findings::new("sites/x/profile.toml", text, vec![Finding::new(900..901, "cut off"), typo])
    }

    #[test]
    fn rows_have_positions_in_characters() {
        let findings = findings();
        let rows = findings.rows();
        assert_eq!((rows[0].line, rows[0].column, rows[0].message), (3, 1, "unknown key `hub.nmae`"));
        assert_eq!((rows[1].line, rows[1].column, rows[1].message), (4, 1, "cut off"));
        assert_eq!(shown("é=", &(0..0)), 0..2);
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
