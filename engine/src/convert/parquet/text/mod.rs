//! Columns of text, encoded by what is known of logs.
//!
//! Most of a log is text that comes again and again. The library's writer takes it value by value: a hash of the bytes, comparisons
//! with the least and the greatest, two bytes for whether there is a value. Here short texts are looked up by their views, bounds are
//! told of a text once a page, validity is copied as bits, and rows are read where they lie instead of being gathered first. What
//! comes out is the same to every reader, and `workloads --only Parquet` measures the difference.

mod bounds;
mod chunk;
mod delta;
mod dictionary;
mod hybrid;

pub(super) use chunk::TextChunk;

use super::columns::cannot_encode;
use super::compression::Compressors;
use crate::convert::rows::Texts;
use crate::error::Error;
use arrow::array::{Array as _, BooleanBufferBuilder, StringViewArray};
use bounds::Bounds;
use chunk::{Chunk, PageOf};
use dictionary::{Dictionary, GROUP, Text};
use parquet::basic::{Compression, ConvertedType, Encoding, Type};
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterVersion};
use parquet::schema::types::ColumnDescPtr;
use std::sync::Arc;

/// How a column of text is written.
#[derive(Clone, Debug)]
pub(super) struct TextFormat {
    column: ColumnDescPtr,
    codec: Compression,
    /// Bytes of a dictionary that is given up; without one texts stand by themselves, apart from their lengths.
    dictionary: Option<usize>,
    /// Whether bounds are written.
    statistics: bool,
    /// Bytes of a page of texts that is full,
    page: usize,
    /// and rows of any.
    page_rows: usize,
    /// Bytes that bounds are cut to, in the footer
    cut: Option<usize>,
    /// and in the index of pages.
    index_cut: Option<usize>,
}

impl TextFormat {
    /// The format of a column with these properties, if it is one for [`TextColumn`]: text that may have a dictionary, or has its
    /// lengths apart, in pages of the first version that nothing but the index has bounds of, without a Bloom filter, as it is or
    /// compressed by Zstandard.
    pub(super) fn of(column: &ColumnDescPtr, properties: &WriterProperties) -> Option<Self> {
        let path = column.path();
        let codec = properties.compression(path);
        let has_dictionary = properties.dictionary_enabled(path);
        let statistics = properties.statistics_enabled(path);
        let is_ours = column.physical_type() == Type::BYTE_ARRAY
            && column.converted_type() == ConvertedType::UTF8
            && column.max_rep_level() == 0
            && column.max_def_level() <= 1
            && properties.encoding(path) == (!has_dictionary).then_some(Encoding::DELTA_LENGTH_BYTE_ARRAY)
            && statistics != EnabledStatistics::Chunk
            && !properties.write_page_header_statistics(path)
            && !properties.offset_index_disabled()
            && properties.writer_version() == WriterVersion::PARQUET_1_0
            && properties.bloom_filter_properties(path).is_none()
            && matches!(codec, Compression::UNCOMPRESSED | Compression::ZSTD(_));
        is_ours.then(|| Self {
            column: Arc::clone(column),
            codec,
            dictionary: has_dictionary.then(|| properties.column_dictionary_page_size_limit(path)),
            statistics: statistics == EnabledStatistics::Page,
            page: properties.column_data_page_size_limit(path),
            page_rows: properties.data_page_row_count_limit(),
            cut: properties.statistics_truncate_length(),
            index_cut: properties.column_index_truncate_length(),
        })
    }
}

/// A column chunk of text that is being written.
pub(super) struct TextColumn {
    format: TextFormat,
    chunk: Chunk,
    values: Values,
    /// The number of the page that is being filled, from 1 on.
    pages: u32,
    /// Rows of the page,
    rows: usize,
    /// those that have a text,
    present: usize,
    /// and which they are; empty as long as all have one.
    validity: BooleanBufferBuilder,
    /// Bytes of text in the page.
    text: usize,
    bounds: Bounds,
    /// The page before it is compressed.
    buffer: Vec<u8>,
}

/// The texts of a page.
enum Values {
    /// Their numbers.
    Numbers(Dictionary, Vec<u32>),
    /// Each behind its length: of a column whose dictionary was given up.
    Plain(Vec<u8>),
    /// Their lengths, and they.
    Lengths(Vec<u32>, Vec<u8>),
}

impl TextColumn {
    pub(super) fn new(format: TextFormat, compressors: Compressors) -> Self {
        Self {
            chunk: Chunk::new(Arc::clone(&format.column), format.codec, format.statistics, compressors),
            values: match format.dictionary {
                Some(_) => Values::Numbers(Dictionary::default(), Vec::new()),
                None => Values::Lengths(Vec::new(), Vec::new()),
            },
            pages: 1,
            rows: 0,
            present: 0,
            validity: BooleanBufferBuilder::new(0),
            text: 0,
            bounds: Bounds::default(),
            buffer: Vec::new(),
            format,
        }
    }

    /// Rows that follow.
    pub(super) fn write(&mut self, texts: &Texts<'_>) -> Result<(), Error> {
        let mut group = Group::default();
        match texts.picks {
            None => {
                for array in &texts.arrays {
                    for row in 0..array.len() {
                        self.add(array, row, &mut group)?;
                    }
                }
            }
            Some(picks) if texts.arrays.iter().all(|array| array.null_count() == array.len()) => {
                self.add_nulls(picks.len())?;
            }
            Some(picks) => {
                for (array, row) in picks {
                    self.add(texts.arrays[*array], *row, &mut group)?;
                }
            }
        }
        self.look_up(&mut group)
    }

