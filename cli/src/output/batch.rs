//! Batches of our own, for tables that are not the result of a query.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringArray};

use crate::failure::Failure;

/// A batch with these columns.
///
/// # Errors
///
/// Never, in practice: all columns have the same length.
pub(crate) fn batch<'a>(columns: impl IntoIterator<Item = (&'a str, ArrayRef)>) -> Result<RecordBatch, Failure> {
    RecordBatch::try_from_iter(columns).map_err(Failure::internal)
}

/// A column of texts.
pub(crate) fn texts(values: impl IntoIterator<Item = impl AsRef<str>>) -> ArrayRef {
    // Not every iterator knows its length, as `from_iter_values` requires.
    Arc::new(values.into_iter().map(Some).collect::<StringArray>())
}

/// A column of texts, some of which may be NULL.
pub(crate) fn optional_texts(values: impl IntoIterator<Item = Option<impl AsRef<str>>>) -> ArrayRef {
    Arc::new(values.into_iter().collect::<StringArray>())
}
