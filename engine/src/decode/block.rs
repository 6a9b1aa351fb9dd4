//! Splits the bytes of log objects into blocks of whole lines.
//!
//! [`LineBlocks`] accepts bytes in pieces of any size and returns blocks of whole lines. It tracks the position of each
//! block (byte and line), skips a byte order mark, and bounds memory: of a line beyond the limit only the beginning is
//! kept, and the rest is counted.

use super::content::{Content, settle};
use super::pool::BufferPool;
use crate::error::{Error, ErrorKind};
use arrow::buffer::Buffer;
use memchr::{memchr, memchr_iter, memrchr};
use s3log_parser::BYTE_ORDER_MARK;
use std::sync::Arc;

/// Size of a block in bytes, unless a longer line makes it grow. Fits a core's own cache.
pub const BLOCK_SIZE: usize = 1 << 20;

/// Maximum length of a line that is parsed, in bytes. Real request lines with their headers are a few kilobytes.
pub const MAX_LINE: usize = 16 << 20;

/// Maximum size of a block that is decoded, in bytes: positions in a block have 32 bits. Larger log objects are decoded in
/// several blocks.
pub const LARGEST_BLOCK: usize = 1 << 30;

/// Upper limit for the maximum length of a line, so that no block becomes too large.
pub(crate) const LONGEST_MAX_LINE: usize = LARGEST_BLOCK / 4;

/// If less than this is left, or less than a quarter of a small buffer, the next object begins in the next block. It
/// still holds the magic bytes of a compressed object.
const MIN_ROOM: usize = 4 << 10;

/// Number of bytes kept of a line beyond the limit.
pub(crate) fn kept_of_long_line(max_line: usize) -> usize {
    max_line.min(4096)
}

/// Whole lines of one log object, or of several small ones.
#[derive(Clone, Debug)]
pub struct Block {
    bytes: Buffer,
    /// Never empty; the first part begins at the start of the block.
    parts: Vec<Part>,
    /// Total length of the line if the block is only the beginning of an overlong one.
    too_long: Option<u64>,
}

/// Lines of one log object in a block, all of one format. An object may have several parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    log_object: Arc<str>,
    start: usize,
    offset: u64,
    line_number: u64,
    content: Content,
}

impl Part {
    fn new(log_object: Arc<str>, start: usize, offset: u64) -> Self {
        Self { log_object, start, offset, line_number: 1, content: Content::Undecided }
    }

    /// The part after this many bytes and lines.
    pub(super) fn behind(&self, bytes: usize, lines: u64) -> Self {
        Self {
            start: self.start + bytes,
            offset: self.offset + bytes as u64,
            line_number: self.line_number + lines,
            ..self.clone()
        }
    }

    pub(super) fn with_content(self, content: Content) -> Self {
        Self { content, ..self }
    }

    /// The format of the lines.
    #[must_use]
    pub fn content(&self) -> &Content {
        &self.content
    }

    /// The name of the log object.
    #[must_use]
    pub fn log_object(&self) -> &Arc<str> {
        &self.log_object
    }

    /// Offset of the first byte in the block.
    #[must_use]
    pub fn start(&self) -> usize {
        self.start
    }

    /// Offset of the first byte in the object, after decompression.
    #[must_use]
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// Number of the first line in the object, from 1. If reading started in the middle of the object, lines are
    /// counted from there.
    #[must_use]
    pub fn line_number(&self) -> u64 {
        self.line_number
    }
}

impl Block {
    /// A block of a whole log object, or of its beginning. The bytes are not copied. Decoders accept up to
    /// [`LARGEST_BLOCK`] bytes.
    ///
    /// ```
    /// use s3log_engine::decode::Block;
    ///
    /// let block = Block::new("logs/a", bytes::Bytes::from_static(b"\xEF\xBB\xBFfirst line\n"));
    /// assert_eq!((block.bytes(), block.parts()[0].offset()), (&b"first line\n"[..], 3));
    /// ```
    #[must_use]
    pub fn new(log_object: impl Into<Arc<str>>, bytes: impl Into<Buffer>) -> Self {
        let bytes = bytes.into();
        let skipped = if bytes.starts_with(BYTE_ORDER_MARK) { BYTE_ORDER_MARK.len() } else { 0 };
        let bytes = bytes.slice(skipped);
        let mut parts = vec![Part::new(log_object.into(), 0, skipped as u64)];
        settle(&mut parts, &bytes, MAX_LINE, true);
        Self { bytes, parts, too_long: None }
    }

