//! Which single requests are kept: of every kind the first ones.
//!
//! The first by time, not by arrival: log objects come in no order, and the same logs must give the same findings.

use crate::time_units::MICROS_PER_DAY;

/// A kept request: its millisecond of the day, what tells requests of one instant apart, and its row. There are many, so they are
/// small.
type Row = (u32, u32, u32);

/// The rows that are kept of each group of requests.
#[derive(Debug, Default)]
pub(crate) struct Kept {
    groups: Vec<Group>,
}

#[derive(Debug)]
struct Group {
    id: u8,
    capacity: u16,
    /// A heap once it is full, the largest on top: what comes first pushes it out.
    rows: Vec<Row>,
}

impl Group {
    fn offer(&mut self, row: Row) -> Offer {
        if self.rows.len() < usize::from(self.capacity) {
            // Most groups hold one or two, and room for four would be most of the memory.
            if self.rows.len() == self.rows.capacity() {
                self.rows.reserve_exact(self.rows.len().max(1));
            }
            self.rows.push(row);
            if self.rows.len() == usize::from(self.capacity) {
                self.rows.sort_unstable_by(|a, b| b.cmp(a));
            }
            return Offer::Kept { pushed_out: None };
        }
        // Sorted from the largest on, which is a heap.
        let largest = self.rows[0];
        if (largest.0, largest.1) <= (row.0, row.1) {
            return Offer::Refused;
        }
        self.rows[0] = row;
        self.sift_down();
        Offer::Kept { pushed_out: Some(largest.2) }
    }

    /// Moves the topmost row down to where it belongs.
    fn sift_down(&mut self) {
        let mut at = 0;
        loop {
            let children = [2 * at + 1, 2 * at + 2].into_iter().filter(|child| *child < self.rows.len());
            let Some(largest) = children.max_by_key(|child| self.rows[*child]) else { return };
            if self.rows[at] >= self.rows[largest] {
                return;
            }
            self.rows.swap(at, largest);
            at = largest;
        }
    }
}

/// What comes of a request that is offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Offer {
    /// Enough came before it.
    Refused,
    /// It is among the first, as far as is known.
    Kept {
        /// The row that is no longer.
        pushed_out: Option<u32>,
    },
}

impl Offer {
    pub(crate) fn is_kept(self) -> bool {
        self != Self::Refused
    }

    pub(crate) fn pushed_out(self) -> Option<u32> {
        match self {
            Self::Refused => None,
            Self::Kept { pushed_out } => pushed_out,
        }
    }
}

impl Kept {
    /// Whether a request of a group belongs to its first `capacity` ones, as far as is known; then it is `row`.
    pub(crate) fn offer(&mut self, id: u8, capacity: u16, time: i64, tie: u64, row: u32) -> Offer {
        if capacity == 0 {
            return Offer::Refused;
        }
        let millisecond = u32::try_from(time.rem_euclid(MICROS_PER_DAY) / 1000).unwrap_or_default();
        self.group(id, capacity).offer((millisecond, (tie >> 32) as u32 ^ tie as u32, row))
    }

    /// Loads what [`Self::offer`] will ask for of the groups.
    pub(crate) fn touch(&self) -> u64 {
        self.groups.first().map_or(0, |group| group.id.into())
    }

    /// Loads what it will ask for of a group.
    pub(crate) fn touch_group(&self, id: u8) -> u64 {
        let group = self.groups.iter().find(|group| group.id == id);
        group.and_then(|group| group.rows.first()).map_or(0, |row| row.0.into())
    }

    /// Moves all rows up by `base`.
    pub(crate) fn move_up(&mut self, base: u32) {
        for (_, _, row) in self.groups.iter_mut().flat_map(|group| &mut group.rows) {
            *row += base;
        }
    }

    fn group(&mut self, id: u8, capacity: u16) -> &mut Group {
        let at = self.groups.iter().position(|group| group.id == id).unwrap_or_else(|| {
            self.groups.push(Group { id, capacity, rows: Vec::new() });
            self.groups.len() - 1
        });
        &mut self.groups[at]
    }

    /// Takes those of another partition, whose rows were moved up by `base`.
    pub(crate) fn merge(&mut self, mut other: Self, base: u32) {
        other.move_up(base);
        for theirs in other.groups {
            let mine = self.group(theirs.id, theirs.capacity);
            for row in theirs.rows {
                mine.offer(row);
            }
        }
    }

    /// The rows that are left.
    pub(crate) fn rows(&self) -> impl Iterator<Item = u32> {
        self.groups.iter().flat_map(|group| group.rows.iter().map(|(_, _, row)| *row))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(kept: &Kept) -> Vec<u32> {
        let mut rows: Vec<u32> = kept.rows().collect();
        rows.sort_unstable();
        rows
    }

    #[test]
    fn the_first_by_time_are_kept_in_whatever_order_they_come() {
        let mut kept = Kept::default();
        let added = Offer::Kept { pushed_out: None };
        assert_eq!((kept.offer(1, 2, 30_000, 0, 0), kept.offer(1, 2, 20_000, 0, 1)), (added, added));
        assert_eq!(kept.offer(1, 2, 40_000, 0, 2), Offer::Refused);
        assert_eq!(kept.offer(1, 2, 10_000, 0, 3), Offer::Kept { pushed_out: Some(0) });
        assert_eq!(kept.offer(2, 2, 90_000, 0, 4), added, "of another group");
        assert_eq!(kept.offer(3, 0, 1, 0, 5), Offer::Refused, "of a group that keeps nothing");
        assert_eq!(rows(&kept), [1, 3, 4]);
        let mut others = Kept::default();
        assert_eq!(others.offer(1, 2, 15_000, 0, 0), added);
        kept.merge(others, 100);
        assert_eq!(rows(&kept), [3, 4, 100]);
    }
}
