//! A record of a CDN log: where the fields of a line stand, and their values on demand.

use super::field::{Field, Kind};
use super::field_set::FieldSet;
use super::value;
use crate::record::Span;
use bstr::{BStr, ByteSlice};
use std::fmt;
use std::ops::Range;

/// One line of a CDN log, split. It borrows the line and holds positions only; values are decoded when they are asked for.
///
/// Fields that the [`Parser`](super::Parser) was not asked for, or that the header or the line does not have, read as
/// absent.
///
/// ```
/// use s3log_parser::cdn::{Field, Header, Parser};
///
/// let header = Header::parse(b"#Fields: date time c-ip cs-uri-stem sc-status cs(Referer) time-taken").unwrap();
/// let record = Parser::new().parse(b"2026-01-15\t10:22:41\t192.0.2.3\t/a%20b\t000\t-\t0.358", Some(&header))?;
/// assert_eq!(record.time(), Some(1_768_472_561_000_000));
/// assert_eq!(record.text(Field::CsUriStem).unwrap(), "/a%20b");
/// assert_eq!((record.raw(Field::CsReferer).unwrap(), record.text(Field::CsReferer)), ("-".into(), None));
/// assert_eq!((record.status(), record.seconds(Field::TimeTaken)), (Some(0), Some(0.358)));
/// # Ok::<(), s3log_parser::cdn::Error>(())
/// ```
#[derive(Clone)]
pub struct Record<'a> {
    pub(super) line: &'a [u8],
    pub(super) wanted: FieldSet,
    /// The fields that the line has; of others the spans mean nothing.
    pub(super) located: FieldSet,
    pub(super) spans: [Span; SPANS],
    /// Microseconds since 1970.
    pub(super) time: i64,
    pub(super) cells: usize,
}

/// One for each field.
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
    /// The line, without its end.
    #[must_use]
    pub fn line(&self) -> &'a BStr {
        self.line.as_bstr()
    }

    /// Where the text of a field stands in the line. `None` when the line has no such field, or when it was not asked for.
    ///
    /// The time is what `record.time()` was read from: the cell of a timestamp, or date and time with the tab between them.
    /// It is `None` where date and time do not stand beside each other.
    #[inline]
    #[must_use]
    pub fn range(&self, field: Field) -> Option<Range<usize>> {
        let has = self.located.intersection(self.wanted).contains(field);
        has.then(|| self.spans[field.index()].range()).filter(|range| !range.is_empty() || field != Field::Time)
    }

    /// The text of a field as written; `-` is `-`. See [`Record::range`] for `None`.
    #[inline]
    #[must_use]
    pub fn raw(&self, field: Field) -> Option<&'a BStr> {
        self.range(field).map(|range| self.line[range].as_bstr())
    }

    /// The text of a field, where `-` and the empty text are `None`.
    #[inline]
    #[must_use]
    pub fn text(&self, field: Field) -> Option<&'a BStr> {
        self.raw(field).filter(|text| !is_null(text))
    }

    /// When the response was finished, in microseconds from 1970-01-01T00:00:00Z. `None` only when it was not asked for.
    #[inline]
    #[must_use]
    pub fn time(&self) -> Option<i64> {
        self.located.intersection(self.wanted).contains(Field::Time).then_some(self.time)
    }

    /// The HTTP status; 0 when the viewer left before there was one.
    #[inline]
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        self.raw(Field::ScStatus).and_then(|text| value::status(text))
    }

    /// The value of a field of integers ([`Kind::Integer`]); `None` for fields of another kind.
    #[inline]
    #[must_use]
    pub fn integer(&self, field: Field) -> Option<i64> {
        self.of_kind(field, Kind::Integer).and_then(|text| value::integer(text))
    }

    /// The value of a field of seconds ([`Kind::Seconds`]); `None` for fields of another kind.
    #[inline]
    #[must_use]
    pub fn seconds(&self, field: Field) -> Option<f64> {
        self.of_kind(field, Kind::Seconds).and_then(|text| value::seconds(text))
    }

    /// The same as milliseconds, see [`value::millis`].
    #[inline]
    #[must_use]
    pub fn millis(&self, field: Field) -> Option<i64> {
        self.of_kind(field, Kind::Seconds).and_then(|text| value::millis(text))
    }

    /// How many cells the line has, known or not.
    #[must_use]
    pub fn field_count(&self) -> usize {
        self.cells
    }

    #[inline]
    fn of_kind(&self, field: Field, kind: Kind) -> Option<&'a BStr> {
        if field.info().kind == kind { self.raw(field) } else { None }
    }
}

/// Whether a cell says nothing.
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
