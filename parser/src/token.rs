//! Tokens, quotes and the gaps between them: the lexical level of a line.
//!
//! The parsers here are nom parsers over bytes: they take the rest of a line and return what remains along with what
//! they read. Most tokens of a line are short (status, numbers, versions), so the search for a space compares eight
//! bytes at a time in a register; `memchr` is worth its call only for long ones (`request_uri`, `key`).

use memchr::{memchr, memrchr};
use nom::IResult;

/// Errors carry no information: the caller knows what it expected, and only rejected lines are examined again for the
/// reason.
pub(crate) type Parsed<'a, T> = IResult<&'a [u8], T, ()>;

const LOW_BITS: u64 = 0x0101_0101_0101_0101;
const HIGH_BITS: u64 = 0x8080_8080_8080_8080;
const SPACES: u64 = LOW_BITS * b' ' as u64;

/// The error of every internal parser: backtrack, no details.
pub(crate) const MISFIT: nom::Err<()> = nom::Err::Error(());

/// Tokens up to this length are searched eight bytes at a time; longer ones with `memchr`.
const SHORT: usize = 16;

/// Length of the first token: the bytes before the first space, or all of the input.
#[inline]
pub(crate) fn token_len(input: &[u8]) -> usize {
    let mut at = 0;
    while let Some(word) = input.get(at..).and_then(<[u8]>::first_chunk::<8>) {
        if at == SHORT {
            return memchr(b' ', &input[SHORT..]).map_or(input.len(), |len| SHORT + len);
        }
        let differs = u64::from_le_bytes(*word) ^ SPACES;
        // The lowest set bit marks the first space. Higher bits may be false positives and are ignored.
        let zeros = differs.wrapping_sub(LOW_BITS) & !differs & HIGH_BITS;
        if zeros != 0 {
            return at + (zeros.trailing_zeros() / 8) as usize;
        }
        at += 8;
    }
    while at < input.len() && input[at] != b' ' {
        at += 1;
    }
    at
}

/// `REST.GET.OBJECT photos/…` gives `REST.GET.OBJECT`; the rest begins with the space or is empty. Fails on an empty
/// token.
#[inline]
pub(crate) fn token(input: &[u8]) -> Parsed<'_, &[u8]> {
    let len = token_len(input);
    if len == 0 {
        return Err(MISFIT);
    }
    Ok((&input[len..], &input[..len]))
}

/// Like [`token`], optimised for long tokens.
#[inline]
pub(crate) fn long_token(input: &[u8]) -> Parsed<'_, &[u8]> {
    match memchr(b' ', input).unwrap_or(input.len()) {
        0 => Err(MISFIT),
        len => Ok((&input[len..], &input[..len])),
    }
}

/// Skips spaces; fails if there are none.
#[inline]
pub(crate) fn spaces(input: &[u8]) -> Parsed<'_, ()> {
    match skip_spaces(input) {
        rest if rest.len() < input.len() => Ok((rest, ())),
        _ => Err(MISFIT),
    }
}

/// The input without leading spaces.
#[inline]
pub(crate) fn skip_spaces(input: &[u8]) -> &[u8] {
    let mut rest = input;
    while let [b' ', tail @ ..] = rest {
        rest = tail;
    }
    rest
}

/// The input without trailing spaces.
#[inline]
pub(crate) fn trim_end_spaces(input: &[u8]) -> &[u8] {
    let mut rest = input;
    while let [head @ .., b' '] = rest {
        rest = head;
    }
    rest
}

/// Whether a token ends here, i.e. the input is empty or begins with a space.
#[inline]
pub(crate) fn at_token_end(input: &[u8]) -> bool {
    matches!(input, [] | [b' ', ..])
}

/// Position of the first `"` preceded by a space: the opening quote of a field after unquoted text.
pub(crate) fn opening_quote(input: &[u8]) -> Option<usize> {
    memchr::memmem::find(input, b" \"").map(|at| at + 1)
}

/// Position of the last `"` followed by a space or the end of the line: the closing quote of a user agent.
pub(crate) fn last_closing_quote(input: &[u8]) -> Option<usize> {
    let mut end = input.len();
    while let Some(at) = memrchr(b'"', &input[..end]) {
        if at_token_end(&input[at + 1..]) {
            return Some(at);
        }
        end = at;
    }
    None
}

/// Positions of the two quotes of the first `" "` (quote, one or more spaces, quote).
pub(crate) fn quote_gap_quote(input: &[u8]) -> Option<(usize, usize)> {
    let mut from = 0;
    while let Some(found) = memchr::memmem::find(&input[from..], b"\" ") {
        let first = from + found;
        let behind = skip_spaces(&input[first + 1..]);
        let second = input.len() - behind.len();
        if behind.first() == Some(&b'"') {
            return Some((first, second));
        }
        // The gap holds only spaces, so no other gap can begin inside it.
        from = second;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_ends_before_the_first_space() {
        for len in 0..40 {
            let mut text = vec![b'x'; len];
            assert_eq!(token_len(&text), len);
            text.extend_from_slice(b" y z");
            assert_eq!(token_len(&text), len, "{len}");
            // `!` is a space plus one, which an incorrect search in a register mistakes for a space.
            text[..len].fill(b'!');
            assert_eq!(token_len(&text), len, "{len}");
        }
        assert_eq!(token(b""), Err(MISFIT));
        assert_eq!(token(b" x"), Err(MISFIT));
        assert_eq!(long_token(b"ab c"), Ok((&b" c"[..], &b"ab"[..])));
    }

    #[test]
    fn gaps() {
        assert_eq!(spaces(b"   x"), Ok((&b"x"[..], ())));
        assert_eq!(spaces(b"x"), Err(MISFIT));
        assert_eq!(trim_end_spaces(b"a b  "), b"a b");
    }

    #[test]
    fn quotes() {
        assert_eq!(opening_quote(b"a\"b \"c"), Some(4));
        assert_eq!(last_closing_quote(b"a\" b\" c\"d"), Some(4));
        assert_eq!(last_closing_quote(b"ab\""), Some(2));
        assert_eq!(last_closing_quote(b"a\"b"), None);
        assert_eq!(quote_gap_quote(b"a\" b \"  \"c"), Some((5, 8)));
        assert_eq!(quote_gap_quote(b"\" x\" "), None);
        assert_eq!(quote_gap_quote(b"\" \" \""), Some((0, 2)));
    }
}
