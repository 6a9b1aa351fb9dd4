//! Lists of log objects that are converted or being converted.
//!
//! A list is a Parquet file with the columns `name`, `size`, `modified` and `etag`, sorted by name. Names of log
//! objects mostly start with their time, so neighbours share prefixes and compress well. `lookup.rs` finds names in them.

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
use parquet::file::metadata::RowGroupMetaData;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::file::reader::{ChunkReader, Length};
use parquet::file::statistics::Statistics;
use parquet::schema::types::ColumnPath;
use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;
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

/// Divides lists into as few runs as possible. The lists of a run are sorted and have no names in common.
pub(crate) fn runs_of<T>(mut lists: Vec<T>, list_of: impl Fn(&T) -> &SourceList) -> Vec<Vec<T>> {
    lists.sort_by(|one, other| list_of(one).first.cmp(&list_of(other).first));
    let mut runs: Vec<Vec<T>> = Vec::new();
    for list in lists {
        let follows = |run: &&mut Vec<T>| run.last().is_some_and(|last| list_of(last).last < list_of(&list).first);
        match runs.iter_mut().find(follows) {
            Some(run) => run.push(list),
            None => runs.push(vec![list]),
        }
    }
    runs
}

/// Merges lists into as few as possible with at most `most` objects each, and without common names. `path` returns the
/// path of each new list by its index. Of each run of lists only a row group is in memory.
pub(crate) async fn merge_lists(
    place: &Place,
    open: &OpenUploads,
    lists: Vec<SourceList>,
    most: u64,
    mut path: impl FnMut(usize) -> String,
) -> Result<Vec<SourceList>, Error> {
    let mut runs = Vec::new();
    let mut heads = BinaryHeap::new();
    for (index, lists) in runs_of(lists, |list| list).into_iter().enumerate() {
        let mut run = RunScan::new(lists);
        if let Some(source) = run.next(place).await? {
            heads.push(Reverse((source, index)));
        }
        runs.push(run);
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
        if let Some(run) = runs.get_mut(index)
            && let Some(source) = run.next(place).await?
        {
            heads.push(Reverse((source, index)));
        }
    }
    if let Some(writer) = writer {
        merged.push(writer.finish().await?);
    }
    Ok(merged)
}

/// Iterates over the lists of a run, one after the other.
struct RunScan {
    lists: std::vec::IntoIter<SourceList>,
    file: Option<ListFile>,
    next_group: usize,
    rows: Option<(Rows, usize)>,
}

impl RunScan {
    fn new(lists: Vec<SourceList>) -> Self {
        Self { lists: lists.into_iter(), file: None, next_group: 0, rows: None }
    }

    async fn next(&mut self, place: &Place) -> Result<Option<Source>, Error> {
        loop {
            if let Some((rows, at)) = &mut self.rows
                && let Some(source) = rows.source(*at)
            {
                *at += 1;
                return Ok(Some(source));
            }
            match self.file.as_ref().filter(|file| self.next_group < file.groups()) {
                Some(file) => {
                    self.rows = Some((file.rows(place, self.next_group).await?, 0));
                    self.next_group += 1;
                }
                None => {
                    let Some(list) = self.lists.next() else { return Ok(None) };
                    (self.file, self.next_group) = (Some(ListFile::open(place, &list).await?), 0);
                }
            }
        }
    }
}

/// A list with its footer loaded.
pub(super) struct ListFile {
    path: String,
    metadata: ArrowReaderMetadata,
    file_bytes: u64,
    /// All of the file, if it is small.
    whole: Option<Ranged>,
}

/// Bytes to read at the end of a file when it is opened.
const TAIL: u64 = 128 << 10;

