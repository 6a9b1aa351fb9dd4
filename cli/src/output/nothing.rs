//! Reads everything and prints nothing: to time a query, or for its side effects.

use std::io;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;

use super::ResultWriter;

#[derive(Debug, Default)]
pub(crate) struct NullWriter;

impl ResultWriter for NullWriter {
    fn begin(&mut self, _schema: &SchemaRef) -> io::Result<()> {
        Ok(())
    }

    fn write(&mut self, _batch: &RecordBatch) -> io::Result<()> {
        Ok(())
    }

    fn finish(&mut self) -> io::Result<()> {
        Ok(())
    }
}
