//! Questions to the person.

use std::io::{BufRead, Write};

use super::error::CommandError;
use crate::report;

/// Whether there is a terminal to ask on; asked before anything is looked at that would only be asked about.
pub(super) fn somebody() -> Result<(), CommandError> {
    let is_there = rustix::termios::isatty(std::io::stdin()) && rustix::termios::isatty(std::io::stderr());
    if is_there { Ok(()) } else { Err(CommandError::NobodyToAsk) }
}

/// Asks a question on the terminal that only `expected` answers with yes; where that is `yes` itself, `y` does as
/// well. After a no nothing was changed, and that is said.
pub(super) fn ask(question: &str, expected: &str) -> Result<bool, CommandError> {
    let is_yes = says_yes(&answer(question)?, expected);
    if !is_yes {
        report::say("Declined: nothing was changed");
    }
    Ok(is_yes)
}

/// What a person types on the terminal; nothing where that cannot be read.
pub(super) fn answer(question: &str) -> Result<String, CommandError> {
    somebody()?;
    let _ = write!(std::io::stderr().lock(), "{question} ");
    let mut typed = String::new();
    let read = std::io::stdin().lock().read_line(&mut typed);
    Ok(if read.is_ok() { typed.trim().to_owned() } else { String::new() })
}

fn says_yes(answer: &str, expected: &str) -> bool {
    let answer = answer.trim();
    answer.eq_ignore_ascii_case(expected) || (expected == "yes" && answer.eq_ignore_ascii_case("y"))
}

#[cfg(test)]
mod tests {
    use super::says_yes;

    #[test]
    fn yes_has_a_short_form_and_a_name_has_none() {
        for answer in ["yes\n", "YES", "y", " Y "] {
            assert!(says_yes(answer, "yes"), "{answer}");
        }
        for answer in ["", "\n", "n", "no", "ye", "yess"] {
            assert!(!says_yes(answer, "yes"), "{answer}");
        }
        assert!(says_yes("home\n", "home") && !says_yes("y", "home") && !says_yes("h", "home"));
    }
}
