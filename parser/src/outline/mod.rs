//! The outline of a line: one pass over its bytes finds the ends of its tokens and counts its quotes.
//!
//! 64 bytes at a time become three bit masks: spaces, quotes and line feeds. A carry-less multiplication of the quote
//! mask with all ones gives the bytes between quotes; the positions of the remaining spaces are written out. No
//! branch depends on where a token ends, so the cost of a line depends on its length and hardly on its content.
//!
//! Quotes are only counted here. [`crate::parser`] decides whether they are where an ordinary line has them, so that
//! the text between them is a field; all other lines take the careful path, which does not use the outline.
//!
//! One more chunk is examined, beginning at the space before the status. Status and the four numbers usually fit into
//! it, so that masks validate all of them at once. Otherwise the parser validates each by itself.

mod cells;
mod lanes;

use crate::field::Field;
use crate::value::number::{SAFE_DIGITS, STATUS_DIGITS};
pub(crate) use cells::Cells;
pub(crate) use lanes::Lanes;
use lanes::{CHUNK, Lane};

/// Number of positions kept. An ordinary line has 18 in its head and 10 in its tail; lines with more are not
/// ordinary.
const KEPT: usize = 64;

/// Tokens of an ordinary line from the bucket owner to the user agent. The time counts as two because it has a space.
pub(crate) const HEAD_TOKENS: usize = 18;

/// Index of a field's token. The time has two, 2 and 3; this returns the first.
#[inline(always)]
pub(crate) const fn token_of(field: Field) -> usize {
    field as usize + (field as usize > Field::Time as usize) as usize
}

/// End positions of tokens, relative to the first byte of the line; entries after the line's tokens are left from
/// earlier lines.
pub(crate) type Ends = [u32; KEPT + CHUNK];

/// How much of a line to outline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Extent {
    /// Only the tokens up to the user agent. All quotes are counted and the end of the line is found in any case.
    Head,
    /// The whole line.
    Line,
}

/// The outline of one line. Positions are relative to its first byte.
#[derive(Clone)]
pub(crate) struct Outline {
    /// Spaces outside quotes, then the end of the line. The last `CHUNK` entries are room for a chunk that writes all
    /// its positions unconditionally.
    ends: Ends,
    /// Number of tokens, i.e. of meaningful entries in `ends`.
    tokens: usize,
    quotes: u32,
    /// Length of the line without its line ending.
    len: usize,
    /// Length of the line with its line ending.
    taken: usize,
    /// See [`is_regular`](Self::is_regular).
    regular: bool,
    /// See [`has_plain_numbers`](Self::has_plain_numbers).
    plain_numbers: bool,
}

impl Outline {
    pub(crate) const EMPTY: Self =
        Self { ends: [0; KEPT + CHUNK], tokens: 0, quotes: 0, len: 0, taken: 0, regular: false, plain_numbers: false };

    /// Outlines the first line of `input`. Returns the length of that line without and with its line ending.
    #[inline]
    pub(crate) fn draw(&mut self, lanes: Lanes, extent: Extent, input: &[u8]) -> (usize, usize) {
        lanes.draw(self, extent, input);
        (self.len, self.taken)
    }

    /// End positions of the tokens; the last one is the end of the line.
    #[inline]
    pub(crate) fn ends(&self) -> &Ends {
        &self.ends
    }

    /// Number of tokens. For [`Extent::Head`] it may be less than the line has, but not less than [`HEAD_TOKENS`] if
    /// the line has that many.
    #[inline]
    pub(crate) fn tokens(&self) -> usize {
        self.tokens
    }

    /// Number of quotes in the whole line.
    #[inline]
    pub(crate) fn quotes(&self) -> u32 {
        self.quotes
    }

    /// Whether the outlined part has single spaces between its tokens, none before the first, and at most `KEPT` of
    /// them.
    #[inline]
    pub(crate) fn is_regular(&self) -> bool {
        self.regular
    }

    /// Whether status and the four numbers are each `-` or digits that cannot overflow. Meaningful only for regular
    /// lines with at least [`HEAD_TOKENS`] tokens. `false` is inconclusive: it is also returned if they do not fit
    /// into one chunk, or if the input ends shortly after them.
    #[inline]
    pub(crate) fn has_plain_numbers(&self) -> bool {
        self.plain_numbers
    }

