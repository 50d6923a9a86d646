//! The command as it was typed, for hints: every option of it counts.

/// The command, quoted for a shell where it has to be.
pub(super) fn command() -> String {
    as_one(std::env::args_os().skip(1).map(|word| word.to_string_lossy().into_owned()))
}

/// The command that undoes what the typed one did to an addon.
pub(super) fn opposite() -> String {
    opposite_of(std::env::args_os().skip(1).map(|word| word.to_string_lossy().into_owned()).collect())
}

fn opposite_of(mut words: Vec<String>) -> String {
    let addon = words.iter().position(|word| word == "addon").unwrap_or_default();
    if let Some(way) = words[addon..].iter_mut().find(|word| matches!(word.as_str(), "on" | "off")) {
        if way == "on" { "off" } else { "on" }.clone_into(way);
    }
    words.retain(|word| word != "--keep");
    as_one(words)
}

fn as_one(words: impl IntoIterator<Item = String>) -> String {
    let words = words.into_iter().map(|word| quoted(&word));
    std::iter::once("bridgehead".to_owned()).chain(words).collect::<Vec<_>>().join(" ")
}

fn quoted(word: &str) -> String {
    let is_plain = |character: char| character.is_ascii_alphanumeric() || "-_=./:,@%+~".contains(character);
    if !word.is_empty() && !word.starts_with('~') && word.chars().all(is_plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::{opposite_of, quoted};

    #[test]
    fn what_was_switched_on_is_switched_off_with_the_same_options() {
        for (typed, opposite) in [
            ("addon on home keda --wave 5", "bridgehead addon off home keda --wave 5"),
            ("--root on addon off home off --keep --yes", "bridgehead --root on addon on home off --yes"),
        ] {
            assert_eq!(opposite_of(typed.split(' ').map(ToOwned::to_owned).collect()), opposite);
        }
    }

    #[test]
    fn words_that_a_shell_would_change_are_quoted() {
        for plain in ["down", "--cluster=b", "sites/home:1", "team=a,b"] {
            assert_eq!(quoted(plain), plain);
        }
        assert_eq!(quoted("a b"), "'a b'");
        assert_eq!(quoted("it's"), r"'it'\''s'");
        assert_eq!(quoted(""), "''");
        assert_eq!(quoted("$HOME"), "'$HOME'");
    }
}
