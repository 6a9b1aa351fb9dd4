//! Which requests are kept individually: the first ones of each kind, and a sample by key of the others.
//!
//! The first by time, not by arrival: log objects come in any order, and the same logs must give the same findings.
//!
//! A client that knew this could start the day with innocuous requests and be invisible afterwards. So a full group
//! also keeps the first request for some further keys: those with the smallest hashes, which neither repeating a key
//! nor requesting many others first can influence.

use crate::time_units::MICROS_PER_DAY;
use std::collections::BinaryHeap;

/// A kept request; the first one is the smallest. Small, because there are many.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Row {
    /// Millisecond of the day, and a tie breaker for requests at the same instant.
    at: (u32, u32),
    row: u32,
    /// Hash of what was requested.
    asked: u32,
}

/// The kept rows of each group of requests.
#[derive(Debug, Default)]
pub(crate) struct Kept {
    groups: Vec<Group>,
}

#[derive(Debug)]
struct Group {
    id: u8,
    capacity: u16,
    /// Once full, an earlier request replaces the last one.
    rows: BinaryHeap<Row>,
    /// Once full: the first row of each of the keys with the smallest hashes, sorted by hash. Some are also in `rows`.
    drawn: Vec<Row>,
}

/// Number of rows kept by time for each key that is sampled.
const ROWS_OF_A_DRAW: u16 = 4;

impl Group {
    fn is_full(&self) -> bool {
        self.rows.len() == usize::from(self.capacity)
    }

    fn offer(&mut self, row: Row) -> Offer {
        if !self.is_full() {
            // Most groups hold one or two rows; reserving four would be most of the memory.
            if self.rows.len() == self.rows.capacity() {
                self.rows.reserve_exact(self.rows.len().max(1));
            }
            self.rows.push(row);
            if self.is_full() {
                for at in 0..self.rows.len() {
                    self.draw(self.rows.as_slice()[at]);
                }
            }
            return Offer::Kept { pushed_out: [None; 2] };
        }
        let late = self.offer_first(row);
        let drawn = self.draw(row);
        let is_kept = late != Some(row.row) || self.drawn_at(row).is_some();
        if !is_kept {
            return Offer::Refused;
        }
        // A row may be kept for both reasons, and is dropped when neither applies.
        let late = late.filter(|late| *late != row.row && !self.drawn.iter().any(|drawn| drawn.row == *late));
        let drawn = drawn.filter(|drawn| !self.rows.iter().any(|row| row.row == *drawn));
        Offer::Kept { pushed_out: [late, drawn.filter(|drawn| Some(*drawn) != late)] }
    }

    /// Keeps a row if it is among the first. Returns the row that is not, of this one and those kept before.
    fn offer_first(&mut self, row: Row) -> Option<u32> {
        let mut last = self.rows.peek_mut()?;
        if last.at <= row.at {
            return Some(row.row);
        }
        Some(std::mem::replace(&mut *last, row).row)
    }

    /// Keeps a row if it is the first of its key, and the key is in the sample. Returns the row that was dropped, if
    /// any.
    fn draw(&mut self, row: Row) -> Option<u32> {
        let most = usize::from(self.capacity / ROWS_OF_A_DRAW);
        let is_one_of_them = self.drawn.len() < most || self.drawn.last().is_some_and(|last| row.asked <= last.asked);
        if most == 0 || !is_one_of_them {
            return None;
        }
        match self.drawn.binary_search_by_key(&row.asked, |drawn| drawn.asked) {
            Ok(at) if row.at < self.drawn[at].at => Some(std::mem::replace(&mut self.drawn[at], row).row),
            Ok(_) => None,
            Err(at) => {
                let last = if self.drawn.len() == most { self.drawn.pop() } else { None };
                self.drawn.insert(at, row);
                last.map(|last| last.row)
            }
        }
    }

