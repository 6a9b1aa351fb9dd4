//! Classification of keys: secrets, probes, benign misses, ransom notes, pages, numbers.
//!
//! Runs for every request, so the order of work matters: a gate keeps ordinary keys away from the patterns of the
//! lists. The patterns are one automaton, which usually rejects a key in one pass; only for matches are the exceptions
//! of each list checked. Extensions and hashes in names are handled by code instead of patterns.

use super::extension::{Extension, KeyKind, Numbering};
use super::{KeyLists, Lists};
use s3log_parser::value::key::percent_decode;
use std::borrow::Cow;

/// Maximum number of decoding rounds: AWS encodes twice, and a client that hides something once more.
const MOST_ROUNDS: usize = 3;

/// Longer keys are converted to lower case on the heap.
const LONGEST_ON_STACK: usize = 256;

/// Minimum length of a run of hexadecimal digits that is taken for a hash: MD5, SHA-1, SHA-256.
const SHORTEST_HASH: usize = 32;

/// Properties of a key, as a set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct KeyFlags(u16);

impl KeyFlags {
    /// The empty set.
    pub(crate) const NONE: Self = Self(0);
    /// Looks like secrets, source code or a database.
    pub(crate) const SENSITIVE: Self = Self(1);
    /// Looks like a path of a web application.
    pub(crate) const WEB_PROBE: Self = Self(1 << 1);
    /// A miss means nothing. Never together with `SENSITIVE` or `WEB_PROBE`.
    pub(crate) const BENIGN_MISS: Self = Self(1 << 2);
    /// Has the name of a ransom note.
    pub(crate) const RANSOM_NOTE: Self = Self(1 << 3);
    /// Has the name of an upload test, a web shell or a phishing page.
    pub(crate) const SUSPICIOUS_UPLOAD: Self = Self(1 << 4);
    /// Content that a browser or server would execute.
    pub(crate) const RISKY_CONTENT: Self = Self(1 << 5);
    /// Has an extension of encrypted files.
    pub(crate) const ENCRYPTED: Self = Self(1 << 6);
    /// One of many parts that clients read in order: segments of video, tiles, parts of tables.
    pub(crate) const NUMBERED_PART: Self = Self(1 << 7);

    /// Whether all properties of `other` are set.
    pub(crate) fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    fn with(self, other: Self, is: bool) -> Self {
        if is { Self(self.0 | other.0) } else { self }
    }
}

/// Everything that rules use of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct KeyFacts<'a> {
    /// Percent-decoded until it no longer changes, at most three times. Invalid UTF-8 is replaced by U+FFFD.
    pub(crate) decoded: Cow<'a, str>,
    /// Its properties.
    pub(crate) flags: KeyFlags,
    /// The purpose of the object.
    pub(crate) kind: KeyKind,
    /// The extension in lower case.
    pub(crate) extension: Extension,
    /// The last run of 3 to 12 digits as a number; digits within hashes do not count.
    pub(crate) number: Option<i64>,
}

impl<'a> KeyFacts<'a> {
    /// Classifies a key, encoded or not.
    pub(crate) fn of(lists: &Lists, key: &'a str) -> Self {
        let decoded = decode(key);
        let bytes = decoded.as_bytes();
        let name = name_of(&decoded);
        let extension = Extension::of(name);
        let of_extension = lists.extensions.facts(extension);
        let kind = if name.is_empty() { KeyKind::Page } else { of_extension.kind };
        let number = number_of(&decoded);
        let flags = lists.keys.flags(bytes);
        let hostile = flags.contains(KeyFlags::SENSITIVE) || flags.contains(KeyFlags::WEB_PROBE);
        let flags = flags
            .with(KeyFlags::BENIGN_MISS, !hostile && has_hash(name.as_bytes()))
            .with(KeyFlags::RISKY_CONTENT, of_extension.risky)
            .with(KeyFlags::ENCRYPTED, of_extension.encrypted)
            .with(KeyFlags::NUMBERED_PART, is_numbered_part(&decoded, name, of_extension.numbering));
        Self { decoded, flags, kind, extension, number }
    }

    /// The part before the first `/`, ignoring leading ones; empty if there is none.
    pub(crate) fn prefix1(&self) -> &str {
        first_folder(&self.decoded)
    }

    /// Whether a property is set.
    pub(crate) fn is(&self, flag: KeyFlags) -> bool {
        self.flags.contains(flag)
    }
}

impl KeyLists {
    /// The properties from the lists of patterns.
    fn flags(&self, key: &[u8]) -> KeyFlags {
        // Patterns ignore case, but the gate needs lower case.
        let mut space = [0; LONGEST_ON_STACK];
        let lower;
        let key = match space.get_mut(..key.len()) {
            Some(lower) => {
                lower.copy_from_slice(key);
                lower.make_ascii_lowercase();
                &*lower
            }
            None => {
                lower = key.to_ascii_lowercase();
                &lower
            }
        };
        if !self.gate.is_open(key) || !self.any.is_match(key) {
            return KeyFlags::NONE;
        }
        let found = self.any.matches(key);
        let is = |index: usize| found.matched(index) && !self.lists[index].is_exception(key);
        let flags = KeyFlags::NONE
            .with(KeyFlags::SENSITIVE, is(Self::SENSITIVE))
            .with(KeyFlags::WEB_PROBE, is(Self::WEB_PROBES))
            .with(KeyFlags::RANSOM_NOTE, is(Self::RANSOM_NOTES))
            .with(KeyFlags::SUSPICIOUS_UPLOAD, is(Self::SUSPICIOUS_UPLOADS));
        let hostile = flags.contains(KeyFlags::SENSITIVE) || flags.contains(KeyFlags::WEB_PROBE);
        flags.with(KeyFlags::BENIGN_MISS, !hostile && is(Self::BENIGN_MISSES))
    }
}

