//! Pages of a column chunk, and what its metadata says of them.

use super::bounds::{Bounds, ceiling, floor};
use crate::convert::parquet::compression::Compressors;
use bytes::Bytes;
use parquet::basic::{BoundaryOrder, Compression, Encoding, PageType, Type};
use parquet::column::page::{CompressedPage, Page, PageWriter as _};
use parquet::column::writer::ColumnCloseResult;
use parquet::data_type::ByteArray;
use parquet::errors::Result;
use parquet::file::metadata::{
    ColumnChunkMetaData, ColumnIndexBuilder, LevelHistogram, OffsetIndexBuilder, PageEncodingStats,
};
use parquet::file::reader::{ChunkReader, Length};
use parquet::file::statistics::{Statistics, ValueStatistics};
use parquet::file::writer::{SerializedPageWriter, SerializedRowGroupWriter, TrackedWrite};
use parquet::schema::types::ColumnDescPtr;
use std::io::{self, Read, Write};
use std::sync::{Mutex, PoisonError};

/// A column chunk that is being written.
pub(super) struct Chunk {
    column: ColumnDescPtr,
    codec: Compression,
    compressors: Compressors,
    /// Pages with their headers, and the dictionary by itself, as it stands before them.
    pages: Vec<Bytes>,
    dictionary: Option<Bytes>,
    /// Where the next page stands, behind those that are here.
    offset: u64,
    uncompressed: u64,
    rows: u64,
    nulls: u64,
    text: u64,
    encodings: Vec<PageEncodingStats>,
    bounds: Bounds,
    /// Of the last page that has a value, as the index has them.
    last: Option<(Vec<u8>, Vec<u8>)>,
    is_ascending: bool,
    is_descending: bool,
    /// None of a column without statistics.
    index: Option<ColumnIndexBuilder>,
    offsets: OffsetIndexBuilder,
    levels: Option<LevelHistogram>,
}

/// What is known of a page.
pub(super) struct PageOf<'a> {
    pub(super) rows: usize,
    /// Rows that have a value.
    pub(super) values: usize,
    /// Bytes of text.
    pub(super) text: usize,
    pub(super) bounds: &'a Bounds,
    pub(super) encoding: Encoding,
}

impl Chunk {
    pub(super) fn new(column: ColumnDescPtr, codec: Compression, statistics: bool, compressors: Compressors) -> Self {
        Self {
            codec,
            compressors,
            pages: Vec::new(),
            dictionary: None,
            offset: 0,
            uncompressed: 0,
            rows: 0,
            nulls: 0,
            text: 0,
            encodings: Vec::new(),
            bounds: Bounds::default(),
            last: None,
            is_ascending: true,
            is_descending: true,
            index: statistics.then(|| ColumnIndexBuilder::new(Type::BYTE_ARRAY)),
            offsets: OffsetIndexBuilder::new(),
            levels: LevelHistogram::try_new(column.max_def_level()).filter(|_| statistics),
            column,
        }
    }

    /// A page of data follows; bounds in the index are cut to so many bytes.
    pub(super) fn page(&mut self, bytes: &[u8], page: PageOf<'_>, cut: Option<usize>) -> Result<()> {
        let nulls = page.rows - page.values;
        self.rows += page.rows as u64;
        self.nulls += nulls as u64;
        self.text += page.text as u64;
        self.index_page(&page, cut);
        let compressed = Page::DataPage {
            buf: self.compressors.compress(self.codec, bytes)?,
            num_values: page.rows as u32,
            encoding: page.encoding,
            def_level_encoding: Encoding::RLE,
            rep_level_encoding: Encoding::RLE,
            statistics: None,
        };
        let serialized = self.serialize(compressed, bytes.len(), page.encoding)?;
        self.offsets.append_offset_and_size(self.offset as i64, serialized.len() as i32);
        self.offset += serialized.len() as u64;
        self.pages.push(serialized);
        Ok(())
    }

    /// The dictionary of all pages so far.
    pub(super) fn dictionary(&mut self, bytes: Vec<u8>, count: usize) -> Result<()> {
        let size = bytes.len();
        let compressed = Page::DictionaryPage {
            buf: self.compressors.compress(self.codec, &bytes)?,
            num_values: count as u32,
            encoding: Encoding::PLAIN,
            is_sorted: false,
        };
        self.dictionary = Some(self.serialize(compressed, size, Encoding::PLAIN)?);
        Ok(())
    }

    fn index_page(&mut self, page: &PageOf<'_>, cut: Option<usize>) {
        self.offsets.append_row_count(page.rows as i64);
        self.offsets.append_unencoded_byte_array_data_bytes(Some(page.text as i64));
        let Some(index) = &mut self.index else { return };
        let nulls = (page.rows - page.values) as i64;
        match page.bounds.get() {
            Some((least, greatest)) => {
                let (least, greatest) = (floor(least, cut).0, ceiling(greatest, cut).0);
                if let Some((last_least, last_greatest)) = &self.last {
                    self.is_ascending &= *last_least <= least && *last_greatest <= greatest;
                    self.is_descending &= *last_least >= least && *last_greatest >= greatest;
                }
                self.last = Some((least.clone(), greatest.clone()));
                self.bounds.add_all(page.bounds);
                index.append(false, least, greatest, nulls);
            }
            None => index.append(true, Vec::new(), Vec::new(), nulls),
        }
        if let (Some(levels), Some(mut of_page)) = (&mut self.levels, LevelHistogram::try_new(1)) {
            of_page.increment_by(0, nulls);
            of_page.increment_by(1, page.values as i64);
            levels.add(&of_page);
            index.append_histograms(&None, &Some(of_page));
        }
    }

