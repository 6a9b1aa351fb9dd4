//! Lists of log objects that are converted or being converted.
//!
//! A list is a Parquet file with the columns `name`, `size`, `modified` and `etag`, sorted by name. Names of log
//! objects mostly start with their time, so neighbours share prefixes and compress well. Lookups come in the order of a
//! listing, too, so only few row groups are decoded and cached.

use super::CREATED_BY;
use super::place::Place;
use super::record::SourceList;
use super::upload::{OpenUploads, Upload};
use crate::error::{Error, ErrorKind};
use arrow::array::{Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use bytes::{Buf as _, Bytes};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder};
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::file::reader::{ChunkReader, Length};
use parquet::file::statistics::Statistics;
use parquet::schema::types::ColumnPath;
use std::cmp::{Ordering, Reverse};
use std::collections::{BinaryHeap, HashMap};
use std::sync::Arc;

/// The folder of lists.
pub(crate) const SOURCES: &str = "_s3log/sources";

/// Rows per row group, the unit that a lookup decodes.
const ROW_GROUP: usize = 8 << 10;

/// A log object in a certain version.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Source {
    /// `s3://bucket/key`, or the absolute path of a file.
    pub(crate) name: String,
    pub(crate) version: SourceVersion,
}

/// What changes when an object is overwritten.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct SourceVersion {
    /// Size in bytes, as stored.
    pub(crate) size: u64,
    /// Last modification, in microseconds since the Unix epoch.
    pub(crate) modified: i64,
    /// The store's entity tag, if there is one.
    pub(crate) e_tag: Option<String>,
}

impl SourceVersion {
    /// Whether both are the same version. Tags take precedence over times: a copy of the same bytes is the same
    /// version.
    pub(crate) fn is(&self, other: &Self) -> bool {
        self.size == other.size
            && match (&self.e_tag, &other.e_tag) {
                (Some(one), Some(other)) => one == other,
                _ => self.modified == other.modified,
            }
    }
}

fn schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("name", DataType::Utf8, false),
        Field::new("size", DataType::Int64, false),
        Field::new("modified", DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())), false),
        Field::new("etag", DataType::Utf8, true),
    ]))
}

/// Writes a list. Sources must arrive in the order of their names.
struct ListWriter {
    writer: ArrowWriter<Vec<u8>>,
    upload: Upload,
    path: String,
    file_bytes: u64,
    waiting: Vec<Source>,
    objects: u64,
    bytes: u64,
    first: Option<String>,
    last: String,
}

