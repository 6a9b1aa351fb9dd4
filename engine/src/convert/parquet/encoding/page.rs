//! The rows of a page, and which of them have a value.

use super::hybrid;
use arrow::array::BooleanBufferBuilder;

/// Rows of a page that is being filled.
pub(in crate::convert::parquet) struct PageRows {
    rows: usize,
    /// Those that have a value,
    present: usize,
    /// and which they are; empty as long as all have one.
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

    /// Rows that have a value.
    pub(in crate::convert::parquet) fn present(&self) -> usize {
        self.present
    }

    /// A row with a value.
    #[inline]
    pub(in crate::convert::parquet) fn add(&mut self) {
        self.rows += 1;
        self.present += 1;
        if !self.validity.is_empty() {
            self.validity.append(true);
        }
    }

    /// Rows without one.
    pub(in crate::convert::parquet) fn add_nulls(&mut self, rows: usize) {
        // So far all had one.
        if self.validity.is_empty() {
            self.validity.append_n(self.present, true);
        }
        self.validity.append_n(rows, false);
        self.rows += rows;
    }

    /// As many of so many rows without one as belong to a page of `most` rows, one at least; gives how many these are.
    pub(in crate::convert::parquet) fn add_nulls_up_to(&mut self, rows: usize, most: usize) -> usize {
        let here = rows.min(most.saturating_sub(self.rows).max(1));
        self.add_nulls(here);
        here
    }

    /// Which rows have a value, as it stands at the beginning of a page.
    pub(in crate::convert::parquet) fn encode(&self, out: &mut Vec<u8>) {
        // Behind its length, which is known when it is there.
        let start = out.len();
        out.extend_from_slice(&[0; 4]);
        hybrid::encode_levels(self.rows, self.present, &self.validity, out);
        let length = (out.len() - start - 4) as u32;
        out[start..start + 4].copy_from_slice(&length.to_le_bytes());
    }

    /// The next page begins.
    pub(in crate::convert::parquet) fn clear(&mut self) {
        (self.rows, self.present) = (0, 0);
        self.validity.truncate(0);
    }
}
