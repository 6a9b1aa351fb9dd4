//! Rows of `requests` from rows of `logs` or `cdn` in a dataset, by the same rules as from lines.

use super::{cdn_array, cdn_needs, origin_array, origin_needs};
use crate::decode::Block;
use crate::decode::LineOptions;
use crate::decode::cdn::CdnRows;
use crate::decode::columns::Build;
use crate::decode::located::OriginRows;
use crate::decode::records::batch;
use crate::decode::span::Span;
use crate::error::{Error, ErrorKind};
use crate::schema::{CdnColumn, LogsColumn, RequestsColumn, Table, TextLayout};
use arrow::array::{Array, ArrayRef, ArrowPrimitiveType, AsArray, PrimitiveArray, RecordBatch};
use arrow::buffer::Buffer;
use arrow::datatypes::{DataType, Float64Type, Int32Type, Int64Type, SchemaRef, TimestampMicrosecondType};
use s3log_parser::{Field, FieldSet, cdn};
use std::fmt::{Display, Write as _};
use std::sync::Arc;

/// Converts batches of another table to rows of `requests`.
#[derive(Clone, Debug)]
pub(crate) struct RequestsOfRows {
    from: Table,
    columns: Vec<RequestsColumn>,
    /// Positions of the required columns of the other table.
    needed: Vec<usize>,
    schema: SchemaRef,
    layout: TextLayout,
    lines: LineOptions,
}

/// The span of a NULL value: a `-`, as in a line.
const NULL: Span = Span { start: 0, end: 1 };

impl RequestsOfRows {
    /// Columns of `requests`, given by position and in this order, from rows of `from` (`logs` or `cdn`).
    pub(crate) fn new(from: Table, columns: &[usize], layout: TextLayout, lines: LineOptions) -> Self {
        let all = Table::Requests.schema(layout);
        let fields: Vec<_> = columns.iter().filter_map(|at| all.fields().get(*at)).map(Arc::clone).collect();
        let columns: Vec<_> = columns.iter().filter_map(|at| RequestsColumn::ALL.get(*at)).copied().collect();
        let wants = |wanted: RequestsColumn| columns.contains(&wanted);
        let needed: Vec<usize> = match from {
            Table::Cdn => {
                let fields = columns.iter().fold(cdn::FieldSet::EMPTY, |all, column| all | cdn_needs(*column));
                let is_needed = |column: &CdnColumn| match column {
                    CdnColumn::Field(field) => fields.contains(*field),
                    CdnColumn::LogObject => wants(RequestsColumn::LogObject),
                };
                CdnColumn::all().enumerate().filter(|(_, column)| is_needed(column)).map(|(at, _)| at).collect()
            }
            _ => {
                let rules = &lines.requests;
                let fields = columns.iter().fold(FieldSet::EMPTY, |all, column| all | origin_needs(*column, rules));
                let is_needed = |column: &LogsColumn| match column {
                    LogsColumn::Field(field) => fields.contains(*field),
                    LogsColumn::Ambiguous => wants(RequestsColumn::Ambiguous),
                    LogsColumn::LogObject => wants(RequestsColumn::LogObject),
                    LogsColumn::ExtraFields | LogsColumn::ObjectKey => false,
                };
                LogsColumn::all().enumerate().filter(|(_, column)| is_needed(column)).map(|(at, _)| at).collect()
            }
        };
        Self { from, columns, needed, schema: Arc::new(arrow::datatypes::Schema::new(fields)), layout, lines }
    }

    /// The table that rows are converted from.
    #[cfg(feature = "cluster")]
    pub(crate) fn from(&self) -> Table {
        self.from
    }

    /// Positions of the columns in `requests`.
    #[cfg(feature = "cluster")]
    pub(crate) fn columns(&self) -> impl Iterator<Item = usize> {
        self.columns.iter().filter_map(|column| RequestsColumn::ALL.iter().position(|other| other == column))
    }

    #[cfg(feature = "cluster")]
    pub(crate) fn layout(&self) -> TextLayout {
        self.layout
    }

    #[cfg(feature = "cluster")]
    pub(crate) fn lines(&self) -> &LineOptions {
        &self.lines
    }

    /// Positions of the columns of the other table that input batches must have, in this order.
    pub(crate) fn needed(&self) -> &[usize] {
        &self.needed
    }

    /// The schema of the output.
    pub(crate) fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// Converts a batch of the needed columns.
    pub(crate) fn make(&self, of: &RecordBatch) -> Result<RecordBatch, Error> {
        let rows = of.num_rows();
        let mut text = "-".to_owned();
        let (mut origin, mut located) = (OriginRows::default(), CdnRows::default());
        (origin.fields.rows, located.rows) = (rows, rows);
        for (at, array) in self.needed.iter().zip(of.columns()) {
            match self.from {
                Table::Cdn => match CdnColumn::at(*at) {
                    Some(CdnColumn::Field(cdn::Field::Time)) => located.times = times(array)?,
                    Some(CdnColumn::Field(field)) => {
                        // CDN fields that are NULL are absent.
                        let absent = |span| if span == NULL { Span::ABSENT } else { span };
                        spans(array, &mut text)?.into_iter().for_each(|span| located.push_span(field, absent(span)));
                    }
                    _ => {}
                },
                _ => match LogsColumn::at(*at) {
                    Some(LogsColumn::Field(Field::Time)) => origin.fields.times = times(array)?,
                    Some(LogsColumn::Field(field)) => {
                        spans(array, &mut text)?.into_iter().for_each(|span| origin.fields.push_span(field, span));
                    }
                    Some(LogsColumn::Ambiguous) => origin.ambiguous = array.as_boolean().values().iter().collect(),
                    _ => {}
                },
            }
        }
        if u32::try_from(text.len()).is_err() {
            return Err(Error::new(ErrorKind::Unsupported, format!("{rows} rows have more than 4 GiB of text"))
                .with_hint("SET datafusion.execution.batch_size = 1024 takes fewer at a time"));
        }
        let buffer = Buffer::from_vec(text.into_bytes());
        let block = Block::new("", Buffer::default());
        let build = Build {
            block: &block,
            buffer: &buffer,
            bytes: buffer.as_slice(),
            is_utf8: true,
            layout: self.layout,
            copies_text: false,
            omits_equal_keys: false,
        };
        let rules = &self.lines.requests;
        let arrays = self.columns.iter().map(|column| match (column, self.from) {
            (RequestsColumn::LogObject, _) => match of.column_by_name("log_object") {
                Some(names) => Ok(Arc::clone(names)),
                None => Err(Error::new(ErrorKind::Internal, "a batch does not say where its rows came from")),
            },
            (column, Table::Cdn) => cdn_array(&build, &located, *column, rules, 0..rows),
            (column, _) => origin_array(&build, &origin, *column, rules, 0..rows),
        });
        let arrays = arrays.collect::<Result<Vec<_>, _>>()?;
        Ok(batch(Arc::clone(&self.schema), arrays, rows)?)
    }
}

