//! The parser of CDN log lines.
//!
//! Tabs separate cells, the header says what they hold, and clients cannot inject a tab, so splitting a line is never
//! ambiguous. One pass finds the tabs and the end of the line ([`crate::outline`]); then the time and every number
//! are validated, whichever fields are requested, so that the projection never decides what counts as a record.

use super::error::{Error, ErrorKind};
use super::field::{Field, Kind};
use super::field_set::FieldSet;
use super::header::{Header, LEGACY, Plan, is_directive};
use super::record::{Record, SPANS, is_null};
use super::value::{self, DATE_LEN, Day, TIME_LEN, is_short_integer_or_null, is_short_seconds_or_null};
use crate::line::{Line, Lines};
use crate::outline::{Cells, Lanes};
use crate::record::Span;
use crate::sniff::{LogFormat, is_real_time, sniff};

/// Parses CDN log lines into [`Record`]s.
///
/// ```
/// use s3log_parser::Lines;
/// use s3log_parser::cdn::{Field, FieldSet, Header, Parser, Record};
///
/// let log = b"#Version: 1.0\n#Fields: date time sc-bytes c-ip cs-uri-stem sc-status\n2026-01-15\t10:22:41\t2390\t192.0.2.3\t/a\t200\n";
/// let mut parser = Parser::with_fields(FieldSet::of(Field::ScBytes));
/// let (mut lines, mut record, mut header) = (Lines::new(log), Record::default(), None);
/// let mut sent = 0;
/// while let Some((line, parsed)) = parser.parse_next(&mut lines, header.as_ref(), &mut record) {
///     match parsed {
///         Ok(()) => sent += record.integer(Field::ScBytes).unwrap_or(0),
///         Err(_) if line.is_blank() => {}
///         Err(_) if s3log_parser::cdn::is_directive(line.bytes) => header = Header::parse(line.bytes).or(header),
///         Err(error) => eprintln!("line {}: {error}", line.number),
///     }
/// }
/// assert_eq!(sent, 2390);
/// ```
#[derive(Clone, Debug)]
pub struct Parser {
    wanted: FieldSet,
    lanes: Lanes,
    day: Day,
    cells: Cells,
}

/// Capacity for cells without a header; more than any legacy log has.
const ROOM: usize = 64;

impl Default for Parser {
    fn default() -> Self {
        Self::new()
    }
}

impl Parser {
    /// Creates a parser for all fields.
    #[must_use]
    pub fn new() -> Self {
        Self::with_fields(FieldSet::ALL)
    }

    /// Creates a parser for the given fields.
    #[must_use]
    pub fn with_fields(wanted: FieldSet) -> Self {
        Self::with_lanes(wanted, Lanes::best())
    }

    /// One parser for each instruction set that this processor supports, slowest first, with its name. All of them
    /// give the same results; this is for the tests that verify it, and for benchmarks.
    #[doc(hidden)]
    #[must_use]
    pub fn of_every_kind(wanted: FieldSet) -> Vec<(String, Self)> {
        Lanes::all().map(|lanes| (format!("{lanes:?}").to_lowercase(), Self::with_lanes(wanted, lanes))).collect()
    }

    fn with_lanes(wanted: FieldSet, lanes: Lanes) -> Self {
        Self { wanted, lanes, day: Day::default(), cells: Cells::with_room(ROOM) }
    }

    /// The requested fields.
    #[must_use]
    pub fn fields(&self) -> FieldSet {
        self.wanted
    }

