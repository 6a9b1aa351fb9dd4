//! The cells of a line: one pass over its bytes finds the end of each cell and the end of the line.
//!
//! This works like the token outline, without quotes: only tabs end a cell, so no careful path is needed.

use super::below_first;
use super::lanes::{CHUNK, Lane, Lanes};
use crate::record::Span;
use memchr::memchr_iter;

/// Position before the first cell, so that `BEFORE + 1` wraps to 0.
const BEFORE: u32 = u32::MAX;

/// End positions of the cells of one line, relative to its first byte.
#[derive(Clone)]
pub(crate) struct Cells {
    /// Positions around the cells: [`BEFORE`], each tab, and finally the end of the line. There is room for the
    /// requested number of cells plus one chunk, because a chunk writes all its positions unconditionally. Unused
    /// entries hold values from earlier lines.
    bounds: Vec<u32>,
    /// Number of cells in the line, including those for which there was no room.
    count: usize,
    /// Length of the line without its line ending.
    len: usize,
    /// Length of the line with its line ending.
    taken: usize,
}

impl Cells {
    /// Creates an instance with room for `cells` cells.
    pub(crate) fn with_room(cells: usize) -> Self {
        let mut bounds = vec![0; 1 + cells + CHUNK];
        bounds[0] = BEFORE;
        Self { bounds, count: 0, len: 0, taken: 0 }
    }

    /// Grows to room for `cells` cells.
    #[inline]
    pub(crate) fn make_room(&mut self, cells: usize) {
        if self.bounds.len() < 1 + cells + CHUNK {
            self.bounds.resize(1 + cells + CHUNK, 0);
        }
    }

    /// Finds the cells of the first line of `input`. Returns the length of that line without and with its line
    /// ending.
    #[inline]
    pub(crate) fn draw(&mut self, lanes: Lanes, input: &[u8]) -> (usize, usize) {
        lanes.draw_cells(self, input);
        (self.len, self.taken)
    }

    /// Like `draw` for a line that extends over all of `line`; line feeds in it are ordinary bytes.
    #[cold]
    pub(crate) fn draw_whole(&mut self, line: &[u8]) {
        let mut count = 0;
        for tab in memchr_iter(b'\t', line) {
            count += 1;
            if let Some(bound) = self.bounds.get_mut(count) {
                *bound = tab as u32;
            }
        }
        self.finish(count, line.len(), line.len());
    }

    /// Span of a cell. The line must have that cell and room must have been made for it.
    #[inline(always)]
    pub(crate) fn span(&self, cell: usize) -> Span {
        Span { start: self.bounds[cell].wrapping_add(1), end: self.bounds[cell + 1] }
    }

    /// Positions around the first cells; meaningless beyond the cells of the line.
    #[inline(always)]
    pub(crate) fn bounds(&self) -> &[u32] {
        &self.bounds
    }

    #[inline]
    pub(crate) fn count(&self) -> usize {
        self.count
    }

    /// Drops the last byte of the last cell.
    #[cold]
    pub(crate) fn shorten(&mut self) {
        if let Some(end) = self.bounds.get_mut(self.count) {
            *end = end.saturating_sub(1);
        }
    }

    /// The actual pass, compiled once for each kind of [`Lane`].
    #[inline(always)]
    pub(super) fn draw_with<L: Lane>(&mut self, input: &[u8]) {
        let (chunks, rest) = input.as_chunks::<CHUNK>();
        let mut pass = Pass { at: 0, tabs: 0 };
        let mut end = None;
        for chunk in chunks {
            end = pass.chunk::<L>(chunk, &mut self.bounds);
            if end.is_some() {
                break;
            }
        }
        let end = match end {
            Some(end) => end,
            None => pass.last_chunk::<L>(rest, &mut self.bounds),
        };
        let (len, taken) = match input.get(end) {
            Some(_) if end > 0 && input[end - 1] == b'\r' => (end - 1, end + 1),
            Some(_) => (end, end + 1),
            None => (input.len(), input.len()),
        };
        self.finish(pass.tabs, len, taken);
    }

