//! The distinct texts of a column chunk, numbered in order of occurrence.
//!
//! The dictionary of a log's keys takes megabytes, and each row accesses a random entry: the cost is memory latency.
//! Therefore a slot of the hash table has everything needed but the text itself, and texts are looked up in groups,
//! whose memory is loaded in parallel.

use foldhash::fast::RandomState;
use std::hash::{BuildHasher as _, Hasher as _};
use std::hint::black_box;

/// Number of texts to look up together.
pub(super) const GROUP: usize = 16;

/// Maximum length of a text that is stored in its view.
const INLINE: u32 = 12;

/// Size of the length prefix of a text, in bytes.
const LENGTH: usize = 4;

/// A text, and its view.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Text<'a> {
    pub(super) view: u128,
    pub(super) bytes: &'a [u8],
}

/// The texts in the format of a dictionary page, with a hash table.
#[derive(Debug, Default)]
pub(super) struct Dictionary {
    state: RandomState,
    /// Hash table with linear probing; at least a quarter is free.
    slots: Vec<Slot>,
    len: usize,
    /// The texts, each prefixed by its length.
    page: Vec<u8>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Slot {
    hash: u32,
    /// Position of the text in the page. 0 if the slot is free: a length always precedes the text.
    start: u32,
    number: u32,
    /// The last page with this text, so that it is reported once per page.
    seen: u32,
}

impl Dictionary {
    /// The number of texts.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Size of the dictionary page, in bytes.
    pub(super) fn bytes(&self) -> usize {
        self.page.len()
    }

    /// The dictionary page: the texts in the order of their numbers, each prefixed by its length.
    pub(super) fn into_page(self) -> Vec<u8> {
        self.page
    }

