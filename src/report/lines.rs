//! A line on stderr for everything that happens.

use std::io::Write;

use anstyle::{AnsiColor, Style};
use jiff::Timestamp;

use super::crowd::{Crowd, Line};
use super::is_quiet;
use crate::engine::Change;
use crate::engine::event::{Event, Stamped, Subject};

const GOOD: Style = AnsiColor::Green.on_default();
const CHANGING: Style = AnsiColor::Cyan.on_default();
const BAD: Style = AnsiColor::Red.on_default().bold();
const DIM: Style = Style::new().dimmed();

/// Turns events into lines. The time at the front counts from the first event.
pub(super) struct Lines {
    began: Option<Timestamp>,
    crowd: Crowd,
}

impl Lines {
    pub(super) fn new() -> Self {
        Self { began: None, crowd: Crowd::default() }
    }

    pub(super) fn line(&mut self, stamped: &Stamped) -> Option<String> {
        let began = *self.began.get_or_insert(stamped.time);
        let seconds = stamped.time.duration_since(began).as_secs_f64();
        let line = |step: &str, style: Style, text: &str| {
            format!("{DIM}{seconds:6.1} s{DIM:#}  {step:<30} {style}{text}{style:#}")
        };
        match self.crowd.line(stamped) {
            Line::Counted => return None,
            Line::Counts(counts) => {
                let lines: Vec<_> = counts.iter().map(|(step, text)| line(step, DIM, text)).collect();
                return (!lines.is_empty()).then(|| lines.join("\n"));
            }
            Line::Own => {}
        }
        if is_quiet(&stamped.event) {
            return None;
        }
        let (subject, style, text) = describe(&stamped.event)?;
        Some(line(subject.step.as_str(), style, &text))
    }
}

pub(super) fn print(line: &str) {
    // Nothing can be said about a stderr that cannot be written to.
    let _ = writeln!(anstream::stderr().lock(), "{line}");
}

fn describe(event: &Event) -> Option<(&Subject, Style, String)> {
    Some(match event {
        Event::Observing(_) | Event::Departed { .. } | Event::Finished { .. } => return None,
        Event::Unchanged(subject) => (subject, DIM, "unchanged".to_owned()),
        Event::Planned { subject, changes } => (subject, CHANGING, format!("would {}", list(changes))),
        Event::Blocked { subject, on } => (subject, DIM, format!("known after the {on}")),
        Event::Applying { subject, changes } => (subject, CHANGING, list(changes)),
        Event::Progress { subject, message } => (subject, DIM, message.clone()),
        Event::Applied { subject, seconds, .. } => (subject, GOOD, format!("done in {seconds:.1} s")),
        Event::Failed { subject, error, causes, hint } => {
            (subject, BAD, failure(error, causes, hint.as_deref()))
        }
        Event::Skipped { subject, because } => (subject, DIM, format!("skipped: {because}")),
    })
}

/// The first few changes; the rest as a number.
pub(super) fn list(changes: &[Change]) -> String {
    const SHOWN: usize = 3;
    let mut text = changes.iter().take(SHOWN).map(ToString::to_string).collect::<Vec<_>>().join("; ");
    if changes.len() > SHOWN {
        text.push_str(&format!("; and {} more", changes.len() - SHOWN));
    }
    text
}

fn failure(error: &str, causes: &[String], hint: Option<&str>) -> String {
    let mut text = format!("error: {error}");
    for cause in causes {
        text.push_str(&format!("\n  caused by: {cause}"));
    }
    if let Some(hint) = hint {
        text.push_str(&format!("\n  hint: {hint}"));
    }
    text
}

pub(super) fn print_error(error: &str, causes: &[String], hint: Option<&str>) {
    print(&format!("{BAD}{}{BAD:#}", failure(error, causes, hint)));
}
