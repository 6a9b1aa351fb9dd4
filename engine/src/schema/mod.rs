//! Tables and their columns, derived from the parser's tables of fields.
//!
//! Schemas are constant and never depend on the data. A field that an old log or another system does not write is NULL.

mod cdn;
mod logs;
mod rejects;
mod requests;

pub use cdn::CdnColumn;
pub use logs::LogsColumn;
pub use rejects::RejectsColumn;
pub use requests::RequestsColumn;

use arrow::datatypes::{DataType, Field as ArrowField, Schema, SchemaRef, TimeUnit};
use s3log_parser::Distinct;
use std::sync::Arc;

/// The Arrow layout of text columns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum TextLayout {
    /// `Utf8View`: views into the block of lines, without copying.
    #[default]
    Views,
    /// `Utf8`: copied. For consumers without support for views, and for data sent over a network, because a view takes
    /// its whole block along.
    Plain,
}

impl TextLayout {
    /// The Arrow type of text columns in this layout.
    #[must_use]
    pub fn data_type(self) -> DataType {
        match self {
            Self::Views => DataType::Utf8View,
            Self::Plain => DataType::Utf8,
        }
    }
}

/// A table over log objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Table {
    /// S3 server access log records.
    Logs,
    /// CloudFront-format records.
    Cdn,
    /// Records of both kinds in a common schema.
    Requests,
    /// Lines that do not parse as a record.
    Rejects,
}

impl Table {
    /// All tables.
    pub const ALL: [Self; 4] = [Self::Logs, Self::Cdn, Self::Requests, Self::Rejects];

    /// The table's name in SQL.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Logs => "logs",
            Self::Cdn => "cdn",
            Self::Requests => "requests",
            Self::Rejects => "rejects",
        }
    }

    /// The table with this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|table| table.name() == name)
    }

    /// A description of the rows.
    #[must_use]
    pub fn doc(self) -> &'static str {
        match self {
            Self::Logs => "S3 server access log records, one row a record.",
            Self::Cdn => {
                "Records in the CloudFront format, as CloudFront and the CDN of Spaces write them, one row a record."
            }
            Self::Requests => {
                "The rows of `logs` and of `cdn` in the same columns: one row a request as a client, or the CDN, made it."
            }
            Self::Rejects => {
                "Lines that are no record, with the reason. Every line that is neither blank nor a header of a CDN log is \
                 in exactly one of `logs`, `cdn` and `rejects`."
            }
        }
    }

    /// Whether the rows are records, and so have a time.
    #[must_use]
    pub fn has_time(self) -> bool {
        self != Self::Rejects
    }

    /// The columns, in order.
    #[must_use]
    pub fn columns(self, text: TextLayout) -> Vec<ColumnDoc> {
        match self {
            Self::Logs => LogsColumn::all().map(|column| column.doc(text)).collect(),
            Self::Cdn => CdnColumn::all().map(|column| column.doc(text)).collect(),
            Self::Requests => RequestsColumn::ALL.iter().map(|column| column.doc(text)).collect(),
            Self::Rejects => RejectsColumn::ALL.into_iter().map(|column| column.doc(text)).collect(),
        }
    }

    /// The Arrow schema.
    #[must_use]
    pub fn schema(self, text: TextLayout) -> SchemaRef {
        let fields = self
            .columns(text)
            .into_iter()
            .map(|column| ArrowField::new(column.name, column.data_type, column.nullable));
        Arc::new(Schema::new(fields.collect::<Vec<_>>()))
    }
}

/// Documentation of a column.
#[derive(Clone, Debug, PartialEq)]
pub struct ColumnDoc {
    /// The column's name in SQL.
    pub name: &'static str,
    /// The field's name in the log, or an empty string.
    pub title: &'static str,
    /// The Arrow type.
    pub data_type: DataType,
    /// Whether values may be NULL.
    pub nullable: bool,
    /// Expected number of distinct values.
    pub distinct: Distinct,
    /// The unit of a number, or an empty string.
    pub unit: &'static str,
    /// The meaning of the column.
    pub doc: &'static str,
    /// An example value as it appears in a line, or an empty string.
    pub example: &'static str,
}

