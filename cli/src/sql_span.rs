//! A span of SQL text, displayed as its line with carets below the span.

use unicode_width::UnicodeWidthStr as _;

use crate::output::escape::{is_unprintable, visible};

/// Longer lines are cut around the span.
const WIDEST: usize = 100;

/// A span of SQL: line and column, counted from 1 in characters, and a length in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SqlSpan {
    line: usize,
    column: usize,
    length: usize,
}

impl SqlSpan {
    /// A span of `length` characters at `line` and `column`, both counted from 1.
    pub(crate) fn new(line: u64, column: u64, length: u64) -> Self {
        let number = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
        Self { line: number(line), column: number(column), length: number(length) }
    }

    /// Splits the location off the end of a message of the SQL parser, such as `… at Line: 1, Column: 8`.
    pub(crate) fn split_from(message: &str) -> (&str, Option<Self>) {
        let parse = || {
            let (text, place) = message.rsplit_once(" at Line: ")?;
            let (line, column) = place.split_once(", Column: ").or_else(|| place.split_once(", Column "))?;
            Some((text, Self::new(line.trim().parse().ok()?, column.trim().parse().ok()?, 0)))
        };
        parse().map_or((message, None), |(text, place)| (text, Some(place)))
    }

    /// The position after the last character that is not whitespace.
    pub(crate) fn end_of(sql: &str) -> Self {
        let sql = sql.trim_end();
        let line = sql.rsplit('\n').next().unwrap_or_default();
        Self { line: sql.matches('\n').count() + 1, column: line.chars().count() + 1, length: 1 }
    }

    /// The only occurrence of `word` as a whole identifier; `None` if there are several or none.
    pub(crate) fn of_word(sql: &str, word: &str) -> Option<Self> {
        let is_part = |c: char| c.is_alphanumeric() || c == '_';
        let lower = sql.to_ascii_lowercase();
        let word = word.to_ascii_lowercase();
        let mut places = lower
            .match_indices(&word)
            .filter(|(at, found)| !lower[..*at].ends_with(is_part) && !lower[at + found.len()..].starts_with(is_part));
        let (at, found) = places.next()?;
        if word.is_empty() || places.next().is_some() {
            return None;
        }
        let before = &sql[..at];
        let line = before.rsplit('\n').next().unwrap_or_default();
        Some(Self {
            line: before.matches('\n').count() + 1,
            column: line.chars().count() + 1,
            length: found.chars().count(),
        })
    }

    /// The text from here to the end of the line.
    pub(crate) fn text(self, sql: &str) -> Option<&str> {
        let line = sql.split('\n').nth(self.line.checked_sub(1)?)?;
        let (at, _) = line.char_indices().nth(self.column.checked_sub(1)?)?;
        Some(&line[at..])
    }
}

/// The line with carets below the span; `None` if the span is outside of the text.
pub(crate) fn render(sql: &str, place: SqlSpan) -> Option<String> {
    let line = sql.split('\n').nth(place.line.checked_sub(1)?)?.trim_end_matches('\r');
    let chars: Vec<char> = line.chars().collect();
    let column = place.column.checked_sub(1)?.min(chars.len());
    let length = match place.length {
        // The SQL parser reports where a token starts, not where it ends.
        0 => chars[column..].iter().take_while(|c| c.is_alphanumeric() || **c == '_').count().max(1),
        length => length.min((chars.len() - column).max(1)),
    };
    let start = if chars.len() > WIDEST { column.saturating_sub(WIDEST / 2) } else { 0 };
    let end = chars.len().min(start + WIDEST);
    let shown = |part: &[char]| -> String {
        // A tab would shift the caret. Other control characters are escaped, and the carets adjusted.
        part.iter().map(|c| if *c == '\t' { " ".to_owned() } else { show(*c) }).collect()
    };
    let (before, after) = (if start > 0 { "…" } else { "" }, if end < chars.len() { "…" } else { "" });
    let marked_end = (column + length).min(end).max(column);
    let lead = format!("{before}{}", shown(&chars[start..column]));
    let marked = shown(&chars[column..marked_end]);
    let rest = shown(&chars[marked_end..end]);
    let number = place.line.to_string();
    let carets = "^".repeat(marked.width().max(1));
    let indent = " ".repeat(lead.width());
    let margin = " ".repeat(number.len());
    Some(format!("{number} | {lead}{marked}{rest}{after}\n{margin} | {indent}{carets}"))
}

fn show(c: char) -> String {
    if is_unprintable(c) { visible(c.encode_utf8(&mut [0; 4])).into_owned() } else { c.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn carets_stand_under_the_place() {
        let sql = "SELECT a,\n\tbytes_snt\nFROM logs";
        assert_eq!(render(sql, SqlSpan::new(2, 2, 9)).unwrap(), "2 |  bytes_snt\n  |  ^^^^^^^^^");
        assert_eq!(render(sql, SqlSpan::new(2, 2, 0)).unwrap(), "2 |  bytes_snt\n  |  ^^^^^^^^^");
        assert_eq!(render(sql, SqlSpan::new(9, 1, 1)), None);
        assert_eq!(render(sql, SqlSpan::new(0, 0, 0)), None);
    }

    #[test]
    fn wide_and_hidden_characters_do_not_move_the_carets() {
        assert_eq!(render("'日本' x", SqlSpan::new(1, 6, 1)).unwrap(), "1 | '日本' x\n  |        ^");
        assert_eq!(render("\u{1b} x", SqlSpan::new(1, 3, 1)).unwrap(), "1 | \\x1b x\n  |      ^");
    }

    #[test]
    fn a_long_line_is_cut_around_the_place() {
        let sql = format!("{} wrong {}", "a".repeat(500), "b".repeat(500));
        let text = render(&sql, SqlSpan::new(1, 502, 5)).unwrap();
        let (line, carets) = text.split_once('\n').unwrap();
        assert!(line.starts_with("1 | …aaa") && line.ends_with("bbb…"));
        assert_eq!(line.find("wrong").unwrap() - "…".len() + 1, carets.find('^').unwrap());
    }

    #[test]
    fn places_of_the_parser() {
        let (text, place) = SqlSpan::split_from("Expected: x, found: y at Line: 2, Column: 13");
        assert_eq!((text, place), ("Expected: x, found: y", Some(SqlSpan::new(2, 13, 0))));
        assert_eq!(SqlSpan::split_from("Expected: x, found: EOF"), ("Expected: x, found: EOF", None));
    }

    #[test]
    fn the_only_place_of_a_word() {
        assert_eq!(SqlSpan::of_word("SELECT Foo\nFROM t", "foo"), Some(SqlSpan::new(1, 8, 3)));
        assert_eq!(SqlSpan::of_word("a\nFROM t", "t"), Some(SqlSpan::new(2, 6, 1)));
        assert_eq!(SqlSpan::of_word("foo, foo", "foo"), None);
        assert_eq!(SqlSpan::of_word("food", "foo"), None);
        assert_eq!(SqlSpan::of_word("x", ""), None);
    }

    #[test]
    fn the_end_is_behind_the_last_character() {
        assert_eq!(render("SELECT\n  a,\n", SqlSpan::end_of("SELECT\n  a,\n")).unwrap(), "2 |   a,\n  |     ^");
    }
}