impl ListFile {
    pub(super) async fn open(place: &Place, list: &SourceList) -> Result<Self, Error> {
        let mut start = list.file_bytes.saturating_sub(TAIL);
        loop {
            let bytes = place.get_range(&list.path, start..list.file_bytes).await?;
            let tail = Ranged { start, bytes, file_bytes: list.file_bytes };
            let metadata = ArrowReaderMetadata::load(&tail, ArrowReaderOptions::new());
            match metadata {
                Ok(metadata) => {
                    // There may be many lists, so the ends of large ones are not kept.
                    let whole = Some(tail).filter(|tail| tail.start == 0 && list.file_bytes <= TAIL);
                    return Ok(Self { path: list.path.clone(), metadata, file_bytes: list.file_bytes, whole });
                }
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
    pub(super) fn group_of(&self, name: &str) -> Option<usize> {
        let groups = self.metadata.metadata().row_groups();
        // A row group without statistics may contain the name.
        let at = groups.partition_point(|group| bounds(group).is_some_and(|(_, max)| max < name.as_bytes()));
        let is_below = bounds(groups.get(at)?).is_some_and(|(min, _)| name.as_bytes() < min);
        (!is_below).then_some(at)
    }

    pub(super) async fn rows(&self, place: &Place, group: usize) -> Result<Rows, Error> {
        let chunks = self.metadata.metadata().row_groups().get(group).map(|group| group.columns());
        let ranges = chunks.unwrap_or_default().iter().map(|chunk| chunk.byte_range());
        let (start, end) = ranges.fold((u64::MAX, 0), |(start, end), (at, len)| (start.min(at), end.max(at + len)));
        let ranged = match &self.whole {
            Some(whole) => whole.clone(),
            None => {
                let bytes = place.get_range(&self.path, start..end).await?;
                Ranged { start, bytes, file_bytes: self.file_bytes }
            }
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

/// The smallest and the largest name of a row group.
fn bounds(group: &RowGroupMetaData) -> Option<(&[u8], &[u8])> {
    match group.columns().first()?.statistics()? {
        Statistics::ByteArray(values) => Some((values.min_bytes_opt()?, values.max_bytes_opt()?)),
        _ => None,
    }
}

/// A decoded row group.
#[derive(Debug)]
pub(super) struct Rows {
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

    pub(super) fn find(&self, name: &str) -> Option<SourceVersion> {
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
pub(super) mod tests {
    use super::*;
    use crate::store::Stores;

    pub(in crate::dataset) fn source(number: u64) -> Source {
        let version = SourceVersion {
            size: number,
            modified: number as i64 * 1_000,
            e_tag: number.is_multiple_of(2).then(|| format!("tag{number}")),
        };
        Source { name: format!("s3://logs/{number:08}"), version }
    }

    pub(in crate::dataset) async fn place(directory: &tempfile::TempDir) -> Place {
        Place::resolve(&directory.path().display().to_string(), &Stores::default()).await.unwrap().for_writer("me")
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
        let path = |index| format!("lists/m{index}");
        let merged = merge_lists(&place, &OpenUploads::default(), lists, 12_000, path).await.unwrap();
        let objects: Vec<_> = merged.iter().map(|list| list.objects).collect();
        assert_eq!(objects, [12_000, 12_000, 6_000]);
        assert_eq!(merged.iter().map(|list| list.bytes).sum::<u64>(), (0..30_000).sum::<u64>());
        assert_eq!(runs_of(merged.clone(), |list| list), std::slice::from_ref(&merged));
        let (mut run, mut expected) = (RunScan::new(merged), 0);
        while let Some(found) = run.next(&place).await.unwrap() {
            assert_eq!(found, source(expected));
            expected += 1;
        }
        assert_eq!(expected, 30_000);
    }

    #[test]
    fn runs_are_as_few_as_possible() {
        let list = |names: &str| {
            let (first, last) = names.split_once('-').unwrap();
            let (path, first, last) = (names.to_owned(), first.to_owned(), last.to_owned());
            SourceList { path, file_bytes: 9, objects: 2, bytes: 2, first, last }
        };
        let cases: [(&[&str], &[&[&str]]); 4] = [
            (&[], &[]),
            (&["c-d", "a-b"], &[&["a-b", "c-d"]]),
            // The same name is in both.
            (&["a-b", "b-c"], &[&["a-b"], &["b-c"]]),
            (&["a-z", "a-k", "b-c", "l-z", "d-x"], &[&["a-z"], &["a-k", "l-z"], &["b-c", "d-x"]]),
        ];
        for (lists, expected) in cases {
            let runs = runs_of(lists.iter().map(|names| list(names)).collect(), |list| list);
            let names: Vec<Vec<_>> =
                runs.iter().map(|run| run.iter().map(|list| list.path.as_str()).collect()).collect();
            assert_eq!(names, expected);
        }
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
