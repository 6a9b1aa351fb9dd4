//! Columns of the tables that rules read: definitions, and array construction.

use crate::schema::{ColumnDoc, TextLayout, time_type};
use arrow::array::{
    ArrayRef, BooleanArray, Float64Array, Int64Array, ListBuilder, RecordBatch, StringViewArray, StringViewBuilder,
    TimestampMicrosecondArray,
};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::error::ArrowError;
use s3log_parser::Distinct;
use std::sync::Arc;

/// Type of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Text,
    Texts,
    Time,
    Integer,
    Double,
    Boolean,
}

/// A column: name, type, description.
pub(crate) type Column = (&'static str, Kind, &'static str);

/// How a column gets its value from a row.
pub(crate) enum Get<R> {
    Text(for<'a> fn(&'a R) -> Option<&'a str>),
    Texts(for<'a> fn(&'a R) -> Vec<&'a str>),
    Time(fn(&R) -> Option<i64>),
    Integer(fn(&R) -> u64),
    Double(fn(&R) -> Option<f64>),
    Boolean(fn(&R) -> bool),
}

/// A column of a table whose rows are structs: name, how it gets its value, description.
pub(crate) type RowColumn<R> = (&'static str, Get<R>, &'static str);

impl<R> Get<R> {
    fn kind(&self) -> Kind {
        match self {
            Self::Text(_) => Kind::Text,
            Self::Texts(_) => Kind::Texts,
            Self::Time(_) => Kind::Time,
            Self::Integer(_) => Kind::Integer,
            Self::Double(_) => Kind::Double,
            Self::Boolean(_) => Kind::Boolean,
        }
    }

    fn array(&self, rows: &[R]) -> ArrayRef {
        let rows = rows.iter();
        match self {
            Self::Text(get) => texts(rows.map(get)),
            Self::Texts(get) => text_lists(rows.map(|row| get(row).into_iter())),
            Self::Time(get) => times(rows.map(get)),
            Self::Integer(get) => integers(rows.map(get)),
            Self::Double(get) => doubles(rows.map(get)),
            Self::Boolean(get) => booleans(rows.map(get)),
        }
    }
}

/// The columns without their rows.
pub(crate) fn columns_of<R>(columns: &[RowColumn<R>]) -> Vec<Column> {
    columns.iter().map(|(name, get, doc)| (*name, get.kind(), *doc)).collect()
}

/// Builds a table from its rows.
pub(crate) fn table_of<R>(columns: &[RowColumn<R>], rows: &[R]) -> Result<RecordBatch, ArrowError> {
    batch_of(&columns_of(columns), columns.iter().map(|(_, get, _)| get.array(rows)).collect())
}

impl Kind {
    pub(crate) fn data_type(self) -> DataType {
        let text = TextLayout::Views.data_type();
        match self {
            Self::Text => text,
            Self::Texts => DataType::List(Arc::new(Field::new_list_field(text, true))),
            Self::Time => time_type(),
            Self::Integer => DataType::Int64,
            Self::Double => DataType::Float64,
            Self::Boolean => DataType::Boolean,
        }
    }
}

/// The schema of a table with these columns.
pub(crate) fn schema_of<'a>(columns: impl IntoIterator<Item = &'a Column>) -> SchemaRef {
    let fields = columns.into_iter().map(|(name, kind, _)| Field::new(*name, kind.data_type(), true));
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

/// The documentation of a column.
pub(crate) fn doc_of((name, kind, doc): &Column) -> ColumnDoc {
    let (data_type, nullable) = (kind.data_type(), true);
    ColumnDoc { name, title: "", data_type, nullable, distinct: Distinct::Many, unit: "", doc, example: "" }
}

/// Creates a batch with these columns.
pub(crate) fn batch_of<'a>(
    columns: impl IntoIterator<Item = &'a Column>,
    arrays: Vec<ArrayRef>,
) -> Result<RecordBatch, ArrowError> {
    RecordBatch::try_new(schema_of(columns), arrays)
}

pub(crate) fn texts(values: impl Iterator<Item = Option<impl AsRef<str>>>) -> ArrayRef {
    Arc::new(values.collect::<StringViewArray>())
}

pub(crate) fn times(values: impl Iterator<Item = Option<i64>>) -> ArrayRef {
    Arc::new(values.collect::<TimestampMicrosecondArray>().with_timezone(crate::schema::UTC))
}

pub(crate) fn integers(values: impl Iterator<Item = u64>) -> ArrayRef {
    Arc::new(values.map(|value| i64::try_from(value).ok()).collect::<Int64Array>())
}

pub(crate) fn optional_integers(values: impl Iterator<Item = Option<i64>>) -> ArrayRef {
    Arc::new(values.collect::<Int64Array>())
}

pub(crate) fn doubles(values: impl Iterator<Item = Option<f64>>) -> ArrayRef {
    Arc::new(values.collect::<Float64Array>())
}

pub(crate) fn booleans(values: impl Iterator<Item = bool>) -> ArrayRef {
    Arc::new(values.map(Some).collect::<BooleanArray>())
}

pub(crate) fn text_lists<'a, I: Iterator<Item = &'a str>>(rows: impl Iterator<Item = I>) -> ArrayRef {
    let mut lists = ListBuilder::new(StringViewBuilder::new());
    for row in rows {
        row.for_each(|text| lists.values().append_value(text));
        lists.append(true);
    }
    Arc::new(lists.finish())
}
