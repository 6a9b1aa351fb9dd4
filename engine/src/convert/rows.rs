//! Rows to be written to a file, in order, from one or more batches.

use crate::error::{Error, ErrorKind};
use arrow::array::types::{Int32Type, Int64Type, TimestampMicrosecondType};
use arrow::array::{Array, ArrayRef, ArrowPrimitiveType, AsArray as _, RecordBatch, StringViewArray};
use arrow::buffer::NullBuffer;
use arrow::compute::interleave;
use arrow::datatypes::DataType;
use tokio::sync::OwnedSemaphorePermit;

/// Rows in the order in which they are to be written.
///
/// Nothing is copied until a thread encodes a column.
#[derive(Debug)]
pub(super) struct Rows {
    batches: Vec<RecordBatch>,
    /// The batch and row of each row; `None` for all rows of all batches in order.
    picks: Option<Vec<(usize, usize)>>,
    rows: usize,
    weight: usize,
    /// Released when the rows have been encoded.
    _room: Option<OwnedSemaphorePermit>,
}

impl Rows {
    /// All rows of the batches; `weight` in bytes.
    pub(super) fn all(batches: Vec<RecordBatch>, weight: usize) -> Self {
        let rows = batches.iter().map(RecordBatch::num_rows).sum();
        Self { batches, picks: None, rows, weight, _room: None }
    }

    /// Some rows of the batches, each by batch and row; `weight` in bytes.
    pub(super) fn picked(batches: Vec<RecordBatch>, picks: Vec<(usize, usize)>, weight: usize) -> Self {
        Self { batches, rows: picks.len(), picks: Some(picks), weight, _room: None }
    }

    /// Holds room until the rows are dropped.
    pub(super) fn hold(&mut self, room: Option<OwnedSemaphorePermit>) {
        self._room = room;
    }

    pub(super) fn len(&self) -> usize {
        self.rows
    }

    /// Estimated memory in bytes.
    pub(super) fn weight(&self) -> usize {
        self.weight
    }

    /// A column, as one or more arrays.
    pub(super) fn column(&self, index: usize) -> Result<Vec<ArrayRef>, Error> {
        let Some(picks) = &self.picks else {
            return Ok(self.batches.iter().map(|batch| ArrayRef::clone(batch.column(index))).collect());
        };
        let columns: Vec<&dyn Array> = self.batches.iter().map(|batch| batch.column(index).as_ref()).collect();
        // Nothing to gather from a column that the log does not have.
        if let Some(first) = columns.first()
            && columns.iter().all(|column| column.null_count() == column.len())
        {
            return Ok(vec![arrow::array::new_null_array(first.data_type(), picks.len())]);
        }
        Ok(vec![interleave(&columns, picks)?])
    }

    /// A text column, without copying.
    pub(super) fn texts(&self, index: usize) -> Result<Texts<'_>, Error> {
        let arrays = self.batches.iter().map(|batch| batch.column(index).as_string_view_opt());
        let arrays = arrays.collect::<Option<_>>();
        let arrays = arrays.ok_or_else(|| Error::new(ErrorKind::Internal, "a column of text is no array of views"))?;
        Ok(Texts { arrays, picks: self.picks.as_deref() })
    }

    /// A column of numbers or times, without copying.
    pub(super) fn numbers(&self, index: usize) -> Result<Numbers<'_>, Error> {
        let data_type = self.batches.first().map(|batch| batch.column(index).data_type());
        match data_type {
            Some(DataType::Int32) => Ok(Numbers::Narrow(self.arrays::<Int32Type>(index)?, self.picks.as_deref())),
            Some(DataType::Timestamp(..)) => {
                Ok(Numbers::Wide(self.arrays::<TimestampMicrosecondType>(index)?, self.picks.as_deref()))
            }
            _ => Ok(Numbers::Wide(self.arrays::<Int64Type>(index)?, self.picks.as_deref())),
        }
    }

    fn arrays<T: ArrowPrimitiveType>(&self, index: usize) -> Result<Vec<NumberArray<'_, T::Native>>, Error> {
        let arrays = self.batches.iter().map(|batch| batch.column(index).as_primitive_opt::<T>());
        let arrays =
            arrays.map(|array| array.map(|array| NumberArray { values: array.values(), nulls: array.nulls() }));
        let arrays = arrays.collect::<Option<_>>();
        arrays.ok_or_else(|| Error::new(ErrorKind::Internal, "a column of numbers has another type"))
    }
}

/// The array and row of each row; `None` for all rows of all arrays in order.
pub(super) type Picks<'a> = Option<&'a [(usize, usize)]>;

/// The texts of a column.
pub(super) struct Texts<'a> {
    pub(super) arrays: Vec<&'a StringViewArray>,
    pub(super) picks: Picks<'a>,
}

/// The numbers of a column, with 32 or 64 bits.
pub(super) enum Numbers<'a> {
    Narrow(Vec<NumberArray<'a, i32>>, Picks<'a>),
    Wide(Vec<NumberArray<'a, i64>>, Picks<'a>),
}

/// The numbers of one batch.
pub(super) struct NumberArray<'a, N> {
    values: &'a [N],
    nulls: Option<&'a NullBuffer>,
}

impl<N: Copy> NumberArray<'_, N> {
    pub(super) fn len(&self) -> usize {
        self.values.len()
    }

    /// Whether all rows are null.
    pub(super) fn is_null(&self) -> bool {
        self.nulls.is_some_and(|nulls| nulls.null_count() == self.values.len())
    }

    /// The number of a row; `None` if it is null.
    #[inline]
    pub(super) fn get(&self, row: usize) -> Option<N> {
        if self.nulls.is_some_and(|nulls| nulls.is_null(row)) { None } else { Some(self.values[row]) }
    }
}
