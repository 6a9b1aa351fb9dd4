//! Splits a log object into lines.
//!
//! Lines end with LF; a single CR before it is part of the line ending. A UTF-8 byte order mark at the start of the
//! object is skipped. Nothing else ends a line: not U+2028, not a vertical tab, not a form feed, not a lone CR.

use memchr::memchr;

/// The UTF-8 byte order mark, which some editors put at the start of a file.
pub const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// A line of a log object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line<'a> {
    /// The line without its line ending.
    pub bytes: &'a [u8],
    /// Byte offset of the line in the input.
    pub offset: usize,
    /// Line number, from 1. Blank lines count.
    pub number: usize,
}

impl Line<'_> {
    /// Whether the line has only spaces, tabs and carriage returns. Such lines are neither records nor rejects.
    #[inline]
    #[must_use]
    pub fn is_blank(&self) -> bool {
        is_blank(self.bytes)
    }
}

/// Whether a line has only spaces, tabs and carriage returns.
#[inline]
#[must_use]
pub fn is_blank(line: &[u8]) -> bool {
    line.iter().all(|byte| matches!(byte, b' ' | b'\t' | b'\r'))
}

/// Iterator over the lines of a buffer, including blank ones.
///
/// ```
/// use s3log_parser::Lines;
///
/// let lines: Vec<_> = Lines::new(b"one\r\n\ntwo").collect();
/// assert_eq!(lines.iter().map(|line| line.bytes).collect::<Vec<_>>(), [&b"one"[..], b"", b"two"]);
/// assert_eq!((lines[2].offset, lines[2].number), (6, 3));
/// ```
#[derive(Clone, Debug)]
pub struct Lines<'a> {
    input: &'a [u8],
    at: usize,
    number: usize,
}

impl<'a> Lines<'a> {
    /// Lines of a whole log object, or of its beginning. Skips a byte order mark.
    #[must_use]
    pub fn new(input: &'a [u8]) -> Self {
        let at = if input.starts_with(BYTE_ORDER_MARK) { BYTE_ORDER_MARK.len() } else { 0 };
        Self { input, at, number: 0 }
    }

    /// Lines of a part of a log object. `input` must begin at the start of a line; a byte order mark is not skipped.
    #[must_use]
    pub fn of_part(input: &'a [u8]) -> Self {
        Self { input, at: 0, number: 0 }
    }

    /// The input that has not been read yet.
    #[inline]
    pub(crate) fn rest(&self) -> &'a [u8] {
        &self.input[self.at..]
    }

    /// Advances past the next line, given its length without (`len`) and with (`taken`) its line ending.
    #[inline]
    pub(crate) fn take(&mut self, len: usize, taken: usize) -> Line<'a> {
        let line = Line { bytes: &self.input[self.at..self.at + len], offset: self.at, number: self.number + 1 };
        self.at += taken;
        self.number += 1;
        line
    }
}

impl<'a> Iterator for Lines<'a> {
    type Item = Line<'a>;

    #[inline]
    fn next(&mut self) -> Option<Line<'a>> {
        let rest = self.rest();
        if rest.is_empty() {
            return None;
        }
        let (len, taken) = match memchr(b'\n', rest) {
            Some(end) => (rest[..end].strip_suffix(b"\r").unwrap_or(&rest[..end]).len(), end + 1),
            None => (rest.len(), rest.len()),
        };
        Some(self.take(len, taken))
    }
}

impl std::iter::FusedIterator for Lines<'_> {}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(input: &[u8]) -> Vec<&[u8]> {
        Lines::new(input).map(|line| line.bytes).collect()
    }

    #[test]
    fn only_a_line_feed_ends_a_line() {
        assert_eq!(texts(b""), [&b""[..]; 0]);
        assert_eq!(texts(b"\n"), [b""]);
        assert_eq!(texts(b"a\nb\n"), [b"a", b"b"]);
        assert_eq!(texts(b"a\nb"), [b"a", b"b"]);
        assert_eq!(texts(b"a\rb\x0B\x0C\xE2\x80\xA8c\r\r\n"), [&b"a\rb\x0B\x0C\xE2\x80\xA8c\r"[..]]);
        assert_eq!(texts(b"a\r"), [&b"a\r"[..]], "a carriage return that no line feed follows is data");
    }

    #[test]
    fn a_byte_order_mark_is_skipped_at_the_start_only() {
        let lines: Vec<_> = Lines::new(b"\xEF\xBB\xBFa\n\xEF\xBB\xBFb").collect();
        assert_eq!(lines[0], Line { bytes: b"a", offset: 3, number: 1 });
        assert_eq!(lines[1], Line { bytes: b"\xEF\xBB\xBFb", offset: 5, number: 2 });
        assert_eq!(Lines::of_part(b"\xEF\xBB\xBFa").next().map(|line| line.offset), Some(0));
    }

    #[test]
    fn blank_lines() {
        assert!(is_blank(b""));
        assert!(is_blank(b" \t\r"));
        assert!(!is_blank(b"\x0B"));
        assert!(!is_blank(b" -"));
    }
}