    /// Checks that positions in it have 32 bits.
    pub(crate) fn check_size(&self) -> Result<(), Error> {
        if self.bytes.len() <= LARGEST_BLOCK {
            return Ok(());
        }
        let name = self.parts.first().map_or("", |part| part.log_object());
        Err(Error::new(ErrorKind::Unsupported, format!("a block of {} bytes is too large", self.bytes.len()))
            .in_object(name)
            .with_hint("decode it in several blocks, such as those of `LineBlocks`"))
    }

    /// The parts, each with its bytes, in order.
    pub fn part_bytes(&self) -> impl Iterator<Item = (&Part, &[u8])> {
        let ends = self.parts.iter().skip(1).map(Part::start).chain([self.bytes.len()]);
        self.parts.iter().zip(ends).map(|(part, end)| (part, &self.bytes[part.start..end]))
    }

    /// The lines with their line ends; the last line may lack one.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The lines as a shared buffer.
    #[must_use]
    pub fn buffer(&self) -> &Buffer {
        &self.bytes
    }

    /// The parts of the block in order: at least one, and the first begins at the start of the block.
    #[must_use]
    pub fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// The length of the whole line in bytes if the block is only the beginning of a line beyond the limit.
    #[must_use]
    pub fn too_long(&self) -> Option<u64> {
        self.too_long
    }
}

/// Splits a stream of bytes into [`Block`]s.
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
///
/// Several objects can be pushed one after the other: [`LineBlocks::begin_object`] marks where one ends and the next
/// begins. Small objects then share a block.
#[derive(Debug)]
pub struct LineBlocks {
    pool: BufferPool,
    max_line: usize,
    /// Data up to `filled`; all bytes are initialised. Empty until needed; the data is then in `open`.
    buffer: Vec<u8>,
    /// The beginning of a line, read after the last block. Empty while there is a buffer.
    open: Vec<u8>,
    filled: usize,
    /// The buffer is known to have no line end before this offset.
    searched: usize,
    /// The parts of the buffer: at least one; the last is of the object being read.
    parts: Vec<Part>,
    counts_lines: bool,
    at_object_start: bool,
    skipping: Option<Skipped>,
}

/// A line beyond the limit whose end has not been seen yet.
#[derive(Debug)]
struct Skipped {
    kept: Vec<u8>,
    part: Part,
    len: u64,
    ended: bool,
}

impl LineBlocks {
    /// Creates blocks of the size of the pool's buffers. The first object has no name unless
    /// [`LineBlocks::begin_object`] is called.
    #[must_use]
    pub fn new(pool: BufferPool) -> Self {
        Self {
            pool,
            max_line: MAX_LINE,
            buffer: Vec::new(),
            open: Vec::new(),
            filled: 0,
            searched: 0,
            parts: vec![Part::new(Arc::from(""), 0, 0)],
            counts_lines: true,
            at_object_start: true,
            skipping: None,
        }
    }

    /// Lines longer than `max_line` bytes are not parsed; see [`Block::too_long`].
    #[must_use]
    pub fn with_max_line(mut self, max_line: usize) -> Self {
        self.max_line = max_line.clamp(1, LONGEST_MAX_LINE);
        self
    }

    /// Disables line counting, for callers that do not need [`Part::line_number`].
    #[must_use]
    pub fn without_line_numbers(mut self) -> Self {
        self.counts_lines = false;
        self
    }

    /// Begins an object at its byte `offset`, which must be the start of a line; all further bytes belong to it. The
    /// last line of the previous object ends here, even without a line end. Returns a block if that line was beyond the
    /// limit, or if there is hardly any room left for this object.
    pub fn begin_object(&mut self, log_object: impl Into<Arc<str>>, offset: u64) -> Option<Block> {
        self.begin_object_of(log_object, offset, Content::Undecided)
    }

