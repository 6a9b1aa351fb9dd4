//! Classifies every line, for callers that account for all of them.

use super::block::Part;
use super::content::Content;
use super::counts::Counts;
use super::json::{JsonError, JsonLine, JsonReader};
use super::options::LineOptions;
use s3log_parser::{FieldSet, Line, Lines, Parser, Reason, Record, cdn};
use std::fmt;
use std::sync::Arc;

/// The classification of a line.
#[cfg_attr(not(feature = "datafusion"), expect(dead_code, reason = "only whoever reports on logs looks into records"))]
pub(crate) enum Outcome<'r, 'a> {
    /// An S3 record.
    Origin(&'r Record<'a>),
    /// A CDN record: its number of cells, and its time in microseconds.
    Cdn { cells: usize, time: Option<i64> },
    /// A JSON object that is a record: its kind, its number of names, and its time in microseconds.
    Json { kind: JsonLine, names: usize, time: i64 },
    /// A line of a CDN log that starts with `#`.
    Header,
    /// Only spaces, tabs and carriage returns.
    Blank,
    /// Not a record.
    Reject(Why),
}

/// What a line is that is not a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NoRecord {
    Blank,
    Header,
    Reject,
}

impl NoRecord {
    /// What a line is if it does not parse, or is longer than `max_line`. `takes_headers`: whether the log may have
    /// headers.
    pub(super) fn of(line: Line<'_>, max_line: usize, takes_headers: bool) -> Self {
        if line.is_blank() {
            Self::Blank
        } else if takes_headers && line.bytes.len() <= max_line && cdn::is_directive(line.bytes) {
            Self::Header
        } else {
            Self::Reject
        }
    }

    pub(super) fn count(self, counts: &mut Counts) {
        match self {
            Self::Blank => counts.blank_lines += 1,
            Self::Header => counts.headers += 1,
            Self::Reject => counts.rejects += 1,
        }
    }

    fn outcome<'r, 'a>(self, why: impl FnOnce() -> Why) -> Outcome<'r, 'a> {
        match self {
            Self::Blank => Outcome::Blank,
            Self::Header => Outcome::Header,
            Self::Reject => Outcome::Reject(why()),
        }
    }
}

/// Why a line is not a record. Equal for all lines that fail in the same way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Why {
    /// In an S3 log, or in a log of unknown format.
    Origin(Reason),
    /// In a CDN log.
    Cdn(cdn::Reason),
    /// In a log of JSON objects.
    Json(JsonError),
    /// Longer than this limit in bytes.
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

/// Classifies the lines of parts.
#[derive(Debug)]
pub(crate) struct LineReader {
    max_line: usize,
    parser: Parser,
    cdn: cdn::Parser,
    /// For CDN logs without a header.
    header: Option<Arc<cdn::Header>>,
    json: JsonReader,
    written: Vec<u8>,
}

impl LineReader {
    /// `fields` are the fields of S3 records that callers can read.
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

    /// Calls `told` for each line of a part. Offsets and line numbers count from the start of the part.
    pub(crate) fn each<'a>(&mut self, part: &Part, bytes: &'a [u8], mut told: impl FnMut(Line<'a>, Outcome<'_, 'a>)) {
        let max_line = self.max_line;
        let mut lines = Lines::of_part(bytes);
        match part.content() {
            Content::Undecided | Content::S3 => {
                let is_undecided = *part.content() == Content::Undecided;
                let mut record = Record::default();
                while let Some((line, parsed)) = self.parser.parse_next(&mut lines, &mut record) {
                    let is_long = line.bytes.len() > max_line;
                    let outcome = match parsed {
                        Ok(()) if !is_long => Outcome::Origin(&record),
                        // Comments may stand before the line that decides the format.
                        parsed => NoRecord::of(line, max_line, is_undecided).outcome(|| match parsed {
                            Err(error) if !is_long => Why::Origin(error.reason()),
                            _ => Why::TooLong(max_line),
                        }),
                    };
                    told(line, outcome);
                }
            }
            Content::Cdn(header) => {
                let header = header.as_ref().or(self.header.as_ref()).map(Arc::as_ref);
                let mut record = cdn::Record::default();
                while let Some((line, parsed)) = self.cdn.parse_next(&mut lines, header, &mut record) {
                    let is_long = line.bytes.len() > max_line;
                    let outcome = match parsed {
                        Ok(()) if !is_long => Outcome::Cdn { cells: record.field_count(), time: record.time_micros() },
                        parsed => NoRecord::of(line, max_line, true).outcome(|| match parsed {
                            Err(error) if !is_long => Why::Cdn(error.reason()),
                            _ => Why::TooLong(max_line),
                        }),
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