impl ListWriter {
    async fn new(place: &Place, open: &OpenUploads, path: String) -> Result<Self, Error> {
        let level = ZstdLevel::try_new(3).map_err(cannot_write)?;
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(level))
            .set_max_row_group_row_count(Some(ROW_GROUP))
            .set_dictionary_enabled(false)
            .set_statistics_enabled(EnabledStatistics::None)
            .set_offset_index_disabled(true)
            .set_statistics_truncate_length(None)
            .set_column_encoding(ColumnPath::from("name"), Encoding::DELTA_BYTE_ARRAY)
            .set_column_statistics_enabled(ColumnPath::from("name"), EnabledStatistics::Chunk)
            .set_column_encoding(ColumnPath::from("size"), Encoding::DELTA_BINARY_PACKED)
            .set_column_encoding(ColumnPath::from("modified"), Encoding::DELTA_BINARY_PACKED)
            .set_created_by(CREATED_BY.to_owned())
            .build();
        let writer = ArrowWriter::try_new(Vec::new(), schema(), Some(properties)).map_err(cannot_write)?;
        let upload = place.upload(&path, open).await?;
        let (waiting, last) = (Vec::new(), String::new());
        Ok(Self { writer, upload, path, file_bytes: 0, waiting, objects: 0, bytes: 0, first: None, last })
    }

    async fn push(&mut self, source: Source) -> Result<(), Error> {
        self.objects += 1;
        self.bytes += source.version.size;
        if self.first.is_none() {
            self.first = Some(source.name.clone());
        }
        self.waiting.push(source);
        if self.waiting.len() >= ROW_GROUP { self.flush().await } else { Ok(()) }
    }

    async fn flush(&mut self) -> Result<(), Error> {
        let Some(last) = self.waiting.last() else { return Ok(()) };
        self.last.clone_from(&last.name);
        let sources = std::mem::take(&mut self.waiting);
        let names = StringArray::from_iter_values(sources.iter().map(|source| &source.name));
        let sizes = Int64Array::from_iter_values(sources.iter().map(|source| source.version.size as i64));
        let modified =
            TimestampMicrosecondArray::from_iter_values(sources.iter().map(|source| source.version.modified));
        let tags = StringArray::from_iter(sources.iter().map(|source| source.version.e_tag.as_ref()));
        let batch = RecordBatch::try_new(
            schema(),
            vec![Arc::new(names), Arc::new(sizes), Arc::new(modified.with_timezone("UTC")), Arc::new(tags)],
        )?;
        self.writer.write(&batch).map_err(cannot_write)?;
        self.writer.flush().map_err(cannot_write)?;
        self.send().await
    }

    /// Passes the encoded bytes on to the upload.
    async fn send(&mut self) -> Result<(), Error> {
        let bytes = std::mem::take(self.writer.inner_mut());
        self.file_bytes += bytes.len() as u64;
        self.upload.write(bytes.into(), None).await
    }

    async fn finish(mut self) -> Result<SourceList, Error> {
        self.flush().await?;
        self.writer.finish().map_err(cannot_write)?;
        self.send().await?;
        let Self { upload, path, file_bytes, objects, bytes, first, last, .. } = self;
        upload.finish().await?;
        Ok(SourceList { path, file_bytes, objects, bytes, first: first.unwrap_or_default(), last })
    }
}

/// Sorts `sources` and writes them as a list.
pub(crate) async fn write_list(
    place: &Place,
    open: &OpenUploads,
    path: String,
    mut sources: Vec<Source>,
) -> Result<SourceList, Error> {
    sources.sort_unstable();
    let mut writer = ListWriter::new(place, open, path).await?;
    for source in sources {
        writer.push(source).await?;
    }
    writer.finish().await
}

/// Merges lists into as few as possible with at most `most` objects each. `path` returns the path of each new list by
/// its index.
pub(crate) async fn merge_lists(
    place: &Place,
    open: &OpenUploads,
    lists: &[SourceList],
    most: u64,
    mut path: impl FnMut(usize) -> String,
) -> Result<Vec<SourceList>, Error> {
    let mut readers = Vec::new();
    let mut heads = BinaryHeap::new();
    for (index, list) in lists.iter().enumerate() {
        let mut reader = ListScan::open(place, list).await?;
        if let Some(source) = reader.next(place).await? {
            heads.push(Reverse((source, index)));
        }
        readers.push(reader);
    }
    let mut merged = Vec::new();
    let mut writer: Option<ListWriter> = None;
    while let Some(Reverse((source, index))) = heads.pop() {
        let mut current = match writer.take() {
            Some(current) => current,
            None => ListWriter::new(place, open, path(merged.len())).await?,
        };
        current.push(source).await?;
        if current.objects >= most {
            merged.push(current.finish().await?);
        } else {
            writer = Some(current);
        }
        if let Some(reader) = readers.get_mut(index)
            && let Some(source) = reader.next(place).await?
        {
            heads.push(Reverse((source, index)));
        }
    }
    if let Some(writer) = writer {
        merged.push(writer.finish().await?);
    }
    Ok(merged)
}

/// Iterates over a list in order.
struct ListScan {
    file: Arc<ListFile>,
    next_group: usize,
    rows: Option<(Rows, usize)>,
}

impl ListScan {
    async fn open(place: &Place, list: &SourceList) -> Result<Self, Error> {
        Ok(Self { file: Arc::new(ListFile::open(place, list).await?), next_group: 0, rows: None })
    }