    /// Like [`LineBlocks::begin_object`], with known content: if its first lines are not read, it cannot be detected.
    pub(crate) fn begin_object_of(
        &mut self,
        log_object: impl Into<Arc<str>>,
        offset: u64,
        content: Content,
    ) -> Option<Block> {
        self.take_buffer();
        let too_long = match &mut self.skipping {
            Some(skipped) => {
                skipped.ended = true;
                self.skip_line()
            }
            None => None,
        };
        let begun = self.parts.last().map_or(0, |part| part.start);
        // A trailing carriage return without a line feed is data: append another one, so that it stays part of the
        // line.
        let end: &[u8] = match &self.buffer[begun..self.filled] {
            [] | [.., b'\n'] => b"",
            [.., b'\r'] => b"\r\n",
            _ => b"\n",
        };
        if self.buffer.len() < self.filled + end.len() {
            self.buffer.resize(self.filled + end.len(), 0);
        }
        self.buffer[self.filled..][..end.len()].copy_from_slice(end);
        self.filled += end.len();
        let block = match too_long {
            None if self.filled > 0 && self.space().len() < (self.pool.buffer_size() / 4).min(MIN_ROOM) => {
                Some(self.emit(self.filled))
            }
            too_long => too_long,
        };
        // An object without lines leaves no part.
        self.parts.retain(|part| part.start < self.filled);
        self.parts.push(Part::new(log_object.into(), self.filled, offset).with_content(content));
        self.at_object_start = offset == 0;
        block
    }

    /// Room for the next bytes. Never empty if [`LineBlocks::next_block`] was called until it returned `None`.
    pub fn space(&mut self) -> &mut [u8] {
        self.take_buffer();
        &mut self.buffer[self.filled..]
    }

    /// Marks `len` bytes of the [space](LineBlocks::space) as filled.
    pub fn advance(&mut self, len: usize) {
        self.take_buffer();
        self.filled = (self.filled + len).min(self.buffer.len());
        if self.at_object_start {
            self.skip_byte_order_mark();
        }
    }

