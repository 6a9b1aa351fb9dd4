//! Sources of bytes: files, object stores, buckets, standard input.
//!
//! A range `start..end` of an uncompressed object holds the lines that begin in it: from the first line that begins at
//! or after `start` up to, but not including, the first that begins at or after `end`. The byte before a mark tells
//! whether a line begins there, so adjacent ranges neither share nor omit a line, wherever they are cut.

use super::head::{HEAD_LEN, Head, MAX_HEAD_LEN};
use super::object::{ByteSource, ObjectVersion};
use super::parquet::{MAX_HELD, ParquetLines, too_large};
use super::reader::Unopened;
use crate::decode::{BufferPool, Content};
use crate::error::{Error, ErrorKind};
use crate::store::Bucket;
use bytes::Bytes;
use futures::stream::BoxStream;
use futures::{StreamExt as _, TryStreamExt as _};
use object_store::path::Path as StorePath;
use object_store::{GetOptions, GetRange, GetResultPayload, ObjectStore, ObjectStoreExt as _};
use std::fs::{File, Metadata};
use std::io::{ErrorKind as IoErrorKind, Read as _, Seek as _, SeekFrom};
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{SystemTime, UNIX_EPOCH};
use tokio::io::AsyncReadExt as _;

/// Read size when searching for the start of a line.
const SEEK_CHUNK: u64 = 16 << 10;
/// Part size for fetching large objects of buckets.
pub(super) const PART: u64 = 4 << 20;
/// Number of parts fetched concurrently.
const PARTS_AHEAD: usize = 4;

/// A log object, or a range of one, ready to be read.
pub(super) struct Opened {
    pub(super) input: Input,
    /// The content of its lines, if bytes before the range decided it.
    pub(super) content: Content,
}

impl Opened {
    /// The whole object, from its beginning.
    pub(super) fn whole(input: Input) -> Self {
        Self { input, content: Content::Undecided }
    }
}

/// The bytes of a log object, in order.
pub(super) enum Input {
    /// A file from its current position. `left`: bytes still to be read, or up to the end. `expected`: the size that
    /// was listed. `pinned`: the modification time, if the file must not change while it is read.
    File { file: File, left: Option<u64>, seen: u64, expected: u64, pinned: Option<i64> },
    /// A byte stream from an object store.
    Stream { stream: BoxStream<'static, Result<Bytes, Error>>, chunk: Bytes, start: u64 },
    /// An object that was fetched ahead.
    Fetched(Bytes),
    /// Standard input; lines are passed on as they arrive.
    Stdin(tokio::io::Stdin),
}

impl Input {
    /// Opens an object or a range of it. `None` if the range holds no line, or if the object can only be read as a
    /// whole and this is not its first range: the first range then reads all of it.
    pub(super) async fn open(unopened: &Unopened) -> Result<Option<Opened>, Error> {
        let Unopened { object, size, range } = unopened;
        match object.byte_source() {
            ByteSource::File(path) => Self::file(path, range.clone(), *size, object.pinned()),
            ByteSource::Store(store, location) => Self::store(store, location, range.clone(), *size).await,
            ByteSource::Bucket(bucket, key) => {
                let e_tag = unopened.required().and_then(|version| version.e_tag.clone());
                Self::bucket(bucket, key, range.clone(), *size, e_tag).await
            }
            ByteSource::Stdin(taken) if taken.swap(true, Ordering::Relaxed) => Err(again("standard input")),
            ByteSource::Pipe(_, taken) if taken.swap(true, Ordering::Relaxed) => Err(again("a pipe")),
            ByteSource::Pipe(path, _) => Self::file(path, None, *size, None),
            ByteSource::Stdin(_) => Ok(Some(Opened::whole(Self::Stdin(tokio::io::stdin())))),
        }
    }