    #[inline(always)]
    fn finish(&mut self, tabs: usize, len: usize, taken: usize) {
        self.count = tabs + 1;
        if let Some(last) = self.bounds.get_mut(self.count) {
            *last = len as u32;
        }
        self.len = len;
        self.taken = taken;
    }
}

/// State carried from chunk to chunk.
struct Pass {
    at: usize,
    tabs: usize,
}

impl Pass {
    /// Processes one chunk; returns the position of the line feed if there is one.
    #[inline(always)]
    fn chunk<L: Lane>(&mut self, chunk: &[u8; CHUNK], bounds: &mut [u32]) -> Option<usize> {
        let (tab, line_feed) = (L::equal(chunk, b'\t'), L::equal(chunk, b'\n'));
        if line_feed == 0 {
            self.keep::<L>(tab, bounds);
            self.at += CHUNK;
            return None;
        }
        self.keep::<L>(tab & below_first(line_feed), bounds);
        Some(self.at + line_feed.trailing_zeros() as usize)
    }

    /// Records the tabs of a chunk.
    #[inline(always)]
    fn keep<L: Lane>(&mut self, tab: u64, bounds: &mut [u32]) {
        // Tabs beyond the available room are only counted.
        if let Some(room) = bounds.get_mut(1 + self.tabs..).and_then(<[u32]>::first_chunk_mut) {
            L::positions(tab, self.at as u32, room);
        }
        self.tabs += tab.count_ones() as usize;
    }

    /// Processes the bytes after the last whole chunk, padded with line feeds so that the line ends here at the
    /// latest.
    #[cold]
    fn last_chunk<L: Lane>(&mut self, rest: &[u8], bounds: &mut [u32]) -> usize {
        let mut chunk = [b'\n'; CHUNK];
        chunk[..rest.len()].copy_from_slice(rest);
        let end = self.chunk::<L>(&chunk, bounds);
        end.unwrap_or(self.at)
    }
}

impl std::fmt::Debug for Cells {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cells").field("count", &self.count).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Byte-by-byte reference for cell ends and line lengths.
    fn slow(input: &[u8]) -> (Vec<u32>, (usize, usize)) {
        let (len, taken) = match input.iter().position(|byte| *byte == b'\n') {
            Some(end) => (end - usize::from(input[..end].ends_with(b"\r")), end + 1),
            None => (input.len(), input.len()),
        };
        let tabs = input[..len].iter().enumerate().filter(|(_, byte)| **byte == b'\t').map(|(at, _)| at as u32);
        (tabs.chain([len as u32]).collect(), (len, taken))
    }

    proptest! {
        #[test]
        fn every_kind_draws_what_a_look_at_each_byte_finds(
            input in prop::collection::vec(
                prop_oneof![2 => Just(b'\t'), 12 => Just(b'x'), 1 => Just(b'\x08'), 1 => Just(b'\x0B')], 0..500
            ),
            end in prop::sample::select(vec![&b""[..], b"\n", b"\r\n", b"\r", b"\nmore \t lines\n and\tmore"]),
            room in 0_usize..100,
        ) {
            let input = [&input[..], end].concat();
            let (ends, lens) = slow(&input);
            let kept = ends.len().min(room);
            for lanes in Lanes::all() {
                // Values left from an earlier line must not matter.
                let mut cells = Cells::with_room(0);
                cells.draw(Lanes::Portable, &b"x\t".repeat(70));
                cells.make_room(room);
                prop_assert_eq!(cells.draw(lanes, &input), lens, "{:?}", lanes);
                prop_assert_eq!(cells.count(), ends.len(), "{:?}", lanes);
                prop_assert_eq!(&cells.bounds()[1..=kept], &ends[..kept], "{:?}", lanes);
                let first = Span { start: 0, end: ends[0] };
                prop_assert!(kept == 0 || cells.span(0) == first);
            }
            let mut cells = Cells::with_room(room);
            cells.draw_whole(&input[..lens.0]);
            prop_assert_eq!((cells.count(), &cells.bounds()[1..=kept]), (ends.len(), &ends[..kept]));
        }
    }
}
