//! Comma-separated values as in RFC 4180, with LF as line end.
//! NULL is the text of `--null` (empty by default) without quotes. A value with the same text is quoted, so that the
//! two can be distinguished.

use std::io::{self, Write};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;

use super::escape::visible;
use super::{ResultWriter, columns_of};

pub(crate) struct CsvWriter<W> {
    sink: W,
    header: bool,
    null: String,
    terminal: bool,
}

impl<W: Write> CsvWriter<W> {
    /// `terminal`: escape control characters.
    pub(crate) fn new(sink: W, header: bool, null: Option<&str>, terminal: bool) -> Self {
        Self { sink, header, null: null.unwrap_or_default().to_owned(), terminal }
    }

    fn push_field(&self, text: &str, out: &mut String) {
        let text = if self.terminal { visible(text) } else { text.into() };
        if text.contains([',', '"', '\n', '\r']) || text == self.null.as_str() {
            out.push('"');
            for (n, part) in text.split('"').enumerate() {
                if n > 0 {
                    out.push_str("\"\"");
                }
                out.push_str(part);
            }
            out.push('"');
        } else {
            out.push_str(&text);
        }
    }
}

impl<W: Write + Send> ResultWriter for CsvWriter<W> {
    fn begin(&mut self, schema: &SchemaRef) -> io::Result<()> {
        if !self.header {
            return Ok(());
        }
        let mut line = String::new();
        for (n, field) in schema.fields().iter().enumerate() {
            if n > 0 {
                line.push(',');
            }
            self.push_field(field.name(), &mut line);
        }
        line.push('\n');
        self.sink.write_all(line.as_bytes())
    }

    fn write(&mut self, batch: &RecordBatch) -> io::Result<()> {
        let columns = columns_of(batch)?;
        let mut lines = String::new();
        let mut cell = String::new();
        for row in 0..batch.num_rows() {
            for (n, column) in columns.iter().enumerate() {
                if n > 0 {
                    lines.push(',');
                }
                if column.is_null(row) {
                    lines.push_str(&self.null);
                } else {
                    cell.clear();
                    column.push_text(row, &mut cell);
                    self.push_field(&cell, &mut lines);
                }
            }
            lines.push('\n');
        }
        self.sink.write_all(lines.as_bytes())
    }

    fn finish(&mut self) -> io::Result<()> {
        Ok(())
    }
}
