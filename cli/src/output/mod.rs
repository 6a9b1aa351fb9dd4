//! Writes results as text or files. Every format is a [`ResultWriter`], to which batches are pushed.
//! Start at [`Output`]: destination and format of all results of a command.

pub(crate) mod escape;

mod batch;
mod csv;
mod destination;
mod format;
mod ipc;
mod json;
mod line;
mod markdown;
mod nothing;
mod paint;
mod parquet;
mod plan;
mod portable;
mod report;
mod table;
pub(crate) mod time;
mod tsv;
mod value;

#[cfg(test)]
mod tests;

use std::fmt::{self, Write as _};
use std::io::{self, Write as _};

use ::arrow::array::RecordBatch;
use ::arrow::datatypes::SchemaRef;
use ::arrow::error::ArrowError;

pub(crate) use self::batch::{batch, optional_texts, texts};
pub(crate) use self::destination::Destination;
pub(crate) use self::format::{Format, Output, OutputSettings, Shape};
pub(crate) use self::paint::Paint;
pub(crate) use self::report::{ReportFormat, json_line, json_page};
pub(crate) use self::table::{cut, wrap};

use self::value::Column;
use crate::failure::Failure;

/// Writes one result: [`begin`](Self::begin) once, [`write`](Self::write) for each batch, then [`finish`](Self::finish)
/// once.
pub(crate) trait ResultWriter: Send {
    /// Starts the result with its columns.
    ///
    /// # Errors
    ///
    /// Those of the sink.
    fn begin(&mut self, schema: &SchemaRef) -> io::Result<()>;

    /// Writes the rows of a batch.
    ///
    /// # Errors
    ///
    /// Those of the sink, or of Arrow when it cannot convert the batch.
    fn write(&mut self, batch: &RecordBatch) -> io::Result<()>;

    /// Writes whatever follows the last row.
    ///
    /// # Errors
    ///
    /// Those of the sink.
    fn finish(&mut self) -> io::Result<()>;
}

/// Prints text to standard output and flushes it.
///
/// # Errors
///
/// I/O errors.
pub(crate) fn say(text: impl AsRef<[u8]>) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(text.as_ref()).and_then(|()| stdout.flush()).map_err(Failure::from_output)
}

/// The columns of a batch, prepared for printing.
fn columns_of(batch: &RecordBatch) -> io::Result<Vec<Column>> {
    batch.columns().iter().map(Column::new).collect::<Result<_, _>>().map_err(arrow_error)
}

/// Unwraps the error of the sink, so that a closed pipe is recognised.
fn arrow_error(error: ArrowError) -> io::Error {
    match error {
        ArrowError::IoError(_, error) => error,
        other => io::Error::other(other),
    }
}

fn push_fmt(out: &mut String, text: fmt::Arguments<'_>) {
    // Writing to a String cannot fail.
    let _ = out.write_fmt(text);
}
