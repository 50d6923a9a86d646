//! Questions to the person.

use std::io::{BufRead, Write};

use super::error::CommandError;

/// Asks a question on the terminal that only `expected` answers with yes.
pub(super) fn ask(question: &str, expected: &str) -> Result<bool, CommandError> {
    if !rustix::termios::isatty(std::io::stdin()) || !rustix::termios::isatty(std::io::stderr()) {
        return Err(CommandError::NobodyToAsk);
    }
    let _ = write!(std::io::stderr().lock(), "{question} ");
    let mut answer = String::new();
    let read = std::io::stdin().lock().read_line(&mut answer);
    Ok(read.is_ok() && answer.trim().eq_ignore_ascii_case(expected))
}
