//! Encoder for text columns, tuned to logs.
//!
//! Most text in a log is repetitive. The encoder of the `parquet` crate hashes each value, compares it with the minimum
//! and maximum, and stores two bytes of levels per value. Here short texts are looked up by their views, statistics see
//! each distinct text once per page, validity is copied as bits, and rows are read in place instead of being gathered
//! first. The result is equivalent for readers. `workloads --only Parquet` measures the difference.

mod bounds;
mod dictionary;

use super::columns::cannot_encode;
use super::compression::Compressors;
use super::encoding::{Chunk, ChunkFormat, EncodedChunk, Order, PageOf, PageRows, delta, hybrid};
use crate::convert::rows::Texts;
use crate::error::Error;
use arrow::array::{Array as _, StringViewArray};
use bounds::Bounds;
use dictionary::{Dictionary, GROUP, Text};
use parquet::basic::{ConvertedType, Encoding, Type};
use parquet::file::properties::WriterProperties;
use parquet::schema::types::ColumnDescPtr;

/// Format of a text column: dictionary-encoded, or DELTA_LENGTH_BYTE_ARRAY.
#[derive(Clone, Debug)]
pub(super) struct TextFormat {
    chunk: ChunkFormat,
    /// Length that bounds in the footer are truncated to, in bytes.
    cut: Option<usize>,
    /// Length that bounds in the page index are truncated to, in bytes.
    index_cut: Option<usize>,
}

impl TextFormat {
    /// The format of a column with these properties; `None` if [`TextColumn`] does not support it.
    pub(super) fn of(column: &ColumnDescPtr, properties: &WriterProperties) -> Option<Self> {
        let chunk = ChunkFormat::of(column, properties)?;
        let lengths_apart = chunk.dictionary.is_none().then_some(Encoding::DELTA_LENGTH_BYTE_ARRAY);
        let is_ours = column.physical_type() == Type::BYTE_ARRAY
            && column.converted_type() == ConvertedType::UTF8
            && properties.encoding(column.path()) == lengths_apart;
        is_ours.then(|| Self {
            chunk,
            cut: properties.statistics_truncate_length(),
            index_cut: properties.column_index_truncate_length(),
        })
    }
}

/// A column chunk of text being encoded.
pub(super) struct TextColumn {
    format: TextFormat,
    chunk: Chunk,
    values: Values,
    /// Number of the current page, starting with 1.
    pages: u32,
    /// Rows of the current page.
    rows: PageRows,
    /// Size of the text in the current page, in bytes.
    text: usize,
    bounds: Bounds,
    /// Bounds of all previous pages.
    chunk_bounds: Bounds,
    order: Order<Vec<u8>>,
    /// The uncompressed page.
    buffer: Vec<u8>,
}

/// The values of the current page.
enum Values {
    /// Dictionary-encoded.
    Numbers(Dictionary, Vec<u32>),
    /// Texts prefixed by their lengths, after the dictionary was given up.
    Plain(Vec<u8>),
    /// Lengths, and the texts without them.
    Lengths(Vec<u32>, Vec<u8>),
}

impl TextColumn {
    pub(super) fn new(format: TextFormat, compressors: Compressors) -> Self {
        Self {
            chunk: Chunk::new(&format.chunk, compressors),
            values: match format.chunk.dictionary {
                Some(_) => Values::Numbers(Dictionary::default(), Vec::new()),
                None => Values::Lengths(Vec::new(), Vec::new()),
            },
            pages: 1,
            rows: PageRows::default(),
            text: 0,
            bounds: Bounds::default(),
            chunk_bounds: Bounds::default(),
            order: Order::default(),
            buffer: Vec::new(),
            format,
        }
    }

