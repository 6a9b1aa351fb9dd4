//! The outline of a line: where its tokens end and how many quotes it has, found in one pass over its bytes.
//!
//! Sixty-four bytes at a time become three bit masks: spaces, quotes, line feeds. A carry-less product of the quotes
//! with ones tells which bytes stand between them, and the spaces that are left are written down as positions. Nothing is
//! decided by a branch that depends on where a token ends, so the cost of a line depends on its length, hardly on
//! what is in it.
//!
//! Quotes are only counted here. Whether they stand where an ordinary line has them, so that what stands between them is
//! a field, is for [`crate::parser`] to say; any other line goes to the careful path, which looks at none of this.
//!
//! One more chunk is looked at, from the space before the status on: status and four numbers mostly fit into it, and masks
//! tell all of them at once. Where they do not, the parser looks at each.

mod cells;
mod lanes;

use crate::field::Field;
use crate::value::number::{SAFE_DIGITS, STATUS_DIGITS};
pub(crate) use cells::Cells;
pub(crate) use lanes::Lanes;
use lanes::{CHUNK, Lane};

/// Positions that are kept. An ordinary line has 18 in its head and 10 in its tail; more than this is no ordinary line.
const KEPT: usize = 64;

/// Tokens of an ordinary line from the bucket owner to the user agent: the time is two, at its space.
pub(crate) const HEAD_TOKENS: usize = 18;

/// Which token a field is. The time is two, 2 and 3.
#[inline(always)]
pub(crate) const fn token_of(field: Field) -> usize {
    field as usize + (field as usize > Field::Time as usize) as usize
}

/// Where tokens end. Positions count from the line's first byte; behind those of the line stands what an earlier
/// line left.
pub(crate) type Ends = [u32; KEPT + CHUNK];

/// How much of a line is outlined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Extent {
    /// The tokens up to the user agent. Quotes are counted and the end is found in any case.
    Head,
    /// All of it.
    Line,
}

/// Where the tokens of one line end. Positions count from the line's first byte.
#[derive(Clone)]
pub(crate) struct Outline {
    /// The spaces that are not between quotes, and the line's end behind the last of them. A chunk may write
    /// all its positions behind those that are kept.
    ends: Ends,
    /// How many of them count.
    tokens: usize,
    quotes: u32,
    /// Bytes of the line without its end.
    len: usize,
    /// Bytes of the line with its end.
    taken: usize,
    /// Single spaces, and not more tokens than are kept.
    regular: bool,
    /// Of no meaning with fewer tokens than [`HEAD_TOKENS`].
    plain_numbers: bool,
}

impl Outline {
    pub(crate) const EMPTY: Self =
        Self { ends: [0; KEPT + CHUNK], tokens: 0, quotes: 0, len: 0, taken: 0, regular: false, plain_numbers: false };

    /// Outlines the line at the front of `input`, which may go on behind its line feed. Gives the length of the line
    /// without and with its end.
    #[inline]
    pub(crate) fn draw(&mut self, lanes: Lanes, extent: Extent, input: &[u8]) -> (usize, usize) {
        lanes.draw(self, extent, input);
        (self.len, self.taken)
    }

    /// Where the tokens end, with the line's own end behind the last one.
    #[inline]
    pub(crate) fn ends(&self) -> &Ends {
        &self.ends
    }

    /// How many tokens there are; of [`Extent::Head`] perhaps fewer than there are in the line, never fewer than
    /// [`HEAD_TOKENS`] if the line has that many.
    #[inline]
    pub(crate) fn tokens(&self) -> usize {
        self.tokens
    }

    /// Quotes in the whole line.
    #[inline]
    pub(crate) fn quotes(&self) -> u32 {
        self.quotes
    }

    /// Whether the line, as far as it was outlined, has single spaces between its tokens and none before the first,
    /// and not more tokens than are kept.
    #[inline]
    pub(crate) fn is_regular(&self) -> bool {
        self.regular
    }

    /// Of a regular line with at least [`HEAD_TOKENS`] tokens, whether its status and its four numbers are `-` or digits, few
    /// enough to fit; of any other line it means nothing. `false` leaves it open: so it is where they take more room than a
    /// chunk, or where the input ends soon behind them.
    #[inline]
    pub(crate) fn has_plain_numbers(&self) -> bool {
        self.plain_numbers
    }

    /// The same, found by what stands in the chunk from the space before the status on. It may hold more than the line.
    #[inline(always)]
    fn finds_plain_numbers<L: Lane>(&self, input: &[u8]) -> bool {
        // The ends of request-URI, status, error code, and of four numbers.
        let ends = &self.ends[token_of(Field::HttpStatus) - 1..=token_of(Field::TurnAroundTime)];
        let (first, at) = (ends[0], |end: usize| ends[end].wrapping_sub(ends[0]));
        let Some(chunk) = input.get(first as usize..).and_then(<[u8]>::first_chunk) else { return false };
        let (space, dash) = (L::equal(chunk, b' '), L::equal(chunk, b'-'));
        let before = |end: usize| 1_u64.wrapping_shl(at(end)).wrapping_sub(1);
        let error_code = before(2) & !before(1);
        let lone_dash = dash & space << 1 & space >> 1;
        let len = |token: usize| ends[token + 1].wrapping_sub(ends[token]).wrapping_sub(1) as usize;
        // The space behind the last of them must stand in the chunk, too.
        let fits = at(6) < CHUNK as u32 && len(0) <= STATUS_DIGITS;
        let are_short = (2..6).fold(fits, |short, token| short & (len(token) <= SAFE_DIGITS));
        are_short & (L::digits(chunk) | space | lone_dash | error_code | !before(6) == u64::MAX)
    }

    /// The one pass. It is compiled once for every kind of [`Lane`].
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

/// The bits below the lowest one of a mask.
#[inline(always)]
fn below_first(mask: u64) -> u64 {
    mask.wrapping_sub(1) & !mask
}

/// What a chunk needs to know of those before it.
struct Pass {
    at: usize,
    tokens: usize,
    quotes: u32,
    /// All ones while a quote is open.
    open: u64,
    /// Whether the last byte was a space. The line's start counts as one: a space behind it is doubled.
    before: u64,
    doubled: u64,
}

impl Pass {
    /// The position of the line feed, if it stands in this chunk.
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

    /// The spaces and quotes of the line in a chunk.
    #[inline(always)]
    fn keep<L: Lane>(&mut self, extent: Extent, space: u64, quote: u64, ends: &mut Ends) {
        self.quotes += quote.count_ones();
        if extent == Extent::Line || self.tokens < HEAD_TOKENS {
            let between = L::parity(quote) ^ self.open;
            self.open = ((between as i64) >> 63) as u64;
            let space = space & !between;
            self.doubled |= space & (space << 1 | self.before);
            self.before = space >> 63;
            // Behind what is kept they are only counted: the line is irregular by now.
            if let Some(room) = ends.get_mut(self.tokens..).and_then(<[u32]>::first_chunk_mut) {
                L::positions(space, self.at as u32, room);
            }
            self.tokens += space.count_ones() as usize;
        }
    }

    /// What is behind the last whole chunk: with line feeds behind it, the line ends here if not before.
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

    /// Token ends, quotes, lengths and regularity, byte by byte.
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
            // What an earlier line left must not matter.
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
