//! The pages of a column chunk, with its metadata and page index.

use super::ChunkFormat;
use crate::convert::parquet::compression::Compressors;
use bytes::Bytes;
use parquet::basic::{BoundaryOrder, Compression, Encoding, PageType, Type};
use parquet::column::page::{CompressedPage, Page, PageWriter as _};
use parquet::column::writer::ColumnCloseResult;
use parquet::errors::Result;
use parquet::file::metadata::{
    ColumnChunkMetaData, ColumnIndexBuilder, LevelHistogram, OffsetIndexBuilder, PageEncodingStats,
};
use parquet::file::reader::{ChunkReader, Length};
use parquet::file::statistics::Statistics;
use parquet::file::writer::{SerializedPageWriter, SerializedRowGroupWriter, TrackedWrite};
use parquet::schema::types::ColumnDescPtr;
use std::io::{self, Read, Write};
use std::sync::{Arc, Mutex, PoisonError};

/// A column chunk being written.
pub(in crate::convert::parquet) struct Chunk {
    column: ColumnDescPtr,
    codec: Compression,
    compressors: Compressors,
    /// Data pages with headers. The dictionary page is separate: it is complete last, but stored first.
    pages: Vec<Bytes>,
    dictionary: Option<Bytes>,
    /// Offset of the next data page after the first one.
    offset: u64,
    uncompressed: u64,
    rows: u64,
    nulls: u64,
    /// Size of the text in bytes, for text columns.
    text: Option<i64>,
    encodings: Vec<PageEncodingStats>,
    /// `None` for columns without statistics.
    index: Option<ColumnIndexBuilder>,
    offsets: OffsetIndexBuilder,
    levels: Option<LevelHistogram>,
}

/// Properties of a data page.
pub(in crate::convert::parquet) struct PageOf {
    pub(in crate::convert::parquet) rows: usize,
    /// Rows that are not null.
    pub(in crate::convert::parquet) values: usize,
    /// Size of the text in bytes, for text columns.
    pub(in crate::convert::parquet) text: Option<usize>,
    /// Minimum and maximum as in the column index; `None` if all rows are null.
    pub(in crate::convert::parquet) bounds: Option<(Vec<u8>, Vec<u8>)>,
    pub(in crate::convert::parquet) encoding: Encoding,
}

impl Chunk {
    pub(in crate::convert::parquet) fn new(format: &ChunkFormat, compressors: Compressors) -> Self {
        let column = Arc::clone(&format.column);
        Self {
            codec: format.codec,
            compressors,
            pages: Vec::new(),
            dictionary: None,
            offset: 0,
            uncompressed: 0,
            rows: 0,
            nulls: 0,
            text: (column.physical_type() == Type::BYTE_ARRAY).then_some(0),
            encodings: Vec::new(),
            index: format.statistics.then(|| ColumnIndexBuilder::new(column.physical_type())),
            offsets: OffsetIndexBuilder::new(),
            levels: LevelHistogram::try_new(column.max_def_level()).filter(|_| format.statistics),
            column,
        }
    }

    /// Appends a data page.
    pub(in crate::convert::parquet) fn page(&mut self, bytes: &[u8], page: PageOf) -> Result<()> {
        self.rows += page.rows as u64;
        self.nulls += (page.rows - page.values) as u64;
        let (rows, encoding) = (page.rows, page.encoding);
        self.index_page(page);
        let compressed = Page::DataPage {
            buf: self.compressors.compress(self.codec, bytes)?,
            num_values: rows as u32,
            encoding,
            def_level_encoding: Encoding::RLE,
            rep_level_encoding: Encoding::RLE,
            statistics: None,
        };
        let serialized = self.serialize(compressed, bytes.len(), encoding)?;
        self.offsets.append_offset_and_size(self.offset as i64, serialized.len() as i32);
        self.offset += serialized.len() as u64;
        self.pages.push(serialized);
        Ok(())
    }

    /// The number of null rows so far.
    pub(in crate::convert::parquet) fn nulls(&self) -> u64 {
        self.nulls
    }

    /// Sets the dictionary page, for all data pages so far.
    pub(in crate::convert::parquet) fn dictionary(&mut self, bytes: &[u8], count: usize) -> Result<()> {
        let compressed = Page::DictionaryPage {
            buf: self.compressors.compress(self.codec, bytes)?,
            num_values: count as u32,
            encoding: Encoding::PLAIN,
            is_sorted: false,
        };
        self.dictionary = Some(self.serialize(compressed, bytes.len(), Encoding::PLAIN)?);
        Ok(())
    }

    fn index_page(&mut self, page: PageOf) {
        let text = page.text.map(|bytes| bytes as i64);
        if let (Some(of_all), Some(bytes)) = (&mut self.text, text) {
            *of_all += bytes;
        }
        self.offsets.append_row_count(page.rows as i64);
        self.offsets.append_unencoded_byte_array_data_bytes(text);
        let Some(index) = &mut self.index else { return };
        let nulls = (page.rows - page.values) as i64;
        match page.bounds {
            Some((least, greatest)) => index.append(false, least, greatest, nulls),
            None => index.append(true, Vec::new(), Vec::new(), nulls),
        }
        if let (Some(levels), Some(mut of_page)) = (&mut self.levels, LevelHistogram::try_new(1)) {
            of_page.increment_by(0, nulls);
            of_page.increment_by(1, page.values as i64);
            levels.add(&of_page);
            index.append_histograms(&None, &Some(of_page));
        }
    }

    /// Serialises a page with its header.
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

    /// Ends the chunk. `statistics` and `order`, the order of the pages' bounds, are ignored for columns without
    /// statistics.
    pub(in crate::convert::parquet) fn close(
        mut self,
        statistics: Statistics,
        order: BoundaryOrder,
    ) -> Result<EncodedChunk> {
        let dictionary = self.dictionary.unwrap_or_default();
        let bytes = dictionary.len() as u64 + self.offset;
        // The encoding of levels.
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
                .set_statistics(statistics)
                .set_unencoded_byte_array_data_bytes(self.text)
                .set_definition_level_histogram(self.levels);
            index.set_boundary_order(order);
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
        Ok(EncodedChunk { pages: Pages { pages: Mutex::new(pages), bytes }, close })
    }
}

/// Estimated size of a page header, in bytes.
const HEADER: usize = 64;

/// A complete column chunk.
pub(in crate::convert::parquet) struct EncodedChunk {
    pages: Pages,
    close: ColumnCloseResult,
}

impl EncodedChunk {
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

/// The contents of a chunk. Can be read only once: each page is freed after it was copied to the file.
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