    /// Computes [`has_plain_numbers`](Self::has_plain_numbers) from the chunk that begins at the space before the
    /// status, which may extend beyond the line.
    #[inline(always)]
    fn finds_plain_numbers<L: Lane>(&self, input: &[u8]) -> bool {
        // Ends of request-URI, status, error code and the four numbers.
        let ends = &self.ends[token_of(Field::HttpStatus) - 1..=token_of(Field::TurnAroundTime)];
        let (first, at) = (ends[0], |end: usize| ends[end].wrapping_sub(ends[0]));
        let Some(chunk) = input.get(first as usize..).and_then(<[u8]>::first_chunk) else { return false };
        let (space, dash) = (L::equal(chunk, b' '), L::equal(chunk, b'-'));
        let before = |end: usize| 1_u64.wrapping_shl(at(end)).wrapping_sub(1);
        let error_code = before(2) & !before(1);
        let lone_dash = dash & space << 1 & space >> 1;
        let len = |token: usize| ends[token + 1].wrapping_sub(ends[token]).wrapping_sub(1) as usize;
        // The space after the last number must be in the chunk, too.
        let fits = at(6) < CHUNK as u32 && len(0) <= STATUS_DIGITS;
        let are_short = (2..6).fold(fits, |short, token| short & (len(token) <= SAFE_DIGITS));
        are_short & (L::digits(chunk) | space | lone_dash | error_code | !before(6) == u64::MAX)
    }

    /// The actual pass, compiled once for each kind of [`Lane`].
    #[inline(always)]
    fn draw_with<L: Lane>(&mut self, extent: Extent, input: &[u8]) {
        let (chunks, rest) = input.as_chunks::<CHUNK>();
        let mut pass = Pass { at: 0, tokens: 0, quotes: 0, open: 0, before: 1, doubled: 0 };
        let mut end = None;
        for chunk in chunks {
            end = pass.chunk::<L>(extent, chunk, &mut self.ends);
            if end.is_some() {
                break;
            }
        }
        let end = match end {
            Some(end) => end,
            None => pass.last_chunk::<L>(extent, rest, &mut self.ends),
        };
        let (len, taken) = match input.get(end) {
            Some(_) if end > 0 && input[end - 1] == b'\r' => (end - 1, end + 1),
            Some(_) => (end, end + 1),
            None => (input.len(), input.len()),
        };
        if let Some(last) = self.ends.get_mut(pass.tokens) {
            *last = len as u32;
        }
        self.plain_numbers = self.finds_plain_numbers::<L>(input);
        self.tokens = pass.tokens + 1;
        self.quotes = pass.quotes;
        self.len = len;
        self.taken = taken;
        self.regular = pass.doubled == 0 && pass.tokens <= KEPT;
    }
}

/// The bits below the lowest set bit.
#[inline(always)]
fn below_first(mask: u64) -> u64 {
    mask.wrapping_sub(1) & !mask
}

/// State carried from chunk to chunk.
struct Pass {
    at: usize,
    tokens: usize,
    quotes: u32,
    /// All ones while inside quotes.
    open: u64,
    /// 1 if the previous byte was a space. The start of the line counts as one, so that a leading space is a doubled
    /// one.
    before: u64,
    doubled: u64,
}

impl Pass {
    /// Processes one chunk; returns the position of the line feed if there is one.
    #[inline(always)]
    fn chunk<L: Lane>(&mut self, extent: Extent, chunk: &[u8; CHUNK], ends: &mut Ends) -> Option<usize> {
        let (space, quote, line_feed) = (L::equal(chunk, b' '), L::equal(chunk, b'"'), L::equal(chunk, b'\n'));
        if line_feed == 0 {
            self.keep::<L>(extent, space, quote, ends);
            self.at += CHUNK;
            return None;
        }
        let in_line = below_first(line_feed);
        self.keep::<L>(extent, space & in_line, quote & in_line, ends);
        Some(self.at + line_feed.trailing_zeros() as usize)
    }

    /// Records the spaces and quotes of a chunk.
    #[inline(always)]
    fn keep<L: Lane>(&mut self, extent: Extent, space: u64, quote: u64, ends: &mut Ends) {
        self.quotes += quote.count_ones();
        if extent == Extent::Line || self.tokens < HEAD_TOKENS {
            let between = L::parity(quote) ^ self.open;
            self.open = ((between as i64) >> 63) as u64;
            let space = space & !between;
            self.doubled |= space & (space << 1 | self.before);
            self.before = space >> 63;
            // Spaces beyond the available room are only counted; the line is irregular by then.
            if let Some(room) = ends.get_mut(self.tokens..).and_then(<[u32]>::first_chunk_mut) {
                L::positions(space, self.at as u32, room);
            }
            self.tokens += space.count_ones() as usize;
        }
    }

    /// Processes the bytes after the last whole chunk, padded with line feeds so that the line ends here at the
    /// latest.
    #[cold]
    fn last_chunk<L: Lane>(&mut self, extent: Extent, rest: &[u8], ends: &mut Ends) -> usize {
        let mut chunk = [b'\n'; CHUNK];
        chunk[..rest.len()].copy_from_slice(rest);
        let end = self.chunk::<L>(extent, &chunk, ends);
        end.unwrap_or(self.at)
    }
}

impl std::fmt::Debug for Outline {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Outline").field("tokens", &self.tokens).field("quotes", &self.quotes).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::number::is_status_or_null;
    use proptest::prelude::*;

