//! Errors of CDN log lines that are not records.

use super::field::Field;
use std::fmt;

/// What is wrong with a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The line ends before the field.
    Missing,
    /// Not a valid date of the form `yyyy-mm-dd`.
    Date,
    /// Not a valid time of the form `hh:mm:ss`.
    Time,
    /// Neither a number of seconds or milliseconds since 1970 nor an RFC 3339 time.
    Timestamp,
    /// The cell that should hold the time is `-` or empty.
    NoTime,
    /// Neither `-`, empty nor a three-digit status.
    Status,
    /// Neither `-`, empty nor an unsigned integer that fits into an `i64`.
    Number,
    /// Neither `-`, empty nor a decimal number of seconds.
    Seconds,
    /// No `#Fields` line precedes the line, and its number of columns does not determine their order.
    Header,
    /// The preceding `#Fields` line does not name a required field.
    Unnamed,
    /// A directive: a line that begins with `#`.
    Directive,
    /// A CloudFront real-time log record; such logs have no header that names their fields.
    RealTime,
    /// A record of an S3 server access log.
    S3,
    /// The line has 2^32 - 1 bytes or more, which 32-bit offsets cannot address.
    TooLong,
}

/// Why a line is not a record: what is wrong, in which field and at which byte of the line.
///
/// ```
/// use s3log_parser::cdn::{ErrorKind, Field, Header, Parser};
///
/// let header = Header::parse(b"#Fields: date time c-ip cs-uri-stem sc-status").unwrap();
/// let error = Parser::new().parse(b"2026-01-15\t10:22:41\t192.0.2.3\t/a\t20", Some(&header)).unwrap_err();
/// assert_eq!((error.kind(), error.field(), error.offset()), (ErrorKind::Status, Field::ScStatus, 33));
/// assert_eq!(error.to_string(), "sc-status is neither `-` nor a status of three digits (byte 33)");
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
            ErrorKind::Date => f.write_str("date is not a valid date of the form `yyyy-mm-dd`"),
            ErrorKind::Time => f.write_str("time is not of the form `hh:mm:ss`"),
            ErrorKind::Timestamp => f.write_str("timestamp is not a valid time since 1970"),
            ErrorKind::NoTime => f.write_str("the record has no time"),
            ErrorKind::Status => write!(f, "{field} is neither `-` nor a status of three digits"),
            ErrorKind::Number => write!(f, "{field} is neither `-` nor a whole number that fits into 64 bits"),
            ErrorKind::Seconds => write!(f, "{field} is neither `-` nor a decimal number of seconds"),
            ErrorKind::Header => {
                f.write_str("no `#Fields` line came before, and the number of columns does not tell what they are")
            }
            ErrorKind::Unnamed => write!(f, "the `#Fields` line does not name {field}"),
            ErrorKind::Directive => f.write_str("a line that begins with `#`, not a record"),
            ErrorKind::RealTime => f.write_str("a real-time log record of CloudFront; no header names its fields"),
            ErrorKind::S3 => f.write_str("a record of an S3 server access log, not a CDN record"),
            ErrorKind::TooLong => f.write_str("the line is longer than 4 GiB"),
        }
    }
}
