//! Blocks: bytes of a log object cut behind its lines.
//!
//! [`LineBlocks`] takes bytes as they come, in pieces of any size, and gives blocks of whole lines. It knows where each
//! block begins (byte and line), skips a byte order mark, and keeps its memory bounded: of a line beyond the limit only
//! the beginning is kept, and the rest is counted.

use super::pool::BufferPool;
use arrow::buffer::Buffer;
use memchr::{memchr, memchr_iter, memrchr};
use s3log_parser::BYTE_ORDER_MARK;

/// Bytes of a block, unless a longer line makes it grow: small enough for a core's own cache.
pub const BLOCK_SIZE: usize = 1 << 20;

/// Longest line that is parsed. A request line and its headers have a few kilobytes at most.
pub const MAX_LINE: usize = 16 << 20;

/// How much is kept of a line beyond the limit.
pub(crate) fn kept_of_long_line(max_line: usize) -> usize {
    max_line.min(4096)
}

/// Whole lines of a log object.
#[derive(Clone, Debug)]
pub struct Block {
    bytes: Buffer,
    /// Where the first byte stands in the object, after decompression.
    offset: u64,
    /// Number of the first line, from 1.
    line_number: u64,
    /// Bytes of the line that the block is the beginning of, when it was too long.
    too_long: Option<u64>,
}

impl Block {
    /// A block of a whole log object, or of its beginning. Nothing is copied.
    ///
    /// ```
    /// use s3log_engine::decode::Block;
    ///
    /// let block = Block::new(bytes::Bytes::from_static(b"\xEF\xBB\xBFfirst line\n"));
    /// assert_eq!((block.bytes(), block.offset()), (&b"first line\n"[..], 3));
    /// ```
    #[must_use]
    pub fn new(bytes: impl Into<Buffer>) -> Self {
        let bytes = bytes.into();
        let skipped = if bytes.starts_with(BYTE_ORDER_MARK) { BYTE_ORDER_MARK.len() } else { 0 };
        Self { bytes: bytes.slice(skipped), offset: skipped as u64, line_number: 1, too_long: None }
    }

    /// The lines, with their ends; the last one may have none.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The same, shared.
    #[must_use]
    pub fn buffer(&self) -> &Buffer {
        &self.bytes
    }

    /// Where the first byte stands in the object, after decompression.
    #[must_use]
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// Number of the first line in the object, from 1. It counts from the first line that was read when reading began
    /// in the middle of the object.
    #[must_use]
    pub fn line_number(&self) -> u64 {
        self.line_number
    }

    /// Bytes of the whole line when the block is only the beginning of a line beyond the limit.
    #[must_use]
    pub fn too_long(&self) -> Option<u64> {
        self.too_long
    }
}

/// Cuts a stream of bytes into [`Block`]s.
///
/// ```
/// use s3log_engine::decode::{BufferPool, LineBlocks};
///
/// let mut blocks = LineBlocks::new(BufferPool::new(16));
/// let mut seen = Vec::new();
/// for piece in [&b"one\ntw"[..], b"o\nthree"] {
///     let mut piece = piece;
///     while !piece.is_empty() {
///         piece = &piece[blocks.push(piece)..];
///         while let Some(block) = blocks.next_block() {
///             seen.extend_from_slice(block.bytes());
///         }
///     }
/// }
/// while let Some(block) = blocks.finish() {
///     seen.extend_from_slice(block.bytes());
/// }
/// assert_eq!(seen, b"one\ntwo\nthree");
/// ```
#[derive(Debug)]
pub struct LineBlocks {
    pool: BufferPool,
    max_line: usize,
    /// Bytes up to `filled` are data; all are initialised.
    buffer: Vec<u8>,
    filled: usize,
    /// Up to here the buffer is known to hold no line end, since it begins with the line that is still open.
    searched: usize,
    /// Where `buffer[0]` stands in the object.
    offset: u64,
    line_number: u64,
    counts_lines: bool,
    at_object_start: bool,
    skipping: Option<Skipped>,
}

/// A line beyond the limit whose end has not come yet.
#[derive(Debug)]
struct Skipped {
    kept: Vec<u8>,
    offset: u64,
    len: u64,
    ended: bool,
}

impl LineBlocks {
    /// Blocks of the size of the pool's buffers, for the bytes of an object from its start.
    #[must_use]
    pub fn new(pool: BufferPool) -> Self {
        Self::starting_at(pool, 0)
    }

    /// The same for bytes that begin with a line in the middle of an object.
    #[must_use]
    pub fn starting_at(pool: BufferPool, offset: u64) -> Self {
        Self {
            buffer: pool.take(),
            pool,
            max_line: MAX_LINE,
            filled: 0,
            searched: 0,
            offset,
            line_number: 1,
            counts_lines: true,
            at_object_start: offset == 0,
            skipping: None,
        }
    }

