//! Small summaries of large sets: the elements with the smallest hashes.
//!
//! The summary does not depend on the order of insertion, and two summaries can be merged into that of the union. So
//! partitions can be counted in parallel, and every run gives the same figures.

use siphasher::sip::SipHasher13;
use std::hash::Hasher as _;

/// A hash that is stable across runs, partitions and profiles.
pub(crate) fn hash_of(parts: &[&[u8]]) -> u64 {
    let mut hasher = SipHasher13::new();
    for part in parts {
        hasher.write(part);
        // Terminates each part, so that (`ab`, `c`) and (`a`, `bc`) differ: this byte never occurs in UTF-8.
        hasher.write_u8(0xff);
    }
    hasher.finish()
}

/// Estimated size of a set, from the number of hashes kept and the largest of them.
fn estimate(kept: usize, capacity: usize, largest: u64) -> u64 {
    if kept < capacity || largest == 0 {
        return kept as u64;
    }
    // Hashes are uniformly distributed, so their density follows from the largest one kept.
    ((kept as f64 - 1.0) * (u64::MAX as f64 / largest as f64)).round() as u64
}

/// Number of distinct hashes: exact up to the capacity, estimated beyond.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Distinct<const CAPACITY: usize> {
    hashes: Vec<u64>,
}

impl<const CAPACITY: usize> Distinct<CAPACITY> {
    pub(crate) fn add(&mut self, hash: u64) {
        let full = self.hashes.len() == CAPACITY;
        if full && self.hashes.last().is_some_and(|largest| *largest < hash) {
            return;
        }
        if let Err(at) = self.hashes.binary_search(&hash) {
            if full {
                self.hashes.pop();
            }
            self.hashes.insert(at, hash);
        }
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        for hash in &other.hashes {
            self.add(*hash);
        }
    }

    pub(crate) fn count(&self) -> u64 {
        estimate(self.hashes.len(), CAPACITY, self.hashes.last().copied().unwrap_or_default())
    }

    /// Whether `hash` is known to be in the set; beyond the capacity only some are.
    #[cfg(test)]
    fn has(&self, hash: u64) -> bool {
        self.hashes.binary_search(&hash).is_ok()
    }
}

/// Times of operations on a key on one day, in seconds of the day from 1; 0 means never.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct KeyTimes {
    /// First read.
    pub read: u32,
    /// Last write or delete.
    pub written: u32,
    /// First use as the source of a copy, to four seconds.
    pub copied_from: u32,
    /// First use as the target of a copy, to four seconds.
    pub copied_to: u32,
}

/// Bits for a second of the day, and for a quarter of that resolution.
const SECOND: u32 = 17;
const COARSE: u32 = 15;

impl KeyTimes {
    fn pack(self) -> u64 {
        let coarse = |second: u32| u64::from(second.div_ceil(4));
        u64::from(self.read)
            | u64::from(self.written) << SECOND
            | coarse(self.copied_from) << (2 * SECOND)
            | coarse(self.copied_to) << (2 * SECOND + COARSE)
    }

    fn unpack(bits: u64) -> Self {
        let part = |from: u32, bits_of_it: u32| ((bits >> from) & ((1 << bits_of_it) - 1)) as u32;
        Self {
            read: part(0, SECOND),
            written: part(SECOND, SECOND),
            copied_from: part(2 * SECOND, COARSE) * 4,
            copied_to: part(2 * SECOND + COARSE, COARSE) * 4,
        }
    }

    fn absorb(&mut self, other: Self) {
        let earlier = |a: u32, b: u32| if a == 0 || (b != 0 && b < a) { b } else { a };
        self.read = earlier(self.read, other.read);
        self.written = self.written.max(other.written);
        self.copied_from = earlier(self.copied_from, other.copied_from);
        self.copied_to = earlier(self.copied_to, other.copied_to);
    }
}

/// A key with its times, packed because there are many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct KeyUse {
    hash: u64,
    times: u64,
}

/// Maximum number of keys sampled per source, bucket and day.
const KEYS: usize = 64;

