//! Tables and their columns, derived from the parser's table of fields.
//!
//! The schemas are constant: they never depend on what the logs hold. A field that an old log or another system does not
//! write is NULL.

use arrow::datatypes::{DataType, Field as ArrowField, Schema, SchemaRef, TimeUnit};
use s3log_parser::{Field, FieldSet, Kind};
use std::sync::Arc;

/// How text is laid out in Arrow arrays.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum TextLayout {
    /// `Utf8View`: views into the block of lines, without a copy.
    #[default]
    Views,
    /// `Utf8`: copied. For consumers that know no views, and for what travels over a network, since a view takes its
    /// whole block along.
    Plain,
}

impl TextLayout {
    /// The Arrow type of text.
    #[must_use]
    pub fn data_type(self) -> DataType {
        match self {
            Self::Views => DataType::Utf8View,
            Self::Plain => DataType::Utf8,
        }
    }
}

/// A table that log objects are read as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Table {
    /// S3 server access log records.
    Logs,
    /// Lines that are no record.
    Rejects,
}

impl Table {
    /// Every table.
    pub const ALL: [Self; 2] = [Self::Logs, Self::Rejects];

    /// Its name in SQL.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Logs => "logs",
            Self::Rejects => "rejects",
        }
    }

    /// The table of this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|table| table.name() == name)
    }

    /// What its rows are.
    #[must_use]
    pub fn doc(self) -> &'static str {
        match self {
            Self::Logs => "S3 server access log records, one row a record.",
            Self::Rejects => {
                "Lines that are no record, with the reason. Every line that is not blank is either here or in `logs`."
            }
        }
    }

    /// Its columns, in order.
    #[must_use]
    pub fn columns(self, text: TextLayout) -> Vec<ColumnDoc> {
        match self {
            Self::Logs => LogsColumn::all().map(|column| column.doc(text)).collect(),
            Self::Rejects => RejectsColumn::ALL.into_iter().map(|column| column.doc(text)).collect(),
        }
    }

    /// Its Arrow schema.
    #[must_use]
    pub fn schema(self, text: TextLayout) -> SchemaRef {
        let fields = self
            .columns(text)
            .into_iter()
            .map(|column| ArrowField::new(column.name, column.data_type, column.nullable));
        Arc::new(Schema::new(fields.collect::<Vec<_>>()))
    }
}

/// What is known of a column.
#[derive(Clone, Debug, PartialEq)]
pub struct ColumnDoc {
    /// Its name in SQL.
    pub name: &'static str,
    /// Its Arrow type.
    pub data_type: DataType,
    /// Whether it may be NULL.
    pub nullable: bool,
    /// Unit of a number, or the empty text.
    pub unit: &'static str,
    /// What it says.
    pub doc: &'static str,
    /// A value as it stands in a line, or the empty text.
    pub example: &'static str,
}

/// What is known of a table.
#[derive(Clone, Debug, PartialEq)]
pub struct TableDoc {
    /// Its name in SQL.
    pub name: &'static str,
    /// What its rows are.
    pub doc: &'static str,
    /// Its columns, in order.
    pub columns: Vec<ColumnDoc>,
}

/// Every table with its columns.
#[must_use]
pub fn tables() -> Vec<TableDoc> {
    let doc =
        |table: Table| TableDoc { name: table.name(), doc: table.doc(), columns: table.columns(TextLayout::Views) };
    Table::ALL.into_iter().map(doc).collect()
}

/// The Arrow type of `time`: microseconds in UTC. Nanoseconds would not reach from year 1 to 9999.
#[must_use]
pub fn time_type() -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, Some(UTC.into()))
}

pub(crate) const UTC: &str = "UTC";

/// A column of `logs`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LogsColumn {
    /// A field of the record.
    Field(Field),
    /// What stands behind the last documented field.
    ExtraFields,
    /// Whether the line could have been split otherwise.
    Ambiguous,
    /// The key, decoded.
    ObjectKey,
    /// Where the row came from.
    LogObject,
}

