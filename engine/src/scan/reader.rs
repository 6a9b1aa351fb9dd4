//! Reads log objects, or ranges of them, as blocks of whole lines.
//!
//! A file is read by the task that decodes it, one block at a time: the data is still in the core's cache when it is
//! parsed, and the kernel reads ahead. If cores would idle, a thread reads ahead instead (`ahead.rs`).

use super::ahead::read_ahead;
use super::arrivals::{Arrival, Arrivals, ListError};
use super::compression::{Compression, Decompressor, MAGIC_LEN};
use super::in_order::InOrder;
use super::input::{Input, Opened, PART};
use super::object::{ByteSource, LogObject, ObjectVersion};
use super::parquet::{ParquetLines, is_parquet};
use crate::decode::{Block, BufferPool, LineBlocks};
use crate::error::{Error, ErrorKind};
use bytes::{Buf as _, Bytes};
use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// Read size for compressed objects.
const COMPRESSED_CHUNK: usize = 128 << 10;
/// From this size on, a separate thread for reading a compressed file pays off.
const READ_AHEAD_FROM: u64 = 8 * COMPRESSED_CHUNK as u64;

/// Reads the blocks of log objects one after the other.
pub(crate) struct Reader {
    queue: Queue,
    current: Option<Current>,
    blocks: LineBlocks,
    compressed: Compressed,
    read: u64,
    broke_off: bool,
}

/// How compressed objects are read.
struct Compressed {
    chunks: BufferPool,
    /// Whether to read in a separate thread: decompression saturates a core, and then does not wait for copies out of
    /// the page cache.
    ahead: bool,
}

/// The objects to be read.
enum Queue {
    /// Known in advance.
    Planned(VecDeque<Unopened>),
    /// Listed and fetched concurrently, shared by several readers.
    Arriving(Arc<Arrivals>),
    /// Known in advance and read in order; objects of buckets are fetched ahead.
    InOrder(InOrder),
}

/// A log object, or a range of one, to be read.
#[derive(Clone, Debug)]
pub(crate) struct Unopened {
    pub(crate) object: LogObject,
    /// The size as listed, in bytes.
    pub(crate) size: u64,
    pub(crate) range: Option<Range<u64>>,
}

impl Unopened {
    /// The version that must be read: the pinned one, or the listed one of an object that several requests read parts
    /// of, since parts of two versions are no log object.
    pub(crate) fn required(&self) -> Option<&ObjectVersion> {
        let is_in_bucket = matches!(self.object.byte_source(), ByteSource::Bucket(..));
        let is_in_parts = is_in_bucket && (self.range.is_some() || self.size > PART);
        self.object.version().filter(|version| version.is_pinned || is_in_parts)
    }
}

pub(crate) enum Event {
    /// Whole lines of one or several objects.
    Block(Block),
    /// An object, or a range of one, was read to the end.
    Done(Unopened),
    /// An object could not be read completely. What was read before the failure is still emitted in a block.
    Failed(Unopened, Error),
    /// An object must be restored from an archive first. Nothing of it was read.
    Archived(Unopened),
    /// The listing of a source ended early: there may be objects that were not listed.
    Unlisted(ListError),
}

struct Current {
    unopened: Unopened,
    input: Input,
    stage: Stage,
    /// Whether any of its bytes went into the blocks.
    gave: bool,
}

enum Stage {
    /// Nothing has been read yet.
    Start,
    Plain,
    Compressed {
        decompressor: Decompressor,
        /// Bytes read, but not decompressed yet.
        pending: Bytes,
    },
    Parquet(Box<ParquetLines>),
}

impl Reader {
    pub(crate) fn new(objects: impl IntoIterator<Item = Unopened>, blocks: LineBlocks) -> Self {
        Self::of(Queue::Planned(objects.into_iter().collect()), blocks)
    }

    /// A reader of objects in order of arrival.
    pub(crate) fn of_arrivals(arrivals: Arc<Arrivals>, blocks: LineBlocks) -> Self {
        Self::of(Queue::Arriving(arrivals), blocks)
    }

    /// A reader of these objects in order, fetching those of buckets ahead with up to `concurrency` requests. Once
    /// `stop` is set, no further object is started. Must be called in a runtime.
    pub(crate) fn in_order(
        objects: Vec<Unopened>,
        concurrency: usize,
        stop: Arc<AtomicBool>,
        blocks: LineBlocks,
    ) -> Self {
        Self::of(Queue::InOrder(InOrder::new(objects, concurrency, stop)), blocks)
    }