    /// Parses a line without its line ending. `header` is the last `#Fields:` line before it; without one the header
    /// is inferred from the number of columns.
    ///
    /// # Errors
    ///
    /// Fails if the line is not a record; the error names the field and the byte offset.
    pub fn parse<'a>(&mut self, line: &'a [u8], header: Option<&Header>) -> Result<Record<'a>, Error> {
        let mut record = Record::default();
        self.parse_into(line, header, &mut record)?;
        Ok(record)
    }

    /// Like [`Parser::parse`], but reuses a record.
    ///
    /// # Errors
    ///
    /// Like [`Parser::parse`]; the record then has no fields.
    #[inline]
    pub fn parse_into<'a>(
        &mut self,
        line: &'a [u8],
        header: Option<&Header>,
        record: &mut Record<'a>,
    ) -> Result<(), Error> {
        self.make_room(header);
        let (len, _) = self.cells.draw(self.lanes, line);
        if len != line.len() {
            self.cells.draw_whole(line);
        }
        self.read(line, header, record)
    }

    /// Parses the next line of a buffer into `record`; returns `None` at the end. Directives and blank lines are
    /// returned as errors; the caller has to pick out headers.
    ///
    /// This is the fastest way through a buffer: one pass finds both the cells and the end of a line.
    #[inline]
    pub fn parse_next<'a>(
        &mut self,
        lines: &mut Lines<'a>,
        header: Option<&Header>,
        record: &mut Record<'a>,
    ) -> Option<(Line<'a>, Result<(), Error>)> {
        let rest = lines.rest();
        if rest.is_empty() {
            return None;
        }
        self.make_room(header);
        let (len, taken) = self.cells.draw(self.lanes, rest);
        let line = lines.take(len, taken);
        Some((line, self.read(line.bytes, header, record)))
    }

    #[inline]
    fn make_room(&mut self, header: Option<&Header>) {
        self.cells.make_room(header.map_or(ROOM, |header| header.plan.end));
    }

    /// Reads a line whose cells have been found.
    #[inline(always)]
    fn read<'a>(&mut self, line: &'a [u8], header: Option<&Header>, record: &mut Record<'a>) -> Result<(), Error> {
        record.line = line;
        record.wanted = self.wanted;
        record.located = FieldSet::EMPTY;
        record.cells = self.cells.count();
        if line.ends_with(b"\r") {
            self.cells.shorten();
        }
        let Some(header) = header.or_else(|| self.inferred()) else {
            return Err(named(line, Error::new(ErrorKind::Header, Field::Time, 0)));
        };
        self.locate(line, &header.plan, record).map_err(|error| named(line, error))
    }

    /// The header inferred from the number of columns. A trailing tab is ignored.
    #[inline]
    fn inferred(&self) -> Option<&'static Header> {
        let cells = self.cells.count();
        Header::inferred(cells).or_else(|| {
            let ends_with_tab = cells <= ROOM && self.cells.span(cells - 1).range().is_empty();
            if ends_with_tab { Header::inferred(cells - 1) } else { None }
        })
    }

    #[inline(always)]
    fn locate<'a>(&mut self, line: &'a [u8], plan: &Plan, record: &mut Record<'a>) -> Result<(), Error> {
        let count = self.cells.count();
        if plan.lacks.is_some() || count < plan.reach || line.len() >= u32::MAX as usize || is_directive(line) {
            return Err(unfit(line, plan));
        }
        let whole_line = count >= plan.end;
        record.time = match plan.is_legacy.then(|| self.legacy_time(line)).flatten() {
            Some(time) => {
                record.spans[0] = Span { start: 0, end: LEGACY_TIME as u32 };
                time
            }
            None => self.any_time(line, plan, &mut record.spans[0])?,
        };
        if !self.are_numbers(line, plan, whole_line) {
            return Err(self.misfit(line, plan));
        }
        if plan.is_legacy {
            self.locate_legacy(&mut record.spans);
            let there = if whole_line { FieldSet::ALL } else { FieldSet::first(count - 1) };
            record.located = plan.fields.intersection(there);
        } else {
            for (cell, field) in plan.places_within(count) {
                record.spans[field.index()] = self.cells.span(*cell as usize);
            }
            record.located = plan.fields_within(count);
        }
        Ok(())
    }

    /// Spans of a legacy log's fields; those beyond the end of the line are meaningless.
    #[inline(always)]
    fn locate_legacy(&self, spans: &mut [Span; SPANS]) {
        let Some(bounds) = self.cells.bounds().first_chunk::<{ LEGACY + 1 }>() else { return };
        for field in 1..LEGACY - 1 {
            spans[field] = Span { start: bounds[field + 1].wrapping_add(1), end: bounds[field + 2] };
        }
    }

    /// The time of a line that begins with date and time, if another cell follows.
    #[inline(always)]
    fn legacy_time(&mut self, line: &[u8]) -> Option<i64> {
        let time = line.first_chunk::<LEGACY_TIME>()?;
        if time[DATE_LEN] != b'\t' || line.get(LEGACY_TIME) != Some(&b'\t') {
            return None;
        }
        self.day.at(&time[..DATE_LEN], &time[DATE_LEN + 1..])
    }

    /// The time of any line, from its timestamp or from date and time. All of these that are present are validated.
    fn any_time(&mut self, line: &[u8], plan: &Plan, span: &mut Span) -> Result<i64, Error> {
        let of = |cell: Option<u32>| {
            let cell = cell.map(|cell| cell as usize).filter(|cell| *cell < self.cells.count());
            cell.map(|cell| self.cells.span(cell)).filter(|span| !is_null(&line[span.range()]))
        };
        let (date, time) = (of(plan.date), of(plan.time));
        let (timestamp, timestamp_ms) = (of(plan.timestamp), of(plan.timestamp_ms));
        let text = |span: Span| &line[span.range()];
        let bad = |kind: ErrorKind, span: Span| Error::new(kind, Field::Time, span.start as usize);

        let mut found = None;
        if let (Some(date), Some(time)) = (date, time) {
            let instant = self.day.at(text(date), text(time));
            // Adjacent cells make one text.
            let end = if date.end + 1 == time.start { time.end } else { date.start };
            found = instant.map(|instant| (instant, Span { start: date.start, end }));
        }
        if found.is_none() {
            // Check each on its own to report the invalid one.
            if let Some(date) = date.filter(|date| self.day.start_of(text(*date)).is_none()) {
                return Err(bad(ErrorKind::Date, date));
            }
            if let Some(time) = time.filter(|time| date.is_some() || !value::is_time(text(*time))) {
                return Err(bad(ErrorKind::Time, time));
            }
        }
        if let Some(timestamp) = timestamp {
            let instant = value::timestamp(text(timestamp)).ok_or(bad(ErrorKind::Timestamp, timestamp))?;
            found = Some((instant, timestamp));
        }
        if let Some(timestamp) = timestamp_ms {
            let instant = value::timestamp_ms(text(timestamp)).ok_or(bad(ErrorKind::Timestamp, timestamp))?;
            found = Some((instant, timestamp));
        }
        let (instant, place) = found.ok_or_else(|| self.no_time(line, plan))?;
        *span = place;
        Ok(instant)
    }

    /// The error of a line whose time cells are empty or missing.
    #[cold]
    fn no_time(&self, line: &[u8], plan: &Plan) -> Error {
        let cells = [plan.date, plan.time, plan.timestamp, plan.timestamp_ms];
        let mut there = cells.into_iter().flatten().map(|cell| cell as usize).filter(|cell| *cell < self.cells.count());
        let empty = there.find(|cell| is_null(&line[self.cells.span(*cell).range()]));
        let offset = empty.map_or(line.len(), |cell| self.cells.span(cell).start as usize);
        Error::new(if empty.is_some() { ErrorKind::NoTime } else { ErrorKind::Missing }, Field::Time, offset)
    }

    /// Whether all numeric cells within the line are valid.
    #[inline(always)]
    fn are_numbers<'p>(&self, line: &[u8], plan: &'p Plan, whole_line: bool) -> bool {
        let count = self.cells.count();
        let there = |cells: &'p [u32]| {
            if whole_line { cells } else { &cells[..cells.partition_point(|cell| (*cell as usize) < count)] }
        };
        let all = |cells: &[u32], fits: fn(&[u8], Span) -> bool| {
            cells.iter().fold(true, |all, cell| all & fits(line, self.cells.span(*cell as usize)))
        };
        // The caller has checked that the line reaches its status.
        plan.status.is_none_or(|cell| is_status(line, self.cells.span(cell as usize)))
            && all(there(&plan.integers), is_integer)
            && all(there(&plan.seconds), is_seconds)
    }

    /// Reports the first invalid number.
    #[cold]
    fn misfit(&self, line: &[u8], plan: &Plan) -> Error {
        let there = plan.places_within(self.cells.count()).iter();
        let mut errors = there.filter_map(|(cell, field)| {
            let span = self.cells.span(*cell as usize);
            let (kind, fits) = match field.info().kind {
                Kind::Text | Kind::Time => return None,
                Kind::Status => (ErrorKind::Status, is_status(line, span)),
                Kind::Integer => (ErrorKind::Number, is_integer(line, span)),
                Kind::Seconds => (ErrorKind::Seconds, is_seconds(line, span)),
            };
            (!fits).then(|| Error::new(kind, *field, span.start as usize))
        });
        errors.next().unwrap_or(Error::new(ErrorKind::Number, Field::ScBytes, 0))
    }
}