    fn file(
        path: &Path,
        range: Option<Range<u64>>,
        expected: u64,
        pinned: Option<&ObjectVersion>,
    ) -> Result<Option<Opened>, Error> {
        let mut file = File::open(path).map_err(cannot_read)?;
        let metadata = file.metadata().map_err(cannot_read)?;
        if metadata.is_dir() {
            return Err(Error::new(ErrorKind::Unreadable, "it is a directory"));
        }
        if let Some(version) = pinned {
            let modified = version.modified;
            check_version(&metadata, expected, modified)?;
            let whole = Self::File { file, left: None, seen: 0, expected, pinned: Some(modified) };
            return Ok(Some(Opened::whole(whole)));
        }
        let whole = |file| Opened::whole(Self::File { file, left: None, seen: 0, expected, pinned: None });
        let Some(range) = range.filter(|range| *range != (0..expected)) else { return Ok(Some(whole(file))) };
        let content = match head_of_file(&mut file).map_err(cannot_read)? {
            Head::Lines(content) => content,
            Head::Whole if range.start > 0 => return Ok(None),
            Head::Whole => {
                file.rewind().map_err(cannot_read)?;
                return Ok(Some(whole(file)));
            }
        };
        let to_the_end = range.end >= expected;
        let limit = if to_the_end { u64::MAX } else { range.end };
        let Some(start) = line_start_in_file(&mut file, range.start, limit).map_err(cannot_read)? else {
            return Ok(None);
        };
        // The last line may end after the range.
        let end = match to_the_end {
            true => None,
            false => line_start_in_file(&mut file, range.end, u64::MAX).map_err(cannot_read)?,
        };
        file.seek(SeekFrom::Start(start)).map_err(cannot_read)?;
        let left = end.map(|end| end - start);
        // From the beginning of the object, the content is detected while reading, which also handles garbage in front.
        let content = if start == 0 { Content::Undecided } else { content };
        Ok(Some(Opened { input: Self::File { file, left, seen: start, expected, pinned: None }, content }))
    }

    async fn store(
        store: &Arc<dyn ObjectStore>,
        location: &StorePath,
        range: Option<Range<u64>>,
        size: u64,
    ) -> Result<Option<Opened>, Error> {
        let mut options = GetOptions::default();
        let lines = lines_of_range(store, location, range, size).await.map_err(cannot_fetch)?;
        let Some((lines, content)) = lines else { return Ok(None) };
        if lines != (0..size) {
            options.range = Some(GetRange::Bounded(lines));
        }
        let result = store.get_opts(location, options).await.map_err(cannot_fetch)?;
        let wanted = result.range.clone();
        let input = match result.payload {
            GetResultPayload::File(mut file, _) => {
                file.seek(SeekFrom::Start(wanted.start)).map_err(cannot_read)?;
                let left = Some(wanted.end - wanted.start);
                Self::File { file, left, seen: wanted.start, expected: wanted.end, pinned: None }
            }
            GetResultPayload::Stream(stream) => {
                Self::Stream { stream: stream.map_err(cannot_fetch).boxed(), chunk: Bytes::new(), start: wanted.start }
            }
        };
        Ok(Some(Opened { input, content }))
    }

    /// An object of a bucket, fetched in parts. A part is used once it is complete, and requested again if it is not.
    async fn bucket(
        bucket: &Arc<Bucket>,
        key: &StorePath,
        range: Option<Range<u64>>,
        size: u64,
        e_tag: Option<String>,
    ) -> Result<Option<Opened>, Error> {
        let lines = bucket.following(|store| {
            let range = range.clone();
            async move { lines_of_range(&(store as _), key, range, size).await }
        });
        let lines = lines.await.map_err(|error| bucket.explain_get(key, error))?;
        let Some((lines, content)) = lines else { return Ok(None) };
        let (start, end) = (lines.start, lines.end);
        let (bucket, key) = (Arc::clone(bucket), key.clone());
        let parts = lines.step_by(PART as usize).map(move |from| {
            let (bucket, key, part) = (Arc::clone(&bucket), key.clone(), from..end.min(from + PART));
            let e_tag = e_tag.clone();
            async move { bucket.get_part(&key, part, e_tag.as_deref()).await }
        });
        let stream = futures::stream::iter(parts).buffered(PARTS_AHEAD).boxed();
        Ok(Some(Opened { input: Self::Stream { stream, chunk: Bytes::new(), start }, content }))
    }

    /// Whether input arrives interactively and should be passed on at once.
    pub(super) fn is_live(&self) -> bool {
        matches!(self, Self::Stdin(_))
    }