fn times(array: &ArrayRef) -> Result<Vec<i64>, Error> {
    match array.as_primitive_opt::<TimestampMicrosecondType>() {
        Some(times) => Ok(times.values().to_vec()),
        None => Err(unexpected(array)),
    }
}

/// The values of a column in the form they have in a line.
fn spans(array: &ArrayRef, text: &mut String) -> Result<Vec<Span>, Error> {
    Ok(match array.data_type() {
        DataType::Utf8View => {
            let texts = array.as_string_view();
            written(array, text, |row, text| text.push_str(texts.value(row)))
        }
        DataType::Utf8 => {
            let texts = array.as_string::<i32>();
            written(array, text, |row, text| text.push_str(texts.value(row)))
        }
        DataType::Int32 => written(array, text, numbers(array.as_primitive::<Int32Type>())),
        DataType::Int64 => written(array, text, numbers(array.as_primitive::<Int64Type>())),
        DataType::Float64 => written(array, text, numbers(array.as_primitive::<Float64Type>())),
        DataType::Boolean => written(array, text, |_, text| text.push_str("Yes")),
        _ => return Err(unexpected(array)),
    })
}

/// Appends the values that are not NULL to `text`.
fn written(array: &ArrayRef, text: &mut String, write: impl Fn(usize, &mut String)) -> Vec<Span> {
    let span = |row| {
        if array.is_null(row) {
            return NULL;
        }
        let start = text.len() as u32;
        write(row, text);
        Span { start, end: text.len() as u32 }
    };
    (0..array.len()).map(span).collect()
}

fn numbers<T: ArrowPrimitiveType<Native: Display>>(array: &PrimitiveArray<T>) -> impl Fn(usize, &mut String) {
    // Writing to a `String` does not fail.
    move |row, text| _ = write!(text, "{}", array.value(row))
}

fn unexpected(array: &ArrayRef) -> Error {
    Error::new(ErrorKind::Internal, format!("a column of {} is no field of a record", array.data_type()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::RecordsDecoder;

    const ORIGIN: &str = "a1b2 photos [15/Jan/2026:10:22:40 +0000] 192.0.2.3 - 3E56 REST.GET.OBJECT k \"GET /k HTTP/1.1\" 200 - 1 1 1 1 \"-\" \"-\" - hostid SigV4 - AuthHeader photos.s3.example.com\na1b2 photos [15/Jan/2026:10:22:41 +0000] ::ffff:192.0.2.3 - 3E57 REST.GET.OBJECT a%2520b \"GET /photos/a%20b?x=1 HTTP/1.1\" 200 - 2326 2326 34 33 \"-\" \"Amazon CloudFront\" - hostid - - - photos.S3.example.com - - Yes\na1b2 photos [15/Jan/2026:10:22:42 +0000] 192.0.2.3 - 3E57 BATCH.DELETE.OBJECT k - 204 - - - - - - - -\n";
    const CDN: &str = "#Fields: date time c-ip cs-uri-stem sc-status cs(Host) time-taken cs(User-Agent) x-edge-result-type x-forwarded-for asn\n2026-01-15\t10:22:41\t2001:DB8::3\t/a%2520b\t000\tphotos.fra1.cdn.digitaloceanspaces.com\t1.005\tMozilla/5.0%20(x)\tError\t192.0.2.9,%20192.0.2.8\t64496\n2026-01-15\t10:22:42\t-\t/\t200\t-\t-\t-\t-\t-\t-\n";

    #[test]
    fn rows_say_what_lines_say() {
        for (from, text) in [(Table::Logs, ORIGIN), (Table::Cdn, CDN)] {
            for layout in [TextLayout::Views, TextLayout::Plain] {
                let block = Block::new("log", bytes::Bytes::copy_from_slice(text.as_bytes()));
                let every: Vec<usize> = (0..RequestsColumn::ALL.len()).collect();
                let of_lines = RecordsDecoder::new(Table::Requests, &every, layout).decode(&block).unwrap();
                let of_rows = RequestsOfRows::new(from, &every, layout, LineOptions::default());
                let mut decoder = RecordsDecoder::new(from, of_rows.needed(), layout);
                let made = of_rows.make(&decoder.decode(&block).unwrap()).unwrap();
                assert!(made.num_rows() >= 2);
                for (column, (one, other)) in
                    RequestsColumn::ALL.iter().zip(of_lines.columns().iter().zip(made.columns()))
                {
                    assert_eq!(one, other, "{} of {}", column.name(), from.name());
                }
            }
        }
    }
}
