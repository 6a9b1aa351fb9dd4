//! Common parts of the files in `lists/`: comments, one entry per line, errors with line numbers.
//!
//! A list of patterns, `sensitive-keys.regex`:
//!
//! ```text
//! # Keys that hold secrets
//! \.env$
//! !docs/.*\.env$
//! ```
//! This becomes [`Patterns`]: each line is anchored to the start of a part of the path, and `!` marks exceptions.
//! Matching ignores case, and works on bytes without Unicode, which keeps the automata small.

use regex::bytes::{Regex, RegexBuilder};
use regex_syntax::ParserBuilder;
use regex_syntax::hir::Hir;
use std::fmt;

/// Size limit in bytes. The shipped lists stay far below it; a user's list must not exhaust memory.
const LARGEST_AUTOMATON: usize = 32 << 20;

/// An expression that never matches, for an empty list.
const NEVER: &str = "[a&&b]";

/// An error in a list.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct ListError {
    /// The name of the list, such as `sensitive-keys`.
    pub list: &'static str,
    /// The line number from 1; 0 for the list as a whole.
    pub line: usize,
    /// What is wrong, and what to do about it.
    pub message: String,
}

impl fmt::Display for ListError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "{}: {}", self.list, self.message),
            line => write!(f, "{}, line {line}: {}", self.list, self.message),
        }
    }
}

impl From<ListError> for crate::error::Error {
    fn from(error: ListError) -> Self {
        Self::invalid(error.to_string())
    }
}

impl ListError {
    /// An error in a line, or in the list as a whole for line 0.
    pub(super) fn new(list: &'static str, line: usize, message: impl Into<String>) -> Self {
        Self { list, line, message: message.into() }
    }
}

/// The lines that are neither empty nor comments, trimmed, with their numbers.
pub(super) fn entries(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let lines = text.strip_prefix('\u{feff}').unwrap_or(text).lines().map(str::trim);
    lines.enumerate().map(|(index, line)| (index + 1, line)).filter(|(_, line)| {
        // In a comment, `#` is followed by a space or nothing, because patterns may begin with `#`.
        !line.is_empty() && *line != "#" && !line.starts_with("# ")
    })
}

/// A list of patterns for paths.
#[derive(Clone, Debug)]
pub(crate) struct Patterns {
    /// All patterns as one expression, anchored to the start of a part of the path.
    source: String,
    /// The individual patterns.
    patterns: Vec<Hir>,
    except: Option<Regex>,
}

impl Patterns {
    /// Parses a list; the name is for errors.
    pub(crate) fn parse(list: &'static str, text: &str) -> Result<Self, ListError> {
        let (except, wanted): (Vec<_>, Vec<_>) = entries(text).partition(|(_, line)| line.starts_with('!'));
        let except: Vec<_> = except.iter().map(|(number, line)| (*number, line[1..].trim())).collect();
        let parse = |(number, pattern): &(usize, &str)| {
            syntax(pattern).map_err(|error| ListError::new(list, *number, format!("not a regular expression: {error}")))
        };
        for pattern in &except {
            parse(pattern)?;
        }
        let compile =
            |source: &str| builder(source).build().map_err(|error| ListError::new(list, 0, error.to_string()));
        Ok(Self {
            source: at_parts(&wanted),
            patterns: wanted.iter().map(parse).collect::<Result<_, _>>()?,
            except: if except.is_empty() { None } else { Some(compile(&at_parts(&except))?) },
        })
    }

    /// Whether an exception matches a path.
    pub(super) fn is_exception(&self, path: &[u8]) -> bool {
        self.except.as_ref().is_some_and(|except| except.is_match(path))
    }

    /// All patterns as one expression.
    pub(super) fn source(&self) -> &str {
        &self.source
    }

    /// The individual patterns, without exceptions.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Hir> {
        self.patterns.iter()
    }

    /// Number of patterns, without exceptions.
    pub(crate) fn len(&self) -> usize {
        self.patterns.len()
    }
}

/// Combines patterns into one expression, anchored to the start of a part of the path.
fn at_parts(patterns: &[(usize, &str)]) -> String {
    if patterns.is_empty() {
        return NEVER.to_owned();
    }
    format!("(?:^|/)(?:{})", alternation(patterns))
}

