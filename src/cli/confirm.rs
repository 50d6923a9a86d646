//! Questions to the person.

use std::io::{BufRead, Write};

use super::error::CommandError;

/// Whether there is a terminal to ask on; asked before anything is looked at that would only be asked about.
pub(super) fn somebody() -> Result<(), CommandError> {
    let is_there = rustix::termios::isatty(std::io::stdin()) && rustix::termios::isatty(std::io::stderr());
    if is_there { Ok(()) } else { Err(CommandError::NobodyToAsk) }
}

/// Asks a question on the terminal that only `expected` answers with yes.
pub(super) fn ask(question: &str, expected: &str) -> Result<bool, CommandError> {
    somebody()?;
    let _ = write!(std::io::stderr().lock(), "{question} ");
    let mut answer = String::new();
    let read = std::io::stdin().lock().read_line(&mut answer);
    Ok(read.is_ok() && answer.trim().eq_ignore_ascii_case(expected))
}