    fn drawn_at(&self, row: Row) -> Option<usize> {
        let at = self.drawn.binary_search_by_key(&row.asked, |drawn| drawn.asked).ok()?;
        (self.drawn[at].row == row.row).then_some(at)
    }
}

/// The result of offering a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Offer {
    /// Enough others come before it.
    Refused,
    /// Kept, at least for now.
    Kept {
        /// The rows that were dropped for it.
        pushed_out: [Option<u32>; 2],
    },
}

impl Offer {
    pub(crate) fn is_kept(self) -> bool {
        self != Self::Refused
    }

    pub(crate) fn pushed_out(self) -> impl Iterator<Item = u32> {
        match self {
            Self::Refused => [None; 2],
            Self::Kept { pushed_out } => pushed_out,
        }
        .into_iter()
        .flatten()
    }
}

impl Kept {
    /// Offers a request to a group; if it is kept, it is stored as `row`. `tie` distinguishes requests at the same
    /// instant, `asked` is a hash of what was requested.
    pub(crate) fn offer(&mut self, id: u8, capacity: u16, time: i64, (tie, asked): (u64, u64), row: u32) -> Offer {
        if capacity == 0 {
            return Offer::Refused;
        }
        let millisecond = u32::try_from(time.rem_euclid(MICROS_PER_DAY) / 1000).unwrap_or_default();
        let fold = |hash: u64| (hash >> 32) as u32 ^ hash as u32;
        self.group(id, capacity).offer(Row { at: (millisecond, fold(tie)), asked: fold(asked), row })
    }

    /// Prefetches what [`Self::offer`] needs of the groups.
    pub(crate) fn touch(&self) -> u64 {
        self.groups.first().map_or(0, |group| group.id.into())
    }

    /// Prefetches what [`Self::offer`] needs of one group.
    pub(crate) fn touch_group(&self, id: u8) -> u64 {
        let group = self.groups.iter().find(|group| group.id == id);
        group.and_then(|group| group.rows.peek()).map_or(0, |row| row.at.0.into())
    }

    /// Adds `base` to all rows.
    pub(crate) fn move_up(&mut self, base: u32) {
        for group in &mut self.groups {
            let mut rows = std::mem::take(&mut group.rows).into_vec();
            rows.iter_mut().chain(&mut group.drawn).for_each(|row| row.row += base);
            group.rows = rows.into();
        }
    }

    fn group(&mut self, id: u8, capacity: u16) -> &mut Group {
        let at = self.groups.iter().position(|group| group.id == id).unwrap_or_else(|| {
            self.groups.push(Group { id, capacity, rows: BinaryHeap::new(), drawn: Vec::new() });
            self.groups.len() - 1
        });
        &mut self.groups[at]
    }

    /// Merges those of another partition; its rows are shifted by `base`.
    pub(crate) fn merge(&mut self, mut other: Self, base: u32) {
        other.move_up(base);
        for theirs in other.groups {
            let mine = self.group(theirs.id, theirs.capacity);
            for row in theirs.rows {
                mine.offer(row);
            }
            // Their group was full if it has a sample, so this one is full by now.
            for row in theirs.drawn {
                mine.draw(row);
            }
        }
    }

    /// All kept rows.
    pub(crate) fn rows(&self) -> impl Iterator<Item = u32> {
        let drawn = |group: &Group| {
            let by_time: Vec<u32> = if group.drawn.is_empty() { Vec::new() } else { rows_of(&group.rows) };
            let others = group.drawn.iter().map(|row| row.row).filter(move |row| by_time.binary_search(row).is_err());
            others.collect::<Vec<_>>()
        };
        self.first_rows().chain(self.groups.iter().flat_map(drawn))
    }

    /// The rows kept by time, without gaps between them.
    pub(crate) fn first_rows(&self) -> impl Iterator<Item = u32> {
        self.groups.iter().flat_map(|group| group.rows.iter().map(|row| row.row))
    }
}

