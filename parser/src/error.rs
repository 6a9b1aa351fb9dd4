//! Errors of lines that are not records.

use crate::field::Field;
use std::fmt;

/// What is wrong with a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The line ends before the field.
    Missing,
    /// The third token is not a valid time of the form `[dd/Mon/yyyy:hh:mm:ss ±hhmm]`.
    Time,
    /// Neither `-` nor an HTTP status of one to three digits.
    Status,
    /// Neither `-` nor a number that fits into an `i64`.
    Number,
    /// No quote closes the field, or none that is followed by what must come next.
    Unclosed,
    /// Neither quoted nor a bare `-`.
    Unquoted,
    /// A Ceph journal record, which has other fields.
    CephJournal,
    /// A line of VersityGW's log file, which quotes no field.
    VersityGw,
    /// The first line of a VersityGW log file, which is not a record.
    VersityGwStart,
    /// A header line of the CloudFront format.
    CloudFrontHeader,
    /// The line has 2^32 - 1 bytes or more, which 32-bit offsets cannot address.
    TooLong,
}

/// Why a line is not a record: what is wrong, in which field and at which byte of the line.
///
/// ```
/// use s3log_parser::{ErrorKind, Field, Parser};
///
/// let error = Parser::new().parse(b"owner bucket [31/Feb/2026:00:00:00 +0000] 192.0.2.3").unwrap_err();
/// assert_eq!((error.kind(), error.field(), error.offset()), (ErrorKind::Time, Field::Time, 13));
/// assert_eq!(error.to_string(), "Time is not of the form `[dd/Mon/yyyy:hh:mm:ss +hhmm]` (byte 13)");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Error {
    kind: ErrorKind,
    field: Field,
    offset: u32,
}

crate::formats::error_methods!();

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let field = self.0.field.title();
        match self.0.kind {
            ErrorKind::Missing => write!(f, "the line ends before {field}"),
            ErrorKind::Time => write!(f, "{field} is not of the form `[dd/Mon/yyyy:hh:mm:ss +hhmm]`"),
            ErrorKind::Status => write!(f, "{field} is neither `-` nor a status of up to three digits"),
            ErrorKind::Number => write!(f, "{field} is neither `-` nor a number that fits into 64 bits"),
            ErrorKind::Unclosed => write!(f, "{field} is not closed: the line was cut, or what follows does not fit"),
            ErrorKind::Unquoted => write!(f, "{field} is neither quoted nor a bare `-`"),
            ErrorKind::CephJournal => f.write_str("a journal record of Ceph, which has other fields"),
            ErrorKind::VersityGw => f.write_str("a line of VersityGW's log file, which quotes no field"),
            ErrorKind::VersityGwStart => f.write_str("the first line of VersityGW's log file, no record"),
            ErrorKind::CloudFrontHeader => f.write_str("a header of the CloudFront format, no S3 record"),
            ErrorKind::TooLong => f.write_str("the line is longer than 4 GiB"),
        }
    }
}