    async fn next(&mut self, place: &Place) -> Result<Option<Source>, Error> {
        loop {
            if let Some((rows, at)) = &mut self.rows
                && let Some(source) = rows.source(*at)
            {
                *at += 1;
                return Ok(Some(source));
            }
            if self.next_group >= self.file.groups() {
                return Ok(None);
            }
            self.rows = Some((self.file.rows(place, self.next_group).await?, 0));
            self.next_group += 1;
        }
    }
}

/// A list with its footer loaded.
struct ListFile {
    path: String,
    metadata: ArrowReaderMetadata,
    /// The end of the file: for small files, all of it.
    tail: Ranged,
}

/// Bytes to read at the end of a file when it is opened.
const TAIL: u64 = 128 << 10;

impl ListFile {
    async fn open(place: &Place, list: &SourceList) -> Result<Self, Error> {
        let mut start = list.file_bytes.saturating_sub(TAIL);
        loop {
            let bytes = place.get_range(&list.path, start..list.file_bytes).await?;
            let tail = Ranged { start, bytes, file_bytes: list.file_bytes };
            let metadata = ArrowReaderMetadata::load(&tail, ArrowReaderOptions::new());
            match metadata {
                Ok(metadata) => return Ok(Self { path: list.path.clone(), metadata, tail }),
                // The footer may be larger than the tail.
                Err(_) if start > 0 => start = 0,
                Err(error) => return Err(damaged(place, &list.path, error)),
            }
        }
    }

    fn groups(&self) -> usize {
        self.metadata.metadata().num_row_groups()
    }

    /// The only row group that may contain a name.
    fn group_of(&self, name: &str) -> Option<usize> {
        let groups = self.metadata.metadata().row_groups();
        let max = |group: &parquet::file::metadata::RowGroupMetaData| match group.columns().first()?.statistics()? {
            Statistics::ByteArray(values) => values.max_bytes_opt().map(<[u8]>::to_vec),
            _ => None,
        };
        // A row group without statistics may contain the name.
        let at = groups.partition_point(|group| max(group).is_some_and(|max| max.as_slice() < name.as_bytes()));
        (at < groups.len()).then_some(at)
    }

    async fn rows(&self, place: &Place, group: usize) -> Result<Rows, Error> {
        let chunks = self.metadata.metadata().row_groups().get(group).map(|group| group.columns());
        let ranges = chunks.unwrap_or_default().iter().map(|chunk| chunk.byte_range());
        let (start, end) = ranges.fold((u64::MAX, 0), |(start, end), (at, len)| (start.min(at), end.max(at + len)));
        let ranged = if start >= self.tail.start {
            self.tail.clone()
        } else {
            let bytes = place.get_range(&self.path, start..end).await?;
            Ranged { start, bytes, file_bytes: self.tail.file_bytes }
        };
        let read = || -> Result<Rows, parquet::errors::ParquetError> {
            let reader = ParquetRecordBatchReaderBuilder::new_with_metadata(ranged, self.metadata.clone())
                .with_row_groups(vec![group])
                .with_batch_size(ROW_GROUP)
                .build()?;
            let mut batches = reader.collect::<Result<Vec<_>, _>>()?;
            let batch = match (batches.pop(), batches.is_empty()) {
                (Some(batch), true) => batch,
                _ => return Err(parquet::errors::ParquetError::General("a row group of another size".to_owned())),
            };
            Rows::of(&batch).ok_or_else(|| parquet::errors::ParquetError::General("other columns".to_owned()))
        };
        read().map_err(|error| damaged(place, &self.path, error))
    }
}

#[derive(Debug)]
struct Rows {
    names: StringArray,
    sizes: Int64Array,
    modified: TimestampMicrosecondArray,
    tags: StringArray,
}

