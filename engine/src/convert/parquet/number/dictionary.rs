//! The distinct numbers of a column chunk, numbered in order of occurrence.

use foldhash::fast::RandomState;
use std::hash::BuildHasher as _;

/// The numbers with a hash table. Lookups are independent of each other, so processors overlap their cache misses;
/// slots are small, so that more of the table stays in cache.
#[derive(Debug, Default)]
pub(super) struct Dictionary {
    state: RandomState,
    /// Positions plus 1; 0 if the slot is free. Linear probing; at least half of the slots are free.
    slots: Vec<u32>,
    values: Vec<i64>,
}

/// Slots of the initial table.
const SLOTS: usize = 64;

impl Dictionary {
    /// The numbers in the order of their positions.
    pub(super) fn values(&self) -> &[i64] {
        &self.values
    }

    /// Appends the positions of `values`.
    pub(super) fn positions(&mut self, values: &[i64], positions: &mut Vec<u32>) {
        positions.extend(values.iter().map(|value| self.position(*value)));
    }

    #[inline]
    fn position(&mut self, value: i64) -> u32 {
        if self.values.len() * 2 >= self.slots.len() {
            self.grow();
        }
        let mut place = self.place(value);
        loop {
            let slot = self.slots[place];
            if slot == 0 {
                return self.insert(place, value);
            }
            if self.values[slot as usize - 1] == value {
                return slot - 1;
            }
            place = (place + 1) & (self.slots.len() - 1);
        }
    }

    /// Where probing starts.
    #[inline]
    fn place(&self, value: i64) -> usize {
        self.state.hash_one(value) as usize & (self.slots.len() - 1)
    }

    #[cold]
    fn insert(&mut self, place: usize, value: i64) -> u32 {
        let position = self.values.len() as u32;
        self.values.push(value);
        self.slots[place] = position + 1;
        position
    }

    #[cold]
    fn grow(&mut self) {
        self.slots = vec![0; (self.slots.len() * 2).max(SLOTS)];
        for at in 0..self.values.len() {
            let mut place = self.place(self.values[at]);
            while self.slots[place] > 0 {
                place = (place + 1) & (self.slots.len() - 1);
            }
            self.slots[place] = at as u32 + 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn numbers_are_numbered_as_they_come(values in prop::collection::vec(prop_oneof![-40_i64..40, any::<i64>()], 0..500)) {
            let (mut dictionary, mut positions) = (Dictionary::default(), Vec::new());
            let (first, second) = values.split_at(values.len() / 3);
            dictionary.positions(first, &mut positions);
            dictionary.positions(second, &mut positions);
            let mut expected = Vec::new();
            for value in &values {
                if !expected.contains(value) {
                    expected.push(*value);
                }
            }
            prop_assert_eq!(dictionary.values(), expected);
            let found: Vec<_> = positions.iter().map(|position| dictionary.values()[*position as usize]).collect();
            prop_assert_eq!(found, values);
        }
    }
}