    pub(super) fn is_file(&self) -> bool {
        matches!(self, Self::File { .. })
    }

    /// Offset in the object at which the input begins.
    pub(super) fn start(&self) -> u64 {
        match self {
            Self::File { seen, .. } => *seen,
            Self::Stream { start, .. } => *start,
            Self::Fetched(_) | Self::Stdin(_) => 0,
        }
    }

    /// Fails if a pinned file has changed.
    pub(super) fn check_unchanged(&self) -> Result<(), Error> {
        match self {
            Self::File { file, expected, pinned: Some(modified), .. } => {
                check_version(&file.metadata().map_err(cannot_read)?, *expected, *modified)
            }
            _ => Ok(()),
        }
    }

    /// The rows of a Parquet file whose first bytes have already been read. A file on disk is read in place; anything
    /// else is buffered in memory.
    pub(super) async fn parquet(&mut self, head: Vec<u8>, read: &mut u64) -> Result<ParquetLines, Error> {
        if let Self::File { file, expected, .. } = self {
            *read = (*read).max(*expected);
            return ParquetLines::of_file(file.try_clone().map_err(cannot_read)?);
        }
        let mut bytes = head;
        let mut len = bytes.len();
        loop {
            if len > MAX_HELD {
                return Err(too_large());
            }
            bytes.resize((len.max(SEEK_CHUNK as usize) * 2).min(MAX_HELD + SEEK_CHUNK as usize), 0);
            let more = self.read(&mut bytes[len..]).await?;
            *read += more as u64;
            len += more;
            if more == 0 {
                break;
            }
        }
        bytes.truncate(len);
        ParquetLines::of_bytes(bytes.into())
    }

    /// The next bytes, empty at the end. They are read into a buffer of the pool unless they are in memory already.
    pub(super) async fn chunk(&mut self, pool: &BufferPool) -> Result<Bytes, Error> {
        match self {
            Self::File { .. } | Self::Stdin(_) => {
                let mut buffer = pool.take();
                let len = self.read(&mut buffer).await?;
                Ok(pool.share(buffer, len))
            }
            Self::Stream { stream, chunk, .. } => {
                next_chunk(stream, chunk).await?;
                Ok(std::mem::take(chunk))
            }
            Self::Fetched(bytes) => Ok(std::mem::take(bytes)),
        }
    }

