//! A table in GitHub's Markdown, for tickets and reports.
//! Values are log text, and tickets are rendered: everything that Markdown or HTML would interpret is escaped, so that
//! no user agent becomes a link or an image in someone's browser.

use std::io::{self, Write};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use s3log_engine::detect::escape_markdown;

use super::escape::visible;
use super::value::is_numeric;
use super::{ResultWriter, columns_of};

pub(crate) struct MarkdownWriter<W> {
    sink: W,
    null: String,
}

impl<W: Write> MarkdownWriter<W> {
    pub(crate) fn new(sink: W, null: Option<&str>) -> Self {
        Self { sink, null: null.unwrap_or("NULL").to_owned() }
    }
}

fn push_cell(text: &str, out: &mut String) {
    out.push(' ');
    for (at, line) in text.split('\n').enumerate() {
        if at > 0 {
            out.push_str("<br>");
        }
        out.push_str(&escape_markdown(&visible(line.trim_end_matches('\r'))));
    }
    out.push_str(" |");
}

impl<W: Write + Send> ResultWriter for MarkdownWriter<W> {
    fn begin(&mut self, schema: &SchemaRef) -> io::Result<()> {
        let mut names = String::from("|");
        let mut rule = String::from("|");
        for field in schema.fields() {
            push_cell(field.name(), &mut names);
            rule.push_str(if is_numeric(field.data_type()) { " ---: |" } else { " --- |" });
        }
        writeln!(self.sink, "{names}\n{rule}")
    }

    fn write(&mut self, batch: &RecordBatch) -> io::Result<()> {
        let columns = columns_of(batch)?;
        let mut lines = String::new();
        let mut cell = String::new();
        for row in 0..batch.num_rows() {
            lines.push('|');
            for column in &columns {
                cell.clear();
                if column.is_null(row) {
                    cell.push_str(&self.null);
                } else {
                    column.push_text(row, &mut cell);
                }
                push_cell(&cell, &mut lines);
            }
            lines.push('\n');
        }
        self.sink.write_all(lines.as_bytes())
    }

    fn finish(&mut self) -> io::Result<()> {
        Ok(())
    }
}