    /// Lines beyond `max_line` bytes are not parsed; see [`Block::too_long`].
    #[must_use]
    pub fn with_max_line(mut self, max_line: usize) -> Self {
        self.max_line = max_line.max(1);
        self
    }

    /// Spares the counting of lines, for callers that do not ask for [`Block::line_number`].
    #[must_use]
    pub fn without_line_numbers(mut self) -> Self {
        self.counts_lines = false;
        self
    }

    /// Room for the next bytes; never empty as long as [`LineBlocks::next_block`] was called until it gave nothing.
    pub fn space(&mut self) -> &mut [u8] {
        &mut self.buffer[self.filled..]
    }

    /// Says that `len` bytes were put into the [space](LineBlocks::space).
    pub fn advance(&mut self, len: usize) {
        self.filled = (self.filled + len).min(self.buffer.len());
        if self.at_object_start && self.filled >= BYTE_ORDER_MARK.len() {
            self.skip_byte_order_mark();
        }
    }

    /// Copies bytes into the space; returns how many found room.
    pub fn push(&mut self, bytes: &[u8]) -> usize {
        let space = self.space();
        let len = bytes.len().min(space.len());
        space[..len].copy_from_slice(&bytes[..len]);
        self.advance(len);
        len
    }

    /// The next block of whole lines, once the buffer is full.
    pub fn next_block(&mut self) -> Option<Block> {
        if self.skipping.is_some() {
            return self.skip_line();
        }
        if self.filled < self.buffer.len() { None } else { self.cut() }
    }

    /// The lines that are there, however few: for sources that would keep their reader waiting.
    pub fn flush(&mut self) -> Option<Block> {
        if self.skipping.is_some() { self.skip_line() } else { self.cut() }
    }

    /// What is left when no more bytes come: the last line may lack its end. To be called until it gives nothing.
    pub fn finish(&mut self) -> Option<Block> {
        self.at_object_start = false;
        if let Some(block) = self.flush() {
            return Some(block);
        }
        if let Some(skipped) = &mut self.skipping {
            skipped.ended = true;
            return self.skip_line();
        }
        (self.filled > 0).then(|| self.emit(self.filled))
    }

    /// A block up to the last line end in the buffer. Without one the buffer grows, up to the limit of a line.
    fn cut(&mut self) -> Option<Block> {
        match memrchr(b'\n', &self.buffer[self.searched..self.filled]) {
            Some(at) => Some(self.emit(self.searched + at + 1)),
            None => {
                self.searched = self.filled;
                // A carriage return before the line's end would not belong to it.
                let too_long = self.max_line + 2;
                if self.filled >= too_long {
                    self.begin_skipping();
                } else if self.filled == self.buffer.len() {
                    let grown = (self.buffer.len() * 2).min(too_long);
                    self.buffer.resize(grown, 0);
                }
                None
            }
        }
    }

    fn emit(&mut self, len: usize) -> Block {
        let open = self.filled - len;
        let mut next = self.pool.take();
        if next.len() <= open {
            next.resize(open + self.pool.buffer_size(), 0);
        }
        next[..open].copy_from_slice(&self.buffer[len..self.filled]);
        let buffer = std::mem::replace(&mut self.buffer, next);
        let bytes = Buffer::from(self.pool.share(buffer, len));
        let block = Block { offset: self.offset, line_number: self.line_number, bytes, too_long: None };
        if self.counts_lines {
            self.line_number += memchr_iter(b'\n', &block.bytes).count() as u64;
        }
        self.at_object_start = false;
        self.offset += len as u64;
        self.filled = open;
        self.searched = open;
        block
    }

    fn begin_skipping(&mut self) {
        let kept = self.buffer[..kept_of_long_line(self.max_line)].to_vec();
        self.skipping = Some(Skipped { kept, offset: self.offset, len: self.filled as u64, ended: false });
        self.offset += self.filled as u64;
        self.filled = 0;
        self.searched = 0;
        self.buffer = self.pool.take();
    }

    /// Drops what belongs to the line beyond the limit; gives its beginning once its end has come.
    fn skip_line(&mut self) -> Option<Block> {
        let skipped = self.skipping.as_mut()?;
        let data = &self.buffer[..self.filled];
        let (dropped, ended) = match memchr(b'\n', data) {
            Some(at) if !skipped.ended => (at + 1, true),
            _ => (self.filled, skipped.ended),
        };
        let end_len = usize::from(dropped > 0 && data[dropped - 1] == b'\n');
        skipped.len += (dropped - end_len) as u64;
        self.buffer.copy_within(dropped..self.filled, 0);
        self.filled -= dropped;
        self.searched = 0;
        self.offset += dropped as u64;
        if !ended {
            return None;
        }
        let Skipped { kept, offset, len, .. } = self.skipping.take()?;
        let line_number = self.line_number;
        self.line_number += 1;
        Some(Block { bytes: Buffer::from_vec(kept), offset, line_number, too_long: Some(len) })
    }