    /// Appends the numbers of at most [`GROUP`] texts to `numbers`. `page` is the number of the current page, starting
    /// with 1; `is_new` is called for each text that the page contains for the first time.
    pub(super) fn numbers<'a>(
        &mut self,
        texts: &[Text<'a>],
        page: u32,
        numbers: &mut Vec<u32>,
        mut is_new: impl FnMut(&'a [u8]),
    ) {
        while (self.len + texts.len()) * 4 > self.slots.len() * 3 {
            self.grow();
        }
        let mut hashes = [0; GROUP];
        for (hash, text) in hashes.iter_mut().zip(texts) {
            *hash = self.hash(text);
        }
        let mut starts = [0; GROUP];
        for (start, hash) in starts.iter_mut().zip(&hashes[..texts.len()]) {
            *start = self.slots[self.place(*hash)].start as usize;
        }
        let mut touched = 0;
        for start in &starts[..texts.len()] {
            touched |= self.page.get(*start).copied().unwrap_or_default();
        }
        black_box(touched);
        for (hash, text) in hashes.iter().zip(texts) {
            let slot = self.find_or_insert(*hash, text);
            if slot.seen != page {
                slot.seen = page;
                is_new(text.bytes);
            }
            numbers.push(slot.number);
        }
    }

    #[inline]
    fn hash(&self, text: &Text<'_>) -> u32 {
        let mut hasher = self.state.build_hasher();
        if text.view as u32 <= INLINE {
            hasher.write_u128(text.view)
        } else {
            hasher.write(text.bytes)
        }
        hasher.finish() as u32
    }

    /// Where probing starts.
    #[inline]
    fn place(&self, hash: u32) -> usize {
        hash as usize & (self.slots.len() - 1)
    }

    #[inline]
    fn find_or_insert(&mut self, hash: u32, text: &Text<'_>) -> &mut Slot {
        let mut place = self.place(hash);
        loop {
            let slot = self.slots[place];
            if slot.start == 0 {
                self.insert(place, hash, text);
                break;
            }
            if slot.hash == hash && self.is_at(slot.start as usize, text) {
                break;
            }
            place = (place + 1) & (self.slots.len() - 1);
        }
        &mut self.slots[place]
    }

    /// Whether `text` is in the page at `start`.
    #[inline]
    fn is_at(&self, start: usize, text: &Text<'_>) -> bool {
        let length = text.view as u32;
        let from = start - LENGTH;
        // A length and up to twelve bytes, like a view, except that a view is padded with zeros.
        if length <= INLINE
            && let Some(held) = self.page[from..].first_chunk()
        {
            let behind = (INLINE - length) * 8;
            return u128::from_le_bytes(*held) << behind == text.view << behind;
        }
        self.page[from..start] == length.to_le_bytes() && self.page[start..].starts_with(text.bytes)
    }

    #[cold]
    fn insert(&mut self, place: usize, hash: u32, text: &Text<'_>) {
        self.page.extend_from_slice(&(text.bytes.len() as u32).to_le_bytes());
        self.slots[place] = Slot { hash, start: self.page.len() as u32, number: self.len as u32, seen: 0 };
        self.page.extend_from_slice(text.bytes);
        self.len += 1;
    }

    #[cold]
    fn grow(&mut self) {
        let slots = vec![Slot::default(); (self.slots.len() * 2).max(8 * GROUP)];
        let old = std::mem::replace(&mut self.slots, slots);
        for slot in old.into_iter().filter(|slot| slot.start > 0) {
            let mut place = self.place(slot.hash);
            while self.slots[place].start > 0 {
                place = (place + 1) & (self.slots.len() - 1);
            }
            self.slots[place] = slot;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::StringViewArray;
    use proptest::prelude::*;
    use std::collections::{BTreeMap, BTreeSet};

    /// Numbers of texts, those new in each page, and the dictionary.
    fn numbered(texts: &[String], rows_of_page: usize) -> (Vec<u32>, Vec<BTreeSet<String>>, Dictionary) {
        let array: StringViewArray = texts.iter().map(|text| Some(text.as_str())).collect();
        let of = |row: usize| Text { view: array.views()[row], bytes: array.value(row).as_bytes() };
        let rows: Vec<_> = (0..texts.len()).map(of).collect();
        let (mut dictionary, mut numbers, mut new) = (Dictionary::default(), Vec::new(), Vec::new());
        for (page, rows) in rows.chunks(rows_of_page).enumerate() {
            let mut seen = BTreeSet::new();
            for group in rows.chunks(GROUP) {
                dictionary.numbers(group, page as u32 + 1, &mut numbers, |text| {
                    assert!(seen.insert(String::from_utf8(text.to_vec()).unwrap()));
                });
            }
            new.push(seen);
        }
        (numbers, new, dictionary)
    }

    proptest! {
        #[test]
        fn texts_are_numbered_as_they_come(
            texts in prop::collection::vec(prop_oneof!["[ab\0]{0,3}", "[ab]{10,15}", "[a-z]{0,30}"], 0..400),
            rows_of_page in 1_usize..100,
        ) {
            let (numbers, new, dictionary) = numbered(&texts, rows_of_page);
            let mut expected = BTreeMap::new();
            let mut page = Vec::new();
            for (text, number) in texts.iter().zip(&numbers) {
                let next = expected.len() as u32;
                let known = *expected.entry(text).or_insert_with(|| {
                    page.extend_from_slice(&(text.len() as u32).to_le_bytes());
                    page.extend_from_slice(text.as_bytes());
                    next
                });
                prop_assert_eq!(*number, known);
            }
            prop_assert_eq!(dictionary.len(), expected.len());
            prop_assert_eq!(dictionary.bytes(), page.len());
            prop_assert_eq!(dictionary.into_page(), page);
            let of_pages: Vec<BTreeSet<String>> =
                texts.chunks(rows_of_page).map(|texts| texts.iter().cloned().collect()).collect();
            prop_assert_eq!(new, of_pages);
        }
    }

    #[test]
    fn many_texts_find_their_slots() {
        let texts: Vec<_> = (0..100_000).map(|number| format!("{}", number % 70_000)).collect();
        let (numbers, _, dictionary) = numbered(&texts, 20_000);
        assert_eq!(dictionary.len(), 70_000);
        assert!(numbers.iter().enumerate().all(|(row, number)| *number as usize == row % 70_000));
    }
}
