//! Pre-filter that tells whether a key can match any list, from the first characters of its parts and its last
//! characters.
//!
//! The combined automaton takes a step for each byte of each key, although nearly no key is on a list. But the prefix
//! of each pattern is known, and usually its suffix: `wp-config(\.php)?~$` begins with `wp-c` and ends with `g~` or
//! `p~`. Each pattern is assigned one of 128 bits. One table maps prefixes to the bits of their patterns, another maps
//! suffixes. If the parts and the end of a key have no bit in common, no pattern matches; this takes a few lookups.
//!
//! A pattern without a known prefix has its bit set for any prefix; the same goes for suffixes. With more patterns than
//! bits, bits are shared, which costs time, but not correctness. A pattern without a prefix never shares its bit with
//! one without a suffix, because together they would let everything pass.

use regex_syntax::hir::literal::{ExtractKind, Extractor};
use regex_syntax::hir::{Hir, Look};

/// Maximum number of characters compared.
const LETTERS: usize = 4;

/// Initial size of a table, a power of two.
const SLOTS: usize = 1 << 9;

/// Maps characters to bits of patterns.
#[derive(Clone, Debug)]
struct Table {
    /// Bits of patterns that allow any characters.
    any: u128,
    /// One to four characters as a number, 0 for a free slot; linear probing.
    letters: Vec<u32>,
    /// The bits of each slot. A separate array, because they are needed only for a match.
    bits: Vec<u128>,
    taken: usize,
}

impl Table {
    fn new() -> Self {
        Self { any: 0, letters: vec![0; SLOTS], bits: vec![0; SLOTS], taken: 0 }
    }

    /// Adds a pattern that has one of these texts; `None` for any text.
    fn add(&mut self, bit: u128, texts: Option<Vec<Vec<u8>>>) {
        let Some(texts) = texts else {
            self.any |= bit;
            return;
        };
        for text in texts {
            self.insert(number(&text[..text.len().min(LETTERS)]), bit);
        }
    }

    fn insert(&mut self, letters: u32, bit: u128) {
        let slot = self.slot(letters);
        self.taken += usize::from(self.letters[slot] == 0);
        self.letters[slot] = letters;
        self.bits[slot] |= bit;
        // At most a quarter full, so that characters not in the table usually hit a free slot at once.
        if self.taken * 4 > self.letters.len() {
            let slots = self.letters.len() * 2;
            let letters = std::mem::replace(&mut self.letters, vec![0; slots]);
            let bits = std::mem::replace(&mut self.bits, vec![0; slots]);
            self.taken = 0;
            for (letters, bits) in letters.into_iter().zip(bits).filter(|(letters, _)| *letters != 0) {
                self.insert(letters, bits);
            }
        }
    }

    /// The bits of patterns with these characters.
    fn get(&self, letters: u32) -> u128 {
        let slot = self.slot(letters);
        if self.letters[slot] == 0 { 0 } else { self.bits[slot] }
    }

    /// The slot of characters, or the free slot where they would be.
    fn slot(&self, letters: u32) -> usize {
        let mask = self.letters.len() - 1;
        // The middle bits of the product depend on all characters.
        let mut slot = (u64::from(letters).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32) as usize & mask;
        while self.letters[slot] != letters && self.letters[slot] != 0 {
            slot = (slot + 1) & mask;
        }
        slot
    }
}

/// A few characters as a number, which is 0 only for NULs.
fn number(letters: &[u8]) -> u32 {
    letters.iter().fold(0, |number, letter| number << 8 | u32::from(*letter))
}

/// Prefixes and suffixes of patterns.
#[derive(Clone, Debug)]
pub(super) struct Gate {
    starts: Table,
    /// With characters in reverse order.
    ends: Table,
    patterns: u32,
}

impl Gate {
    pub(super) fn new() -> Self {
        Self { starts: Table::new(), ends: Table::new(), patterns: 0 }
    }

