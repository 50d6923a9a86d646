//! `key=value` lines, as the scripts print them.

use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::LookError;

/// What one script said of one host.
pub(super) struct Lines<'a> {
    host: &'a str,
    lines: Vec<(&'a str, &'a str)>,
}

impl<'a> Lines<'a> {
    /// The lines up to `end=<part>`, without which the script did not get to its end.
    pub(super) fn of(host: &'a str, text: &'a str, part: &str) -> Result<Self, LookError> {
        let lines: Vec<_> = text.lines().filter_map(|line| line.split_once('=')).collect();
        if lines.contains(&("end", part)) {
            return Ok(Self { host, lines });
        }
        // The values may be secret, whole or cut off.
        let said = lines.last().map_or("it said nothing".to_owned(), |(key, _)| format!("after its {key}"));
        Err(LookError::BrokenOff { host: host.to_owned(), said })
    }

    /// Every value of a key.
    pub(super) fn all(&self, key: &str) -> impl Iterator<Item = &'a str> {
        self.lines.iter().filter(move |(found, _)| *found == key).map(|(_, value)| *value)
    }

    /// The value of a key, unless it is absent or empty.
    pub(super) fn get(&self, key: &str) -> Option<&'a str> {
        self.all(key).next().filter(|value| !value.is_empty())
    }

    /// The value of a key as text; empty if it is absent.
    pub(super) fn text(&self, key: &str) -> String {
        self.get(key).unwrap_or_default().to_owned()
    }

    /// The value of a key as a number.
    pub(super) fn number<N: FromStr>(&self, key: &str) -> Result<N, LookError> {
        let value = self.get(key).unwrap_or_default();
        value.parse().map_err(|_| self.value(key, value))
    }

    /// Every content of a file that a key has.
    pub(super) fn contents(&self, key: &str) -> Result<Vec<String>, LookError> {
        let decoded = self.all(key).map(|value| {
            let bytes = STANDARD.decode(value).ok();
            // The value itself may be secret.
            bytes.and_then(|bytes| String::from_utf8(bytes).ok()).ok_or_else(|| self.value(key, ".."))
        });
        decoded.collect()
    }

    /// What is wrong with a value.
    pub(super) fn value(&self, key: &str, value: &str) -> LookError {
        LookError::Value { host: self.host.to_owned(), key: key.to_owned(), value: value.to_owned() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_that_breaks_off_tells_nothing_of_its_values() {
        for text in ["SubState=running\ntoken=SzEwYWI6OnNlcnZlcjpwYXNz", "token=SzEwYWI6OnNlcnZlcjpwYXNz\nen"]
        {
            let error = Lines::of("pi", text, "service").err().unwrap().to_string();
            assert_eq!(error, "the look at the host pi broke off: after its token");
        }
    }
}