impl LogsColumn {
    /// How many columns there are.
    pub const COUNT: usize = Field::COUNT + 4;

    /// Every column, in order.
    pub fn all() -> impl Iterator<Item = Self> {
        let derived = [Self::ExtraFields, Self::Ambiguous, Self::ObjectKey, Self::LogObject];
        Field::ALL.into_iter().map(Self::Field).chain(derived)
    }

    /// The column at this position.
    #[must_use]
    pub fn at(index: usize) -> Option<Self> {
        Self::all().nth(index)
    }

    /// Its name in SQL.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Field(field) => field.name(),
            Self::ExtraFields => "extra_fields",
            Self::Ambiguous => "ambiguous",
            Self::ObjectKey => "object_key",
            Self::LogObject => "log_object",
        }
    }

    /// What must be known of a record to fill the column.
    #[must_use]
    pub fn needs(self) -> FieldSet {
        match self {
            Self::Field(field) => FieldSet::of(field),
            Self::ExtraFields => FieldSet::EXTRA_FIELDS,
            Self::Ambiguous => FieldSet::AMBIGUOUS,
            Self::ObjectKey => FieldSet::from_iter([Field::Operation, Field::Key]),
            Self::LogObject => FieldSet::EMPTY,
        }
    }

    fn doc(self, text: TextLayout) -> ColumnDoc {
        let text = text.data_type();
        let name = self.name();
        let column = |data_type, nullable, doc| ColumnDoc { name, data_type, nullable, unit: "", doc, example: "" };
        match self {
            Self::Field(field) => {
                let info = field.info();
                let data_type = match info.kind {
                    Kind::Text => text,
                    Kind::Time => time_type(),
                    Kind::Status => DataType::Int32,
                    Kind::Integer => DataType::Int64,
                    Kind::YesNo => DataType::Boolean,
                };
                // A line without a time is a reject, which is what lets a time prune.
                let nullable = info.kind != Kind::Time;
                ColumnDoc {
                    name: info.name,
                    data_type,
                    nullable,
                    unit: info.unit,
                    doc: info.doc,
                    example: info.example,
                }
            }
            Self::ExtraFields => {
                let items = DataType::List(Arc::new(ArrowField::new_list_field(text, true)));
                let doc = "Fields behind the last documented one, or in the place of one without being it, as written.";
                column(items, true, doc)
            }
            Self::Ambiguous => {
                let doc = "Whether quotes or a second record inside a field allow another split of the line.";
                column(DataType::Boolean, false, doc)
            }
            Self::ObjectKey => {
                column(text, true, "The key as the object has it, decoded by the class of the operation.")
            }
            Self::LogObject => column(text, false, LOG_OBJECT),
        }
    }
}

const LOG_OBJECT: &str = "The log object or file that the row came from.";

/// A column of `rejects`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RejectsColumn {
    /// Where the line came from.
    LogObject,
    /// Its number, from 1.
    LineNumber,
    /// Where its first byte stands.
    ByteOffset,
    /// Why it is no record.
    Reason,
    /// The line.
    Line,
}

impl RejectsColumn {
    /// Every column, in order.
    pub const ALL: [Self; 5] = [Self::LogObject, Self::LineNumber, Self::ByteOffset, Self::Reason, Self::Line];

    fn doc(self, text: TextLayout) -> ColumnDoc {
        let text = text.data_type();
        let (name, data_type, unit, doc) = match self {
            Self::LogObject => ("log_object", text, "", LOG_OBJECT),
            Self::LineNumber => {
                ("line_number", DataType::Int64, "", "Number of the line in its object, from 1; blank lines count.")
            }
            Self::ByteOffset => (
                "byte_offset",
                DataType::Int64,
                "bytes",
                "Where the line's first byte stands in its object, after decompression.",
            ),
            Self::Reason => ("reason", text, "", "Why the line is no record, and in which field."),
            Self::Line => {
                ("line", text, "", "The line, without its end. Of a line beyond the limit of length its beginning.")
            }
        };
        ColumnDoc { name, data_type, nullable: false, unit, doc, example: "" }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
}
