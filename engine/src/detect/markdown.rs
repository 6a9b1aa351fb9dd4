//! Escapes untrusted text for Markdown.
//!
//! Clients choose keys, user agents and referers. None of them may create links, images, HTML, line breaks or changes
//! of text direction in a report. [`code`] is for text written by clients, [`prose`] for sentences that may contain
//! some of it. Both are only used within a line, never at its start.

use crate::unprintable::is_unprintable;

/// Maximum number of characters shown of a text.
const SHOWN: usize = 256;

/// Formats a text as a code span, in which nothing is Markdown or HTML, with a fence that does not occur in it.
pub(super) fn code(text: &str) -> String {
    let text = visible(text);
    if text.is_empty() {
        return "(empty)".to_owned();
    }
    let longest = text.split(|character| character != '`').map(str::len).max().unwrap_or_default();
    let fence = "`".repeat(longest + 1);
    // One space at both ends is stripped by Markdown; needed if the text begins or ends with a backtick or a space.
    let space = if text.starts_with(['`', ' ']) || text.ends_with(['`', ' ']) { " " } else { "" };
    format!("{fence}{space}{text}{space}{fence}")
}

/// Escapes a sentence, makes invisible characters visible, and limits its length.
pub(super) fn prose(text: &str) -> String {
    escape_markdown(&visible(text))
}

/// Escapes everything in a line of text that GitHub's Markdown or HTML would interpret, and what would become a link.
#[must_use]
pub fn escape_markdown(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    let mut characters = text.chars().peekable();
    let mut last = ' ';
    while let Some(character) = characters.next() {
        // Between letters, as in names of columns, `_` means nothing.
        let in_word = last.is_alphanumeric() && characters.peek().is_some_and(|next| next.is_alphanumeric());
        if "\\`*[]<>#|~&!$".contains(character) || (character == '_' && !in_word) {
            escaped.push('\\');
        }
        escaped.push(character);
        last = character;
    }
    // GitHub turns these three into links automatically.
    let escaped = escaped.replace("://", ":\\//").replace('@', "\\@");
    without_www(&escaped)
}

/// Escapes the dot of `www.`, ignoring case.
fn without_www(text: &str) -> String {
    let mut result = String::with_capacity(text.len());
    for (index, character) in text.char_indices() {
        if character == '.' && text.as_bytes()[..index].to_ascii_lowercase().ends_with(b"www") {
            result.push('\\');
        }
        result.push(character);
    }
    result
}

/// Replaces invisible characters by visible ones, and limits the length.
fn visible(text: &str) -> String {
    let mut shown = String::new();
    for (number, character) in text.chars().enumerate() {
        if number == SHOWN {
            shown.push('…');
            break;
        }
        if is_unprintable(character) {
            shown.extend(character.escape_unicode());
        } else {
            shown.push(character);
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_is_never_left() {
        for (text, span) in [
            ("a/b.txt", "`a/b.txt`"),
            ("", "(empty)"),
            ("a`b", "``a`b``"),
            ("``", "``` `` ```"),
            ("`a", "`` `a ``"),
            (" a ", "`  a  `"),
            ("<img src=x>", "`<img src=x>`"),
            ("a\nb\r\t\0", "`a\\u{a}b\\u{d}\\u{9}\\u{0}`"),
            ("\u{202e}gpj.exe\u{2066}", "`\\u{202e}gpj.exe\\u{2066}`"),
            ("\u{200b}\u{feff}\u{2028}\u{e0041}", "`\\u{200b}\\u{feff}\\u{2028}\\u{e0041}`"),
            ("naïve 日本", "`naïve 日本`"),
        ] {
            assert_eq!(code(text), span, "{text:?}");
        }
    }

    #[test]
    fn prose_is_plain_text() {
        for (text, escaped) in [
            ("3 keys, 0.93 of 1", "3 keys, 0.93 of 1"),
            ("<b>&amp;", "\\<b\\>\\&amp;"),
            ("[a](http://192.0.2.1)", "\\[a\\](http:\\//192.0.2.1)"),
            ("![](x) *a* _b_ `c` a|b ~d~ #1 $x$", "\\!\\[\\](x) \\*a\\* \\_b\\_ \\`c\\` a\\|b \\~d\\~ \\#1 \\$x\\$"),
            ("remote_ip _a_ b__c", "remote_ip \\_a\\_ b\\_\\_c"),
            ("WWW.example.com @org", "WWW\\.example.com \\@org"),
            ("a\\\nb\u{202e}", "a\\\\\\\\u{a}b\\\\u{202e}"),
        ] {
            assert_eq!(prose(text), escaped, "{text:?}");
        }
    }

    #[test]
    fn long_texts_are_cut() {
        assert_eq!(code(&"ä".repeat(SHOWN)).chars().count(), SHOWN + 2);
        assert_eq!(code(&"ä".repeat(SHOWN + 1)).chars().count(), SHOWN + 3);
    }

    proptest::proptest! {
        #[test]
        fn text_stays_in_its_line_and_its_span(text in "[`a \n\r\u{2028}<\\\\]{0,24}") {
            for line in [code(&text), prose(&text)] {
                let ends = line.contains(['\n', '\r', '\u{2028}']);
                proptest::prop_assert!(!ends, "{line:?}");
            }
            let span = code(&text);
            let fence: String = span.chars().take_while(|character| *character == '`').collect();
            if !fence.is_empty() {
                let inner = span.strip_prefix(&fence).and_then(|rest| rest.strip_suffix(&fence)).unwrap();
                let runs: Vec<_> = inner.split(|character| character != '`').filter(|run| !run.is_empty()).collect();
                proptest::prop_assert!(runs.iter().all(|run| run.len() != fence.len()), "{span}");
                proptest::prop_assert!(!inner.starts_with('`') && !inner.ends_with('`'), "{span}");
            }
        }
    }
}