    /// Adds a pattern, which is anchored to the start of a part of the path.
    pub(super) fn add(&mut self, pattern: &Hir) {
        let starts = literals(pattern, ExtractKind::Prefix);
        let ends = pattern.properties().look_set_suffix().contains(Look::End);
        let ends = ends.then(|| literals(pattern, ExtractKind::Suffix)).flatten();
        let ends = ends.map(|texts| texts.into_iter().map(|text| text.into_iter().rev().collect()).collect());
        let (first, bits) = match (&starts, &ends) {
            (Some(_), Some(_)) => (0, 80),
            (Some(_), None) => (80, 24),
            _ => (104, 24),
        };
        let bit = 1 << (first + self.patterns % bits);
        self.patterns += 1;
        self.starts.add(bit, starts);
        self.ends.add(bit, ends);
    }

    /// Whether a path in lower case may match. If false, no pattern matches.
    pub(super) fn is_open(&self, path: &[u8]) -> bool {
        let mut ends = self.ends.any;
        let mut letters = 0;
        for letter in path.iter().rev().take(LETTERS) {
            letters = letters << 8 | u32::from(*letter);
            ends |= self.ends.get(letters);
        }
        if self.starts.any & ends != 0 {
            return true;
        }
        let mut part = path;
        loop {
            let mut letters = 0;
            for letter in part.iter().take(LETTERS) {
                letters = letters << 8 | u32::from(*letter);
                if self.starts.get(letters) & ends != 0 {
                    return true;
                }
            }
            let Some(slash) = memchr::memchr(b'/', part) else { return false };
            part = &part[slash + 1..];
        }
    }

    /// Whether some pattern lets every path pass.
    #[cfg(test)]
    pub(super) fn is_always_open(&self) -> bool {
        self.starts.any & self.ends.any != 0
    }
}

/// The prefixes or suffixes of all texts that match a pattern, in lower case; `None` if they can be anything.
fn literals(pattern: &Hir, kind: ExtractKind) -> Option<Vec<Vec<u8>>> {
    let of_end = matches!(kind, ExtractKind::Suffix);
    let mut extractor = Extractor::new();
    extractor.kind(kind).limit_class(12).limit_repeat(4).limit_literal_len(16).limit_total(2000);
    let mut found = extractor.extract(pattern);
    if of_end {
        found.keep_last_bytes(LETTERS);
    } else {
        found.keep_first_bytes(LETTERS);
    }
    let texts = found.literals()?.iter().map(|text| text.as_bytes().to_ascii_lowercase());
    let texts: Vec<_> = texts.collect();
    // An empty text can be anything.
    texts.iter().all(|text| !text.is_empty()).then_some(texts)
}

#[cfg(test)]
mod tests {
    use super::super::lists::syntax;
    use super::*;

    #[test]
    fn ordinary_paths_do_not_pass() {
        let mut gate = Gate::new();
        for pattern in [r"\.env(?:\.bak)?$", r"[^/]+\.pem$", r"wp-(?:admin|login)", r"(?:DB|data)[^/]*\.SQL$"] {
            gate.add(&syntax(pattern).unwrap());
        }
        assert!(!gate.is_always_open());
        for (path, open) in [
            (".env", true),
            ("a/.env.bak", true),
            ("a/.env.jpg", false),
            ("a/b.pem", true),
            ("a/b.pen", false),
            ("wp-login.php", true),
            ("a/wp-admin/x.png", true),
            ("wq-login.php", false),
            ("data/a.jpg", false),
            ("data/a.sql", true),
            ("db.sql", true),
            ("photos/a.sql", false),
            ("photos/2024/a.jpg", false),
            ("", false),
        ] {
            assert_eq!(gate.is_open(path.as_bytes()), open, "{path}");
        }
    }

    #[test]
    fn many_patterns_do_not_open_it() {
        let mut gate = Gate::new();
        for index in 0..100 {
            gate.add(&syntax(&format!("start{index}")).unwrap());
            gate.add(&syntax(&format!("[^/]+end{index}$")).unwrap());
        }
        assert!(!gate.is_always_open() && !gate.is_open(b"photos/2024/a.jpg"));
        assert!(gate.is_open(b"start7/a.jpg") && gate.is_open(b"photos/my-end7"));
    }

    #[test]
    fn a_pattern_that_may_be_anything_opens_it() {
        for pattern in ["[^/]*", ".*secret.*", "(?:a|)$", "[^/]+x"] {
            let mut gate = Gate::new();
            gate.add(&syntax(pattern).unwrap());
            assert!(gate.is_always_open(), "{pattern}");
        }
    }
}