    /// Reads into the buffer, which must not be empty; returns 0 at the end.
    pub(super) async fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Error> {
        match self {
            Self::File { file, left, seen, expected, .. } => {
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
                if len == 0 {
                    self.check_unchanged()?;
                }
                Ok(len)
            }
            Self::Stream { stream, chunk, .. } => {
                next_chunk(stream, chunk).await?;
                let len = chunk.len().min(buffer.len());
                buffer[..len].copy_from_slice(&chunk.split_to(len));
                Ok(len)
            }
            Self::Fetched(bytes) => {
                let len = bytes.len().min(buffer.len());
                buffer[..len].copy_from_slice(&bytes.split_to(len));
                Ok(len)
            }
            Self::Stdin(stdin) => stdin.read(buffer).await.map_err(cannot_read),
        }
    }
}

/// Waits for the next chunk if the current one is used up. It stays empty at the end.
async fn next_chunk(stream: &mut BoxStream<'static, Result<Bytes, Error>>, chunk: &mut Bytes) -> Result<(), Error> {
    while chunk.is_empty() {
        match stream.next().await {
            Some(next) => *chunk = next?,
            None => break,
        }
    }
    Ok(())
}

/// Checks that a file is unchanged since it was listed.
fn check_version(metadata: &Metadata, size: u64, modified: i64) -> Result<(), Error> {
    let now = metadata.modified().map_or(modified, micros);
    if metadata.len() == size && now == modified {
        return Ok(());
    }
    Err(Error::new(ErrorKind::Unreadable, "it is being written to: it changed since it was listed")
        .with_hint("run again when it is complete"))
}

/// Microseconds since the Unix epoch (UTC).
pub(crate) fn micros(time: SystemTime) -> i64 {
    match time.duration_since(UNIX_EPOCH) {
        Ok(since) => i64::try_from(since.as_micros()).unwrap_or(i64::MAX),
        Err(before) => -i64::try_from(before.duration().as_micros()).unwrap_or(i64::MAX),
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

/// Offset of the first line that begins at or after `mark`, but before `limit`. The search stops shortly after `limit`:
/// otherwise every range of one very long line would scan to its end.
fn line_start_in_file(file: &mut File, mark: u64, limit: u64) -> std::io::Result<Option<u64>> {
    let Some(mut at) = mark.checked_sub(1) else { return Ok(Some(0)) };
    let mut chunk = Vec::with_capacity(SEEK_CHUNK as usize);
    file.seek(SeekFrom::Start(at))?;
    while at < limit {
        chunk.clear();
        file.by_ref().take(SEEK_CHUNK).read_to_end(&mut chunk)?;
        if let Some(end) = memchr::memchr(b'\n', &chunk) {
            return Ok(Some(at + end as u64 + 1).filter(|start| *start < limit));
        }
        at += chunk.len() as u64;
        if (chunk.len() as u64) < SEEK_CHUNK {
            break;
        }
    }
    Ok(None)
}

/// Detects how a file may be read, from its first bytes.
pub(crate) fn head_of_file(file: &mut File) -> std::io::Result<Head> {
    let mut bytes = Vec::with_capacity(HEAD_LEN as usize);
    file.by_ref().take(HEAD_LEN).read_to_end(&mut bytes)?;
    if let Some(head) = Head::of(&bytes, (bytes.len() as u64) < HEAD_LEN) {
        return Ok(head);
    }
    file.by_ref().take(MAX_HEAD_LEN - HEAD_LEN).read_to_end(&mut bytes)?;
    Ok(Head::of(&bytes, true).unwrap_or(Head::Whole))
}

async fn head_in_store(store: &Arc<dyn ObjectStore>, location: &StorePath, size: u64) -> object_store::Result<Head> {
    for len in [HEAD_LEN, MAX_HEAD_LEN] {
        let bytes = store.get_range(location, 0..size.min(len)).await?;
        if let Some(head) = Head::of(&bytes, size <= len) {
            return Ok(head);
        }
    }
    Ok(Head::Whole)
}

/// The byte range of the lines that begin in `range`, and their content. An object that can only be read as a whole
/// goes to its first range; the others get nothing.
async fn lines_of_range(
    store: &Arc<dyn ObjectStore>,
    location: &StorePath,
    range: Option<Range<u64>>,
    size: u64,
) -> object_store::Result<Option<(Range<u64>, Content)>> {
    let whole = (0..size, Content::Undecided);
    let Some(range) = range.filter(|range| *range != (0..size)) else { return Ok(Some(whole)) };
    let content = match head_in_store(store, location, size).await? {
        Head::Whole => return Ok((range.start == 0).then_some(whole)),
        Head::Lines(content) => content,
    };
    let Some(start) = line_start_in_store(store, location, range.start, range.end, size).await? else {
        return Ok(None);
    };
    let end = line_start_in_store(store, location, range.end, u64::MAX, size).await?;
    let content = if start == 0 { Content::Undecided } else { content };
    Ok(Some((start..end.unwrap_or(size), content)))
}

async fn line_start_in_store(
    store: &Arc<dyn ObjectStore>,
    location: &StorePath,
    mark: u64,
    limit: u64,
    size: u64,
) -> object_store::Result<Option<u64>> {
    let Some(mut at) = mark.checked_sub(1) else { return Ok(Some(0)) };
    while at < limit.min(size) {
        let chunk = store.get_range(location, at..size.min(at + SEEK_CHUNK)).await?;
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

fn again(what: &str) -> Error {
    Error::new(ErrorKind::Unsupported, format!("{what} can be read only once, and it was read already"))
        .with_hint("save it to a file first")
}

fn cannot_read(error: std::io::Error) -> Error {
    let hint = match error.kind() {
        IoErrorKind::PermissionDenied => Some("check the permissions of the file"),
        IoErrorKind::NotFound => Some("it existed when the source was listed; run again"),
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
