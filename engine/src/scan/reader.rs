//! Log objects, or ranges of them, as blocks of whole lines.
//!
//! A range `start..end` of an uncompressed object holds the lines that begin in it: from the first line that begins at
//! `start` or behind it, up to the first that begins at `end` or behind it. The byte before a mark tells whether a line
//! begins right there, so ranges that touch share no line and leave none out, wherever they are cut.
//!
//! A file is read by the task that decodes it, a block at a time: what was read is still in the core's cache when it is
//! parsed, and the kernel reads ahead.

use super::compression::{Compression, Decompressor, MAGIC_LEN};
use super::object::{LogObject, Origin};
use crate::decode::{Block, LineBlocks};
use crate::error::{Error, ErrorKind};
use bytes::Bytes;
use futures::StreamExt as _;
use futures::stream::BoxStream;
use object_store::path::Path as StorePath;
use object_store::{GetOptions, GetRange, GetResultPayload, ObjectStore, ObjectStoreExt as _};
use std::collections::VecDeque;
use std::fs::File;
use std::io::{ErrorKind as IoErrorKind, Read as _, Seek as _, SeekFrom};
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use tokio::io::AsyncReadExt as _;

/// How much is read at a time of what is compressed.
const COMPRESSED_CHUNK: usize = 128 << 10;

/// How much is read at a time where a line's beginning is sought.
const SEEK_CHUNK: u64 = 16 << 10;

/// Blocks of log objects, read one after the other.
pub(crate) struct Reader {
    waiting: VecDeque<Unopened>,
    current: Option<Current>,
    blocks: LineBlocks,
    read: u64,
}

/// A log object, or a range of one, that is to be read.
#[derive(Clone, Debug)]
pub(crate) struct Unopened {
    pub(crate) object: LogObject,
    /// As it was listed.
    pub(crate) size: u64,
    pub(crate) range: Option<Range<u64>>,
}

/// What the reader comes to next.
pub(crate) enum Event {
    /// Whole lines, of one object or of several.
    Block(Block),
    /// An object, or a range of one, was read to its end.
    Done(Unopened),
    /// It could not be read, or not to its end. What was read before comes in a block all the same.
    Failed(Unopened, Error),
}

struct Current {
    unopened: Unopened,
    source: Source,
    stage: Stage,
}

enum Stage {
    /// Nothing was read yet.
    Start,
    Plain,
    Compressed {
        decompressor: Decompressor,
        input: Vec<u8>,
        pending: Range<usize>,
    },
}

/// Where bytes come from, in order.
enum Source {
    /// A file from its current position; `left` bytes of it, or all. `expected` is the size that was listed.
    File { file: File, left: Option<u64>, seen: u64, expected: u64 },
    /// What an object store sends.
    Stream { stream: BoxStream<'static, object_store::Result<Bytes>>, chunk: Bytes, start: u64 },
    /// Standard input, whose lines are handed on as they come.
    Stdin(tokio::io::Stdin),
}

impl Reader {
    /// A reader of these objects.
    pub(crate) fn new(objects: impl IntoIterator<Item = Unopened>, blocks: LineBlocks) -> Self {
        Self { waiting: objects.into_iter().collect(), current: None, blocks, read: 0 }
    }

    /// Bytes read since this was asked last, as stored.
    pub(crate) fn take_read(&mut self) -> u64 {
        std::mem::take(&mut self.read)
    }

    /// What comes next; `None` at the end of the last object.
    pub(crate) async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(block) = self.blocks.next_block() {
                return Some(Event::Block(block));
            }
            let Some(current) = &mut self.current else {
                let Some(unopened) = self.waiting.pop_front() else {
                    return self.blocks.finish().map(Event::Block);
                };
                match Source::open(&unopened).await {
                    Ok(Some(source)) => {
                        let name = Arc::clone(unopened.object.name());
                        let too_long = self.blocks.begin_object(name, source.start());
                        self.current = Some(Current { unopened, source, stage: Stage::Start });
                        if let Some(block) = too_long {
                            return Some(Event::Block(block));
                        }
                        continue;
                    }
                    Ok(None) => return Some(Event::Done(unopened)),
                    Err(error) => return Some(Event::Failed(unopened, error)),
                }
            };
            let filled = current.fill(&mut self.blocks, &mut self.read).await;
            let is_stdin = matches!(current.source, Source::Stdin(_));
            match filled {
                Ok(true) if is_stdin => {
                    if let Some(block) = self.blocks.flush() {
                        return Some(Event::Block(block));
                    }
                }
                Ok(true) => {}
                Ok(false) => return self.current.take().map(|current| Event::Done(current.unopened)),
                Err(error) => return self.current.take().map(|current| Event::Failed(current.unopened, error)),
            }
        }
    }
}

