//! Reporters: the only code that prints a run. Progress goes to stderr; stdout is for data.

mod crowd;
mod json;
mod left_out;
mod lines;
mod live;
pub mod picture;
mod plan;

use std::sync::{Mutex, PoisonError};

pub use left_out::left_out;
pub use plan::plan;

use crate::engine::event::{Event, Stamped};

/// How a run is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Output {
    /// One moving line of what is at work, and a line for everything done. For terminals.
    Live,
    /// A line for everything that happens.
    Lines,
    /// One event a line on stdout, for machines.
    Json,
}

/// A function that shows every event it is given.
#[must_use]
pub fn reporter(output: Output) -> Box<dyn Fn(&Stamped) + Send + Sync> {
    match output {
        Output::Live => {
            let live = live::Live::new();
            Box::new(move |stamped| live.show(stamped))
        }
        Output::Lines => {
            let lines = Mutex::new(lines::Lines::new());
            Box::new(move |stamped| {
                let line = lines.lock().unwrap_or_else(PoisonError::into_inner).line(stamped);
                if let Some(line) = line {
                    lines::print(&line);
                }
            })
        }
        Output::Json => Box::new(json::print),
    }
}

/// Whether an event is about something that a person need not see.
const fn is_quiet(event: &Event) -> bool {
    matches!(event, Event::Observing(_) | Event::Departed { .. } | Event::Finished { .. })
}

/// Says what left the profile and is still there, if anything, and why it is not known whether there is more.
pub fn say_departed(things: &[String], unseen: &[String]) {
    let mut text = String::new();
    plan::write_departed(&mut text, things, unseen);
    if !text.is_empty() {
        say(text.trim_end());
    }
}

/// Says something to the person, on stderr.
pub fn say(text: &str) {
    lines::print(text);
}

/// Says that something failed: the error, its causes, and what to do about it.
pub fn error(error: &str, causes: &[String], hint: Option<&str>) {
    lines::print_error(error, causes, hint);
}