/// Documentation of a table.
#[derive(Clone, Debug, PartialEq)]
pub struct TableDoc {
    /// The table's name in SQL.
    pub name: &'static str,
    /// A description of the rows.
    pub doc: &'static str,
    /// The columns, in order.
    pub columns: Vec<ColumnDoc>,
}

/// Name of the view of requests made by clients.
pub(crate) const VISITOR_REQUESTS: &str = "visitor_requests";

/// All tables, and the view that a session creates over `requests`, which follows its table.
#[must_use]
pub fn tables() -> Vec<TableDoc> {
    let doc =
        |table: Table| TableDoc { name: table.name(), doc: table.doc(), columns: table.columns(TextLayout::Views) };
    let with_views = |table: Table| {
        let view = (table == Table::Requests).then(|| TableDoc {
            name: VISITOR_REQUESTS,
            doc: "The rows of `requests` without those that the CDN itself made, so that nobody is counted twice.",
            ..doc(table)
        });
        std::iter::once(doc(table)).chain(view)
    };
    Table::ALL.into_iter().flat_map(with_views).collect()
}

/// The Arrow type of `time`: microseconds in UTC. Nanoseconds cannot represent the years 1 to 9999.
#[must_use]
pub fn time_type() -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, Some(UTC.into()))
}

pub(crate) const UTC: &str = "UTC";

/// The types of columns.
#[derive(Clone, Copy, Debug)]
enum Shape {
    Text,
    TextList,
    Time,
    Int32,
    Int64,
    Float64,
    Bool,
}

impl Shape {
    fn data_type(self, text: TextLayout) -> DataType {
        match self {
            Self::Text => text.data_type(),
            Self::TextList => DataType::List(Arc::new(ArrowField::new_list_field(text.data_type(), true))),
            Self::Time => time_type(),
            Self::Int32 => DataType::Int32,
            Self::Int64 => DataType::Int64,
            Self::Float64 => DataType::Float64,
            Self::Bool => DataType::Boolean,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use s3log_parser::Field;

    #[test]
    fn the_schema_of_logs_is_the_table_of_fields_and_four_more() {
        let schema = Table::Logs.schema(TextLayout::Views);
        assert_eq!(schema.fields().len(), LogsColumn::COUNT);
        for (index, field) in Field::ALL.into_iter().enumerate() {
            assert_eq!(schema.field(index).name(), field.name());
        }
        let last: Vec<_> = schema.fields()[Field::COUNT..].iter().map(|field| field.name().as_str()).collect();
        assert_eq!(last, ["extra_fields", "ambiguous", "object_key", "log_object"]);
        let required: Vec<_> =
            schema.fields().iter().filter(|field| !field.is_nullable()).map(|field| field.name().as_str()).collect();
        assert_eq!(required, ["time", "ambiguous", "log_object"]);
    }

    #[test]
    fn columns_are_found_by_position() {
        for (index, column) in LogsColumn::all().enumerate() {
            assert_eq!(LogsColumn::at(index), Some(column));
        }
        assert_eq!(LogsColumn::at(LogsColumn::COUNT), None);
    }

    #[test]
    fn every_table_has_names_of_its_own_and_says_where_rows_came_from() {
        for table in Table::ALL {
            let columns = table.columns(TextLayout::Views);
            let mut names: Vec<_> = columns.iter().map(|column| column.name).collect();
            assert!(names.contains(&"log_object"), "{table:?}");
            assert_eq!(table.has_time(), names.contains(&"time"), "{table:?}");
            assert!(columns.iter().all(|column| column.doc.ends_with('.')), "{table:?}");
            names.sort_unstable();
            names.dedup();
            assert_eq!(names.len(), columns.len(), "{table:?}");
            assert_eq!(Table::from_name(table.name()), Some(table));
        }
    }
}
