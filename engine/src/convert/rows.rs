//! Rows on their way into a file: in order, of one batch or of several.

use crate::error::{Error, ErrorKind};
use arrow::array::types::{Int32Type, Int64Type, TimestampMicrosecondType};
use arrow::array::{Array, ArrayRef, ArrowPrimitiveType, AsArray as _, RecordBatch, StringViewArray};
use arrow::buffer::NullBuffer;
use arrow::compute::interleave;
use arrow::datatypes::DataType;
use tokio::sync::OwnedSemaphorePermit;

/// Rows in the order in which they are to be written.
///
/// Nothing is copied until a column is asked for, by the thread that encodes it.
#[derive(Debug)]
pub(super) struct Rows {
    batches: Vec<RecordBatch>,
    /// The batch and the number of each row; or all rows of one batch after the other.
    picks: Option<Vec<(usize, usize)>>,
    rows: usize,
    weight: usize,
    /// The room that they take up while they wait.
    _room: Option<OwnedSemaphorePermit>,
}

impl Rows {
    /// All rows of these batches, which weigh so many bytes.
    pub(super) fn all(batches: Vec<RecordBatch>, weight: usize) -> Self {
        let rows = batches.iter().map(RecordBatch::num_rows).sum();
        Self { batches, picks: None, rows, weight, _room: None }
    }

    /// Some rows of these batches: each by its batch and its number there.
    pub(super) fn picked(batches: Vec<RecordBatch>, picks: Vec<(usize, usize)>, weight: usize) -> Self {
        Self { batches, rows: picks.len(), picks: Some(picks), weight, _room: None }
    }

    /// Keeps room until they are dropped.
    pub(super) fn hold(&mut self, room: Option<OwnedSemaphorePermit>) {
        self._room = room;
    }

    pub(super) fn len(&self) -> usize {
        self.rows
    }

    /// About how many bytes they keep in memory.
    pub(super) fn weight(&self) -> usize {
        self.weight
    }

    /// A column, in pieces.
    pub(super) fn column(&self, index: usize) -> Result<Vec<ArrayRef>, Error> {
        let Some(picks) = &self.picks else {
            return Ok(self.batches.iter().map(|batch| ArrayRef::clone(batch.column(index))).collect());
        };
        let columns: Vec<&dyn Array> = self.batches.iter().map(|batch| batch.column(index).as_ref()).collect();
        // Of a column that a log does not have there is nothing to gather.
        if let Some(first) = columns.first()
            && columns.iter().all(|column| column.null_count() == column.len())
        {
            return Ok(vec![arrow::array::new_null_array(first.data_type(), picks.len())]);
        }
        Ok(vec![interleave(&columns, picks)?])
    }

    /// A column of text, where it lies.
    pub(super) fn texts(&self, index: usize) -> Result<Texts<'_>, Error> {
        let arrays = self.batches.iter().map(|batch| batch.column(index).as_string_view_opt());
        let arrays = arrays.collect::<Option<_>>();
        let arrays = arrays.ok_or_else(|| Error::new(ErrorKind::Internal, "a column of text is no array of views"))?;
        Ok(Texts { arrays, picks: self.picks.as_deref() })
    }

    /// A column of numbers or times, where it lies.
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

/// The array and the number of each row; or all rows of one array after the other.
pub(super) type Picks<'a> = Option<&'a [(usize, usize)]>;

/// The texts of some rows.
pub(super) struct Texts<'a> {
    pub(super) arrays: Vec<&'a StringViewArray>,
    pub(super) picks: Picks<'a>,
}

/// The numbers of some rows, of four bytes or of eight.
pub(super) enum Numbers<'a> {
    Narrow(Vec<NumberArray<'a, i32>>, Picks<'a>),
    Wide(Vec<NumberArray<'a, i64>>, Picks<'a>),
}

/// Numbers of a batch.
pub(super) struct NumberArray<'a, N> {
    values: &'a [N],
    nulls: Option<&'a NullBuffer>,
}

impl<N: Copy> NumberArray<'_, N> {
    pub(super) fn len(&self) -> usize {
        self.values.len()
    }

    /// Whether no row has one.
    pub(super) fn is_null(&self) -> bool {
        self.nulls.is_some_and(|nulls| nulls.null_count() == self.values.len())
    }

    /// The number of a row, if it has one.
    #[inline]
    pub(super) fn get(&self, row: usize) -> Option<N> {
        if self.nulls.is_some_and(|nulls| nulls.is_null(row)) { None } else { Some(self.values[row]) }
    }
}
