//! Columns of the table `logs`.

use super::columns::Build;
use super::located::OriginRows;
use super::text::{Text, TextBuilder};
use crate::error::Error;
use crate::schema::LogsColumn;
use arrow::array::{ArrayRef, BooleanArray, Int32Array};
use arrow::buffer::BooleanBuffer;
use s3log_parser::value::{key, number};
use s3log_parser::{Field, Kind};
use std::borrow::Cow;
use std::sync::Arc;

/// Builds a column of `logs`.
pub(super) fn array(
    build: &Build<'_>,
    located: &OriginRows,
    column: LogsColumn,
    rows: impl ExactSizeIterator<Item = usize> + Clone,
) -> Result<ArrayRef, Error> {
    let bytes = build.bytes;
    Ok(match column {
        LogsColumn::Field(field) => {
            let spans = located.spans(field);
            match field.info().kind {
                Kind::Text => build.texts(rows.map(|row| spans[row]))?,
                Kind::Time => build.times(rows.map(|row| located.fields.times[row])),
                Kind::Status => {
                    let values = rows.map(|row| spans[row].text(bytes).and_then(number::status).map(i32::from));
                    Arc::new(Int32Array::from_iter(values))
                }
                Kind::Integer => build.integers(rows.map(|row| spans[row])),
                Kind::YesNo => {
                    let values = rows.map(|row| spans[row].text(bytes).map(|_| true));
                    Arc::new(BooleanArray::from_iter(values))
                }
            }
        }
        LogsColumn::ExtraFields => extra_fields(build, located, rows)?,
        LogsColumn::Ambiguous => {
            let values: BooleanBuffer = rows.map(|row| located.ambiguous[row]).collect();
            Arc::new(BooleanArray::new(values, None))
        }
        LogsColumn::ObjectKey => {
            let mut builder = build.text_builder(rows.len());
            for row in rows {
                object_key(build, located, row, &mut builder);
            }
            builder.finish(build.buffer)?
        }
        LogsColumn::LogObject => build.names(&located.fields.part_ends, rows),
    })
}

fn object_key(build: &Build<'_>, located: &OriginRows, row: usize, builder: &mut TextBuilder) {
    let span = located.spans(Field::Key)[row];
    let Some(text) = span.text(build.bytes) else { return builder.push(Text::Null) };
    let operation = located.spans(Field::Operation)[row].text(build.bytes).unwrap_or_default();
    match key::object_key(text, operation) {
        // A key with a `%` may still decode to itself.
        decoded if build.omits_equal_keys && *decoded == text => builder.push(Text::Null),
        Cow::Borrowed(key) => builder.push(Text::Borrowed(key, span.start)),
        Cow::Owned(key) => builder.push(Text::Made(&key)),
    }
}

fn extra_fields(
    build: &Build<'_>,
    located: &OriginRows,
    rows: impl ExactSizeIterator<Item = usize>,
) -> Result<ArrayRef, Error> {
    let OriginRows { extras, extra_ends, .. } = located;
    build.lists(rows, |row, builder| {
        let start = if row == 0 { 0 } else { extra_ends[row - 1] as usize };
        let of_row = &extras[start..extra_ends[row] as usize];
        for span in of_row {
            let text = &build.bytes[span.start as usize..span.end as usize];
            builder.push(Text::Borrowed(text, span.start));
        }
        Some(of_row.len() as i32).filter(|items| *items > 0)
    })
}
