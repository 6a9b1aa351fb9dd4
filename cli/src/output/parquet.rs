//! Parquet with zstd compression. It does not need to seek, so it may go to a pipe.

use std::io::{self, Write};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;

use super::ResultWriter;
use super::portable::{portable_batch, portable_schema};

/// A row group is written when its encoders hold this many bytes, which bounds memory however wide the rows are.
const ROW_GROUP_BYTES: usize = 128 << 20;

pub(crate) struct ParquetWriter<W: Write + Send> {
    state: State<W>,
}

enum State<W: Write + Send> {
    New(W),
    Open(Box<ArrowWriter<W>>, SchemaRef),
    Done,
}

impl<W: Write + Send> ParquetWriter<W> {
    pub(crate) fn new(sink: W) -> Self {
        Self { state: State::New(sink) }
    }
}

impl<W: Write + Send> ResultWriter for ParquetWriter<W> {
    fn begin(&mut self, schema: &SchemaRef) -> io::Result<()> {
        if let State::New(sink) = std::mem::replace(&mut self.state, State::Done) {
            let schema = portable_schema(schema);
            let level = ZstdLevel::try_new(3).map_err(parquet_error)?;
            let properties = WriterProperties::builder().set_compression(Compression::ZSTD(level)).build();
            let writer = ArrowWriter::try_new(sink, schema.clone(), Some(properties)).map_err(parquet_error)?;
            self.state = State::Open(Box::new(writer), schema);
        }
        Ok(())
    }

    fn write(&mut self, batch: &RecordBatch) -> io::Result<()> {
        let State::Open(writer, schema) = &mut self.state else { return Ok(()) };
        writer.write(&portable_batch(batch, schema)?).map_err(parquet_error)?;
        if writer.memory_size() > ROW_GROUP_BYTES {
            writer.flush().map_err(parquet_error)?;
        }
        Ok(())
    }

    fn finish(&mut self) -> io::Result<()> {
        if let State::Open(writer, _) = std::mem::replace(&mut self.state, State::Done) {
            writer.close().map_err(parquet_error)?;
        }
        Ok(())
    }
}

/// Unwraps the error of the sink, so that a closed pipe is recognised.
fn parquet_error(error: ParquetError) -> io::Error {
    match error {
        ParquetError::External(source) => match source.downcast::<io::Error>() {
            Ok(error) => *error,
            Err(source) => io::Error::other(source),
        },
        other => io::Error::other(other),
    }
}
