//! Columns of table `rejects`.

use super::requests::RequestsColumn;
use super::{ColumnDoc, Shape, TextLayout};
use s3log_parser::Distinct;

/// A column of table `rejects`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RejectsColumn {
    /// The name of the log object that the line comes from.
    LogObject,
    /// The line number, from 1.
    LineNumber,
    /// Offset of the first byte of the line, after decompression.
    ByteOffset,
    /// Why the line is not a record.
    Reason,
    /// The line itself.
    Line,
}

impl RejectsColumn {
    /// All columns, in table order.
    pub const ALL: [Self; 5] = [Self::LogObject, Self::LineNumber, Self::ByteOffset, Self::Reason, Self::Line];

    pub(super) fn doc(self, text: TextLayout) -> ColumnDoc {
        let (name, shape, unit, doc) = match self {
            Self::LogObject => return RequestsColumn::LogObject.doc(text),
            Self::LineNumber => {
                ("line_number", Shape::Int64, "", "Number of the line in its object, from 1; blank lines count.")
            }
            Self::ByteOffset => (
                "byte_offset",
                Shape::Int64,
                "bytes",
                "Where the line's first byte stands in its object, after decompression.",
            ),
            Self::Reason => ("reason", Shape::Text, "", "Why the line is not a record, and in which field."),
            Self::Line => (
                "line",
                Shape::Text,
                "",
                "The line, without its end. Of a line beyond the limit of length its beginning.",
            ),
        };
        ColumnDoc {
            name,
            title: "",
            data_type: shape.data_type(text),
            nullable: false,
            distinct: Distinct::Many,
            unit,
            doc,
            example: "",
        }
    }
}
