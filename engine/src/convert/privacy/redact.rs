//! Secrets out of URIs, byte for byte the same otherwise.
//!
//! ```text
//! GET /b/k?versionId=3&X-Amz-Signature=5f3a HTTP/1.1  ->  GET /b/k?versionId=3&X-Amz-Signature=REDACTED HTTP/1.1
//! https://ann:hunter2@host.example/                   ->  https://REDACTED@host.example/
//! ```
//!
//! Clients write what they like, so this is no parser of URIs. It goes over a text once and knows two things:
//!
//! * A *parameter* is a name between one of `?` `#` `&` `;` and a `=`. If the name is one of
//!   [`SECRET_PARAMETERS`](super::SECRET_PARAMETERS), the value is replaced. It ends in front of the next `&` or `#`.
//!   It does not end at `;` or `?`, which may be part of it, unless a `;` began the parameter:
//!   `/app;jsessionid=1A2B?page=3`.
//! * An *authority* stands behind `://`, up to `/`, `?`, `#` or a space. What it has in front of its last `@` is
//!   replaced: a password, or a user, which may be a token as well.
//!
//! Each byte that means something may be percent-encoded, and encoded again, up to [`MAX_LEVEL`] times: a URI inside of
//! a parameter of another. How often the byte in front of a name is encoded is the parameter's *level*. Bytes that are
//! encoded more often are part of its value: in `?token=a%26b` the value is `a%26b`, in `?next=%2F%3Ftoken%3Da%26b%3Dc`
//! it is `a`.
//!
//! In doubt more is replaced. What is left: secrets in paths, in names that nobody told us, in text that is no
//! parameter (JSON, Base64, cookies), behind a `+` or an HTML entity that stands for one of the bytes above (`&amp;` is
//! known), and what is encoded more often.
//!
//! What is replaced once is found again and is the same: `redact(redact(x)) == redact(x)`. For this a replaced value
//! ends the authority in which it stands, in the first pass as in the second.

use super::secrets::{NAMES_END, is_secret};
use memchr::{memchr3, memrchr};
use std::ops::Range;

/// What stands in the place of a secret.
pub(super) const REDACTED: &str = "REDACTED";

/// Bytes that are encoded more often mean nothing here.
const MAX_LEVEL: usize = 3;

/// Where a text comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TextKind {
    /// A request line: a value may hold spaces, and ends in front of `HTTP/1.1`.
    RequestUri,
    /// A URI alone, most often one of a page that refers to an object.
    Referer,
    /// A query without the `?` in front of it.
    Query,
    /// A field that nobody knows: text, or a name, `=` and text that may be a query.
    Extra,
    /// A line in which other fields stand around a URI: a value ends at a space or a quote, too.
    Line,
}

/// Whether [`redact`] could change this text. Most texts are told by this alone.
pub(super) fn is_candidate(text: &str, kind: TextKind) -> bool {
    // Only JSON in a line can write each of them as `\u003d`.
    kind == TextKind::Line || memchr3(b'=', b'@', b'%', text.as_bytes()).is_some()
}

/// Replaces secrets. Says whether there were any; if so, the new text is in `into`.
pub(super) fn redact(text: &str, kind: TextKind, into: &mut String) -> bool {
    let bytes = text.as_bytes();
    let end_of_values = if kind == TextKind::Line { bytes.len() } else { end_of_target(bytes) };
    let mut copy = Copying::new(text, into);
    // The query's first parameter has nothing in front.
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
                    // What follows the name may begin with a parameter.
                    parameter = Some(Parameter { name: at, level: symbol.level, list: false });
                }
                is_named = true;
            }
            // A field of a line may be a query by itself: between tabs, or the text of a JSON object.
            b'\t' | b'"' if kind == TextKind::Line => {
                parameter = Some(Parameter { name: at, level: symbol.level, list: false });
            }
            // Inside of an authority, one that is encoded more often is a part of it.
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

/// A byte of a text, and how it is spelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Symbol {
    /// The byte that is meant; zero if it is encoded too often.
    byte: u8,
    /// How many bytes it takes.
    len: usize,
    /// How often it is percent-encoded.
    level: usize,
}

impl Symbol {
    /// The symbol that begins at this byte, of which there is one.
    fn at(text: &[u8], at: usize) -> Self {
        match text[at] {
            b'%' => Self::encoded(text, at),
            // As JSON may write `&` and `=`.
            b'\\' if text[at..].starts_with(b"\\u00") => match hexadecimal(text, at + 4) {
                Some(byte) => Self { byte, len: 6, level: 0 },
                None => Self { byte: b'\\', len: 1, level: 0 },
            },
            byte => Self { byte, len: 1, level: 0 },
        }
    }

    /// `%3D`, `%253D`, `%25253D`; a `%` that encodes nothing is itself.
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

/// The byte that two hexadecimal digits stand for.
fn hexadecimal(text: &[u8], at: usize) -> Option<u8> {
    let digit = |byte: &u8| char::from(*byte).to_digit(16);
    let byte = digit(text.get(at)?)? * 16 + digit(text.get(at + 1)?)?;
    u8::try_from(byte).ok()
}

/// A parameter that has begun.
#[derive(Clone, Copy, Debug)]
struct Parameter {
    /// Where its name begins.
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

/// Whether `;` ends the value of the parameter that this symbol begins: not behind `&amp;`, which is an `&`.
fn is_list(text: &[u8], at: usize, symbol: Symbol) -> bool {
    symbol.byte == b';' && !text[..at].ends_with(b"&amp")
}

/// Whether a byte ends a field of a line.
fn separates_fields(byte: u8) -> bool {
    byte <= b' ' || matches!(byte, b'"' | b'\\')
}

/// An authority that has begun.
#[derive(Clone, Copy, Debug)]
struct Authority {
    start: usize,
    level: usize,
    /// Where its last `@` stands.
    host: Option<usize>,
}

impl Authority {
    fn ends_at(&self, symbol: Symbol, kind: TextKind) -> bool {
        match symbol.byte {
            b'/' | b'?' | b'#' => symbol.level <= self.level,
            // The parameter that the whole URI is the value of ends here.
            b'&' => symbol.level < self.level,
            byte => symbol.level == 0 && (byte <= b' ' || (kind == TextKind::Line && separates_fields(byte))),
        }
    }
}

/// Where what is behind `//` begins, and the level of the three bytes of `://`.
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

/// Where ` HTTP/1.1` begins, or the end.
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

/// A text on its way into another, with parts replaced from left to right.
struct Copying<'a> {
    text: &'a str,
    into: &'a mut String,
    /// What is in front of this is copied.
    copied: usize,
}

impl<'a> Copying<'a> {
    fn new(text: &'a str, into: &'a mut String) -> Self {
        into.clear();
        Self { text, into, copied: 0 }
    }

    /// Bounds are bytes of ASCII, so they are between characters. What is empty holds no secret.
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
        // Nothing that is replaced ends where a text begins.
        let changed = self.copied > 0;
        if changed {
            self.into.push_str(&self.text[self.copied..]);
        }
        changed
    }
}

#[cfg(test)]
mod tests;