    /// Copies bytes into the space; returns how many fit.
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
        if self.buffer.is_empty() || self.filled < self.buffer.len() { None } else { self.cut() }
    }

    /// The complete lines read so far, however few, for sources that would otherwise delay them.
    pub fn flush(&mut self) -> Option<Block> {
        if self.filled == 0 && self.skipping.is_none() {
            return None;
        }
        self.take_buffer();
        if self.skipping.is_some() { self.skip_line() } else { self.cut() }
    }

    /// The remaining lines at the end of input; the last line may lack its line end. Call it until it returns `None`.
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

    /// Ensures that there is a buffer. It is taken when bytes arrive, not when the previous block is returned: if that
    /// block has been dropped by then, the pool returns the same buffer, which is still in the core's cache.
    fn take_buffer(&mut self) {
        if !self.buffer.is_empty() {
            return;
        }
        let open = std::mem::take(&mut self.open);
        self.buffer = self.pool.take();
        if self.buffer.len() <= open.len() {
            self.buffer.resize(open.len() + self.pool.buffer_size(), 0);
        }
        self.buffer[..open.len()].copy_from_slice(&open);
    }

    /// A block up to the last line end in the buffer. Without one, the buffer grows up to the line limit.
    fn cut(&mut self) -> Option<Block> {
        match memrchr(b'\n', &self.buffer[self.searched..self.filled]) {
            Some(at) => Some(self.emit(self.searched + at + 1)),
            None => {
                self.searched = self.filled;
                // A carriage return before the line feed does not count.
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
        self.open = self.buffer[len..self.filled].to_vec();
        let buffer = std::mem::take(&mut self.buffer);
        let bytes = Buffer::from(self.pool.share(buffer, len));
        // An object with only a little data is decided by what is there.
        settle(&mut self.parts, &bytes, self.max_line, self.counts_lines);
        let rest = self.part_behind(&bytes);
        let mut parts = std::mem::replace(&mut self.parts, vec![rest]);
        parts.retain(|part| part.start < len);
        // Until bytes of the object have been emitted, a byte order mark may still follow.
        self.at_object_start &= self.parts.iter().all(|part| part.offset == 0);
        self.filled = self.open.len();
        self.searched = self.filled;
        Block { bytes, parts, too_long: None }
    }

    /// The part that continues after these bytes.
    fn part_behind(&self, bytes: &[u8]) -> Part {
        let Some(last) = self.parts.last() else { return Part::new(Arc::from(""), 0, 0) };
        let done = &bytes[last.start.min(bytes.len())..];
        let lines = if self.counts_lines { memchr_iter(b'\n', done).count() as u64 } else { 0 };
        Part { start: 0, ..last.behind(done.len(), lines) }
    }

    /// The buffer holds one overlong line: keeps its beginning and counts the rest.
    fn begin_skipping(&mut self) {
        let Some(part) = self.parts.last_mut() else { return };
        let kept = self.buffer[..kept_of_long_line(self.max_line)].to_vec();
        self.skipping = Some(Skipped { kept, part: part.clone(), len: self.filled as u64, ended: false });
        part.offset += self.filled as u64;
        self.filled = 0;
        self.searched = 0;
        self.pool.give_back(std::mem::take(&mut self.buffer));
    }

    /// Drops the data of an overlong line; returns its beginning once the end has been seen.
    fn skip_line(&mut self) -> Option<Block> {
        let (skipped, part) = (self.skipping.as_mut()?, self.parts.last_mut()?);
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
        part.offset += dropped as u64;
        if !ended {
            return None;
        }
        part.line_number += 1;
        let Skipped { kept, part, len, .. } = self.skipping.take()?;
        Some(Block { bytes: Buffer::from_vec(kept), parts: vec![part], too_long: Some(len) })
    }

    fn skip_byte_order_mark(&mut self) {
        let Some(part) = self.parts.last_mut() else { return };
        let mark = BYTE_ORDER_MARK.len();
        if self.filled < part.start + mark {
            return;
        }
        self.at_object_start = false;
        if self.buffer[part.start..self.filled].starts_with(BYTE_ORDER_MARK) {
            self.buffer.copy_within(part.start + mark..self.filled, part.start);
            self.filled -= mark;
            self.searched = self.searched.min(part.start);
            part.offset += mark as u64;
        }
    }
}

impl Drop for LineBlocks {
    fn drop(&mut self) {
        self.pool.give_back(std::mem::take(&mut self.buffer));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A line: object, offset, number, bytes (or their beginning), length.
    type Seen = (String, u64, u64, Vec<u8>, u64);

    /// The lines of the objects, pushed in pieces of these sizes.
    fn lines_of(objects: &[(&str, &[u8])], sizes: &[usize], buffer: usize, max_line: usize) -> Vec<Seen> {
        let mut blocks = LineBlocks::new(BufferPool::new(buffer)).with_max_line(max_line);
        let mut seen = Vec::new();
        let mut sizes = sizes.iter().cycle();
        for (name, input) in objects {
            see(&mut seen, blocks.begin_object(*name, 0), buffer, max_line);
            let mut rest = *input;
            while !rest.is_empty() {
                let piece = &rest[..sizes.next().map_or(1, |size| (*size).clamp(1, rest.len()))];
                let taken = blocks.push(piece);
                rest = &rest[taken..];
                while let Some(block) = blocks.next_block() {
                    see(&mut seen, Some(block), buffer, max_line);
                }
            }
        }
        while let Some(block) = blocks.finish() {
            see(&mut seen, Some(block), buffer, max_line);
        }
        seen
    }

    fn see(seen: &mut Vec<Seen>, block: Option<Block>, buffer: usize, max_line: usize) {
        let Some(block) = block else { return };
        assert!(block.bytes().len() <= buffer.max(max_line + 2) + max_line + 2);
        assert!(block.parts()[0].start() == 0 && block.parts().is_sorted_by_key(Part::start));
        for (at, part) in block.parts().iter().enumerate() {
            let end = block.parts().get(at + 1).map_or(block.bytes().len(), Part::start);
            let bytes = &block.bytes()[part.start()..end];
            if let Some(len) = block.too_long() {
                seen.push((part.log_object().to_string(), part.offset(), part.line_number(), bytes.to_vec(), len));
                continue;
            }
            see_lines(seen, part, bytes, max_line);
        }
    }

    fn see_lines(seen: &mut Vec<Seen>, part: &Part, bytes: &[u8], max_line: usize) {
        let (mut offset, mut number) = (part.offset(), part.line_number());
        for line in bytes.split_inclusive(|byte| *byte == b'\n') {
            let text = line.strip_suffix(b"\n").unwrap_or(line);
            let stripped = if text.len() < line.len() { text.strip_suffix(b"\r").unwrap_or(text) } else { text };
            let kept = if stripped.len() > max_line { &stripped[..kept_of_long_line(max_line)] } else { stripped };
            seen.push((part.log_object().to_string(), offset, number, kept.to_vec(), stripped.len() as u64));
            offset += line.len() as u64;
            number += 1;
        }
    }

    #[test]
    fn a_line_beyond_the_limit_leaves_its_beginning() {
        let input = [&b"a\n"[..], &[b'x'; 50], b"\r\nb\n", &[b'y'; 30]].concat();
        let line = |offset, number, bytes: &[u8], len| ("o".to_owned(), offset, number, bytes.to_vec(), len);
        assert_eq!(
            lines_of(&[("o", &input)], &[7], 8, 10),
            [line(0, 1, b"a", 1), line(2, 2, &[b'x'; 10], 51), line(54, 3, b"b", 1), line(56, 4, &[b'y'; 10], 30)]
        );
    }

    #[test]
    fn a_byte_order_mark_is_skipped_however_it_comes() {
        let line = |object: &str, offset, number, bytes: &[u8]| {
            (object.to_owned(), offset, number, bytes.to_vec(), bytes.len() as u64)
        };
        for sizes in [[1], [2], [3], [100]] {
            let marked = b"\xEF\xBB\xBFone\n\xEF\xBB\xBFtwo";
            let lines = lines_of(&[("a", marked), ("b", b"\xEF\xBB\xBF"), ("c", b""), ("d", marked)], &sizes, 64, 100);
            let [one, two]: [(u64, u64, &[u8]); 2] = [(3, 1, b"one"), (7, 2, b"\xEF\xBB\xBFtwo")];
            let expected = ["a", "a", "d", "d"].into_iter().zip([one, two].into_iter().cycle());
            let expected: Vec<_> =
                expected.map(|(object, (at, number, text))| line(object, at, number, text)).collect();
            assert_eq!(lines, expected);
        }
        assert_eq!(lines_of(&[("a", b"\xEF\xBB")], &[1], 64, 100), [line("a", 0, 1, b"\xEF\xBB")]);
    }

    proptest! {
        #[test]
        fn any_pieces_any_buffer_and_any_neighbours_give_the_same_lines(
            inputs in prop::collection::vec(
                (
                    prop::sample::select(vec![&b""[..], BYTE_ORDER_MARK, &BYTE_ORDER_MARK[..2]]),
                    prop::collection::vec(prop_oneof![2 => Just(b'\n'), 1 => Just(b'\r'), 9 => Just(b'x')], 0..100),
                ),
                0..6,
            ),
            sizes in prop::collection::vec(1_usize..40, 1..6),
            buffer in 1_usize..64,
            max_line in 1_usize..20,
        ) {
            let inputs: Vec<Vec<u8>> = inputs.into_iter().map(|(mark, text)| [mark, &text[..]].concat()).collect();
            let names: Vec<String> = (0..inputs.len()).map(|number| format!("object {number}")).collect();
            let objects: Vec<(&str, &[u8])> =
                names.iter().zip(&inputs).map(|(name, input)| (name.as_str(), input.as_slice())).collect();
            let mut expected = Vec::new();
            for (name, input) in &objects {
                let marked = if input.starts_with(BYTE_ORDER_MARK) { BYTE_ORDER_MARK.len() } else { 0 };
                see_lines(
                    &mut expected, &Part::new(Arc::from(*name), 0, marked as u64), &input[marked..], max_line
                );
            }
            let mut lines = lines_of(&objects, &sizes, buffer, max_line);
            // The length of an overlong line is known only if it outgrew its block.
            for (.., len) in lines.iter_mut().chain(&mut expected).filter(|(.., len)| *len > max_line as u64) {
                *len = u64::MAX;
            }
            prop_assert_eq!(lines, expected);
        }
    }
}
