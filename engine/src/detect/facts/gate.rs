//! Whether a key may be of any list, from the first letters of its parts and the last ones of its own.
//!
//! The automaton of all patterns takes a step for each byte of each key, and nearly all keys are of no list. But what a
//! pattern begins with is known, and mostly what it ends with: `wp-config(\.php)?~$` begins with `wp-c` and ends with `g~`
//! or `p~`. Each pattern is one of 128 bits. A table knows the bits of those that begin so, another of those that end so. A
//! key whose parts and end have no bit in common is of no list, which takes a few look-ups.
//!
//! A pattern without a known beginning has its bit for any, and so at the end. Bits are shared if there are more
//! patterns, which costs time, not correctness. But one without a beginning never shares its bit with one without an end:
//! together they would let everything pass.

use regex_syntax::hir::literal::{ExtractKind, Extractor};
use regex_syntax::hir::{Hir, Look};

/// Letters that are looked at.
const LETTERS: usize = 4;

/// Slots of a table to begin with: a power of two.
const SLOTS: usize = 1 << 9;

/// Bits of patterns by letters.
#[derive(Clone, Debug)]
struct Table {
    /// Those that any letters may be.
    any: u128,
    /// One to four letters as a number, 0 for a free slot. Who finds a slot taken takes the next.
    letters: Vec<u32>,
    /// The bits of each slot, apart: they are looked at only if the letters are there.
    bits: Vec<u128>,
    taken: usize,
}

impl Table {
    fn new() -> Self {
        Self { any: 0, letters: vec![0; SLOTS], bits: vec![0; SLOTS], taken: 0 }
    }

    /// Adds a pattern that has one of these texts, or any.
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
        // A quarter taken at most, so that letters which are not there mostly find a free slot at once.
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

    /// The bits of those that have these letters.
    fn get(&self, letters: u32) -> u128 {
        let slot = self.slot(letters);
        if self.letters[slot] == 0 { 0 } else { self.bits[slot] }
    }

    /// The slot of letters, or the free one that would be theirs.
    fn slot(&self, letters: u32) -> usize {
        let mask = self.letters.len() - 1;
        // The middle bits of the product depend on all letters.
        let mut slot = (u64::from(letters).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32) as usize & mask;
        while self.letters[slot] != letters && self.letters[slot] != 0 {
            slot = (slot + 1) & mask;
        }
        slot
    }
}

/// A few letters as a number, which is not 0 unless they are NULs.
fn number(letters: &[u8]) -> u32 {
    letters.iter().fold(0, |number, letter| number << 8 | u32::from(*letter))
}

/// What patterns begin and end with.
#[derive(Clone, Debug)]
pub(super) struct Gate {
    starts: Table,
    /// Letters are in reverse order.
    ends: Table,
    patterns: u32,
}

impl Gate {
    /// Of no pattern.
    pub(super) fn new() -> Self {
        Self { starts: Table::new(), ends: Table::new(), patterns: 0 }
    }

    /// Adds a pattern that begins where a part of the path does.
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

    /// Whether a path in lower case may match. If not, no pattern does.
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

    /// Whether some pattern opens the gate for every path.
    #[cfg(test)]
    pub(super) fn is_always_open(&self) -> bool {
        self.starts.any & self.ends.any != 0
    }
}

/// What all texts of a pattern begin or end with, in lower case; none if that may be anything.
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
    // An empty one stands for anything.
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
