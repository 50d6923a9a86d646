//! One moving line of what is at work; a line above it for everything that is done.

use std::collections::BTreeMap;
use std::sync::{Mutex, Once, PoisonError};
use std::time::Duration;

use indicatif::ProgressStyle;

use super::lines::Lines;
use crate::engine::event::{Event, Stamped, Subject};
use crate::engine::step::StepId;

#[expect(clippy::disallowed_types, reason = "this is where drawing belongs")]
pub(super) struct Live {
    bar: indicatif::ProgressBar,
    /// Begun with the first event: before it, there may be a question to the person.
    moving: Once,
    state: Mutex<(Lines, BTreeMap<StepId, String>)>,
}

impl Live {
    #[expect(clippy::disallowed_types, reason = "this is where drawing belongs")]
    pub(super) fn new() -> Self {
        let bar = indicatif::ProgressBar::new_spinner();
        if let Ok(style) = ProgressStyle::with_template("{spinner} {elapsed} {wide_msg}") {
            bar.set_style(style);
        }
        Self { bar, moving: Once::new(), state: Mutex::new((Lines::new(), BTreeMap::new())) }
    }

    pub(super) fn show(&self, stamped: &Stamped) {
        self.moving.call_once(|| self.bar.enable_steady_tick(Duration::from_millis(120)));
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let (lines, at_work) = &mut *state;
        let line = lines.line(stamped);
        match &stamped.event {
            Event::Applying { subject, .. } => note(at_work, subject, String::new()),
            Event::Progress { subject, message } => note(at_work, subject, format!(": {message}")),
            Event::Finished { .. } => {
                self.bar.finish_and_clear();
                if let Some(line) = line {
                    super::lines::print(&line);
                }
            }
            event => {
                if let Some(subject) = over(event) {
                    at_work.remove(&subject.step);
                    if let Some(line) = line {
                        self.bar.suspend(|| super::lines::print(&line));
                    }
                }
            }
        }
        let message = at_work.iter().map(|(step, text)| format!("{step}{text}")).collect::<Vec<_>>();
        self.bar.set_message(message.join(" | "));
    }
}

fn note(at_work: &mut BTreeMap<StepId, String>, subject: &Subject, text: String) {
    at_work.insert(subject.step.clone(), text);
}

/// The subject of an event after which nothing more is heard of its step.
const fn over(event: &Event) -> Option<&Subject> {
    match event {
        Event::Unchanged(subject)
        | Event::Planned { subject, .. }
        | Event::Blocked { subject, .. }
        | Event::Applied { subject, .. }
        | Event::Failed { subject, .. }
        | Event::Skipped { subject, .. } => Some(subject),
        Event::Observing(_)
        | Event::Applying { .. }
        | Event::Progress { .. }
        | Event::Departed { .. }
        | Event::Finished { .. } => None,
    }
}