    #[inline]
    fn add<'a>(&mut self, texts: &'a StringViewArray, row: usize, group: &mut Group<'a>) -> Result<(), Error> {
        self.rows += 1;
        if texts.nulls().is_some_and(|nulls| nulls.is_null(row)) {
            self.without_text(1);
        } else {
            let text = Text { view: texts.views()[row], bytes: texts.value(row).as_bytes() };
            self.present += 1;
            if !self.validity.is_empty() {
                self.validity.append(true);
            }
            self.text += text.bytes.len();
            match &mut self.values {
                Values::Numbers(..) => {
                    group.texts[group.len] = text;
                    group.len += 1;
                    group.bytes += text.bytes.len();
                    // A dictionary is not to outgrow its limit by more than a page.
                    if group.len == GROUP || group.bytes >= self.format.page {
                        self.look_up(group)?;
                    }
                }
                Values::Plain(plain) => {
                    plain.extend_from_slice(&(text.bytes.len() as u32).to_le_bytes());
                    plain.extend_from_slice(text.bytes);
                    if self.format.statistics {
                        self.bounds.add(text.bytes);
                    }
                }
                Values::Lengths(lengths, all) => {
                    lengths.push(text.bytes.len() as u32);
                    all.extend_from_slice(text.bytes);
                    if self.format.statistics {
                        self.bounds.add(text.bytes);
                    }
                }
            }
        }
        let bytes = match &self.values {
            Values::Numbers(..) => 0,
            Values::Plain(plain) => plain.len(),
            Values::Lengths(_, all) => all.len(),
        };
        if self.rows >= self.format.page_rows || bytes >= self.format.page {
            self.look_up(group)?;
            self.end_page()?;
        }
        Ok(())
    }

    /// Numbers the texts that wait for it, which belong to this page.
    fn look_up(&mut self, group: &mut Group<'_>) -> Result<(), Error> {
        let waiting = &group.texts[..std::mem::take(&mut group.len)];
        group.bytes = 0;
        let Values::Numbers(dictionary, numbers) = &mut self.values else {
            debug_assert!(waiting.is_empty());
            return Ok(());
        };
        let (statistics, bounds) = (self.format.statistics, &mut self.bounds);
        dictionary.numbers(waiting, self.pages, numbers, |text| {
            if statistics {
                bounds.add(text);
            }
        });
        if self.format.dictionary.is_some_and(|most| dictionary.bytes() >= most) {
            self.end_page()?;
            self.end_dictionary()?;
        }
        Ok(())
    }

    /// Rows without a text; none waits to be looked up.
    fn add_nulls(&mut self, mut rows: usize) -> Result<(), Error> {
        while rows > 0 {
            let here = rows.min(self.format.page_rows.saturating_sub(self.rows).max(1));
            self.rows += here;
            self.without_text(here);
            rows -= here;
            if self.rows >= self.format.page_rows {
                self.end_page()?;
            }
        }
        Ok(())
    }

    /// The rows that were counted last have none.
    fn without_text(&mut self, rows: usize) {
        // So far all had one.
        if self.validity.is_empty() {
            self.validity.append_n(self.present, true);
        }
        self.validity.append_n(rows, false);
    }

    fn end_dictionary(&mut self) -> Result<(), Error> {
        match std::mem::replace(&mut self.values, Values::Plain(Vec::new())) {
            Values::Numbers(dictionary, _) => {
                let count = dictionary.len();
                self.chunk.dictionary(dictionary.into_page(), count).map_err(cannot_encode)
            }
            others => {
                self.values = others;
                Ok(())
            }
        }
    }

    fn end_page(&mut self) -> Result<(), Error> {
        if self.rows == 0 {
            return Ok(());
        }
        let page = &mut self.buffer;
        page.clear();
        if self.format.column.max_def_level() > 0 {
            // Behind their length, which is known when they are there.
            page.extend_from_slice(&[0; 4]);
            hybrid::encode_levels(self.rows, self.present, &self.validity, page);
            let length = (page.len() - 4) as u32;
            page[..4].copy_from_slice(&length.to_le_bytes());
        }
        let encoding = match &mut self.values {
            Values::Numbers(dictionary, numbers) => {
                debug_assert_eq!(numbers.len(), self.present, "all texts of a page were looked up");
                let width = hybrid::width(dictionary.len());
                page.push(width);
                hybrid::encode(numbers, width, page);
                numbers.clear();
                Encoding::RLE_DICTIONARY
            }
            Values::Plain(plain) => {
                page.append(plain);
                Encoding::PLAIN
            }
            Values::Lengths(lengths, all) => {
                delta::encode(lengths, page);
                lengths.clear();
                page.append(all);
                Encoding::DELTA_LENGTH_BYTE_ARRAY
            }
        };
        let known = PageOf { rows: self.rows, values: self.present, text: self.text, bounds: &self.bounds, encoding };
        self.chunk.page(page, known, self.format.index_cut).map_err(cannot_encode)?;
        self.pages += 1;
        (self.rows, self.present, self.text) = (0, 0, 0);
        self.validity.truncate(0);
        self.bounds.clear();
        Ok(())
    }

    /// Ends the chunk.
    pub(super) fn close(mut self) -> Result<TextChunk, Error> {
        self.end_page()?;
        self.end_dictionary()?;
        self.chunk.close(self.format.cut).map_err(cannot_encode)
    }
}

/// Texts that wait to be looked up together.
#[derive(Default)]
struct Group<'a> {
    texts: [Text<'a>; GROUP],
    len: usize,
    bytes: usize,
}

#[cfg(test)]
mod tests;
