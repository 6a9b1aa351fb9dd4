//! A record of a CDN log: the positions of its fields, and their values on demand.

use super::field::{Field, Kind};
use super::field_set::FieldSet;
use super::value;
use crate::record::Span;
use bstr::{BStr, ByteSlice};
use std::fmt;
use std::ops::Range;

/// One parsed line of a CDN log. It borrows the line and holds only positions; values are decoded on access.
///
/// Fields that were not requested from the [`Parser`](super::Parser), or that the header or the line does not have,
/// read as absent.
///
/// ```
/// use s3log_parser::cdn::{Field, Header, Parser};
///
/// let header = Header::parse(b"#Fields: date time c-ip cs-uri-stem sc-status cs(Referer) time-taken").unwrap();
/// let record = Parser::new().parse(b"2026-01-15\t10:22:41\t192.0.2.3\t/a%20b\t000\t-\t0.358", Some(&header))?;
/// assert_eq!(record.time_micros(), Some(1_768_472_561_000_000));
/// assert_eq!(record.text(Field::CsUriStem).unwrap(), "/a%20b");
/// assert_eq!((record.raw(Field::CsReferer).unwrap(), record.text(Field::CsReferer)), ("-".into(), None));
/// assert_eq!((record.status(), record.seconds(Field::TimeTaken)), (Some(0), Some(0.358)));
/// # Ok::<(), s3log_parser::cdn::Error>(())
/// ```
#[derive(Clone)]
pub struct Record<'a> {
    pub(super) line: &'a [u8],
    pub(super) wanted: FieldSet,
    /// Fields present in the line; the spans of others are meaningless.
    pub(super) located: FieldSet,
    pub(super) spans: [Span; SPANS],
    /// Microseconds since 1970.
    pub(super) time: i64,
    pub(super) cells: usize,
}

/// One span per field.
pub(super) const SPANS: usize = Field::COUNT;

impl Default for Record<'_> {
    fn default() -> Self {
        Self {
            line: b"",
            wanted: FieldSet::EMPTY,
            located: FieldSet::EMPTY,
            spans: [Span::default(); SPANS],
            time: 0,
            cells: 0,
        }
    }
}

impl<'a> Record<'a> {
    /// The line without its line ending.
    #[must_use]
    pub fn line(&self) -> &'a BStr {
        self.line.as_bstr()
    }

    /// Byte range of a field in the line. `None` if the line does not have the field or it was not requested.
    ///
    /// The range of the time is what [`Record::time_micros`] was read from: the timestamp cell, or date and time including
    /// the tab between them. It is `None` if date and time are not adjacent.
    #[inline]
    #[must_use]
    pub fn range(&self, field: Field) -> Option<Range<usize>> {
        let has = self.located.intersection(self.wanted).contains(field);
        has.then(|| self.spans[field.index()].range()).filter(|range| !range.is_empty() || field != Field::Time)
    }

    /// Text of a field as written; `-` is returned as `-`. `None` in the cases of [`Record::range`].
    #[inline]
    #[must_use]
    pub fn raw(&self, field: Field) -> Option<&'a BStr> {
        self.range(field).map(|range| self.line[range].as_bstr())
    }

    /// Text of a field; `None` if it is `-` or empty.
    #[inline]
    #[must_use]
    pub fn text(&self, field: Field) -> Option<&'a BStr> {
        self.raw(field).filter(|text| !is_null(text))
    }

    /// When the response was finished, in microseconds since 1970-01-01T00:00:00Z. `None` only if it was not
    /// requested.
    #[inline]
    #[must_use]
    pub fn time_micros(&self) -> Option<i64> {
        self.located.intersection(self.wanted).contains(Field::Time).then_some(self.time)
    }

    /// The HTTP status; 0 if the viewer disconnected before there was a response.
    #[inline]
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        self.raw(Field::ScStatus).and_then(|text| value::status(text))
    }

    /// Value of an integer field ([`Kind::Integer`]); `None` for fields of any other kind.
    #[inline]
    #[must_use]
    pub fn integer(&self, field: Field) -> Option<i64> {
        self.of_kind(field, Kind::Integer).and_then(|text| value::integer(text))
    }

    /// Value of a field in seconds ([`Kind::Seconds`]); `None` for fields of any other kind.
    #[inline]
    #[must_use]
    pub fn seconds(&self, field: Field) -> Option<f64> {
        self.of_kind(field, Kind::Seconds).and_then(|text| value::seconds(text))
    }

    /// Value of a field in seconds ([`Kind::Seconds`]), as milliseconds; see [`value::millis`] for the rounding.
    #[inline]
    #[must_use]
    pub fn millis(&self, field: Field) -> Option<i64> {
        self.of_kind(field, Kind::Seconds).and_then(|text| value::millis(text))
    }

    /// Number of cells in the line, known or not.
    #[must_use]
    pub fn field_count(&self) -> usize {
        self.cells
    }

    #[inline]
    fn of_kind(&self, field: Field, kind: Kind) -> Option<&'a BStr> {
        if field.info().kind == kind { self.raw(field) } else { None }
    }
}

/// Whether a cell holds no value.
#[inline]
pub(super) fn is_null(text: &[u8]) -> bool {
    matches!(text, b"" | b"-")
}

impl fmt::Debug for Record<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut map = f.debug_map();
        for field in Field::ALL {
            if let Some(text) = self.raw(field) {
                map.entry(&field.name(), &text);
            }
        }
        map.finish()
    }
}