    /// Byte-by-byte reference for token ends, quotes, line lengths and regularity.
    fn slow(input: &[u8]) -> (Vec<u32>, u32, (usize, usize), bool) {
        let (mut len, taken) = match input.iter().position(|byte| *byte == b'\n') {
            Some(end) => (end, end + 1),
            None => (input.len(), input.len()),
        };
        let (mut ends, mut open, mut quotes, mut doubled, mut before) = (Vec::new(), false, 0, false, true);
        for (at, byte) in input[..len].iter().enumerate() {
            open ^= *byte == b'"';
            quotes += u32::from(*byte == b'"');
            let is_space = *byte == b' ' && !open;
            if is_space {
                ends.push(at as u32);
            }
            doubled |= is_space && before;
            before = is_space;
        }
        len -= usize::from(taken > len && input[..len].ends_with(b"\r"));
        let regular = !doubled && ends.len() <= KEPT;
        ends.push(len as u32);
        (ends, quotes, (len, taken), regular)
    }

    fn drawn(
        outline: &mut Outline,
        lanes: Lanes,
        extent: Extent,
        input: &[u8],
    ) -> (Vec<u32>, u32, (usize, usize), bool) {
        let lens = outline.draw(lanes, extent, input);
        (outline.ends[..outline.tokens.min(KEPT + 1)].to_vec(), outline.quotes, lens, outline.regular)
    }

    proptest! {
        #[test]
        fn every_kind_draws_what_a_look_at_each_byte_finds(
            input in prop::collection::vec(
                prop_oneof![2 => Just(b' '), 1 => Just(b'"'), 12 => Just(b'x'), 1 => Just(b'!')], 0..500
            ),
            end in prop::sample::select(vec![&b""[..], b"\n", b"\r\n", b"\r", b"\nmore \" lines\n and more"]),
        ) {
            let input = [&input[..], end].concat();
            let (ends, quotes, lens, regular) = slow(&input);
            // Values left from an earlier line must not matter.
            let mut outline = Outline::EMPTY;
            outline.draw(Lanes::Portable, Extent::Line, &b"x ".repeat(70));
            for lanes in Lanes::all() {
                let line = drawn(&mut outline, lanes, Extent::Line, &input);
                prop_assert_eq!((line.1, line.2, line.3), (quotes, lens, regular), "{:?}", lanes);
                if regular {
                    prop_assert_eq!(&line.0, &ends, "{:?}", lanes);
                }
                let head = drawn(&mut outline, lanes, Extent::Head, &input);
                prop_assert_eq!((head.1, head.2), (quotes, lens), "{:?}", lanes);
                prop_assert!(head.3 || !regular, "{:?}", lanes);
                let tokens = ends.len().min(HEAD_TOKENS);
                if head.3 && regular {
                    prop_assert_eq!(&head.0[..tokens], &ends[..tokens], "{:?}", lanes);
                }
            }
        }
    }

    proptest! {
        #[test]
        fn plain_numbers_are_numbers(
            status in prop::sample::select(vec!["200", "7", "-", "2000", "--", "2x", "0", "-1"]),
            error_code in prop_oneof![Just("-".to_owned()), "[A-Za-z]{1,60}", Just("\"a 1 b\"".to_owned())],
            numbers in prop::collection::vec(
                prop_oneof![4 => "[0-9]{1,7}", 2 => Just("-".to_owned()), 1 => "[0-9]{8,22}", 1 => "[-0-9.e+/:\u{e9}]{1,4}"], 4
            ),
            behind in prop::sample::select(vec!["", " \"-\" \"-\"\nnext line", " \"-\" \"an agent\" - a tail of the line that is long enough\n"]),
        ) {
            let start = "a b [c d] e f g h i \"j\"";
            let tokens = [start, status, &error_code, &numbers.join(" ")].join(" ");
            let input = tokens.clone() + behind;
            let is_plain = |text: &String| text == "-" || text.bytes().all(|byte| byte.is_ascii_digit()) && text.len() <= 18;
            let are_plain = is_status_or_null(status.as_bytes()) && numbers.iter().all(is_plain);
            let is_seen = tokens.len() - start.len() < CHUNK && input.len() >= start.len() + CHUNK;
            let mut outline = Outline::EMPTY;
            for lanes in Lanes::all() {
                outline.draw(lanes, Extent::Head, input.as_bytes());
                prop_assert_eq!(outline.has_plain_numbers(), are_plain && is_seen, "{:?} {}", lanes, input);
            }
        }
    }

    #[test]
    fn more_tokens_than_are_kept_are_irregular() {
        let mut outline = Outline::EMPTY;
        for lanes in Lanes::all() {
            for (tokens, regular) in [(KEPT, true), (KEPT + 1, true), (KEPT + 2, false), (1000, false)] {
                let line = "a ".repeat(tokens - 1) + "a\n";
                assert_eq!(outline.draw(lanes, Extent::Line, line.as_bytes()), (line.len() - 1, line.len()));
                assert_eq!(outline.is_regular(), regular, "{lanes:?}: {tokens} tokens");
            }
        }
    }
}
