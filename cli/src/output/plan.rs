//! The result of `EXPLAIN` as plain text: in a table cell, a plan is unreadable.

use std::io::{self, Write};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;

use super::escape::visible_lines;
use super::{Paint, ResultWriter, columns_of};

pub(crate) struct PlanWriter<W> {
    sink: W,
    terminal: bool,
    paint: Paint,
}

impl<W: Write> PlanWriter<W> {
    /// `terminal`: escape control characters, which may occur in names of objects.
    pub(crate) fn new(sink: W, terminal: bool, paint: Paint) -> Self {
        Self { sink, terminal, paint }
    }
}

impl<W: Write + Send> ResultWriter for PlanWriter<W> {
    fn begin(&mut self, _schema: &SchemaRef) -> io::Result<()> {
        Ok(())
    }

    fn write(&mut self, batch: &RecordBatch) -> io::Result<()> {
        let columns = columns_of(batch)?;
        for row in 0..batch.num_rows() {
            for (n, column) in columns.iter().enumerate() {
                let mut text = String::new();
                column.push_text(row, &mut text);
                let text = if self.terminal { visible_lines(&text) } else { text.into() };
                if n == 0 {
                    writeln!(self.sink, "{}", self.paint.strong(&text))?;
                } else {
                    for line in text.trim_end().lines() {
                        writeln!(self.sink, "  {line}")?;
                    }
                }
            }
        }
        Ok(())
    }

    fn finish(&mut self) -> io::Result<()> {
        Ok(())
    }
}
