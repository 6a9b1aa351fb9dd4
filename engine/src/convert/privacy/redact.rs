//! Redacts secrets in URIs; everything else stays identical, byte by byte.
//!
//! ```text
//! GET /b/k?versionId=3&X-Amz-Signature=5f3a HTTP/1.1  ->  GET /b/k?versionId=3&X-Amz-Signature=REDACTED HTTP/1.1
//! https://ann:hunter2@host.example/                   ->  https://REDACTED@host.example/
//! ```
//!
//! Clients send arbitrary text, so this is not a URI parser. It scans a text once and recognises two things:
//!
//! * A *parameter* is a name between one of `?` `#` `&` `;` and a `=`. If the name is one of
//!   [`SECRET_PARAMETERS`](super::SECRET_PARAMETERS), the value is replaced. The value ends before the next `&` or `#`.
//!   It does not end at `;` or `?`, which may be part of it, unless a `;` started the parameter:
//!   `/app;jsessionid=1A2B?page=3`.
//! * An *authority* follows `://` and ends at `/`, `?`, `#` or a space. Everything before its last `@` is replaced: it
//!   contains a password, or a user that may be a token.
//!
//! Each of these delimiters may be percent-encoded, and encoded again, up to [`MAX_LEVEL`] times, in a URI within a
//! parameter of another. The *level* of a parameter is how often the byte before its name is encoded. Bytes encoded
//! more often are part of its value: in `?token=a%26b` the value is `a%26b`, in `?next=%2F%3Ftoken%3Da%26b%3Dc` it is
//! `a`.
//!
//! In doubt, more is replaced. What remains: secrets in paths, in parameters with unknown names, in text other than
//! parameters (JSON, Base64, cookies), after a `+` or an HTML entity in place of a delimiter (`&amp;` is recognised),
//! and what is encoded more often.
//!
//! Redaction is idempotent: `redact(redact(x)) == redact(x)`. For this, a replaced value ends the authority that it is
//! in, in the first pass as in the second.

use super::secrets::{NAMES_END, is_secret};
use memchr::{memchr, memchr3, memrchr};
use std::ops::Range;

/// Replacement of a secret.
pub(super) const REDACTED: &str = "REDACTED";

/// Bytes that are encoded more often have no special meaning.
const MAX_LEVEL: usize = 3;

/// The origin of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TextKind {
    /// A request line: values may contain spaces, and end before `HTTP/1.1`.
    RequestUri,
    /// A URI, usually of a page that refers to an object.
    Referer,
    /// A query string without the leading `?`.
    Query,
    /// An undocumented field: text, or a name, `=` and text that may be a query string.
    Extra,
    /// A line with a URI among other fields: values also end at spaces and quotes.
    Line,
}

/// A quick check for whether [`redact`] could change a text. It rules out most texts.
pub(super) fn is_candidate(text: &str, kind: TextKind) -> bool {
    // JSON may write all of them as escapes, such as `\u003d`.
    let bytes = text.as_bytes();
    kind == TextKind::Line || memchr3(b'=', b'@', b'%', bytes).is_some() || memchr(b'\\', bytes).is_some()
}

