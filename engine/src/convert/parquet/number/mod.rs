//! Encoder for columns of numbers: statuses, sizes, durations, times.
//!
//! As in [text](super::text), rows are read in place; looking up, statistics and encoding work on whole pages.

mod dictionary;

use super::columns::cannot_encode;
use super::compression::Compressors;
use super::encoding::{Chunk, ChunkFormat, EncodedChunk, Order, PageOf, PageRows, delta, hybrid};
use crate::convert::rows::{NumberArray, Numbers, Picks};
use crate::error::Error;
use arrow::datatypes::{DataType, TimeUnit};
use dictionary::Dictionary;
use parquet::basic::{Encoding, Type};
use parquet::file::properties::WriterProperties;
use parquet::file::statistics::{Statistics, ValueStatistics};
use parquet::schema::types::ColumnDescPtr;

/// Format of a column of numbers: dictionary-encoded, or DELTA_BINARY_PACKED.
#[derive(Clone, Debug)]
pub(super) struct NumberFormat {
    chunk: ChunkFormat,
    width: Width,
}

/// Physical width of a number.
#[derive(Clone, Copy, Debug)]
enum Width {
    Four,
    Eight,
}

impl NumberFormat {
    /// The format of a column with these properties and this type of arrays; `None` if [`NumberColumn`] does not
    /// support it. It supports signed numbers and microseconds, with delta encoding only for 64 bits.
    pub(super) fn of(column: &ColumnDescPtr, data_type: &DataType, properties: &WriterProperties) -> Option<Self> {
        let chunk = ChunkFormat::of(column, properties)?;
        let (width, physical_type) = match data_type {
            DataType::Int32 if chunk.dictionary.is_some() => (Width::Four, Type::INT32),
            DataType::Int64 | DataType::Timestamp(TimeUnit::Microsecond, _) => (Width::Eight, Type::INT64),
            _ => return None,
        };
        let differences = chunk.dictionary.is_none().then_some(Encoding::DELTA_BINARY_PACKED);
        let is_ours = column.physical_type() == physical_type && properties.encoding(column.path()) == differences;
        is_ours.then_some(Self { chunk, width })
    }
}

impl Width {
    fn bytes(self) -> usize {
        match self {
            Self::Four => 4,
            Self::Eight => 8,
        }
    }

    /// Appends numbers in PLAIN encoding. With four bytes, they came from 32-bit arrays, so they fit.
    fn plain(self, values: &[i64], out: &mut Vec<u8>) {
        out.reserve(values.len() * self.bytes());
        match self {
            Self::Four => values.iter().for_each(|value| out.extend_from_slice(&(*value as i32).to_le_bytes())),
            Self::Eight => values.iter().for_each(|value| out.extend_from_slice(&value.to_le_bytes())),
        }
    }

    fn bound(self, value: i64) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.bytes());
        self.plain(&[value], &mut bytes);
        bytes
    }

    fn statistics(self, bounds: Option<(i64, i64)>, nulls: u64) -> Statistics {
        let (least, greatest) = bounds.unzip();
        match self {
            Self::Four => {
                let narrow = |bound: Option<i64>| bound.map(|bound| bound as i32);
                let statistics = ValueStatistics::new(narrow(least), narrow(greatest), None, Some(nulls), false);
                Statistics::Int32(statistics.with_backwards_compatible_min_max(true))
            }
            Self::Eight => {
                let statistics = ValueStatistics::new(least, greatest, None, Some(nulls), false);
                Statistics::Int64(statistics.with_backwards_compatible_min_max(true))
            }
        }
    }
}

/// A column chunk of numbers being encoded.
pub(super) struct NumberColumn {
    format: NumberFormat,
    chunk: Chunk,
    encoding: NumberEncoding,
    /// Rows of the current page.
    rows: PageRows,
    /// Values of the current page that are not null.
    values: Vec<i64>,
    /// Bounds of all previous pages.
    bounds: Option<(i64, i64)>,
    order: Order<i64>,
    /// The uncompressed page.
    buffer: Vec<u8>,
}

/// Encoding of the current page.
enum NumberEncoding {
    /// Dictionary-encoded. The buffer is for the positions of a page.
    Dictionary(Dictionary, Vec<u32>),
    /// PLAIN, after the dictionary was given up.
    Plain,
    /// DELTA_BINARY_PACKED.
    Differences,
}