/// Length of date and time in bytes, including the tab between them.
const LEGACY_TIME: usize = DATE_LEN + 1 + TIME_LEN;

#[inline(always)]
fn is_status(line: &[u8], span: Span) -> bool {
    let text = &line[span.range()];
    value::status(text).is_some() || is_null(text)
}

#[inline(always)]
fn is_integer(line: &[u8], span: Span) -> bool {
    is_short_integer_or_null(line, span.start as usize, span.end as usize) || is_any_integer(&line[span.range()])
}

#[inline(never)]
fn is_any_integer(text: &[u8]) -> bool {
    is_null(text) || value::integer(text).is_some()
}

#[inline(always)]
fn is_seconds(line: &[u8], span: Span) -> bool {
    is_short_seconds_or_null(line, span.start as usize, span.end as usize) || are_any_seconds(&line[span.range()])
}

#[inline(never)]
fn are_any_seconds(text: &[u8]) -> bool {
    is_null(text) || value::millis(text).is_some()
}

/// Why a line is rejected before its cells are looked at.
#[cold]
fn unfit(line: &[u8], plan: &Plan) -> Error {
    match plan.lacks {
        _ if line.len() >= u32::MAX as usize => Error::new(ErrorKind::TooLong, Field::Time, 0),
        Some(field) => Error::new(ErrorKind::Unnamed, field, 0),
        None => Error::new(ErrorKind::Missing, Field::ScStatus, line.len()),
    }
}

