//! Parquet files among log objects, as AWS delivers records where text is not asked for: read as JSON lines, one a row.
//!
//! So everything that holds for lines holds for rows: what is no record is a reject, and every row is accounted for. It costs a
//! detour over text; AWS delivers small files, and whoever has many converts them.

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

/// What a Parquet file begins with.
const MAGIC: &[u8] = b"PAR1";

/// Rows that are written as lines at a time.
const ROWS: usize = 1024;

/// A file that is not on a disk is held in memory, up to this size.
pub(super) const MAX_HELD: usize = 1 << 30;

/// Whether an object is a Parquet file, by its first bytes.
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
    /// Of a file on a disk.
    pub(super) fn of_file(file: File) -> Result<Self, Error> {
        guarded(|| Self::of(ParquetRecordBatchReaderBuilder::try_new(file)))?
    }

    /// Of a file in memory.
    pub(super) fn of_bytes(bytes: Bytes) -> Result<Self, Error> {
        guarded(|| Self::of(ParquetRecordBatchReaderBuilder::try_new(bytes)))?
    }

    fn of<T: parquet::file::reader::ChunkReader + 'static>(
        builder: parquet::errors::Result<ParquetRecordBatchReaderBuilder<T>>,
    ) -> Result<Self, Error> {
        let reader = builder.and_then(|builder| builder.with_batch_size(ROWS).build()).map_err(damaged)?;
        Ok(Self { reader, lines: Vec::new(), at: 0 })
    }

    /// The next rows, written as lines; false at the end.
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

    /// Writes lines into a buffer that is not empty; 0 at the end.
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

/// The reader of Parquet panics at some damaged files: whoever reads a bucket must get over one of them.
fn guarded<T>(work: impl FnOnce() -> T) -> Result<T, Error> {
    std::panic::catch_unwind(AssertUnwindSafe(work))
        .map_err(|_| Error::new(ErrorKind::Unreadable, "the Parquet file is damaged").with_hint("fetch it again"))
}

/// Texts that a writer did not mark as such are bytes for Arrow, and would be written as hexadecimal digits.
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