/// Replaces secrets. Returns whether there were any; if so, `into` has the new text.
pub(super) fn redact(text: &str, kind: TextKind, into: &mut String) -> bool {
    let bytes = text.as_bytes();
    let end_of_values = if kind == TextKind::Line { bytes.len() } else { end_of_target(bytes) };
    let mut copy = Copying::new(text, into);
    // The first parameter of a query string has no delimiter before it.
    let begins = matches!(kind, TextKind::Query | TextKind::Extra | TextKind::Line);
    let mut parameter = begins.then_some(Parameter { name: 0, level: 0, list: false });
    let mut is_named = false;
    let mut authority: Option<Authority> = None;
    let mut at = 0;
    loop {
        let marks = match (&authority, kind) {
            (Some(_), _) => &MARKS_IN_AUTHORITY,
            (None, TextKind::Line) => &MARKS_IN_LINE,
            (None, _) => &MARKS,
        };
        let Some(next) = position(bytes, at, marks) else { break };
        let symbol = Symbol::at(bytes, next);
        at = next + symbol.len;
        if let Some(open) = &mut authority {
            if symbol.byte == b'@' && symbol.level <= open.level {
                open.host = Some(next);
            } else if open.ends_at(symbol, kind) {
                copy.replace_user(authority.take());
            }
        }
        match symbol.byte {
            b'?' | b'#' | b'&' | b';' => {
                parameter = Some(Parameter { name: at, level: symbol.level, list: is_list(bytes, next, symbol) });
            }
            b'=' => {
                if let Some(begun) = parameter.take()
                    && begun.is_secret(&bytes[begun.name..next], kind)
                {
                    copy.replace_user(authority.take());
                    let end = begun.end_of_value(bytes, at, kind).min(end_of_values).max(at);
                    copy.replace(at..end);
                    at = end;
                } else if kind == TextKind::Extra && !is_named {
                    // The value may start with a parameter.
                    parameter = Some(Parameter { name: at, level: symbol.level, list: false });
                }
                is_named = true;
            }
            // A field of a line may be a query string: between tabs, or as a JSON string.
            b'\t' | b'"' if kind == TextKind::Line => {
                parameter = Some(Parameter { name: at, level: symbol.level, list: false });
            }
            // Within an authority, a more deeply encoded `://` is part of it.
            b':' if authority.as_ref().is_none_or(|open| symbol.level <= open.level) => {
                if let Some((start, level)) = two_slashes(bytes, at, symbol.level) {
                    copy.replace_user(authority.take());
                    authority = Some(Authority { start, level, host: None });
                    at = start;
                }
            }
            _ => {}
        }
    }
    copy.replace_user(authority);
    copy.finish()
}

/// A byte and its spelling.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Symbol {
    /// The byte that is represented; 0 if it is encoded too often.
    byte: u8,
    /// Length of its spelling, in bytes.
    len: usize,
    /// How often it is percent-encoded.
    level: usize,
}

impl Symbol {
    /// The symbol at byte `at`, which must be within the text.
    fn at(text: &[u8], at: usize) -> Self {
        match text[at] {
            b'%' => Self::encoded(text, at),
            // JSON may escape `&` and `=`.
            b'\\' if text[at..].starts_with(b"\\u00") => match hexadecimal(text, at + 4) {
                Some(byte) => Self { byte, len: 6, level: 0 },
                None => Self { byte: b'\\', len: 1, level: 0 },
            },
            byte => Self { byte, len: 1, level: 0 },
        }
    }

    /// Decodes `%3D`, `%253D`, `%25253D`; a `%` that encodes nothing stands for itself.
    fn encoded(text: &[u8], at: usize) -> Self {
        let mut level = 0;
        let mut digits = at + 1;
        let mut byte = b'%';
        while byte == b'%' {
            let Some(next) = hexadecimal(text, digits) else { break };
            byte = next;
            digits += 2;
            level += 1;
        }
        Self { byte: if level <= MAX_LEVEL { byte } else { 0 }, len: digits - at, level }
    }
}

/// The byte with the two hexadecimal digits at `at`.
fn hexadecimal(text: &[u8], at: usize) -> Option<u8> {
    let digit = |byte: &u8| char::from(*byte).to_digit(16);
    let byte = digit(text.get(at)?)? * 16 + digit(text.get(at + 1)?)?;
    u8::try_from(byte).ok()
}

/// A parameter whose name has started.
#[derive(Clone, Copy, Debug)]
struct Parameter {
    /// Start of its name.
    name: usize,
    level: usize,
    /// Whether `;` separates it from others.
    list: bool,
}

impl Parameter {
    fn is_secret(&self, name: &[u8], kind: TextKind) -> bool {
        let mut decoded = [0; NAMES_END];
        let mut len = 0;
        let mut at = 0;
        while at < name.len() {
            let symbol = Symbol::at(name, at);
            let Some(slot) = decoded.get_mut(len) else { return false };
            *slot = symbol.byte;
            len += 1;
            at += symbol.len;
        }
        is_secret(&decoded[..len], kind != TextKind::RequestUri)
    }

    fn end_of_value(&self, text: &[u8], from: usize, kind: TextKind) -> usize {
        let mut at = from;
        while let Some(next) = position(text, at, &MARKS_IN_VALUE) {
            let symbol = Symbol::at(text, next);
            let ends = match symbol.byte {
                b'&' | b'#' => symbol.level <= self.level,
                b';' | b'?' => self.list && symbol.level <= self.level,
                byte => kind == TextKind::Line && symbol.level == 0 && separates_fields(byte),
            };
            if ends {
                return next;
            }
            at = next + symbol.len;
        }
        text.len()
    }
}

