//! Parallel processing of one buffer.
//!
//! The buffer is cut into chunks of whole lines, which are distributed over the current rayon pool; results are
//! returned in the order of the lines. Query engines have their own parallelism and should not call this from within
//! it.

use crate::line::{BYTE_ORDER_MARK, Line, Lines};
use memchr::memchr;
use rayon::prelude::*;
use std::ops::Range;

/// Chunk size in bytes: large enough to amortise scheduling, small enough for an even distribution.
const CHUNK: usize = 1 << 20;

/// Cuts a buffer into byte ranges of about `size` bytes, each of whole lines. Skips a byte order mark.
///
/// ```
/// use s3log_parser::parallel::chunks;
///
/// assert_eq!(chunks(b"one\ntwo\nthree", 5), [0..8, 8..13]);
/// ```
#[must_use]
pub fn chunks(input: &[u8], size: usize) -> Vec<Range<usize>> {
    let mut start = if input.starts_with(BYTE_ORDER_MARK) { BYTE_ORDER_MARK.len() } else { 0 };
    let mut chunks = Vec::with_capacity(input.len() / size.max(1) + 1);
    while start < input.len() {
        let reach = start.saturating_add(size.max(1)).min(input.len());
        // The byte before `reach` may already be the line feed.
        let end = memchr(b'\n', &input[reach - 1..]).map_or(input.len(), |at| reach + at);
        chunks.push(start..end);
        start = end;
    }
    chunks
}

/// Folds the lines of each chunk into a value, in parallel, and returns the values in the order of the chunks.
///
/// Blank lines are skipped. `Line::offset` is relative to the whole buffer; `Line::number` counts from the start of
/// the chunk.
///
/// ```
/// use s3log_parser::{Field, FieldSet, Parser, Record, parallel};
///
/// let log = b"a1b2 photos [15/Jan/2026:10:22:41 +0000] 192.0.2.3 - 3E57 REST.GET.OBJECT k \"GET /k HTTP/1.1\" 200 - 2326 2326 34 33 \"-\" \"-\"\nno record\n";
/// let parser = Parser::with_fields(FieldSet::of(Field::BytesSent));
/// let sums = parallel::fold(log, || (parser.clone(), 0), |(parser, sum), line| {
///     if let Ok(record) = parser.parse(line.bytes) {
///         *sum += record.integer(Field::BytesSent).unwrap_or(0);
///     }
/// });
/// assert_eq!(sums.into_iter().map(|(_, sum)| sum).sum::<i64>(), 2326);
/// ```
pub fn fold<'a, T: Send>(
    input: &'a [u8],
    new: impl Fn() -> T + Sync,
    step: impl Fn(&mut T, Line<'a>) + Sync,
) -> Vec<T> {
    chunks(input, CHUNK)
        .into_par_iter()
        .map(|chunk| {
            let mut value = new();
            for line in Lines::of_part(&input[chunk.clone()]).filter(|line| !line.is_blank()) {
                step(&mut value, Line { offset: chunk.start + line.offset, ..line });
            }
            value
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn chunks_are_whole_lines_and_leave_nothing_out(
            input in prop::collection::vec(prop_oneof![Just(b'\n'), Just(b'x'), Just(b'\r')], 0..200),
            size in 0_usize..30,
        ) {
            let chunks = chunks(&input, size);
            let mut at = 0;
            for chunk in &chunks {
                prop_assert_eq!(chunk.start, at);
                prop_assert!(chunk.end > chunk.start);
                prop_assert!(chunk.end == input.len() || input[chunk.end - 1] == b'\n');
                at = chunk.end;
            }
            prop_assert_eq!(at, input.len());
        }
    }
}
