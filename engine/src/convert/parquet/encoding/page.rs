//! The rows of a page, and their validity.

use super::hybrid;
use arrow::array::BooleanBufferBuilder;

/// The rows of a page being filled.
pub(in crate::convert::parquet) struct PageRows {
    rows: usize,
    /// Rows that are not null.
    present: usize,
    /// Validity of the rows; empty as long as no row is null.
    validity: BooleanBufferBuilder,
}

impl Default for PageRows {
    fn default() -> Self {
        Self { rows: 0, present: 0, validity: BooleanBufferBuilder::new(0) }
    }
}

impl PageRows {
    pub(in crate::convert::parquet) fn len(&self) -> usize {
        self.rows
    }

    /// The number of rows that are not null.
    pub(in crate::convert::parquet) fn present(&self) -> usize {
        self.present
    }

    /// Adds a row with a value.
    #[inline]
    pub(in crate::convert::parquet) fn add(&mut self) {
        self.rows += 1;
        self.present += 1;
        if !self.validity.is_empty() {
            self.validity.append(true);
        }
    }

    /// Adds null rows.
    pub(in crate::convert::parquet) fn add_nulls(&mut self, rows: usize) {
        // All rows so far have a value.
        if self.validity.is_empty() {
            self.validity.append_n(self.present, true);
        }
        self.validity.append_n(rows, false);
        self.rows += rows;
    }

    /// Adds as many of `rows` null rows as fit into a page of `most` rows, at least one. Returns their number.
    pub(in crate::convert::parquet) fn add_nulls_up_to(&mut self, rows: usize, most: usize) -> usize {
        let here = rows.min(most.saturating_sub(self.rows).max(1));
        self.add_nulls(here);
        here
    }

    /// Appends the definition levels, as they are stored at the beginning of a page.
    pub(in crate::convert::parquet) fn encode(&self, out: &mut Vec<u8>) {
        // The length comes first, but is only known afterwards.
        let start = out.len();
        out.extend_from_slice(&[0; 4]);
        hybrid::encode_levels(self.rows, self.present, &self.validity, out);
        let length = (out.len() - start - 4) as u32;
        out[start..start + 4].copy_from_slice(&length.to_le_bytes());
    }

    /// Starts the next page.
    pub(in crate::convert::parquet) fn clear(&mut self) {
        (self.rows, self.present) = (0, 0);
        self.validity.truncate(0);
    }
}