    fn of(queue: Queue, blocks: LineBlocks) -> Self {
        let compressed = Compressed { chunks: BufferPool::new(COMPRESSED_CHUNK), ahead: false };
        Self { queue, current: None, blocks, compressed, read: 0, broke_off: false }
    }

    /// Reads large compressed files in a separate thread.
    pub(super) fn reading_ahead(mut self) -> Self {
        self.compressed.ahead = true;
        self
    }

    /// Whether the last failed object had already contributed bytes to blocks.
    pub(crate) fn broke_off(&self) -> bool {
        self.broke_off
    }

    /// Bytes read since the last call, as stored.
    pub(crate) fn take_read(&mut self) -> u64 {
        std::mem::take(&mut self.read)
    }

    /// The next event; `None` at the end of the last object.
    pub(crate) async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(block) = self.blocks.next_block() {
                return Some(Event::Block(block));
            }
            let Some(current) = &mut self.current else {
                let (unopened, opened) = match self.take().await {
                    Next::Object(unopened, opened) => (unopened, opened),
                    Next::Event(event) => return Some(event),
                    Next::End => return self.blocks.finish().map(Event::Block),
                };
                match opened {
                    Ok(Some(Opened { input, content })) => {
                        let name = Arc::clone(unopened.object.name());
                        let too_long = self.blocks.begin_object_of(name, input.start(), content);
                        self.current = Some(Current { unopened, input, stage: Stage::Start, gave: false });
                        if let Some(block) = too_long {
                            return Some(Event::Block(block));
                        }
                        continue;
                    }
                    Ok(None) => return Some(Event::Done(unopened)),
                    Err(error) => {
                        self.broke_off = false;
                        return Some(Event::unopened(unopened, error));
                    }
                }
            };
            let filled = current.fill(&mut self.blocks, &self.compressed, &mut self.read).await;
            let is_live = current.input.is_live();
            match filled {
                Ok(true) if is_live => {
                    if let Some(block) = self.blocks.flush() {
                        return Some(Event::Block(block));
                    }
                }
                Ok(true) => {}
                Ok(false) => return self.current.take().map(|current| Event::Done(current.unopened)),
                Err(error) => {
                    let current = self.current.take()?;
                    self.broke_off = current.gave;
                    // A restored copy may expire while it is read: then its first lines are in blocks already.
                    return Some(match current.gave {
                        true => Event::Failed(current.unopened, error),
                        false => Event::unopened(current.unopened, error),
                    });
                }
            }
        }
    }
}

/// The next item of a queue.
enum Next {
    /// An object, and its bytes.
    Object(Unopened, Result<Option<Opened>, Error>),
    Event(Event),
    End,
}

impl Reader {
    async fn take(&mut self) -> Next {
        let arrivals = match &mut self.queue {
            Queue::Planned(waiting) => {
                let Some(unopened) = waiting.pop_front() else { return Next::End };
                let opened = Input::open(&unopened).await;
                return Next::Object(unopened, opened);
            }
            Queue::InOrder(queue) => {
                return match queue.next().await {
                    Some((unopened, opened)) => Next::Object(unopened, opened),
                    None => Next::End,
                };
            }
            Queue::Arriving(arrivals) => arrivals,
        };
        // While nothing arrives, emit what is there, for queries that want only a few rows.
        let arrival = match arrivals.try_next() {
            Some(arrival) => Some(arrival),
            None => match self.blocks.flush() {
                Some(block) => return Next::Event(Event::Block(block)),
                None => arrivals.next().await,
            },
        };
        match arrival {
            None => Next::End,
            // Releases the room: each reader holds one object outside of it.
            Some(Arrival::Fetched { unopened, bytes, .. }) => {
                Next::Object(unopened, Ok(Some(Opened::whole(Input::Fetched(bytes)))))
            }
            Some(Arrival::Big(unopened)) => {
                let opened = Input::open(&unopened).await;
                Next::Object(unopened, opened)
            }
            Some(Arrival::Failed(unopened, error)) => {
                self.broke_off = false;
                Next::Event(Event::unopened(unopened, error))
            }
            Some(Arrival::Unlisted(failed)) => Next::Event(Event::Unlisted(failed)),
        }
    }
}

impl Event {
    /// The event of an object of which nothing was read.
    fn unopened(unopened: Unopened, error: Error) -> Self {
        match error.kind() {
            ErrorKind::Archived => Self::Archived(unopened),
            _ => Self::Failed(unopened, error),
        }
    }
}