    /// A page behind its header.
    fn serialize(&mut self, page: Page, size: usize, encoding: Encoding) -> Result<Bytes> {
        let page_type = page.page_type();
        match self.encodings.iter_mut().find(|known| known.page_type == page_type && known.encoding == encoding) {
            Some(known) => known.count += 1,
            None => self.encodings.push(PageEncodingStats { page_type, encoding, count: 1 }),
        }
        let mut out = TrackedWrite::new(Vec::with_capacity(page.buffer().len() + HEADER));
        let written = SerializedPageWriter::new(&mut out).write_page(CompressedPage::new(page, size))?;
        self.uncompressed += written.uncompressed_size as u64;
        out.flush()?;
        Ok(out.into_inner()?.into())
    }

    /// Ends the chunk; bounds are cut to so many bytes.
    pub(super) fn close(mut self, cut: Option<usize>) -> Result<TextChunk> {
        let dictionary = self.dictionary.unwrap_or_default();
        let bytes = dictionary.len() as u64 + self.offset;
        // Levels are always encoded like that.
        let encodings: Vec<_> = self.encodings.iter().map(|known| known.encoding).chain([Encoding::RLE]).collect();
        self.encodings.sort_by_key(|known| known.page_type != PageType::DICTIONARY_PAGE);
        let mut metadata = ColumnChunkMetaData::builder(self.column)
            .set_compression(self.codec)
            .set_encodings(encodings)
            .set_page_encoding_stats(self.encodings)
            .set_total_compressed_size(bytes as i64)
            .set_total_uncompressed_size(self.uncompressed as i64)
            .set_num_values(self.rows as i64)
            .set_data_page_offset(0);
        let mut column_index = None;
        if let Some(mut index) = self.index {
            metadata = metadata
                .set_statistics(Statistics::ByteArray(statistics(&self.bounds, self.nulls, cut)))
                .set_unencoded_byte_array_data_bytes(Some(self.text as i64))
                .set_definition_level_histogram(self.levels);
            index.set_boundary_order(match (self.is_ascending, self.is_descending) {
                (true, _) => BoundaryOrder::ASCENDING,
                (false, true) => BoundaryOrder::DESCENDING,
                (false, false) => BoundaryOrder::UNORDERED,
            });
            column_index = Some(index.build()?);
        }
        let close = ColumnCloseResult {
            bytes_written: bytes,
            rows_written: self.rows,
            metadata: metadata.build()?,
            bloom_filter: None,
            column_index,
            offset_index: Some(self.offsets.build()),
        };
        let close = close.update_dictionary_location(dictionary.len())?;
        let pages: Vec<_> = std::iter::once(dictionary).chain(self.pages).collect();
        Ok(TextChunk { pages: Pages { pages: Mutex::new(pages), bytes }, close })
    }
}

/// Bounds that are cut to so many bytes.
fn statistics(bounds: &Bounds, nulls: u64, cut: Option<usize>) -> ValueStatistics<ByteArray> {
    let bounds = bounds.get().map(|(least, greatest)| (floor(least, cut), ceiling(greatest, cut)));
    let (least, greatest) = bounds.unzip();
    let (least, is_least) = least.map(|(bound, is_exact)| (ByteArray::from(bound), is_exact)).unzip();
    let (greatest, is_greatest) = greatest.map(|(bound, is_exact)| (ByteArray::from(bound), is_exact)).unzip();
    ValueStatistics::new(least, greatest, None, Some(nulls), false)
        .with_min_is_exact(is_least.unwrap_or_default())
        .with_max_is_exact(is_greatest.unwrap_or_default())
}

/// About how many bytes the header of a page takes.
const HEADER: usize = 64;

/// A column chunk that is complete.
pub(in crate::convert::parquet) struct TextChunk {
    pages: Pages,
    close: ColumnCloseResult,
}

impl TextChunk {
    pub(in crate::convert::parquet) fn bytes(&self) -> u64 {
        self.close.bytes_written
    }

    pub(in crate::convert::parquet) fn append_to_row_group<W: Write + Send>(
        self,
        group: &mut SerializedRowGroupWriter<'_, W>,
    ) -> Result<()> {
        group.append_column(&self.pages, self.close)
    }
}

/// What stands in a chunk, page by page. It is read once, and a page is gone when it was read: the file holds a copy by then.
struct Pages {
    pages: Mutex<Vec<Bytes>>,
    bytes: u64,
}

impl Length for Pages {
    fn len(&self) -> u64 {
        self.bytes
    }
}

impl ChunkReader for Pages {
    type T = Reader;

    fn get_read(&self, start: u64) -> Result<Reader> {
        let pages = std::mem::take(&mut *self.pages.lock().unwrap_or_else(PoisonError::into_inner));
        let mut reader = Reader { pages: pages.into_iter(), page: Bytes::new() };
        io::copy(&mut reader.by_ref().take(start), &mut io::sink())?;
        Ok(reader)
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes> {
        let mut bytes = vec![0; length];
        self.get_read(start)?.read_exact(&mut bytes)?;
        Ok(bytes.into())
    }
}

/// Reads one page after the other.
struct Reader {
    pages: std::vec::IntoIter<Bytes>,
    page: Bytes,
}

impl Read for Reader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.page.is_empty() {
            match self.pages.next() {
                Some(page) => self.page = page,
                None => return Ok(0),
            }
        }
        let length = buffer.len().min(self.page.len());
        buffer[..length].copy_from_slice(&self.page.split_to(length));
        Ok(length)
    }
}
