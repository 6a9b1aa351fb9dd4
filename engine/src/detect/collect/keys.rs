//! For how many sources a key worked, and for how many it did not.

use super::event::{Event, Flags};
use crate::detect::facts::OpClass;
use datafusion::common::HashMap;

/// How many sources a key worked for are counted: more than any rule asks for.
pub(crate) const MOST_GOOD: usize = 4;
/// How many sources that failed on a key, or in a folder, are counted.
pub(crate) const MOST_ASKS: usize = 256;

/// A few hashes of sources, each once.
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

/// Keys and folders by the hashes of their names.
#[derive(Debug, Default)]
pub(crate) struct Keys {
    good: HashMap<u64, Few>,
    asks: HashMap<u64, Vec<u32>>,
    folder_asks: HashMap<u64, Vec<u32>>,
}

impl Keys {
    /// Loads what [`Self::add`] will ask for, folders aside.
    pub(crate) fn touch(&self, event: &Event<'_>) -> u64 {
        if event.key_hash == 0 {
            return 0;
        }
        if is_good(event) {
            self.good.get(&event.key_hash).map_or(0, |few| few.0[0].into())
        } else if event.flags.has(Flags::FAIL) && event.class.is_object() {
            let middle = |sources: &Vec<u32>| sources.get(sources.len() / 2).copied();
            self.asks.get(&event.key_hash).and_then(middle).unwrap_or_default().into()
        } else {
            0
        }
    }

    pub(crate) fn add(&mut self, event: &Event<'_>) {
        if event.key_hash == 0 {
            return;
        }
        // 0 is no hash of a source: it stands for none.
        let source = (event.source_hash as u32).max(1);
        if is_good(event) {
            self.good.entry(event.key_hash).or_default().add(source);
        } else if event.flags.has(Flags::FAIL) && event.class.is_object() {
            add(self.asks.entry(event.key_hash).or_default(), source);
            if event.prefix_hash != 0 {
                add(self.folder_asks.entry(event.prefix_hash).or_default(), source);
            }
        }
    }

    /// How many sources a key worked for, up to [`MOST_GOOD`].
    pub(crate) fn good(&self, key: u64) -> u64 {
        self.good.get(&key).map_or(0, |few| few.count())
    }

    /// How many sources failed on a key.
    pub(crate) fn asks(&self, key: u64) -> u64 {
        self.asks.get(&key).map_or(0, |sources| sources.len() as u64)
    }

    /// How many sources failed in a folder.
    pub(crate) fn folder_asks(&self, folder: u64) -> u64 {
        self.folder_asks.get(&folder).map_or(0, |sources| sources.len() as u64)
    }

    pub(crate) fn merge(&mut self, other: Self) {
        for (key, few) in other.good {
            let mine = self.good.entry(key).or_default();
            few.0.into_iter().filter(|hash| *hash != 0).for_each(|hash| mine.add(hash));
        }
        for (mine, theirs) in [(&mut self.asks, other.asks), (&mut self.folder_asks, other.folder_asks)] {
            for (key, sources) in theirs {
                let mine = mine.entry(key).or_default();
                sources.into_iter().for_each(|source| add(mine, source));
            }
        }
    }

    /// How many sources the keys of a profile worked for, with the hash of each key.
    pub(crate) fn good_keys(&self) -> impl Iterator<Item = (u64, [u32; MOST_GOOD])> {
        self.good.iter().map(|(key, few)| (*key, few.0))
    }

    /// Takes a key of a profile.
    pub(crate) fn remember(&mut self, key: u64, sources: [u32; MOST_GOOD]) {
        let mine = self.good.entry(key).or_default();
        sources.into_iter().filter(|hash| *hash != 0).for_each(|hash| mine.add(hash));
    }
}

/// Whether a key worked. What only its owner can reach shows no outsider what exists; what is written will be read.
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
