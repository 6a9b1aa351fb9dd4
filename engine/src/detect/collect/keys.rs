//! Number of sources for which each key succeeded, and for which it failed.

use super::event::{Event, Flags};
use crate::detect::facts::OpClass;
use datafusion::common::HashMap;

/// Maximum number of successful sources counted per key: more than any rule needs.
pub(crate) const MOST_GOOD: usize = 4;
/// Maximum number of failing sources counted per key or folder.
pub(crate) const MOST_ASKS: usize = 256;
/// Maximum number of failing keys, and of folders, for which sources are counted, because clients can invent any
/// number. 150 MB at most.
const MOST_KEYS: usize = 1_000_000;

/// A few distinct hashes of sources.
#[derive(Clone, Copy, Debug, Default)]
struct Few([u32; MOST_GOOD]);

impl Few {
    fn add(&mut self, hash: u32) {
        for place in &mut self.0 {
            if *place == hash {
                return;
            }
            if *place == 0 {
                *place = hash;
                return;
            }
        }
    }

    fn count(self) -> u64 {
        self.0.iter().filter(|place| **place != 0).count() as u64
    }
}

/// Sources by hash of key or folder.
#[derive(Debug, Default)]
pub(crate) struct Keys {
    good: HashMap<u64, Few>,
    asks: Asks,
    folder_asks: Asks,
}

/// Failing sources by hash. If there are too many hashes, those below a decreasing limit are kept: each remaining one
/// was counted from the beginning, whatever the order.
#[derive(Debug)]
struct Asks {
    sources: HashMap<u64, Vec<u32>>,
    limit: u64,
    most: usize,
}

impl Default for Asks {
    fn default() -> Self {
        Self { sources: HashMap::default(), limit: u64::MAX, most: MOST_KEYS }
    }
}

impl Asks {
    fn add(&mut self, key: u64, source: u32) {
        if key <= self.limit {
            add(self.sources.entry(key).or_default(), source);
            self.fit();
        }
    }

    fn fit(&mut self) {
        while self.sources.len() > self.most {
            self.limit /= 2;
            let limit = self.limit;
            self.sources.retain(|key, _| *key <= limit);
            self.sources.shrink_to_fit();
        }
    }

    /// Number of sources that failed. For hashes that are not counted, 1: the one asking.
    fn count(&self, key: u64) -> u64 {
        let uncounted = u64::from(key > self.limit);
        self.sources.get(&key).map_or(uncounted, |sources| sources.len() as u64)
    }

    fn merge(&mut self, other: Self) {
        self.limit = self.limit.min(other.limit);
        let limit = self.limit;
        self.sources.retain(|key, _| *key <= limit);
        for (key, sources) in other.sources.into_iter().filter(|(key, _)| *key <= limit) {
            let mine = self.sources.entry(key).or_default();
            sources.into_iter().for_each(|source| add(mine, source));
        }
        self.fit();
    }
}

impl Keys {
    /// Prefetches what [`Self::add`] needs, except for folders.
    pub(crate) fn touch(&self, event: &Event<'_>) -> u64 {
        if event.key_hash == 0 {
            return 0;
        }
        if is_good(event) {
            self.good.get(&event.key_hash).map_or(0, |few| few.0[0].into())
        } else if event.flags.has(Flags::FAIL) && event.class.is_object() {
            let middle = |sources: &Vec<u32>| sources.get(sources.len() / 2).copied();
            self.asks.sources.get(&event.key_hash).and_then(middle).unwrap_or_default().into()
        } else {
            0
        }
    }

    pub(crate) fn add(&mut self, event: &Event<'_>) {
        if event.key_hash == 0 {
            return;
        }
        // 0 stands for an empty slot, so it must not be a hash.
        let source = (event.source_hash as u32).max(1);
        if is_good(event) {
            self.good.entry(event.key_hash).or_default().add(source);
        } else if event.flags.has(Flags::FAIL) && event.class.is_object() {
            self.asks.add(event.key_hash, source);
            if event.prefix_hash != 0 {
                self.folder_asks.add(event.prefix_hash, source);
            }
        }
    }

    /// Number of sources for which a key succeeded, up to [`MOST_GOOD`].
    pub(crate) fn good(&self, key: u64) -> u64 {
        self.good.get(&key).map_or(0, |few| few.count())
    }

    /// Number of sources that failed on a key.
    pub(crate) fn asks(&self, key: u64) -> u64 {
        self.asks.count(key)
    }

    /// Number of sources that failed in a folder.
    pub(crate) fn folder_asks(&self, folder: u64) -> u64 {
        self.folder_asks.count(folder)
    }

    pub(crate) fn merge(&mut self, other: Self) {
        for (key, few) in other.good {
            let mine = self.good.entry(key).or_default();
            few.0.into_iter().filter(|hash| *hash != 0).for_each(|hash| mine.add(hash));
        }
        self.asks.merge(other.asks);
        self.folder_asks.merge(other.folder_asks);
    }

    /// Whether there were more failing keys or folders than are counted.
    pub(crate) fn is_full(&self) -> bool {
        self.asks.limit < u64::MAX || self.folder_asks.limit < u64::MAX
    }

    /// The source hashes for each key that succeeded, for a profile.
    pub(crate) fn good_keys(&self) -> impl Iterator<Item = (u64, [u32; MOST_GOOD])> {
        self.good.iter().map(|(key, few)| (*key, few.0))
    }

    /// Adds a key from a profile.
    pub(crate) fn remember(&mut self, key: u64, sources: [u32; MOST_GOOD]) {
        let mine = self.good.entry(key).or_default();
        sources.into_iter().filter(|hash| *hash != 0).for_each(|hash| mine.add(hash));
    }
}

/// Whether a key succeeded. Operations reserved for the owner reveal nothing to outsiders; a key that is written will
/// be read.
fn is_good(event: &Event<'_>) -> bool {
    event.flags.has(Flags::OK) && matches!(event.class, OpClass::ObjectRead | OpClass::ObjectWrite | OpClass::Copy)
}

fn add(sources: &mut Vec<u32>, source: u32) {
    if let Err(at) = sources.binary_search(&source)
        && sources.len() < MOST_ASKS
    {
        sources.insert(at, source);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_too_many_keys_the_same_stay_in_whatever_order() {
        let keys: Vec<u64> =
            (1..=500_u64).map(|number| super::super::sketch::hash_of(&[&number.to_le_bytes()])).collect();
        let filled = |keys: &mut dyn Iterator<Item = &u64>| {
            let mut asks = Asks { most: 100, ..Asks::default() };
            keys.for_each(|key| asks.add(*key, 7));
            asks
        };
        let (up, down) = (filled(&mut keys.iter()), filled(&mut keys.iter().rev()));
        let mut parts = filled(&mut keys[..250].iter());
        parts.merge(filled(&mut keys[200..].iter()));
        for asks in [&down, &parts] {
            assert_eq!((asks.limit, &asks.sources), (up.limit, &up.sources));
        }
        assert!(up.sources.len() <= 100 && up.sources.len() > 30, "{}", up.sources.len());
        assert!(keys.iter().all(|key| up.count(*key) == 1));
    }
}