/// Keys used by a source, and how: all if there are few, a uniform sample otherwise. All kinds of use share the sample,
/// so a key that was read and later overwritten is recognised as the same.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct KeySample {
    keys: Vec<KeyUse>,
}

impl KeySample {
    pub(crate) fn add(&mut self, hash: u64, times: KeyTimes) {
        let full = self.keys.len() == KEYS;
        if full && self.keys.last().is_some_and(|largest| largest.hash < hash) {
            return;
        }
        match self.keys.binary_search_by_key(&hash, |known| known.hash) {
            Ok(at) => {
                let mut known = KeyTimes::unpack(self.keys[at].times);
                known.absorb(times);
                self.keys[at].times = known.pack();
            }
            Err(at) => {
                if full {
                    self.keys.pop();
                } else if self.keys.len() == self.keys.capacity() {
                    self.keys.reserve_exact(self.keys.len().max(1));
                }
                self.keys.insert(at, KeyUse { hash, times: times.pack() });
            }
        }
    }

    /// Number of keys in the sample.
    pub(crate) fn len(&self) -> usize {
        self.keys.len()
    }

    /// Prefetches what [`Self::add`] needs.
    pub(crate) fn touch(&self) -> u64 {
        let middle = self.keys.get(self.keys.len() / 2).map_or(0, |key| key.hash);
        middle ^ self.keys.last().map_or(0, |key| key.hash)
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        for key in &other.keys {
            self.add(key.hash, KeyTimes::unpack(key.times));
        }
    }

    /// Estimated number of keys.
    pub(crate) fn count(&self) -> u64 {
        estimate(self.keys.len(), KEYS, self.keys.last().map_or(0, |largest| largest.hash))
    }

    /// Number of keys that each key of the sample represents.
    pub(crate) fn scale(&self) -> f64 {
        if self.keys.is_empty() { 1.0 } else { self.count() as f64 / self.keys.len() as f64 }
    }

    /// Estimated number of keys for which `is` holds.
    pub(crate) fn estimate(&self, is: impl Fn(&KeyTimes) -> bool) -> u64 {
        let found = self.keys.iter().filter(|key| is(&KeyTimes::unpack(key.times))).count();
        (found as f64 * self.scale()).round() as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn few_are_counted_and_many_estimated() {
        let mut distinct = Distinct::<256>::default();
        for number in 0_u32..200 {
            distinct.add(hash_of(&[&number.to_le_bytes()]));
            distinct.add(hash_of(&[&number.to_le_bytes()]));
        }
        assert_eq!(distinct.count(), 200);
        for number in 0_u32..100_000 {
            distinct.add(hash_of(&[&number.to_le_bytes()]));
        }
        let count = distinct.count();
        assert!((80_000..120_000).contains(&count), "{count}");
    }

    #[test]
    fn parts_of_a_hash_have_ends() {
        assert_ne!(hash_of(&[b"ab", b"c"]), hash_of(&[b"a", b"bc"]));
    }

    proptest! {
        #[test]
        fn neither_order_nor_partitions_matter(hashes in prop::collection::vec(0_u64..500, 0..300), cut in 0_usize..300) {
            let cut = cut.min(hashes.len());
            let of = |hashes: &[u64]| {
                let (mut distinct, mut keys) = (Distinct::<16>::default(), KeySample::default());
                for hash in hashes {
                    distinct.add(*hash);
                    keys.add(*hash, KeyTimes { read: (*hash % 7) as u32, written: (*hash % 5) as u32, copied_to: (*hash % 3 * 86_400 / 2) as u32, ..KeyTimes::default() });
                }
                (distinct, keys)
            };
            let whole = of(&hashes);
            let (mut first, second) = (of(&hashes[..cut]), of(&hashes[cut..]));
            first.0.merge(&second.0);
            first.1.merge(&second.1);
            prop_assert_eq!(&first, &whole);
            let backwards: Vec<u64> = hashes.iter().rev().copied().collect();
            prop_assert_eq!(&of(&backwards), &whole);
            if let Some(smallest) = hashes.iter().min() {
                prop_assert!(whole.0.has(*smallest));
            }
        }
    }
}