impl Rows {
    fn of(batch: &RecordBatch) -> Option<Self> {
        fn column<A: Array + Clone + 'static>(batch: &RecordBatch, name: &str) -> Option<A> {
            batch.column_by_name(name)?.as_any().downcast_ref::<A>().cloned()
        }
        let (names, sizes) = (column(batch, "name")?, column(batch, "size")?);
        Some(Self { names, sizes, modified: column(batch, "modified")?, tags: column(batch, "etag")? })
    }

    fn source(&self, row: usize) -> Option<Source> {
        (row < self.names.len()).then(|| Source { name: self.names.value(row).to_owned(), version: self.version(row) })
    }

    fn version(&self, row: usize) -> SourceVersion {
        SourceVersion {
            size: self.sizes.value(row) as u64,
            modified: self.modified.value(row),
            e_tag: self.tags.is_valid(row).then(|| self.tags.value(row).to_owned()),
        }
    }

    fn find(&self, name: &str) -> Option<SourceVersion> {
        let (mut low, mut high) = (0, self.names.len());
        while low < high {
            let middle = low + (high - low) / 2;
            match self.names.value(middle).cmp(name) {
                Ordering::Less => low = middle + 1,
                Ordering::Greater => high = middle,
                Ordering::Equal => return Some(self.version(middle)),
            }
        }
        None
    }
}

/// Looks names up in lists.
pub(crate) struct Lookup<T> {
    lists: Vec<(SourceList, T)>,
    open: HashMap<usize, Arc<ListFile>>,
    /// Decoded row groups and when they were last used.
    decoded: HashMap<(usize, usize), (u64, Arc<Rows>)>,
    clock: u64,
}

/// Capacity of the cache, in row groups of about 1 MiB.
const DECODED: usize = 64;

impl<T: Clone> Lookup<T> {
    /// A lookup over lists, each with the meaning of being in it.
    pub(crate) fn new(lists: Vec<(SourceList, T)>) -> Self {
        Self { lists, open: HashMap::new(), decoded: HashMap::new(), clock: 0 }
    }

    /// The version and meaning of a name, from the first list that contains it.
    pub(crate) async fn find(&mut self, place: &Place, name: &str) -> Result<Option<(SourceVersion, T)>, Error> {
        for index in 0..self.lists.len() {
            let Some((list, meaning)) = self.lists.get(index) else { continue };
            if name < list.first.as_str() || name > list.last.as_str() {
                continue;
            }
            let meaning = meaning.clone();
            let file = match self.open.get(&index) {
                Some(file) => Arc::clone(file),
                None => {
                    let file = Arc::new(ListFile::open(place, list).await?);
                    self.open.insert(index, Arc::clone(&file));
                    file
                }
            };
            let Some(group) = file.group_of(name) else { continue };
            if let Some(version) = self.rows(place, index, &file, group).await?.find(name) {
                return Ok(Some((version, meaning)));
            }
        }
        Ok(None)
    }

    async fn rows(&mut self, place: &Place, list: usize, file: &ListFile, group: usize) -> Result<Arc<Rows>, Error> {
        self.clock += 1;
        if let Some((used, rows)) = self.decoded.get_mut(&(list, group)) {
            *used = self.clock;
            return Ok(Arc::clone(rows));
        }
        if self.decoded.len() >= DECODED
            && let Some(oldest) = self.decoded.iter().min_by_key(|(_, (used, _))| *used).map(|(key, _)| *key)
        {
            self.decoded.remove(&oldest);
        }
        let rows = Arc::new(file.rows(place, group).await?);
        self.decoded.insert((list, group), (self.clock, Arc::clone(&rows)));
        Ok(rows)
    }
}

/// A part of a file as input of the Parquet reader.
#[derive(Clone, Debug)]
struct Ranged {
    start: u64,
    bytes: Bytes,
    file_bytes: u64,
}

impl Length for Ranged {
    fn len(&self) -> u64 {
        self.file_bytes
    }
}

impl ChunkReader for Ranged {
    type T = bytes::buf::Reader<Bytes>;

    fn get_read(&self, start: u64) -> parquet::errors::Result<Self::T> {
        let len = (self.start + self.bytes.len() as u64).saturating_sub(start);
        Ok(self.get_bytes(start, len as usize)?.reader())
    }

    fn get_bytes(&self, start: u64, length: usize) -> parquet::errors::Result<Bytes> {
        let from = start.checked_sub(self.start).map(|from| from as usize);
        match from.and_then(|from| Some(from..from.checked_add(length)?)) {
            Some(range) if range.end <= self.bytes.len() => Ok(self.bytes.slice(range)),
            _ => Err(parquet::errors::ParquetError::EOF("outside of what was read".to_owned())),
        }
    }
}

