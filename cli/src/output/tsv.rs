//! Tab-separated values, escaped as in the text formats of PostgreSQL and ClickHouse (`\t`, `\n`, `\r`, `\\`), so that
//! a line is always a row and a tab always ends a field. NULL is `\N` unless `--null` says otherwise.

use std::io::{self, Write};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;

use super::escape::visible;
use super::{ResultWriter, columns_of};

pub(crate) struct TsvWriter<W> {
    sink: W,
    header: bool,
    null: String,
    terminal: bool,
}

impl<W: Write> TsvWriter<W> {
    /// `terminal`: escape control characters.
    pub(crate) fn new(sink: W, header: bool, null: Option<&str>, terminal: bool) -> Self {
        Self { sink, header, null: null.unwrap_or("\\N").to_owned(), terminal }
    }

    fn push_field(&self, text: &str, out: &mut String) {
        let mut escaped = String::with_capacity(text.len());
        for c in text.chars() {
            match c {
                '\\' => escaped.push_str("\\\\"),
                '\t' => escaped.push_str("\\t"),
                '\n' => escaped.push_str("\\n"),
                '\r' => escaped.push_str("\\r"),
                _ => escaped.push(c),
            }
        }
        if self.terminal {
            out.push_str(&visible(&escaped));
        } else {
            out.push_str(&escaped);
        }
    }
}

impl<W: Write + Send> ResultWriter for TsvWriter<W> {
    fn begin(&mut self, schema: &SchemaRef) -> io::Result<()> {
        if !self.header {
            return Ok(());
        }
        let mut line = String::new();
        for (n, field) in schema.fields().iter().enumerate() {
            if n > 0 {
                line.push('\t');
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
                    lines.push('\t');
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