impl Current {
    /// Adds more bytes to the blocks; returns false at the end.
    async fn fill(&mut self, blocks: &mut LineBlocks, compressed: &Compressed, read: &mut u64) -> Result<bool, Error> {
        match &mut self.stage {
            Stage::Start => self.start(blocks, compressed, read).await,
            Stage::Plain => {
                let len = self.input.read(blocks.space()).await?;
                blocks.advance(len);
                self.gave |= len > 0;
                *read += len as u64;
                Ok(len > 0)
            }
            Stage::Parquet(lines) => {
                let len = lines.read(blocks.space())?;
                blocks.advance(len);
                self.gave |= len > 0;
                if len == 0 {
                    self.input.check_unchanged()?;
                }
                Ok(len > 0)
            }
            Stage::Compressed { decompressor, pending } => {
                if pending.is_empty() && !decompressor.holds_output() {
                    // Drop the old buffer before taking a new one, so that the pool returns the same one.
                    *pending = Bytes::new();
                    *pending = self.input.chunk(&compressed.chunks).await?;
                    *read += pending.len() as u64;
                    if pending.is_empty() {
                        return decompressor.finish().map(|()| false);
                    }
                }
                let (taken, written) = decompressor.decompress(pending, blocks.space())?;
                pending.advance(taken);
                blocks.advance(written);
                self.gave |= written > 0;
                Ok(true)
            }
        }
    }