fn cannot_write(error: parquet::errors::ParquetError) -> Error {
    Error::new(ErrorKind::Internal, "a list of log objects cannot be encoded").with_source(error)
}

fn damaged(place: &Place, path: &str, error: parquet::errors::ParquetError) -> Error {
    Error::new(ErrorKind::Unreadable, "it is damaged, or not a list of log objects")
        .in_object(place.name_of(path))
        .with_source(error)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Stores;

    fn source(number: u64) -> Source {
        let version = SourceVersion {
            size: number,
            modified: number as i64 * 1_000,
            e_tag: number.is_multiple_of(2).then(|| format!("tag{number}")),
        };
        Source { name: format!("s3://logs/{number:08}"), version }
    }

    async fn place(directory: &tempfile::TempDir) -> Place {
        Place::resolve(&directory.path().display().to_string(), &Stores::default()).await.unwrap().for_writer("me")
    }

    #[tokio::test]
    async fn what_is_in_a_list_is_found() {
        let directory = tempfile::tempdir().unwrap();
        let place = place(&directory).await;
        let even = (0..40_000).map(|number| source(number * 2)).collect();
        let list = write_list(&place, &OpenUploads::default(), "lists/a".to_owned(), even).await.unwrap();
        assert_eq!(
            (list.objects, list.first.as_str(), list.last.as_str()),
            (40_000, "s3://logs/00000000", "s3://logs/00079998")
        );
        let one = write_list(&place, &OpenUploads::default(), "lists/b".to_owned(), vec![source(7)]).await.unwrap();
        let mut lookup = Lookup::new(vec![(list, 'a'), (one, 'b')]);
        for number in (0..80_100).step_by(37).chain([0, 7, 79_998, 79_999]) {
            let found = lookup.find(&place, &source(number).name).await.unwrap();
            let expected = match number {
                7 => Some((source(7).version, 'b')),
                number if number % 2 == 0 && number < 80_000 => Some((source(number).version, 'a')),
                _ => None,
            };
            assert_eq!(found, expected, "{number}");
        }
        assert!(lookup.decoded.len() <= DECODED);
    }

    #[tokio::test]
    async fn lists_are_merged() {
        let directory = tempfile::tempdir().unwrap();
        let place = place(&directory).await;
        let mut lists = Vec::new();
        for part in 0..3 {
            let sources = (0..10_000).map(|number| source(number * 3 + part)).collect();
            lists.push(write_list(&place, &OpenUploads::default(), format!("lists/{part}"), sources).await.unwrap());
        }
        let merged = merge_lists(&place, &OpenUploads::default(), &lists, 12_000, |index| format!("lists/m{index}"))
            .await
            .unwrap();
        let objects: Vec<_> = merged.iter().map(|list| list.objects).collect();
        assert_eq!(objects, [12_000, 12_000, 6_000]);
        assert_eq!(merged.iter().map(|list| list.bytes).sum::<u64>(), (0..30_000).sum::<u64>());
        let mut expected = 0;
        for list in &merged {
            let mut scan = ListScan::open(&place, list).await.unwrap();
            while let Some(found) = scan.next(&place).await.unwrap() {
                assert_eq!(found, source(expected));
                expected += 1;
            }
        }
        assert_eq!(expected, 30_000);
    }

    #[test]
    fn versions() {
        let version =
            |size, modified, tag: Option<&str>| SourceVersion { size, modified, e_tag: tag.map(str::to_owned) };
        assert!(version(1, 2, None).is(&version(1, 2, None)));
        assert!(!version(1, 2, None).is(&version(1, 3, None)));
        assert!(version(1, 2, Some("x")).is(&version(1, 3, Some("x"))));
        assert!(!version(1, 2, Some("x")).is(&version(1, 2, Some("y"))));
        assert!(!version(2, 2, Some("x")).is(&version(1, 2, Some("x"))));
    }
}