/// The rows, sorted.
fn rows_of(rows: &BinaryHeap<Row>) -> Vec<u32> {
    let mut numbers: Vec<u32> = rows.iter().map(|row| row.row).collect();
    numbers.sort_unstable();
    numbers
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::collect::sketch::hash_of;

    fn rows(kept: &Kept) -> Vec<u32> {
        let mut rows: Vec<u32> = kept.rows().collect();
        rows.sort_unstable();
        rows
    }

    #[test]
    fn the_first_by_time_are_kept_in_whatever_order_they_come() {
        let mut kept = Kept::default();
        let added = Offer::Kept { pushed_out: [None; 2] };
        let zero = (0, 0);
        assert_eq!((kept.offer(1, 2, 30_000, zero, 0), kept.offer(1, 2, 20_000, zero, 1)), (added, added));
        assert_eq!(kept.offer(1, 2, 40_000, zero, 2), Offer::Refused);
        assert_eq!(kept.offer(1, 2, 10_000, zero, 3), Offer::Kept { pushed_out: [Some(0), None] });
        assert_eq!(kept.offer(2, 2, 90_000, zero, 4), added, "of another group");
        assert_eq!(kept.offer(3, 0, 1, zero, 5), Offer::Refused, "of a group that keeps nothing");
        assert_eq!(rows(&kept), [1, 3, 4]);
        let mut others = Kept::default();
        assert_eq!(others.offer(1, 2, 15_000, zero, 0), added);
        kept.merge(others, 100);
        assert_eq!(rows(&kept), [3, 4, 100]);
    }

    /// Time, key and row of requests that start by repeating one key.
    fn requests() -> Vec<(i64, u64, u32)> {
        let begin = (0..100).map(|at| (at * 1_000_000, hash_of(&[b"favicon.ico"]), at as u32));
        let behind = (100..140).map(|at: i64| (at * 1_000_000, hash_of(&[b"secret", &at.to_le_bytes()]), at as u32));
        begin.chain(behind).collect()
    }

    #[test]
    fn who_repeats_one_key_does_not_hide_the_others() {
        let mut kept = Kept::default();
        for (time, asked, row) in requests() {
            kept.offer(1, 16, time, (0, asked), row);
        }
        let rows = rows(&kept);
        assert_eq!(rows[..16], (0..16).collect::<Vec<_>>());
        // One of the four keys may be the repeated one.
        assert!((19..=20).contains(&rows.len()), "{rows:?}");
        assert!(rows[16..].iter().all(|row| *row >= 100), "{rows:?}");
        assert_eq!(kept.first_rows().count(), 16);
    }

    #[test]
    fn what_is_kept_depends_on_no_order_and_what_is_not_is_told() {
        let requests = requests();
        let mut expected = Kept::default();
        for (time, asked, row) in &requests {
            expected.offer(1, 16, *time, (0, *asked), *row);
        }
        for step in [1, 3, 11, 37, 51, 139] {
            let order = (0..requests.len()).map(|at| requests[at * step % requests.len()]);
            let mut held = Vec::new();
            let mut kept = Kept::default();
            for (time, asked, row) in order.clone() {
                let offer = kept.offer(1, 16, time, (0, asked), row);
                held.extend(offer.is_kept().then_some(row));
                offer.pushed_out().for_each(|gone| held.retain(|row| *row != gone));
                held.sort_unstable();
                assert_eq!(held, rows(&kept), "{step}");
            }
            assert_eq!(rows(&kept), rows(&expected), "{step}");
            let (mut one, mut other) = (Kept::default(), Kept::default());
            for (at, (time, asked, row)) in order.enumerate() {
                let part = if at % 5 == 0 { &mut one } else { &mut other };
                part.offer(1, 16, time, (0, asked), row);
            }
            one.merge(other, 0);
            assert_eq!(rows(&one), rows(&expected), "{step}");
        }
    }
}
