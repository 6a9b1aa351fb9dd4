//! One `column = value` per line, with an empty line between rows: for records wider than any terminal.

use std::io::{self, Write};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use unicode_width::UnicodeWidthStr as _;

use super::escape::visible;
use super::{Paint, ResultWriter, columns_of};

pub(crate) struct LineWriter<W> {
    sink: W,
    null: String,
    paint: Paint,
    /// Column names, right-aligned to the widest.
    names: Vec<String>,
    rows: u64,
}

impl<W: Write> LineWriter<W> {
    pub(crate) fn new(sink: W, null: Option<&str>, paint: Paint) -> Self {
        Self { sink, null: null.unwrap_or("NULL").to_owned(), paint, names: Vec::new(), rows: 0 }
    }

    /// Sets the column names.
    pub(super) fn set_names<'a>(&mut self, names: impl Iterator<Item = &'a str>) {
        let names: Vec<String> = names.map(|name| visible(name).into_owned()).collect();
        let widest = names.iter().map(|name| name.width()).max().unwrap_or(0);
        self.names = names.into_iter().map(|name| format!("{}{name}", " ".repeat(widest - name.width()))).collect();
    }

    /// Writes one row; `None` is NULL.
    pub(super) fn write_row<'a>(&mut self, cells: impl Iterator<Item = Option<&'a str>>) -> io::Result<()> {
        let mut lines = String::new();
        if self.rows > 0 {
            lines.push('\n');
        }
        self.rows += 1;
        for (name, cell) in self.names.iter().zip(cells) {
            lines.push_str(&self.paint.strong(name));
            lines.push_str(" = ");
            match cell {
                // A value must not start a new line, which would look like another column.
                Some(text) => lines.push_str(&visible(text)),
                None => lines.push_str(&self.paint.faint(&self.null)),
            }
            lines.push('\n');
        }
        self.sink.write_all(lines.as_bytes())
    }
}

impl<W: Write + Send> ResultWriter for LineWriter<W> {
    fn begin(&mut self, schema: &SchemaRef) -> io::Result<()> {
        self.set_names(schema.fields().iter().map(|field| field.name().as_str()));
        Ok(())
    }

    fn write(&mut self, batch: &RecordBatch) -> io::Result<()> {
        let columns = columns_of(batch)?;
        let mut texts = vec![String::new(); columns.len()];
        for row in 0..batch.num_rows() {
            for (column, text) in columns.iter().zip(&mut texts) {
                text.clear();
                column.push_text(row, text);
            }
            let cells = columns.iter().zip(&texts);
            self.write_row(cells.map(|(column, text)| (!column.is_null(row)).then_some(text.as_str())))?;
        }
        Ok(())
    }

    fn finish(&mut self) -> io::Result<()> {
        Ok(())
    }
}
