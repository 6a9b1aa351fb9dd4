//! Parquet files among log objects, as AWS delivers records if configured so: read as JSON lines, one per row.
//!
//! So everything that holds for lines also holds for rows: invalid rows are rejects, and every row is accounted for.
//! The conversion to text costs time, but AWS delivers small files; for large amounts, convert them to a dataset.

use crate::error::{Error, ErrorKind};
use arrow::array::{Array as _, ArrayRef, AsArray as _, LargeStringArray, RecordBatch};
use arrow::datatypes::{DataType, Schema};
use arrow::error::ArrowError;
use arrow::json::WriterBuilder;
use arrow::json::writer::LineDelimited;
use bytes::Bytes;
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};
use std::fs::File;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

/// Magic bytes at the start of a Parquet file.
const MAGIC: &[u8] = b"PAR1";

/// Number of rows converted to lines at a time.
const ROWS: usize = 1024;

/// Limit on the size of a file that is not on disk, which is buffered in memory.
pub(super) const MAX_HELD: usize = 1 << 30;

/// Whether an object is a Parquet file, judging by its first bytes.
pub(crate) fn is_parquet(first_bytes: &[u8]) -> bool {
    first_bytes.starts_with(MAGIC)
}

/// The rows of a Parquet file as lines.
pub(super) struct ParquetLines {
    reader: ParquetRecordBatchReader,
    lines: Vec<u8>,
    at: usize,
}

impl ParquetLines {
    /// Reads a file on disk.
    pub(super) fn of_file(file: File) -> Result<Self, Error> {
        guarded(|| Self::of(ParquetRecordBatchReaderBuilder::try_new(file)))?
    }

    /// Reads a file in memory.
    pub(super) fn of_bytes(bytes: Bytes) -> Result<Self, Error> {
        guarded(|| Self::of(ParquetRecordBatchReaderBuilder::try_new(bytes)))?
    }

    fn of<T: parquet::file::reader::ChunkReader + 'static>(
        builder: parquet::errors::Result<ParquetRecordBatchReaderBuilder<T>>,
    ) -> Result<Self, Error> {
        let reader = builder.and_then(|builder| builder.with_batch_size(ROWS).build()).map_err(damaged)?;
        Ok(Self { reader, lines: Vec::new(), at: 0 })
    }

    /// Converts the next rows to lines; `false` at the end.
    fn write_lines(&mut self) -> Result<bool, ArrowError> {
        let Some(batch) = self.reader.next() else { return Ok(false) };
        let batch = with_texts(&batch?)?;
        let settings = WriterBuilder::new()
            .with_explicit_nulls(true)
            .with_timestamp_format("%Y-%m-%dT%H:%M:%S%.6fZ".to_owned())
            .with_timestamp_tz_format("%Y-%m-%dT%H:%M:%S%.6f%:z".to_owned());
        let mut writer = settings.build::<_, LineDelimited>(&mut self.lines);
        writer.write(&batch)?;
        writer.finish()?;
        Ok(true)
    }

    /// Copies lines into the buffer, which must not be empty; returns 0 at the end.
    pub(super) fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Error> {
        while self.at == self.lines.len() {
            self.lines.clear();
            self.at = 0;
            let written = guarded(|| self.write_lines());
            if !written?.map_err(damaged)? {
                return Ok(0);
            }
        }
        let len = buffer.len().min(self.lines.len() - self.at);
        buffer[..len].copy_from_slice(&self.lines[self.at..self.at + len]);
        self.at += len;
        Ok(len)
    }
}

/// The Parquet reader panics on some damaged files. One such file must not abort reading a whole bucket.
fn guarded<T>(work: impl FnOnce() -> T) -> Result<T, Error> {
    std::panic::catch_unwind(AssertUnwindSafe(work))
        .map_err(|_| Error::new(ErrorKind::Unreadable, "the Parquet file is damaged").with_hint("fetch it again"))
}

/// Casts binary columns to text: some writers do not mark strings as such, and Arrow's JSON writer would emit them as
/// hex.
fn with_texts(batch: &RecordBatch) -> Result<RecordBatch, ArrowError> {
    let text = |array: &ArrayRef| -> Result<ArrayRef, ArrowError> {
        let is_bytes = matches!(
            array.data_type(),
            DataType::Binary | DataType::LargeBinary | DataType::BinaryView | DataType::FixedSizeBinary(_)
        );
        if !is_bytes {
            return Ok(Arc::clone(array));
        }
        let bytes = arrow::compute::cast(array, &DataType::LargeBinary)?;
        let texts = bytes.as_binary::<i64>().iter().map(|bytes| bytes.map(String::from_utf8_lossy));
        Ok(Arc::new(texts.collect::<LargeStringArray>()))
    };
    let columns = batch.columns().iter().map(text).collect::<Result<Vec<_>, _>>()?;
    let fields = batch.schema_ref().fields().iter().zip(&columns);
    let fields = fields.map(|(field, column)| field.as_ref().clone().with_data_type(column.data_type().clone()));
    RecordBatch::try_new(Arc::new(Schema::new(fields.collect::<Vec<_>>())), columns)
}

fn damaged(error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::new(ErrorKind::Unreadable, "the Parquet file cannot be read")
        .with_source(error)
        .with_hint("fetch it again; its records up to the damage were read")
}

pub(super) fn too_large() -> Error {
    Error::new(ErrorKind::Unsupported, "a Parquet file of more than 1 GiB can only be read from a disk")
        .with_hint("download it first")
}
