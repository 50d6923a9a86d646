//! The one way in which a value gets into a script.

/// A value as one word of a POSIX shell, whatever is in it. (No word can have a zero byte.)
#[must_use]
pub fn quote(value: &str) -> String {
    format!("'{}'", value.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use proptest::prelude::*;

    use super::*;

    fn through_a_shell(value: &str) -> String {
        let script = format!("printf %s {}", quote(value));
        let output = Command::new("sh").args(["-c", &script]).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    }

    #[test]
    fn hostile_words_stay_words() {
        for value in
            ["", " ", "'", "''", "$(id)", "`id`", "a\nb\n", "\\", "!x", "-n", "*", "~", "é'\"$HOME;#&|"]
        {
            assert_eq!(through_a_shell(value), value);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]
        #[test]
        fn any_word_stays_that_word(value in "[^\0]{0,40}") {
            prop_assert_eq!(through_a_shell(&value), value);
        }
    }
}