impl Current {
    /// Puts more bytes into the blocks; false at the end.
    async fn fill(&mut self, blocks: &mut LineBlocks, read: &mut u64) -> Result<bool, Error> {
        match &mut self.stage {
            Stage::Start => self.start(blocks, read).await,
            Stage::Plain => {
                let len = self.source.read(blocks.space()).await?;
                blocks.advance(len);
                *read += len as u64;
                Ok(len > 0)
            }
            Stage::Compressed { decompressor, input, pending } => {
                if pending.start == pending.end && !decompressor.holds_output() {
                    let len = self.source.read(input).await?;
                    *read += len as u64;
                    if len == 0 {
                        return decompressor.finish().map(|()| false);
                    }
                    *pending = 0..len;
                }
                let (taken, written) = decompressor.decompress(&input[pending.clone()], blocks.space())?;
                pending.start += taken;
                blocks.advance(written);
                Ok(true)
            }
        }
    }

    /// The first bytes say whether the object is compressed.
    async fn start(&mut self, blocks: &mut LineBlocks, read: &mut u64) -> Result<bool, Error> {
        let space = blocks.space();
        let mut len = 0;
        loop {
            let more = self.source.read(&mut space[len..]).await?;
            len += more;
            if more == 0 || len >= MAGIC_LEN {
                break;
            }
        }
        *read += len as u64;
        match Compression::of(&space[..len]) {
            None => {
                blocks.advance(len);
                self.stage = Stage::Plain;
            }
            Some(compression) => {
                let mut input = space[..len].to_vec();
                input.resize(len.max(COMPRESSED_CHUNK), 0);
                let decompressor = Decompressor::new(compression)?;
                self.stage = Stage::Compressed { decompressor, input, pending: 0..len };
            }
        }
        Ok(len > 0)
    }
}

impl Source {
    /// Opens an object, or a range of it; `None` when the range holds no line, or when the object is compressed and the range
    /// is not its first: that one reads all of it.
    async fn open(unopened: &Unopened) -> Result<Option<Self>, Error> {
        let Unopened { object, size, range } = unopened;
        match object.origin() {
            Origin::File(path) => Self::file(path, range.clone(), *size),
            Origin::Store(store, location) => Self::store(store, location, range.clone(), *size).await,
            Origin::Stdin(taken) if taken.swap(true, Ordering::Relaxed) => Err(stdin_again()),
            Origin::Stdin(_) => Ok(Some(Self::Stdin(tokio::io::stdin()))),
        }
    }

    fn file(path: &Path, range: Option<Range<u64>>, expected: u64) -> Result<Option<Self>, Error> {
        let mut file = File::open(path).map_err(cannot_read)?;
        if file.metadata().map_err(cannot_read)?.is_dir() {
            return Err(Error::new(ErrorKind::Unreadable, "it is a directory"));
        }
        let Some(range) = range.filter(|range| *range != (0..expected)) else {
            return Ok(Some(Self::File { file, left: None, seen: 0, expected }));
        };
        let mut magic = [0; MAGIC_LEN];
        let len = read_up_to(&mut file, &mut magic).map_err(cannot_read)?;
        if Compression::of(&magic[..len]).is_some() {
            file.rewind().map_err(cannot_read)?;
            return Ok((range.start == 0).then_some(Self::File { file, left: None, seen: 0, expected }));
        }
        let to_the_end = range.end >= expected;
        let limit = if to_the_end { u64::MAX } else { range.end };
        let Some(start) = line_start_in_file(&mut file, range.start, limit).map_err(cannot_read)? else {
            return Ok(None);
        };
        // The last line may end behind the range.
        let end = match to_the_end {
            true => None,
            false => line_start_in_file(&mut file, range.end, u64::MAX).map_err(cannot_read)?,
        };
        file.seek(SeekFrom::Start(start)).map_err(cannot_read)?;
        let left = end.map(|end| end - start);
        Ok(Some(Self::File { file, left, seen: start, expected }))
    }

    async fn store(
        store: &Arc<dyn ObjectStore>,
        location: &StorePath,
        range: Option<Range<u64>>,
        size: u64,
    ) -> Result<Option<Self>, Error> {
        let mut options = GetOptions::default();
        if let Some(range) = range.filter(|range| *range != (0..size)) {
            let magic = store.get_range(location, 0..size.min(MAGIC_LEN as u64)).await.map_err(cannot_fetch)?;
            if Compression::of(&magic).is_some() {
                if range.start > 0 {
                    return Ok(None);
                }
            } else {
                let Some(start) = line_start_in_store(store, location, range.start, range.end, size).await? else {
                    return Ok(None);
                };
                let end = line_start_in_store(store, location, range.end, u64::MAX, size).await?;
                options.range = Some(GetRange::Bounded(start..end.unwrap_or(size)));
            }
        }
        let result = store.get_opts(location, options).await.map_err(cannot_fetch)?;
        let wanted = result.range.clone();
        Ok(Some(match result.payload {
            GetResultPayload::File(mut file, _) => {
                file.seek(SeekFrom::Start(wanted.start)).map_err(cannot_read)?;
                let left = Some(wanted.end - wanted.start);
                Self::File { file, left, seen: wanted.start, expected: wanted.end }
            }
            GetResultPayload::Stream(stream) => Self::Stream { stream, chunk: Bytes::new(), start: wanted.start },
        }))
    }

