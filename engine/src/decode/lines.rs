//! What every line is, one after the other: for whoever gives an account of all of them.

use super::block::Part;
use super::content::Content;
use super::json::{JsonError, JsonLine, JsonReader};
use super::options::LineOptions;
use s3log_parser::{FieldSet, Line, Lines, Parser, Reason, Record, cdn};
use std::fmt;
use std::sync::Arc;

/// What a line is.
#[cfg_attr(not(feature = "datafusion"), expect(dead_code, reason = "only whoever reports on logs looks into records"))]
pub(crate) enum Outcome<'r, 'a> {
    /// An S3 record.
    Origin(&'r Record<'a>),
    /// A CDN record, with so many cells, and its time in microseconds.
    Cdn { cells: usize, time: Option<i64> },
    /// A JSON object that is a record of one of the two, with so many names, and its time in microseconds.
    Json { kind: JsonLine, names: usize, time: i64 },
    /// A line of a CDN log that begins with `#`.
    Header,
    /// Nothing but spaces, tabs and carriage returns.
    Blank,
    /// No record.
    Reject(Why),
}

/// Why a line is no record: the same for all lines that fail alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Why {
    /// In a log of S3, or in one of no known format.
    Origin(Reason),
    /// In a log of a CDN.
    Cdn(cdn::Reason),
    /// In a log of JSON objects.
    Json(JsonError),
    /// It is beyond this limit.
    TooLong(usize),
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Origin(reason) => reason.fmt(f),
            Self::Cdn(reason) => reason.fmt(f),
            Self::Json(error) => error.fmt(f),
            Self::TooLong(max_line) => {
                write!(f, "the line is longer than the limit of {max_line} bytes; its beginning is kept")
            }
        }
    }
}

/// Reads the lines of parts of blocks.
#[derive(Debug)]
pub(crate) struct LineReader {
    max_line: usize,
    parser: Parser,
    cdn: cdn::Parser,
    /// For CDN logs without one.
    header: Option<Arc<cdn::Header>>,
    json: JsonReader,
    written: Vec<u8>,
}

impl LineReader {
    /// Of S3 records these fields can be looked at.
    pub(crate) fn new(fields: FieldSet, options: &LineOptions) -> Self {
        Self {
            max_line: options.max_line,
            parser: Parser::with_fields(fields).with_dialect(options.dialect),
            cdn: cdn::Parser::with_fields(cdn::FieldSet::of(cdn::Field::Time)),
            header: options.cdn_header.clone(),
            json: JsonReader::new(cdn::FieldSet::of(cdn::Field::Time)),
            written: Vec::new(),
        }
    }

    pub(crate) fn max_line(&self) -> usize {
        self.max_line
    }

    /// Tells of each line of a part what it is. Offsets and numbers of lines count from the part's beginning.
    pub(crate) fn each<'a>(&mut self, part: &Part, bytes: &'a [u8], mut told: impl FnMut(Line<'a>, Outcome<'_, 'a>)) {
        let max_line = self.max_line;
        let mut lines = Lines::of_part(bytes);
        match part.content() {
            Content::Undecided | Content::S3 => {
                let is_undecided = *part.content() == Content::Undecided;
                let mut record = Record::default();
                while let Some((line, parsed)) = self.parser.parse_next(&mut lines, &mut record) {
                    let outcome = match parsed {
                        Err(_) if line.is_blank() => Outcome::Blank,
                        _ if line.bytes.len() > max_line => Outcome::Reject(Why::TooLong(max_line)),
                        Ok(()) => Outcome::Origin(&record),
                        // A remark in front of what will be told by a later line.
                        Err(_) if is_undecided && cdn::is_directive(line.bytes) => Outcome::Header,
                        Err(error) => Outcome::Reject(Why::Origin(error.reason())),
                    };
                    told(line, outcome);
                }
            }
            Content::Cdn(header) => {
                let header = header.as_ref().or(self.header.as_ref()).map(Arc::as_ref);
                let mut record = cdn::Record::default();
                while let Some((line, parsed)) = self.cdn.parse_next(&mut lines, header, &mut record) {
                    let outcome = match parsed {
                        Err(_) if line.is_blank() => Outcome::Blank,
                        _ if line.bytes.len() > max_line => Outcome::Reject(Why::TooLong(max_line)),
                        Ok(()) => Outcome::Cdn { cells: record.field_count(), time: record.time() },
                        Err(_) if cdn::is_directive(line.bytes) => Outcome::Header,
                        Err(error) => Outcome::Reject(Why::Cdn(error.reason())),
                    };
                    told(line, outcome);
                }
            }
            Content::Json => {
                for line in lines {
                    self.written.clear();
                    let outcome = if line.is_blank() {
                        Outcome::Blank
                    } else if line.bytes.len() > max_line {
                        Outcome::Reject(Why::TooLong(max_line))
                    } else {
                        match self.json.read(line.bytes, &mut self.written) {
                            Ok(kind) => Outcome::Json { kind, names: self.json.name_count(), time: self.json.time() },
                            Err(error) => Outcome::Reject(Why::Json(error)),
                        }
                    };
                    told(line, outcome);
                }
            }
        }
    }
}