    /// Detects from the first bytes whether the object is compressed.
    async fn start(&mut self, blocks: &mut LineBlocks, compressed: &Compressed, read: &mut u64) -> Result<bool, Error> {
        let space = blocks.space();
        let mut len = 0;
        loop {
            let more = self.input.read(&mut space[len..]).await?;
            len += more;
            if more == 0 || len >= MAGIC_LEN {
                break;
            }
        }
        *read += len as u64;
        if is_parquet(&space[..len]) {
            let head = space[..len].to_vec();
            self.stage = Stage::Parquet(Box::new(self.input.parquet(head, read).await?));
            return Ok(true);
        }
        match Compression::of(&space[..len]) {
            None => {
                blocks.advance(len);
                self.gave = len > 0;
                self.stage = Stage::Plain;
            }
            Some(compression) => {
                let pending = Bytes::copy_from_slice(&space[..len]);
                self.stage = Stage::Compressed { decompressor: Decompressor::new(compression)?, pending };
                if compressed.ahead && self.unopened.size >= READ_AHEAD_FROM && self.input.is_file() {
                    let input = std::mem::replace(&mut self.input, Input::Fetched(Bytes::new()));
                    self.input = read_ahead(input, compressed.chunks.clone());
                }
            }
        }
        Ok(len > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::{BufferPool, Content};
    use futures::StreamExt as _;
    use object_store::memory::InMemory;
    use object_store::path::Path as StorePath;
    use object_store::{ObjectStore, ObjectStoreExt as _};
    use proptest::prelude::*;
    use std::io::Write as _;

    fn unopened(object: LogObject, size: u64, range: Option<Range<u64>>) -> Unopened {
        Unopened { object, size, range }
    }

    fn reader(objects: Vec<Unopened>) -> Reader {
        Reader::new(objects, LineBlocks::new(BufferPool::new(16)))
    }

    async fn read_all(object: Unopened) -> Vec<u8> {
        let mut reader = reader(vec![object]);
        let mut bytes = Vec::new();
        while let Some(event) = reader.next().await {
            match event {
                Event::Block(block) => bytes.extend_from_slice(block.bytes()),
                Event::Done(_) => {}
                Event::Failed(_, error) => panic!("{error}"),
                Event::Unlisted(failed) => panic!("{}", failed.error),
                Event::Archived(object) => panic!("{}", object.object.name()),
            }
        }
        bytes
    }

    #[tokio::test]
    async fn an_object_that_turns_archived_while_it_is_read_has_failed() {
        for (lines, expected) in [(None, (true, false)), (Some("a line\n"), (false, true))] {
            let archived = Error::new(ErrorKind::Archived, "it is archived");
            let parts = lines.map(|lines| Ok(Bytes::from(lines))).into_iter().chain([Err(archived)]);
            let stream = futures::stream::iter(parts).boxed();
            let mut reader = reader(Vec::new());
            reader.blocks.begin_object_of(Arc::from("log"), 0, Content::Undecided);
            reader.current = Some(Current {
                unopened: unopened(LogObject::file("log", "log".into()), 9, None),
                input: Input::Stream { stream, chunk: Bytes::new(), start: 0 },
                stage: Stage::Start,
                gave: false,
            });
            let mut is_archived = false;
            while let Some(event) = reader.next().await {
                is_archived |= matches!(event, Event::Archived(_));
            }
            assert_eq!((is_archived, reader.broke_off()), expected);
        }
    }

    fn file_of(bytes: &[u8]) -> tempfile::NamedTempFile {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(bytes).unwrap();
        file
    }

    /// The bytes of each range, read from a file and from an object store.
    fn ranges_of(bytes: &[u8], marks: &[u64]) -> Vec<(Vec<u8>, Vec<u8>)> {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let file = file_of(bytes);
        let size = bytes.len() as u64;
        runtime.block_on(async {
            let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
            let location = StorePath::from("log");
            store.put(&location, bytes.to_vec().into()).await.unwrap();
            let mut parts = Vec::new();
            for pair in marks.windows(2) {
                let range = Some(pair[0]..pair[1]);
                let of_file = LogObject::file("file", file.path().to_owned());
                let from_file = read_all(unopened(of_file, size, range.clone())).await;
                let of_store = LogObject::in_store(Arc::clone(&store), location.clone());
                let from_store = read_all(unopened(of_store, size, range)).await;
                parts.push((from_file, from_store));
            }
            parts
        })
    }

    proptest! {
        #[test]
        fn ranges_hold_every_line_once_wherever_they_are_cut(
            bytes in prop::collection::vec(prop_oneof![1 => Just(b'\n'), 4 => b'a'..b'f'], 1..80),
            cuts in prop::collection::vec(0_u64..80, 0..10),
        ) {
            let size = bytes.len() as u64;
            let mut marks: Vec<u64> = cuts.into_iter().map(|cut| cut.min(size)).chain([0, size]).collect();
            marks.sort_unstable();
            marks.dedup();
            let parts = ranges_of(&bytes, &marks);
            for (pair, (from_file, from_store)) in marks.windows(2).zip(&parts) {
                prop_assert_eq!(from_file, from_store);
                // A range holds the lines that begin in it.
                let begins_line = |at: usize| at == 0 || bytes[at - 1] == b'\n';
                let begun = (pair[0] as usize..pair[1] as usize).filter(|at| begins_line(*at)).count();
                prop_assert_eq!(from_file.split_inclusive(|byte| *byte == b'\n').count(), begun);
            }
            let joined: Vec<u8> = parts.into_iter().flat_map(|(from_file, _)| from_file).collect();
            prop_assert_eq!(joined, bytes);
        }
    }

    #[test]
    fn a_compressed_object_is_read_whole_by_its_first_range() {
        let text = b"one\ntwo\nthree\n".repeat(20);
        let packed = zstd::encode_all(&text[..], 1).unwrap();
        let size = packed.len() as u64;
        let parts = ranges_of(&packed, &[0, 7, size / 2, size]);
        assert_eq!(parts[0], (text.clone(), text));
        assert!(parts[1..].iter().all(|part| *part == (Vec::new(), Vec::new())));
    }

    /// The events, formatted: bytes, or an object and its outcome.
    fn events(objects: Vec<Unopened>) -> Vec<String> {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let mut reader = reader(objects);
        runtime.block_on(async {
            let mut events = Vec::new();
            while let Some(event) = reader.next().await {
                events.push(match event {
                    Event::Block(block) => block.bytes().escape_ascii().to_string(),
                    Event::Done(object) => format!("{}: done", object.object.name()),
                    Event::Failed(object, error) => format!("{}: {error}", object.object.name()),
                    Event::Archived(object) => format!("{}: archived", object.object.name()),
                    Event::Unlisted(failed) => failed.error.to_string(),
                });
            }
            events
        })
    }

    #[test]
    fn a_file_that_shrank_is_an_error_and_not_an_end() {
        let file = file_of(b"one\ntwo\n");
        let object = LogObject::file("a", file.path().to_owned());
        let shrank = "a: it ended after 8 of 100 bytes: it shrank while it was read";
        // What was read before the failure is kept.
        assert_eq!(events(vec![unopened(object, 100, None)]), [shrank, "one\\ntwo\\n"]);
    }

    #[test]
    fn what_cannot_be_read_does_not_keep_others_from_being_read() {
        let directory = tempfile::tempdir().unwrap();
        let file = file_of(b"one");
        let objects = [
            ("a", directory.path().to_owned()),
            ("b", file.path().to_owned()),
            ("c", directory.path().join("gone")),
            ("d", file.path().to_owned()),
        ];
        let objects = objects.map(|(name, path)| unopened(LogObject::file(name, path), 3, None));
        let expected = ["a: it is a directory", "b: done", "c: it cannot be read", "d: done", "one\\n", "one"];
        let mut found = events(objects.to_vec());
        found[2].truncate(expected[2].len());
        assert_eq!(found, expected);
    }
}
