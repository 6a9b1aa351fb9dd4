//! Columns of table `logs`, derived from the parser's table of fields.

use super::requests::RequestsColumn;
use super::{ColumnDoc, Shape, TextLayout};
use s3log_parser::{Distinct, Field, FieldSet, Kind};

/// A column of table `logs`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LogsColumn {
    /// A field of the record.
    Field(Field),
    /// Fields after the last documented one.
    ExtraFields,
    /// Whether the line has more than one possible split into fields.
    Ambiguous,
    /// The decoded object key.
    ObjectKey,
    /// The name of the log object that the row comes from.
    LogObject,
}

impl LogsColumn {
    /// Number of columns.
    pub const COUNT: usize = Field::COUNT + 4;

    /// All columns, in table order.
    pub fn all() -> impl Iterator<Item = Self> {
        let derived = [Self::ExtraFields, Self::Ambiguous, Self::ObjectKey, Self::LogObject];
        Field::ALL.into_iter().map(Self::Field).chain(derived)
    }

    /// The column at a position in the table.
    #[must_use]
    pub fn at(index: usize) -> Option<Self> {
        Self::all().nth(index)
    }

    /// The column's name in SQL.
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

    /// What the parser must locate to fill the column.
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

    pub(super) fn doc(self, text: TextLayout) -> ColumnDoc {
        let name = self.name();
        let column = |shape: Shape, nullable, distinct, doc| ColumnDoc {
            name,
            title: "",
            data_type: shape.data_type(text),
            nullable,
            distinct,
            unit: "",
            doc,
            example: "",
        };
        match self {
            Self::Field(field) => {
                let info = field.info();
                let shape = match info.kind {
                    Kind::Text => Shape::Text,
                    Kind::Time => Shape::Time,
                    Kind::Status => Shape::Int32,
                    Kind::Integer => Shape::Int64,
                    Kind::YesNo => Shape::Bool,
                };
                ColumnDoc {
                    name: info.name,
                    title: info.title,
                    data_type: shape.data_type(text),
                    // A line without a time is a reject. Statistics of a non-nullable time allow pruning.
                    nullable: info.kind != Kind::Time,
                    distinct: info.distinct,
                    unit: info.unit,
                    doc: info.doc,
                    example: info.example,
                }
            }
            Self::ExtraFields => {
                let doc = "Fields after the last documented one, and values that do not fit the documented field in their place, as written.";
                column(Shape::TextList, true, Distinct::Many, doc)
            }
            Self::Ambiguous => {
                let doc = "Whether quotes or a second record inside a field allow another split of the line.";
                column(Shape::Bool, false, Distinct::Few, doc)
            }
            Self::ObjectKey => {
                let doc = "The key as the object has it, decoded by the class of the operation.";
                column(Shape::Text, true, Distinct::Many, doc)
            }
            Self::LogObject => RequestsColumn::LogObject.doc(text),
        }
    }
}