impl NumberColumn {
    pub(super) fn new(format: NumberFormat, compressors: Compressors) -> Self {
        Self {
            chunk: Chunk::new(&format.chunk, compressors),
            encoding: match format.chunk.dictionary {
                Some(_) => NumberEncoding::Dictionary(Dictionary::default(), Vec::new()),
                None => NumberEncoding::Differences,
            },
            rows: PageRows::default(),
            values: Vec::new(),
            bounds: None,
            order: Order::default(),
            buffer: Vec::new(),
            format,
        }
    }

    /// Appends rows.
    pub(super) fn write(&mut self, numbers: &Numbers<'_>) -> Result<(), Error> {
        match numbers {
            Numbers::Narrow(arrays, picks) => self.write_all(arrays, *picks),
            Numbers::Wide(arrays, picks) => self.write_all(arrays, *picks),
        }
    }

    fn write_all<N: Copy + Into<i64>>(&mut self, arrays: &[NumberArray<'_, N>], picks: Picks<'_>) -> Result<(), Error> {
        match picks {
            None => {
                for array in arrays {
                    for row in 0..array.len() {
                        self.add(array.get(row))?;
                    }
                }
            }
            Some(picks) if arrays.iter().all(NumberArray::is_null) => self.add_nulls(picks.len())?,
            Some(picks) => {
                for (array, row) in picks {
                    self.add(arrays[*array].get(*row))?;
                }
            }
        }
        Ok(())
    }

    #[inline]
    fn add<N: Into<i64>>(&mut self, number: Option<N>) -> Result<(), Error> {
        match number {
            Some(number) => {
                self.rows.add();
                self.values.push(number.into());
            }
            None => self.rows.add_nulls(1),
        }
        let is_full = self.rows.len() >= self.format.chunk.page_rows
            || self.values.len() * self.format.width.bytes() >= self.format.chunk.page;
        if is_full { self.end_page() } else { Ok(()) }
    }

    fn add_nulls(&mut self, mut rows: usize) -> Result<(), Error> {
        while rows > 0 {
            rows -= self.rows.add_nulls_up_to(rows, self.format.chunk.page_rows);
            if self.rows.len() >= self.format.chunk.page_rows {
                self.end_page()?;
            }
        }
        Ok(())
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
        let encoding = match &mut self.encoding {
            NumberEncoding::Dictionary(dictionary, positions) => {
                positions.clear();
                dictionary.positions(&self.values, positions);
                let width = hybrid::width(dictionary.values().len());
                page.push(width);
                hybrid::encode(positions, width, page);
                Encoding::RLE_DICTIONARY
            }
            NumberEncoding::Plain => {
                self.format.width.plain(&self.values, page);
                Encoding::PLAIN
            }
            NumberEncoding::Differences => {
                delta::encode(&self.values, page);
                Encoding::DELTA_BINARY_PACKED
            }
        };
        let known = PageOf {
            rows: self.rows.len(),
            values: self.rows.present(),
            text: None,
            bounds: if self.format.chunk.statistics { self.bounds_of_page() } else { None },
            encoding,
        };
        self.chunk.page(&self.buffer, known).map_err(cannot_encode)?;
        self.rows.clear();
        self.values.clear();
        match (&self.encoding, self.format.chunk.dictionary) {
            (NumberEncoding::Dictionary(dictionary, _), Some(most))
                if dictionary.values().len() * self.format.width.bytes() >= most =>
            {
                self.end_dictionary()
            }
            _ => Ok(()),
        }
    }

    /// The bounds of the current page as in the page index. Also updates the bounds of the chunk.
    fn bounds_of_page(&mut self) -> Option<(Vec<u8>, Vec<u8>)> {
        let least = self.values.iter().copied().min()?;
        let greatest = self.values.iter().copied().max()?;
        self.order.add(least, greatest);
        let (of_all, up_to) = self.bounds.unwrap_or((least, greatest));
        self.bounds = Some((of_all.min(least), up_to.max(greatest)));
        Some((self.format.width.bound(least), self.format.width.bound(greatest)))
    }

    fn end_dictionary(&mut self) -> Result<(), Error> {
        if let NumberEncoding::Dictionary(dictionary, _) = &self.encoding {
            self.buffer.clear();
            self.format.width.plain(dictionary.values(), &mut self.buffer);
            self.chunk.dictionary(&self.buffer, dictionary.values().len()).map_err(cannot_encode)?;
            self.encoding = NumberEncoding::Plain;
        }
        Ok(())
    }

    /// Ends the chunk.
    pub(super) fn close(mut self) -> Result<EncodedChunk, Error> {
        self.end_page()?;
        self.end_dictionary()?;
        let statistics = self.format.width.statistics(self.bounds, self.chunk.nulls());
        self.chunk.close(statistics, self.order.get()).map_err(cannot_encode)
    }
}

#[cfg(test)]
mod tests;
