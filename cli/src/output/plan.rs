//! What `EXPLAIN` returns, as the text that it is: a plan in a table's cell could not be read.

use std::io::{self, Write};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;

use super::escape::visible_lines;
use super::{Paint, ResultWriter, columns_of};

/// Writes the rows of `EXPLAIN`: the first column is a heading, the others are text.
pub(crate) struct PlanWriter<W> {
    sink: W,
    terminal: bool,
    paint: Paint,
}

impl<W: Write> PlanWriter<W> {
    /// A writer to `sink`; `terminal` shows control characters (names of objects are in plans) instead of writing them.
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
