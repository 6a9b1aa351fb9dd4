//! Columns of table `cdn`, derived from the parser's table of fields.

use super::requests::RequestsColumn;
use super::{ColumnDoc, Shape, TextLayout};
use s3log_parser::cdn;

/// A column of table `cdn`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CdnColumn {
    /// A field of the record.
    Field(cdn::Field),
    /// The name of the log object that the row comes from.
    LogObject,
}

impl CdnColumn {
    /// Number of columns.
    pub const COUNT: usize = cdn::Field::COUNT + 1;

    /// All columns, in table order.
    pub fn all() -> impl Iterator<Item = Self> {
        cdn::Field::ALL.into_iter().map(Self::Field).chain([Self::LogObject])
    }

    /// The column at a position in the table.
    #[must_use]
    pub fn at(index: usize) -> Option<Self> {
        Self::all().nth(index)
    }

    pub(super) fn doc(self, text: TextLayout) -> ColumnDoc {
        match self {
            Self::Field(field) => {
                let info = field.info();
                let shape = match info.kind {
                    cdn::Kind::Text => Shape::Text,
                    cdn::Kind::Time => Shape::Time,
                    cdn::Kind::Status | cdn::Kind::Integer => Shape::Int64,
                    cdn::Kind::Seconds => Shape::Float64,
                };
                ColumnDoc {
                    name: info.name,
                    title: info.title,
                    data_type: shape.data_type(text),
                    nullable: info.kind != cdn::Kind::Time,
                    distinct: info.distinct,
                    unit: info.unit,
                    doc: info.doc,
                    example: info.example,
                }
            }
            Self::LogObject => RequestsColumn::LogObject.doc(text),
        }
    }
}
