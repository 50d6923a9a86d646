//! The marks between which a script answers. What else comes over a connection (a greeting of a start-up file, what a
//! `sudo` or a login shell says instead of running anything) is outside of them, and what was cut off has no end.

use std::fmt::Write;

use rustix::rand::{GetRandomFlags, getrandom};

/// The marks of one script, drawn by chance. No text of the script holds one as it is written when it runs, so a shell
/// that repeats what it reads does not write one either.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Frame(String);

/// What came between the marks.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// All that the script wrote.
    Whole(Vec<u8>),
    /// The script began and did not come to its end.
    BrokenOff(Vec<u8>),
    /// No shell has run the script.
    Absent,
}

impl Frame {
    pub(super) fn new() -> Self {
        let mut bytes = [0; 8];
        // Without chance they would still be words that nothing else says by accident.
        let _ = getrandom(&mut bytes, GetRandomFlags::empty());
        Self(bytes.iter().fold(String::new(), |mut text, byte| {
            // Writing to a string cannot fail.
            let _ = write!(text, "{byte:02x}");
            text
        }))
    }

    /// The script with its marks. It is run only if it has arrived in full. `input` says what it reads.
    pub(super) fn around(&self, script: &str, input: &str) -> String {
        let (begin, end) = (self.say("begin"), self.say("end"));
        format!("{begin}\n{begin} >&2\n{{\n(\n{script}\n) {input}\nstatus=$?\n{end}\nexit $status\n}}\n")
    }

    /// What a script runs to say a word that nothing else can be taken for.
    pub(super) fn say(&self, word: &str) -> String {
        format!("printf '{word}-%s\\n' {}", self.0)
    }

    /// The word as it is said.
    pub(super) fn word(&self, word: &str) -> Vec<u8> {
        format!("{word}-{}\n", self.0).into_bytes()
    }

    /// What a script wrote to its standard output.
    pub(super) fn answer(&self, stdout: &[u8]) -> Answer {
        let Some(said) = self.after_begin(stdout) else { return Answer::Absent };
        match said.strip_suffix(self.word("end").as_slice()) {
            Some(whole) => Answer::Whole(whole.to_owned()),
            None => Answer::BrokenOff(said.to_owned()),
        }
    }

    /// What a script wrote to its standard error, or all that came if it wrote nothing.
    pub(super) fn message(&self, stderr: &[u8]) -> String {
        String::from_utf8_lossy(self.after_begin(stderr).unwrap_or(stderr)).into_owned()
    }

    fn after_begin<'a>(&self, bytes: &'a [u8]) -> Option<&'a [u8]> {
        let begin = self.word("begin");
        let place = bytes.windows(begin.len()).position(|window| window == begin)?;
        Some(&bytes[place + begin.len()..])
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    fn run(shell: &[&str], script: &str) -> (Answer, String, Option<i32>) {
        let frame = Frame::new();
        let text = frame.around(script, "</dev/null");
        let output = Command::new(shell[0]).args(&shell[1..]).arg(text).output().unwrap();
        (frame.answer(&output.stdout), frame.message(&output.stderr), output.status.code())
    }

    #[test]
    fn what_a_script_writes_is_its_answer_and_nothing_else() {
        let (answer, message, status) = run(&["sh", "-c"], "printf a; echo b >&2; exit 3");
        assert_eq!((answer, message.as_str(), status), (Answer::Whole(b"a".to_vec()), "b\n", Some(3)));
        let (answer, ..) = run(&["sh", "-c"], "printf 'end-\\n'");
        assert_eq!(answer, Answer::Whole(b"end-\n".to_vec()));
    }

    #[test]
    fn what_no_shell_has_run_is_no_answer() {
        assert_eq!(run(&["printf", "%s"], "echo a").0, Answer::Absent);
        assert_eq!(run(&["sh", "-c"], "echo a; kill -9 $$").0, Answer::BrokenOff(b"a\n".to_vec()));
        let (answer, _, status) = run(&["sh", "-c"], "if true; then");
        assert!(answer == Answer::Absent || answer == Answer::BrokenOff(Vec::new()), "{answer:?}");
        assert_ne!(status, Some(0));
    }
}