/// Whether `;` ends the value of the parameter that starts after this symbol. Not after `&amp;`, which stands for `&`.
fn is_list(text: &[u8], at: usize, symbol: Symbol) -> bool {
    symbol.byte == b';' && !text[..at].ends_with(b"&amp")
}

/// Whether a byte ends a field of a line.
fn separates_fields(byte: u8) -> bool {
    byte <= b' ' || matches!(byte, b'"' | b'\\')
}

/// An authority that has started.
#[derive(Clone, Copy, Debug)]
struct Authority {
    start: usize,
    level: usize,
    /// Position of its last `@`.
    host: Option<usize>,
}

impl Authority {
    fn ends_at(&self, symbol: Symbol, kind: TextKind) -> bool {
        match symbol.byte {
            b'/' | b'?' | b'#' => symbol.level <= self.level,
            // End of the parameter that contains the whole URI.
            b'&' => symbol.level < self.level,
            byte => symbol.level == 0 && (byte <= b' ' || (kind == TextKind::Line && separates_fields(byte))),
        }
    }
}

/// The position after `//`, and the highest level of the three bytes of `://`.
fn two_slashes(text: &[u8], mut at: usize, mut level: usize) -> Option<(usize, usize)> {
    for _ in 0..2 {
        if at >= text.len() {
            return None;
        }
        let symbol = Symbol::at(text, at);
        if symbol.byte != b'/' {
            return None;
        }
        level = level.max(symbol.level);
        at += symbol.len;
    }
    Some((at, level))
}

/// The position of ` HTTP/1.1`, or the end.
fn end_of_target(text: &[u8]) -> usize {
    let is_version = |text: &[u8]| text.iter().all(|byte| byte.is_ascii_digit() || *byte == b'.');
    match memrchr(b' ', text) {
        Some(space) if text[space..].strip_prefix(b" HTTP/").is_some_and(is_version) => space,
        _ => text.len(),
    }
}

/// A set of bytes.
type Marks = [bool; 256];

const MARKS: Marks = marks(b"%\\=?#&;:", false);
const MARKS_IN_LINE: Marks = marks(b"%\\=?#&;:\t\"", false);
const MARKS_IN_AUTHORITY: Marks = marks(b"%\\=?#&;:@/\"", true);
const MARKS_IN_VALUE: Marks = marks(b"%\\#&;?\"", true);

const fn marks(bytes: &[u8], with_spaces: bool) -> Marks {
    let mut marks = [false; 256];
    let mut at = 0;
    while at < bytes.len() {
        marks[bytes[at] as usize] = true;
        at += 1;
    }
    while with_spaces && at <= bytes.len() + b' ' as usize {
        marks[at - bytes.len()] = true;
        at += 1;
    }
    marks
}

fn position(text: &[u8], from: usize, marks: &Marks) -> Option<usize> {
    text[from..].iter().position(|byte| marks[usize::from(*byte)]).map(|found| from + found)
}

/// Copies a text while replacing parts, from left to right.
struct Copying<'a> {
    text: &'a str,
    into: &'a mut String,
    /// Everything before this position has been copied.
    copied: usize,
}

impl<'a> Copying<'a> {
    fn new(text: &'a str, into: &'a mut String) -> Self {
        into.clear();
        Self { text, into, copied: 0 }
    }

    /// The bounds are at ASCII bytes, and therefore at character boundaries. An empty part has no secret.
    fn replace(&mut self, part: Range<usize>) {
        if part.is_empty() || &self.text[part.clone()] == REDACTED {
            return;
        }
        self.into.push_str(&self.text[self.copied..part.start]);
        self.into.push_str(REDACTED);
        self.copied = part.end;
    }

    fn replace_user(&mut self, authority: Option<Authority>) {
        if let Some(Authority { start, host: Some(host), .. }) = authority {
            self.replace(start..host);
        }
    }

    fn finish(self) -> bool {
        // A replaced part never ends at position 0.
        let changed = self.copied > 0;
        if changed {
            self.into.push_str(&self.text[self.copied..]);
        }
        changed
    }
}

#[cfg(test)]
mod tests;