    /// Appends rows.
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
        if texts.nulls().is_some_and(|nulls| nulls.is_null(row)) {
            self.rows.add_nulls(1);
        } else {
            let text = Text { view: texts.views()[row], bytes: texts.value(row).as_bytes() };
            self.rows.add();
            self.text += text.bytes.len();
            match &mut self.values {
                Values::Numbers(..) => {
                    group.texts[group.len] = text;
                    group.len += 1;
                    group.bytes += text.bytes.len();
                    // Bounds by how much a dictionary may exceed its limit.
                    if group.len == GROUP || group.bytes >= self.format.chunk.page {
                        self.look_up(group)?;
                    }
                }
                Values::Plain(plain) => {
                    plain.extend_from_slice(&(text.bytes.len() as u32).to_le_bytes());
                    plain.extend_from_slice(text.bytes);
                    if self.format.chunk.statistics {
                        self.bounds.add(text.bytes);
                    }
                }
                Values::Lengths(lengths, all) => {
                    lengths.push(text.bytes.len() as u32);
                    all.extend_from_slice(text.bytes);
                    if self.format.chunk.statistics {
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
        if self.rows.len() >= self.format.chunk.page_rows || bytes >= self.format.chunk.page {
            self.look_up(group)?;
            self.end_page()?;
        }
        Ok(())
    }

    /// Looks up the texts of the group, which belong to the current page.
    fn look_up(&mut self, group: &mut Group<'_>) -> Result<(), Error> {
        let waiting = &group.texts[..std::mem::take(&mut group.len)];
        group.bytes = 0;
        let Values::Numbers(dictionary, numbers) = &mut self.values else {
            debug_assert!(waiting.is_empty());
            return Ok(());
        };
        let (statistics, bounds) = (self.format.chunk.statistics, &mut self.bounds);
        dictionary.numbers(waiting, self.pages, numbers, |text| {
            if statistics {
                bounds.add(text);
            }
        });
        if self.format.chunk.dictionary.is_some_and(|most| dictionary.bytes() >= most) {
            self.end_page()?;
            self.end_dictionary()?;
        }
        Ok(())
    }

    /// Appends null rows. The group must be empty.
    fn add_nulls(&mut self, mut rows: usize) -> Result<(), Error> {
        while rows > 0 {
            rows -= self.rows.add_nulls_up_to(rows, self.format.chunk.page_rows);
            if self.rows.len() >= self.format.chunk.page_rows {
                self.end_page()?;
            }
        }
        Ok(())
    }

    fn end_dictionary(&mut self) -> Result<(), Error> {
        match std::mem::replace(&mut self.values, Values::Plain(Vec::new())) {
            Values::Numbers(dictionary, _) => {
                let count = dictionary.len();
                self.chunk.dictionary(&dictionary.into_page(), count).map_err(cannot_encode)
            }
            others => {
                self.values = others;
                Ok(())
            }
        }
    }

    fn end_page(&mut self) -> Result<(), Error> {
        if self.rows.len() == 0 {
            return Ok(());
        }
        let page = &mut self.buffer;
        page.clear();
        if self.format.chunk.column.max_def_level() > 0 {
            self.rows.encode(page);
        }
        let encoding = match &mut self.values {
            Values::Numbers(dictionary, numbers) => {
                debug_assert_eq!(numbers.len(), self.rows.present(), "all texts of a page were looked up");
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
        let bounds = self.bounds.cut(self.format.index_cut);
        if let Some((least, greatest)) = &bounds {
            self.order.add(least.clone(), greatest.clone());
        }
        let (rows, values) = (self.rows.len(), self.rows.present());
        let known = PageOf { rows, values, text: Some(self.text), bounds, encoding };
        self.chunk.page(page, known).map_err(cannot_encode)?;
        self.chunk_bounds.add_all(&self.bounds);
        self.pages += 1;
        self.text = 0;
        self.rows.clear();
        self.bounds.clear();
        Ok(())
    }

    /// Ends the chunk.
    pub(super) fn close(mut self) -> Result<EncodedChunk, Error> {
        self.end_page()?;
        self.end_dictionary()?;
        let statistics = self.chunk_bounds.statistics(self.chunk.nulls(), self.format.cut);
        self.chunk.close(statistics, self.order.get()).map_err(cannot_encode)
    }
}

/// Texts to be looked up together.
#[derive(Default)]
struct Group<'a> {
    texts: [Text<'a>; GROUP],
    len: usize,
    bytes: usize,
}

#[cfg(test)]
mod tests;
