//! JSON: one object per row, in an array (`json`) or one per line (`ndjson`). NULL is `null`, lists are arrays,
//! timestamps are RFC 3339 strings.

use std::io::{self, Write};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;

use super::portable::distinct_names;
use super::value::push_json_text;
use super::{ResultWriter, columns_of};

/// Layout of the rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Layout {
    Array,
    /// One object per line.
    Lines,
}

pub(crate) struct JsonWriter<W> {
    sink: W,
    layout: Layout,
    terminal: bool,
    /// Column names as JSON strings, each followed by a colon.
    names: Vec<String>,
    rows: u64,
}

impl<W: Write> JsonWriter<W> {
    /// `terminal`: use JSON escapes for characters that a terminal would obey.
    pub(crate) fn new(sink: W, layout: Layout, terminal: bool) -> Self {
        Self { sink, layout, terminal, names: Vec::new(), rows: 0 }
    }
}

impl<W: Write + Send> ResultWriter for JsonWriter<W> {
    fn begin(&mut self, schema: &SchemaRef) -> io::Result<()> {
        let name = |name: &String| {
            let mut text = String::new();
            push_json_text(name, self.terminal, &mut text);
            text.push(':');
            text
        };
        self.names = distinct_names(schema).iter().map(name).collect();
        if self.layout == Layout::Array { self.sink.write_all(b"[") } else { Ok(()) }
    }

    fn write(&mut self, batch: &RecordBatch) -> io::Result<()> {
        let columns = columns_of(batch)?;
        let mut lines = String::new();
        for row in 0..batch.num_rows() {
            if self.layout == Layout::Array {
                lines.push_str(if self.rows == 0 { "\n" } else { ",\n" });
            }
            self.rows += 1;
            for (n, (name, column)) in self.names.iter().zip(&columns).enumerate() {
                lines.push(if n == 0 { '{' } else { ',' });
                lines.push_str(name);
                column.push_json(row, self.terminal, &mut lines);
            }
            lines.push('}');
            if self.layout == Layout::Lines {
                lines.push('\n');
            }
        }
        self.sink.write_all(lines.as_bytes())
    }

    fn finish(&mut self) -> io::Result<()> {
        match self.layout {
            Layout::Array if self.rows == 0 => self.sink.write_all(b"]\n"),
            Layout::Array => self.sink.write_all(b"\n]\n"),
            Layout::Lines => Ok(()),
        }
    }
}