/// Combines patterns into one expression.
pub(super) fn alternation(patterns: &[(usize, &str)]) -> String {
    // Each in its own group, so that a `|` in a pattern is local to it.
    let groups: Vec<_> = patterns.iter().map(|(_, pattern)| format!("(?:{pattern})")).collect();
    groups.join("|")
}

/// Parses a pattern. It is case-sensitive as written.
pub(super) fn syntax(pattern: &str) -> Result<Hir, String> {
    let parsed = ParserBuilder::new().unicode(false).utf8(false).dot_matches_new_line(true).build().parse(pattern);
    // The message draws the pattern with a marker; its last line says what is wrong.
    parsed
        .map_err(|error| error.to_string().lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned())
}

/// Common options of all lists: ignore case, match bytes, ASCII classes.
pub(super) fn builder(source: &str) -> RegexBuilder {
    let mut builder = RegexBuilder::new(source);
    builder.case_insensitive(true).unicode(false).dot_matches_new_line(true);
    builder.size_limit(LARGEST_AUTOMATON).dfa_size_limit(LARGEST_AUTOMATON);
    builder
}

/// A list of words separated by whitespace, in lower case.
#[derive(Clone, Debug, Default)]
pub(crate) struct Words {
    /// Sorted, without duplicates.
    words: Vec<Box<str>>,
}

impl Words {
    /// Parses a list of words; the name is for errors.
    pub(crate) fn parse(list: &'static str, text: &str) -> Result<Self, ListError> {
        let mut words = Vec::new();
        for (number, line) in entries(text) {
            for word in line.split_ascii_whitespace() {
                if !word.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-') {
                    let message = format!("`{word}` is not an extension; write letters and digits, without the dot");
                    return Err(ListError::new(list, number, message));
                }
                words.push(word.to_ascii_lowercase().into_boxed_str());
            }
        }
        words.sort_unstable();
        words.dedup();
        Ok(Self { words })
    }

    /// All words, in lower case.
    pub(super) fn iter(&self) -> impl Iterator<Item = &str> {
        self.words.iter().map(|word| &**word)
    }

    /// Number of words.
    pub(crate) fn len(&self) -> usize {
        self.words.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_begin_at_a_part_of_the_path() {
        let list = Patterns::parse("test", "# of secrets\n\n\\.env$\nid_rsa|id_dsa\n!docs/.*\\.env$\n").unwrap();
        assert_eq!(list.len(), 2);
        let wanted = builder(list.source()).build().unwrap();
        for (path, expected) in [
            (".env", true),
            ("app/.ENV", true),
            ("app.env", false),
            (".env.example", false),
            ("docs/app/.env", false),
            ("k/id_dsa.bak", true),
            ("void_rsa", false),
            ("", false),
        ] {
            let path = path.as_bytes();
            assert_eq!(wanted.is_match(path) && !list.is_exception(path), expected, "{path:?}");
        }
    }

    #[test]
    fn errors_name_the_line() {
        for (text, line, message) in [
            ("a\n\n(b\n", 3, "unclosed group"),
            ("a)(b\n", 1, "unopened group"),
            ("a\n![z\n", 2, "unclosed character class"),
            ("(?=a)\n", 1, "look-around"),
        ] {
            let error = Patterns::parse("test", text).unwrap_err();
            assert_eq!(error.line, line, "{text}: {error}");
            assert!(error.message.contains(message), "{text}: {error}");
        }
        let nothing = Patterns::parse("test", "# nothing\n").unwrap();
        assert!(!builder(nothing.source()).build().unwrap().is_match(b"a"));
        let error = Words::parse("test", "# extensions\nenc locked\n.bad\n").unwrap_err();
        assert_eq!(
            error.to_string(),
            "test, line 3: `.bad` is not an extension; write letters and digits, without the dot"
        );
    }

    #[test]
    fn words_are_in_lower_case() {
        let words = Words::parse("test", "# a list\nenc Locked\nenc\n").unwrap();
        assert_eq!(words.len(), 2);
        assert_eq!(words.iter().collect::<Vec<_>>(), ["enc", "locked"]);
    }
}
