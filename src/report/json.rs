//! One event a line on stdout.

use std::io::Write;

use crate::engine::event::Stamped;

pub(super) fn print(stamped: &Stamped) {
    if let Ok(line) = serde_json::to_string(stamped) {
        // A reader that went away does not stop the run.
        let _ = writeln!(std::io::stdout().lock(), "{line}");
    }
}
