//! Words of shell commands that are printed for the user to run.

use crate::unprintable::is_unprintable;
use std::fmt::Write as _;

/// Quotes a text as one word of a shell, if it needs that.
///
/// Names come from strangers: characters that a terminal would obey or not show are written as escapes between `$'` and
/// `'`, which bash, zsh and ksh turn back into the same word.
#[must_use]
pub fn shell_word(text: &str) -> String {
    let is_plain =
        |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '/' | ':' | '@' | '%' | '+' | ',');
    if !text.is_empty() && text.chars().all(is_plain) {
        return text.to_owned();
    }
    if !text.contains(is_unprintable) {
        return format!("'{}'", text.replace('\'', r"'\''"));
    }
    let mut word = String::from("$'");
    for c in text.chars() {
        // Writing to a `String` does not fail.
        let _ = match c {
            '\'' | '\\' => write!(word, "\\{c}"),
            c if !is_unprintable(c) => write!(word, "{c}"),
            c if c.is_ascii() => write!(word, "\\x{:02x}", u32::from(c)),
            c => write!(word, "\\U{:08x}", u32::from(c)),
        };
    }
    word.push('\'');
    word
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::process::Command;

    #[test]
    fn words_of_a_shell() {
        for (text, expected) in [
            ("s3://my-logs/", "s3://my-logs/"),
            ("/home/me/a b.credentials", "'/home/me/a b.credentials'"),
            ("bucket=a", "'bucket=a'"),
            ("it's", r"'it'\''s'"),
            ("$(id)", "'$(id)'"),
            ("", "''"),
            ("`id`\n\\'", r"$'`id`\x0a\\\''"),
            ("\u{202e}x", r"$'\U0000202ex'"),
        ] {
            assert_eq!(shell_word(text), expected);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

        /// A shell reads the text, and a terminal obeys nothing of it.
        #[test]
        fn a_shell_reads_the_text(text in "[ -~\u{1}-\u{1f}é\u{85}\u{202e}\u{e0041}]{0,12}") {
            let word = shell_word(&text);
            prop_assert!(!word.contains(is_unprintable));
            let echo = format!("printf %s {word}");
            match Command::new("bash").env("LC_ALL", "C.UTF-8").args(["-c", &echo]).output() {
                Ok(output) => prop_assert_eq!(String::from_utf8_lossy(&output.stdout), text.as_str()),
                Err(error) => eprintln!("skipped, no bash: {error}"),
            }
        }
    }
}
