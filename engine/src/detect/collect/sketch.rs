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

/// The entries with the `MOST` smallest hashes: all if there are few, a uniform sample otherwise.
///
/// Every entry left at the end was there from its first use, whatever the order: the limit below which hashes are kept
/// only falls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Smallest<T, const MOST: usize> {
    /// Sorted by hash.
    entries: Vec<(u64, T)>,
}

impl<T, const MOST: usize> Default for Smallest<T, MOST> {
    fn default() -> Self {
        Self { entries: Vec::new() }
    }
}

impl<T: Default, const MOST: usize> Smallest<T, MOST> {
    /// The entry of a hash, if it is among the smallest so far.
    pub(crate) fn entry(&mut self, hash: u64) -> Option<&mut T> {
        let full = self.entries.len() == MOST;
        if full && self.largest() < hash {
            return None;
        }
        let at = self.entries.binary_search_by_key(&hash, |(known, _)| *known).unwrap_or_else(|at| {
            if full {
                self.entries.pop();
            } else if self.entries.len() == self.entries.capacity() {
                // Most have one or two entries; reserving four would be most of the memory.
                self.entries.reserve_exact(self.entries.len().max(1));
            }
            self.entries.insert(at, (hash, T::default()));
            at
        });
        Some(&mut self.entries[at].1)
    }

    /// The entries, by ascending hash.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u64, &T)> {
        self.entries.iter().map(|(hash, entry)| (*hash, entry))
    }

    /// Number of entries.
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    fn largest(&self) -> u64 {
        self.entries.last().map_or(0, |(largest, _)| *largest)
    }

    /// Estimated number of distinct hashes, with those that have no entry.
    pub(crate) fn count(&self) -> u64 {
        if self.len() < MOST || self.largest() == 0 {
            return self.len() as u64;
        }
        // Hashes are uniformly distributed, so their density follows from the largest one kept.
        ((self.len() as f64 - 1.0) * (u64::MAX as f64 / self.largest() as f64)).round() as u64
    }

    /// Number of hashes that each entry represents.
    pub(crate) fn scale(&self) -> f64 {
        if self.entries.is_empty() { 1.0 } else { self.count() as f64 / self.len() as f64 }
    }

    /// Estimated number of hashes for whose entries `is` holds.
    pub(crate) fn estimate(&self, is: impl Fn(&T) -> bool) -> u64 {
        let found = self.iter().filter(|(_, entry)| is(entry)).count();
        (found as f64 * self.scale()).round() as u64
    }

    /// Prefetches what [`Self::entry`] needs.
    pub(crate) fn touch(&self) -> u64 {
        self.entries.get(self.len() / 2).map_or(0, |(middle, _)| *middle) ^ self.largest()
    }
}

/// Number of distinct hashes: exact below the capacity, estimated from there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Distinct<const CAPACITY: usize>(Smallest<(), CAPACITY>);

impl<const CAPACITY: usize> Distinct<CAPACITY> {
    pub(crate) fn add(&mut self, hash: u64) {
        self.0.entry(hash);
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        other.0.iter().for_each(|(hash, ())| self.add(hash));
    }

    pub(crate) fn count(&self) -> u64 {
        self.0.count()
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

/// [`KeyTimes`] in one word, because there are many.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct PackedTimes(u64);

impl PackedTimes {
    fn unpack(self) -> KeyTimes {
        let part = |from: u32, bits: u32| ((self.0 >> from) & ((1 << bits) - 1)) as u32;
        KeyTimes {
            read: part(0, SECOND),
            written: part(SECOND, SECOND),
            copied_from: part(2 * SECOND, COARSE) * 4,
            copied_to: part(2 * SECOND + COARSE, COARSE) * 4,
        }
    }
}

impl KeyTimes {
    fn pack(self) -> PackedTimes {
        let coarse = |second: u32| u64::from(second.div_ceil(4));
        PackedTimes(
            u64::from(self.read)
                | u64::from(self.written) << SECOND
                | coarse(self.copied_from) << (2 * SECOND)
                | coarse(self.copied_to) << (2 * SECOND + COARSE),
        )
    }

    fn absorb(&mut self, other: Self) {
        let earlier = |a: u32, b: u32| if a == 0 || (b != 0 && b < a) { b } else { a };
        self.read = earlier(self.read, other.read);
        self.written = self.written.max(other.written);
        self.copied_from = earlier(self.copied_from, other.copied_from);
        self.copied_to = earlier(self.copied_to, other.copied_to);
    }
}

/// Maximum number of keys sampled per source, bucket and day.
const KEYS: usize = 64;

/// Keys used by a source, and how. All kinds of use share the sample, so a key that was read and later overwritten is
/// recognised as the same.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct KeySample(Smallest<PackedTimes, KEYS>);

impl KeySample {
    pub(crate) fn add(&mut self, hash: u64, times: KeyTimes) {
        if let Some(known) = self.0.entry(hash) {
            let mut all = known.unpack();
            all.absorb(times);
            *known = all.pack();
        }
    }

    /// Number of keys in the sample.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// Prefetches what [`Self::add`] needs.
    pub(crate) fn touch(&self) -> u64 {
        self.0.touch()
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        other.0.iter().for_each(|(hash, times)| self.add(hash, times.unpack()));
    }

    /// Estimated number of keys.
    pub(crate) fn count(&self) -> u64 {
        self.0.count()
    }

    /// Number of keys that each key of the sample represents.
    pub(crate) fn scale(&self) -> f64 {
        self.0.scale()
    }

    /// Estimated number of keys for which `is` holds.
    pub(crate) fn estimate(&self, is: impl Fn(&KeyTimes) -> bool) -> u64 {
        self.0.estimate(|times| is(&times.unpack()))
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
                prop_assert!(whole.0.0.iter().any(|(hash, ())| hash == *smallest));
            }
        }
    }
}