    /// Where the source begins in its object.
    fn start(&self) -> u64 {
        match self {
            Self::File { seen, .. } => *seen,
            Self::Stream { start, .. } => *start,
            Self::Stdin(_) => 0,
        }
    }

    /// Reads some bytes; 0 at the end. The buffer is not empty.
    async fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Error> {
        match self {
            Self::File { file, left, seen, expected } => {
                let room =
                    left.map_or(buffer.len(), |left| buffer.len().min(usize::try_from(left).unwrap_or(usize::MAX)));
                if room == 0 {
                    return Ok(0);
                }
                let len = read_some(file, &mut buffer[..room]).map_err(cannot_read)?;
                *seen += len as u64;
                if let Some(left) = left {
                    *left -= len as u64;
                }
                if len == 0 && *seen < *expected {
                    return Err(Error::new(
                        ErrorKind::Unreadable,
                        format!("it ended after {seen} of {expected} bytes: it shrank while it was read"),
                    )
                    .with_hint("run again when nothing writes to it"));
                }
                Ok(len)
            }
            Self::Stream { stream, chunk, .. } => {
                while chunk.is_empty() {
                    match stream.next().await {
                        Some(next) => *chunk = next.map_err(cannot_fetch)?,
                        None => return Ok(0),
                    }
                }
                let len = chunk.len().min(buffer.len());
                buffer[..len].copy_from_slice(&chunk.split_to(len));
                Ok(len)
            }
            Self::Stdin(stdin) => stdin.read(buffer).await.map_err(cannot_read),
        }
    }
}

fn read_some(file: &mut File, buffer: &mut [u8]) -> std::io::Result<usize> {
    loop {
        match file.read(buffer) {
            Err(error) if error.kind() == IoErrorKind::Interrupted => {}
            result => return result,
        }
    }
}

fn read_up_to(file: &mut File, buffer: &mut [u8]) -> std::io::Result<usize> {
    let mut len = 0;
    while len < buffer.len() {
        match read_some(file, &mut buffer[len..])? {
            0 => break,
            more => len += more,
        }
    }
    Ok(len)
}

/// Where the first line begins that begins at `mark` or behind it, but before `limit`. Nothing is read far beyond the limit: in
/// the middle of an endless line each of its ranges would go on to the end.
fn line_start_in_file(file: &mut File, mark: u64, limit: u64) -> std::io::Result<Option<u64>> {
    let Some(mut at) = mark.checked_sub(1) else { return Ok(Some(0)) };
    let mut chunk = vec![0; SEEK_CHUNK as usize];
    while at < limit {
        file.seek(SeekFrom::Start(at))?;
        let len = read_up_to(file, &mut chunk)?;
        if let Some(end) = memchr::memchr(b'\n', &chunk[..len]) {
            return Ok(Some(at + end as u64 + 1).filter(|start| *start < limit));
        }
        at += len as u64;
        if len < chunk.len() {
            break;
        }
    }
    Ok(None)
}

async fn line_start_in_store(
    store: &Arc<dyn ObjectStore>,
    location: &StorePath,
    mark: u64,
    limit: u64,
    size: u64,
) -> Result<Option<u64>, Error> {
    let Some(mut at) = mark.checked_sub(1) else { return Ok(Some(0)) };
    while at < limit.min(size) {
        let chunk = store.get_range(location, at..size.min(at + SEEK_CHUNK)).await.map_err(cannot_fetch)?;
        if let Some(end) = memchr::memchr(b'\n', &chunk) {
            return Ok(Some(at + end as u64 + 1).filter(|start| *start < limit));
        }
        at += chunk.len() as u64;
        if chunk.is_empty() {
            break;
        }
    }
    Ok(None)
}

fn stdin_again() -> Error {
    Error::new(ErrorKind::Unsupported, "standard input can be read only once, and it was read already")
        .with_hint("save it to a file first")
}

fn cannot_read(error: std::io::Error) -> Error {
    let hint = match error.kind() {
        IoErrorKind::PermissionDenied => Some("check the permissions of the file"),
        IoErrorKind::NotFound => Some("it was there when the source was listed: run again"),
        _ => None,
    };
    let cannot = Error::new(ErrorKind::Unreadable, "it cannot be read").with_source(error);
    match hint {
        Some(hint) => cannot.with_hint(hint),
        None => cannot,
    }
}

fn cannot_fetch(error: object_store::Error) -> Error {
    Error::new(ErrorKind::Unreadable, "it cannot be fetched").with_source(error)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::BufferPool;
    use object_store::memory::InMemory;
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
            }
        }
        bytes
    }

    fn file_of(bytes: &[u8]) -> tempfile::NamedTempFile {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(bytes).unwrap();
        file
    }

    /// What each range holds, from a file and from an object store.
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

    /// What comes, one event a line: bytes, or the object and what happened to it.
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
        // What was read before stays.
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