/// Replaces the error if the line is recognised as something else.
#[cold]
fn named(line: &[u8], error: Error) -> Error {
    let kind = match error.kind() {
        _ if is_directive(line) => ErrorKind::Directive,
        _ if is_real_time(line) => ErrorKind::RealTime,
        _ if sniff(line) == Some(LogFormat::S3) => ErrorKind::S3,
        kind => kind,
    };
    Error::new(kind, error.field(), error.offset())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_each_era() {
        let line = "2026-01-15\t10:22:41\tFRA56-P4\t2390\t192.0.2.3\tGET\td111111abcdef8.cloudfront.net\t/a\t200\t-\tcurl/8.5.0\tx=1\t-\tHit\tEXAMPLE==\twww.example.com\thttps\t305\t0.358\t-\tTLSv1.3\tTLS_AES_128_GCM_SHA256\tHit\tHTTP/2.0\t-\t-\t52834\t0.102\tHit\ttext/html\t2024\t-\t-";
        let cells: Vec<_> = line.split('\t').collect();
        for columns in 1..=cells.len() {
            let line = cells[..columns].join("\t");
            for end in ["", "\r", "\t", "\t\r"] {
                let line = format!("{line}{end}");
                let parsed = Parser::new().parse(line.as_bytes(), None);
                let Some(header) = Header::inferred(columns) else {
                    assert_eq!(parsed.is_ok(), end.starts_with('\t') && Header::inferred(columns + 1).is_some());
                    continue;
                };
                let record = parsed.unwrap();
                assert_eq!(record.time_micros(), Some(1_768_472_561_000_000));
                assert_eq!(record.raw(Field::Time).unwrap(), "2026-01-15\t10:22:41");
                for (cell, field) in header.fields().enumerate().skip(2) {
                    assert_eq!(record.raw(field.unwrap()).unwrap(), cells[cell], "{columns} {end:?}");
                }
                assert_eq!(record.seconds(Field::TimeTaken), (columns >= 19).then_some(0.358));
            }
        }
    }

    #[test]
    fn more_names_than_there_is_room_for() {
        let names = "x ".repeat(100) + "date time c-ip cs-uri-stem sc-status";
        let header = Header::parse(format!("#Fields: {names}").as_bytes()).unwrap();
        let line = "-\t".repeat(100) + "2026-01-15\t10:22:41\t192.0.2.3\t/a\t200\tmore\tand more";
        for (kind, mut parser) in Parser::of_every_kind(FieldSet::ALL) {
            let record = parser.parse(line.as_bytes(), Some(&header)).unwrap();
            assert_eq!((record.status(), record.field_count()), (Some(200), 107), "{kind}");
            assert_eq!(record.raw(Field::Time).unwrap(), "2026-01-15\t10:22:41");
        }
    }
}