    fn skip_byte_order_mark(&mut self) {
        self.at_object_start = false;
        if self.buffer[..self.filled].starts_with(BYTE_ORDER_MARK) {
            let mark = BYTE_ORDER_MARK.len();
            self.buffer.copy_within(mark..self.filled, 0);
            self.filled -= mark;
            self.offset += mark as u64;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Blocks of the input, pushed in pieces of these sizes, as (offset, line number, bytes, length if too long).
    fn blocks_of(
        input: &[u8],
        sizes: &[usize],
        buffer: usize,
        max_line: usize,
    ) -> Vec<(u64, u64, Vec<u8>, Option<u64>)> {
        let mut blocks = LineBlocks::new(BufferPool::new(buffer)).with_max_line(max_line);
        let mut seen = Vec::new();
        let mut keep =
            |block: Block| seen.push((block.offset(), block.line_number(), block.bytes().to_vec(), block.too_long()));
        let mut rest = input;
        let mut sizes = sizes.iter().cycle();
        while !rest.is_empty() {
            let piece = &rest[..sizes.next().map_or(1, |size| (*size).clamp(1, rest.len()))];
            let taken = blocks.push(piece);
            rest = &rest[taken..];
            while let Some(block) = blocks.next_block() {
                keep(block);
            }
        }
        while let Some(block) = blocks.finish() {
            keep(block);
        }
        seen
    }

    /// Lines with their offsets and numbers; those beyond the limit as their beginning and length.
    fn lines_of(blocks: &[(u64, u64, Vec<u8>, Option<u64>)], max_line: usize) -> Vec<(u64, u64, Vec<u8>, u64)> {
        let mut lines = Vec::new();
        for (offset, number, bytes, too_long) in blocks {
            if let Some(len) = too_long {
                lines.push((*offset, *number, bytes.clone(), *len));
                continue;
            }
            let (mut offset, mut number) = (*offset, *number);
            for line in bytes.split_inclusive(|byte| *byte == b'\n') {
                let text = line.strip_suffix(b"\n").unwrap_or(line);
                let stripped = if text.len() < line.len() { text.strip_suffix(b"\r").unwrap_or(text) } else { text };
                let kept = if stripped.len() > max_line { &stripped[..kept_of_long_line(max_line)] } else { stripped };
                lines.push((offset, number, kept.to_vec(), text.len() as u64));
                offset += line.len() as u64;
                number += 1;
            }
        }
        lines
    }

    #[test]
    fn a_line_beyond_the_limit_leaves_its_beginning() {
        let input = [&b"a\n"[..], &[b'x'; 50], b"\r\nb\n", &[b'y'; 30]].concat();
        let blocks = blocks_of(&input, &[7], 8, 10);
        let lines = lines_of(&blocks, 10);
        assert_eq!(
            lines,
            [
                (0, 1, b"a".to_vec(), 1),
                (2, 2, vec![b'x'; 10], 51),
                (54, 3, b"b".to_vec(), 1),
                (56, 4, vec![b'y'; 10], 30)
            ]
        );
    }

    #[test]
    fn a_byte_order_mark_is_skipped_however_it_comes() {
        for sizes in [[1], [2], [3], [100]] {
            let blocks = blocks_of(b"\xEF\xBB\xBFone\n\xEF\xBB\xBFtwo\n", &sizes, 64, 100);
            assert_eq!(blocks, [(3, 1, b"one\n\xEF\xBB\xBFtwo\n".to_vec(), None)]);
        }
        assert_eq!(blocks_of(b"\xEF\xBB\xBF", &[1], 64, 100), []);
        assert_eq!(blocks_of(b"\xEF\xBB", &[1], 64, 100).len(), 1);
    }

    proptest! {
        #[test]
        fn any_pieces_and_any_buffer_give_the_same_lines(
            input in prop::collection::vec(prop_oneof![2 => Just(b'\n'), 1 => Just(b'\r'), 9 => Just(b'x')], 0..300),
            sizes in prop::collection::vec(1_usize..40, 1..6),
            buffer in 1_usize..64,
            max_line in 1_usize..20,
        ) {
            let expected = lines_of(&[(0, 1, input.clone(), None)], max_line);
            let blocks = blocks_of(&input, &sizes, buffer, max_line);
            prop_assert!(blocks.iter().all(|(_, _, bytes, _)| bytes.len() <= buffer.max(max_line + 2) + max_line + 2));
            prop_assert_eq!(lines_of(&blocks, max_line), expected);
        }
    }
}