/// The part of a decoded key after the last `/`.
fn name_of(decoded: &str) -> &str {
    decoded.rsplit_once('/').map_or(decoded, |(_, name)| name)
}

/// [`KeyFacts::prefix1`] of a decoded key.
pub(crate) fn first_folder(decoded: &str) -> &str {
    decoded.trim_start_matches('/').split_once('/').map_or("", |(prefix, _)| prefix)
}

/// [`KeyFacts::extension`] of a decoded key.
pub(crate) fn extension_of(decoded: &str) -> Extension {
    Extension::of(name_of(decoded))
}

/// [`KeyFacts::number`] of a decoded key.
pub(crate) fn number_of(decoded: &str) -> Option<i64> {
    number(decoded.as_bytes()).map(|(number, _)| number)
}

/// Percent-decodes repeatedly until nothing changes.
pub(crate) fn decode(key: &str) -> Cow<'_, str> {
    let Cow::Owned(mut bytes) = percent_decode(key.as_bytes()) else { return Cow::Borrowed(key) };
    for _ in 1..MOST_ROUNDS {
        match percent_decode(&bytes) {
            // A remaining `%` is not an encoding.
            Cow::Owned(again) if again.len() < bytes.len() => bytes = again,
            _ => break,
        }
    }
    Cow::Owned(match String::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => String::from_utf8_lossy(error.as_bytes()).into_owned(),
    })
}

/// The last run of 3 to 12 digits that is not part of a hash or UUID.
fn number(key: &[u8]) -> Option<(i64, std::ops::Range<usize>)> {
    let mut end = key.len();
    while let Some(last) = key[..end].iter().rposition(u8::is_ascii_digit) {
        let start = start_of_run(key, last, u8::is_ascii_digit);
        let hash = hash_around(key, start, last + 1);
        let run = &key[start..=last];
        if (3..=12).contains(&run.len()) && hash.is_none() {
            let number = run.iter().fold(0, |sum, digit| sum * 10 + i64::from(digit - b'0'));
            return Some((number, start..last + 1));
        }
        end = hash.unwrap_or(start);
    }
    None
}

/// Whether two decoded keys differ only in their last numbers, by at most `most`.
pub(crate) fn are_near(one: &str, other: &str, most: u64) -> bool {
    let (one, other) = (one.as_bytes(), other.as_bytes());
    let (Some((a, at)), Some((b, there))) = (number(one), number(other)) else { return false };
    a != b && a.abs_diff(b) <= most && one[..at.start] == other[..there.start] && one[at.end..] == other[there.end..]
}

/// Start of the run that includes the byte at `at`.
fn start_of_run(bytes: &[u8], at: usize, is_of_it: impl Fn(&u8) -> bool) -> usize {
    bytes[..at].iter().rposition(|byte| !is_of_it(byte)).map_or(0, |before| before + 1)
}

/// Start of the hash or UUID that includes a run of digits: at least 16 hexadecimal digits, some of them letters.
fn hash_around(key: &[u8], start: usize, end: usize) -> Option<usize> {
    let is_of_it = |byte: &u8| byte.is_ascii_hexdigit() || *byte == b'-';
    let from = start_of_run(key, start, is_of_it);
    let to = key[end..].iter().position(|byte| !is_of_it(byte)).map_or(key.len(), |length| end + length);
    if to - from < 16 {
        return None;
    }
    let digits = key[from..to].iter().filter(|byte| byte.is_ascii_hexdigit()).count();
    let letters = key[from..to].iter().filter(|byte| byte.is_ascii_alphabetic()).count();
    (digits >= 16 && letters >= 2).then_some(from)
}

/// Whether a name has a hash: caches and backups check for such objects before they write them.
fn has_hash(name: &[u8]) -> bool {
    // Searches backwards: the last byte that is not a hexadecimal digit rules out all starts before it.
    let mut start = 0;
    while start + SHORTEST_HASH <= name.len() {
        match name[start..start + SHORTEST_HASH].iter().rposition(|byte| !byte.is_ascii_hexdigit()) {
            None => return true,
            Some(other) => start += other + 1,
        }
    }
    false
}

/// Whether clients read the key in order with its neighbours: a segment of video, a part of a table, a tile, a chunk.
fn is_numbered_part(key: &str, name: &str, numbering: Numbering) -> bool {
    let has_digit = || name.bytes().any(|byte| byte.is_ascii_digit());
    match numbering {
        Numbering::Always => has_digit(),
        Numbering::Segments => starts_with_any(name, &["seg", "chunk", "frag", "init"]) && has_digit(),
        Numbering::Tiles => is_tile(key),
        Numbering::ByName => starts_with_any(name, &["part-", "part_", "part."]) && has_digit() || is_chunk(key, name),
    }
}

/// Whether a name begins with one of these words, ignoring case.
fn starts_with_any(name: &str, words: &[&str]) -> bool {
    words.iter().any(|word| name.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word)))
}

/// Whether a key has the form `…/zoom/column/row.png`.
fn is_tile(key: &str) -> bool {
    let mut parts = key.rsplit('/');
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let row = parts.next().and_then(|name| name.split(['.', '@']).next()).is_some_and(is_number);
    row && parts.next().is_some_and(is_number) && parts.next().is_some_and(is_number)
}

/// Whether a key is a chunk of an array: `…/0.12.3`, `…/c/0/12`.
fn is_chunk(key: &str, name: &str) -> bool {
    let numeric = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    if !numeric {
        return false;
    }
    let parent = key[..key.len() - name.len()].trim_end_matches('/').rsplit('/').next().unwrap_or_default();
    let counts = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    name.contains('.') || parent == "c" || counts(parent)
}

#[cfg(test)]
mod tests;
