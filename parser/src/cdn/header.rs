//! The header of a CDN log: the `#Fields:` line, which says what each cell of the lines behind it holds.
//!
//! Columns have only ever been added at the end, so the number of columns tells the order where no header is left; logs
//! of today may hold any fields in any order, so a header goes before any number. Start at [`Header::parse`].

use super::field::{FIELDS, Field, Kind};
use super::field_set::FieldSet;
use std::sync::LazyLock;

/// What a name in a `#Fields:` line means: a field, or one of the texts that make the time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Cell {
    /// A field other than the time.
    Field(Field),
    /// `2026-01-15`.
    Date,
    /// `10:22:41`.
    Time,
    /// Seconds since 1970, with a fraction or without, or a time as RFC 3339 has it.
    Timestamp,
    /// Milliseconds since 1970.
    TimestampMs,
}

impl Cell {
    /// The field that the cell belongs to.
    #[must_use]
    pub fn field(self) -> Field {
        match self {
            Self::Field(field) => field,
            Self::Date | Self::Time | Self::Timestamp | Self::TimestampMs => Field::Time,
        }
    }
}

/// Other names of fields, as real-time logs and some settings of today's logs spell them.
const ALIASES: [(&str, Field); 4] = [
    ("cs-host", Field::XHostHeader),
    ("cs-referer", Field::CsReferer),
    ("cs-user-agent", Field::CsUserAgent),
    ("cs-cookie", Field::CsCookie),
];

/// What the name of a field means, in a `#Fields:` line or as a key of JSON; letter case does not matter.
///
/// ```
/// use s3log_parser::cdn::{Cell, Field, field_of_name};
///
/// assert_eq!(field_of_name(b"cs(User-Agent)"), Some(Cell::Field(Field::CsUserAgent)));
/// assert_eq!(field_of_name(b"timestamp(ms)"), Some(Cell::TimestampMs));
/// assert_eq!(field_of_name(b"x-event"), None);
/// ```
#[must_use]
pub fn field_of_name(name: &[u8]) -> Option<Cell> {
    own_name(name).or_else(|| alias(name))
}

fn own_name(name: &[u8]) -> Option<Cell> {
    let is = |other: &str| name.eq_ignore_ascii_case(other.as_bytes());
    if is("date") {
        return Some(Cell::Date);
    }
    if is("time") {
        return Some(Cell::Time);
    }
    if is("timestamp") {
        return Some(Cell::Timestamp);
    }
    if is("timestamp(ms)") {
        return Some(Cell::TimestampMs);
    }
    // The title of the time is two names, which none is.
    FIELDS.iter().find(|info| info.field != Field::Time && is(info.title)).map(|info| Cell::Field(info.field))
}

fn alias(name: &[u8]) -> Option<Cell> {
    let named = ALIASES.iter().find(|(alias, _)| name.eq_ignore_ascii_case(alias.as_bytes()));
    named.map(|(_, field)| Cell::Field(*field))
}

/// The status of logs of streams (RTMP, until 2020). It is no column: its values are others. A line of such a log must
/// reach it, as others must reach `sc-status`.
const STREAM_STATUS: &[u8] = b"x-cf-status";

/// Whether a line begins with `#`: it is no record. `#Fields:` lines are the ones that matter, see [`Header::parse`].
#[inline]
#[must_use]
pub fn is_directive(line: &[u8]) -> bool {
    line.first() == Some(&b'#')
}

/// Which field each cell of a line holds.
///
/// ```
/// use s3log_parser::cdn::{Field, Header};
///
/// let header = Header::parse(b"#Fields: date time c-ip x-event cs(Host)").unwrap();
/// let fields: Vec<_> = header.fields().collect();
/// assert_eq!(fields, [Some(Field::Time), Some(Field::Time), Some(Field::CIp), None, Some(Field::CsHost)]);
/// assert_eq!(header.unknown(), 1);
/// assert!(Header::parse(b"#Version: 1.0").is_none());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    cells: Vec<Option<Cell>>,
    unknown: usize,
    pub(super) plan: Plan,
}

/// What a parser needs to know of a header, worked out once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Plan {
    /// The fields that some cell holds.
    pub(super) fields: FieldSet,
    /// Whether every known cell stands where the 33 columns have it.
    pub(super) is_legacy: bool,
    /// Cells up to the last known one.
    pub(super) end: usize,
    /// The cells that a line must have to be a record: up to the status.
    pub(super) reach: usize,
    /// A field that a record must have and no cell holds.
    pub(super) lacks: Option<Field>,
    /// The cells of fields other than the time, in their order.
    pub(super) places: Vec<(u32, Field)>,
    /// The cells of whole numbers, in their order.
    pub(super) integers: Vec<u32>,
    /// The cells of seconds, in their order.
    pub(super) seconds: Vec<u32>,
    pub(super) status: Option<u32>,
    pub(super) date: Option<u32>,
    pub(super) time: Option<u32>,
    pub(super) timestamp: Option<u32>,
    pub(super) timestamp_ms: Option<u32>,
}

/// Columns that legacy logs have had, the first few of [`LEGACY`].
const COLUMNS: [usize; 9] = [11, 12, 15, 18, 19, 23, 24, 26, 33];

/// The columns of legacy logs: date and time, then the other fields in the order of the table.
pub(super) const LEGACY: usize = Field::ScRangeEnd as usize + 2;

/// What a legacy log has in a column.
fn legacy_cell(column: usize) -> Option<Cell> {
    match column {
        0 => Some(Cell::Date),
        1 => Some(Cell::Time),
        _ if column < LEGACY => Some(Cell::Field(Field::ALL[column - 1])),
        _ => None,
    }
}

static INFERRED: LazyLock<Vec<Header>> =
    LazyLock::new(|| COLUMNS.map(|columns| Header::new((0..columns).map(legacy_cell).collect(), 0, None)).into());

impl Header {
    /// The header that a line is: `#Fields:` in any letter case, then names between spaces or tabs. `None` for any other
    /// line.
    #[must_use]
    pub fn parse(line: &[u8]) -> Option<Self> {
        const FIELDS: &[u8] = b"#Fields:";
        let (directive, names) = line.split_at_checked(FIELDS.len())?;
        if !directive.eq_ignore_ascii_case(FIELDS) {
            return None;
        }
        Some(Self::of_names(names.split(|byte| matches!(byte, b' ' | b'\t' | b'\r')).filter(|name| !name.is_empty())))
    }

    /// The header with these names. Of cells with the same meaning the first counts, and a field's own name goes before
    /// its other one.
    #[must_use]
    pub fn of_names<'n>(names: impl IntoIterator<Item = &'n [u8]>) -> Self {
        let mut cells: Vec<Option<Cell>> = Vec::new();
        let mut aliased: Vec<usize> = Vec::new();
        let (mut unknown, mut stream_status) = (0, None);
        for (at, name) in names.into_iter().enumerate() {
            let own = own_name(name);
            let meant = own.or_else(|| alias(name));
            if meant.is_none() {
                unknown += 1;
                if name.eq_ignore_ascii_case(STREAM_STATUS) {
                    stream_status = stream_status.or(Some(at));
                }
            }
            let earlier = meant.and_then(|cell| cells.iter().position(|other| *other == Some(cell)));
            match earlier {
                // The alias gives way.
                Some(other) if own.is_some() && aliased.contains(&other) => {
                    cells[other] = None;
                    cells.push(meant);
                }
                Some(_) => cells.push(None),
                None => {
                    cells.push(meant);
                    if own.is_none() {
                        aliased.push(at);
                    }
                }
            }
        }
        Self::new(cells, unknown, stream_status)
    }

    /// The header of a log that has none, by the number of its columns; `None` for a number that no log had before the
    /// fields could be chosen.
    #[must_use]
    pub fn inferred(cells: usize) -> Option<&'static Self> {
        INFERRED.iter().rev().find(|header| header.len() == cells)
    }

    fn new(cells: Vec<Option<Cell>>, unknown: usize, stream_status: Option<usize>) -> Self {
        let plan = Plan::of(&cells, stream_status);
        Self { cells, unknown, plan }
    }

    /// How many names there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.cells.len()
    }

    /// Whether there are no names.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.cells.is_empty()
    }

    /// How many of the names are no field that is known here.
    #[must_use]
    pub fn unknown(&self) -> usize {
        self.unknown
    }

    /// The field of each cell; the time is of more than one cell.
    pub fn fields(&self) -> impl Iterator<Item = Option<Field>> {
        self.cells().map(|cell| cell.map(Cell::field))
    }

    /// What each cell holds.
    pub fn cells(&self) -> impl Iterator<Item = Option<Cell>> {
        self.cells.iter().copied()
    }
}

impl Plan {
    fn of(cells: &[Option<Cell>], stream_status: Option<usize>) -> Self {
        let known = || cells.iter().enumerate().filter_map(|(at, cell)| cell.map(|cell| (at, cell)));
        let at = |wanted: Cell| known().find(|(_, cell)| *cell == wanted).map(|(at, _)| at as u32);
        let of_kind = |kind: Kind| {
            let cells = known().filter(move |(_, cell)| cell.field().info().kind == kind);
            cells.map(|(at, _)| at as u32).collect::<Vec<_>>()
        };
        let status = at(Cell::Field(Field::ScStatus));
        let (date, time) = (at(Cell::Date), at(Cell::Time));
        let (timestamp, timestamp_ms) = (at(Cell::Timestamp), at(Cell::TimestampMs));
        let has_time = (date.is_some() && time.is_some()) || timestamp.or(timestamp_ms).is_some();
        let last_needed = status.map(|status| status as usize).or(stream_status);
        let lacks = [
            (Field::Time, has_time),
            (Field::CIp, at(Cell::Field(Field::CIp)).is_some()),
            (Field::CsUriStem, at(Cell::Field(Field::CsUriStem)).is_some()),
            (Field::ScStatus, last_needed.is_some()),
        ];
        Self {
            fields: known().map(|(_, cell)| cell.field()).collect(),
            is_legacy: date == Some(0) && time == Some(1) && known().all(|(at, cell)| legacy_cell(at) == Some(cell)),
            end: known().next_back().map_or(0, |(at, _)| at + 1),
            reach: last_needed.map_or(0, |at| at + 1),
            lacks: lacks.into_iter().find(|(_, is_there)| !is_there).map(|(field, _)| field),
            places: known()
                .filter(|(_, cell)| cell.field() != Field::Time)
                .map(|(at, cell)| (at as u32, cell.field()))
                .collect(),
            integers: of_kind(Kind::Integer),
            seconds: of_kind(Kind::Seconds),
            status,
            date,
            time,
            timestamp,
            timestamp_ms,
        }
    }

    /// The places that a line with so many cells has.
    #[inline]
    pub(super) fn places_within(&self, cells: usize) -> &[(u32, Field)] {
        if cells >= self.end {
            return &self.places;
        }
        &self.places[..self.places.partition_point(|(cell, _)| (*cell as usize) < cells)]
    }

    /// The fields that a record with so many cells has.
    #[inline]
    pub(super) fn fields_within(&self, cells: usize) -> FieldSet {
        if cells >= self.end {
            return self.fields;
        }
        // No record is without a time.
        self.places_within(cells).iter().map(|(_, field)| *field).collect::<FieldSet>().with(Field::Time)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(line: &str) -> Vec<&'static str> {
        let header = Header::parse(line.as_bytes()).unwrap();
        header.fields().map(|field| field.map_or("-", Field::name)).collect()
    }

    #[test]
    fn names_in_any_case_between_spaces_or_tabs() {
        let expected = ["time", "time", "cs_host", "-", "asn"];
        for line in [
            "#Fields: date time cs(Host) x-event asn",
            "#Fields:date time cs(Host) x-event asn",
            "#fields:\tDATE\tTime \t CS(HOST)  nonsense ASN \r",
        ] {
            assert_eq!(fields(line), expected, "{line}");
        }
        assert!(Header::parse(b"#Fields:").unwrap().is_empty());
        for no in ["#Version: 1.0", "#", "", "Fields: date", "#Field: date", "# Fields: date"] {
            assert_eq!(Header::parse(no.as_bytes()), None, "{no}");
        }
    }

    #[test]
    fn other_names() {
        assert_eq!(
            fields("#Fields: cs-host cs-referer cs-user-agent cs-cookie distributionid timestamp"),
            ["x_host_header", "cs_referer", "cs_user_agent", "cs_cookie", "distribution_id", "time"]
        );
        assert_eq!(fields("#Fields: cs-host x-host-header"), ["-", "x_host_header"]);
        assert_eq!(fields("#Fields: x-host-header cs-host x-host-header"), ["x_host_header", "-", "-"]);
        assert_eq!(Header::parse(b"#Fields: cs-host x-host-header x-event x-event").unwrap().unknown(), 2);
    }

    #[test]
    fn what_a_record_must_have() {
        for (names, lacks, reach) in [
            ("date time c-ip cs-uri-stem sc-status", None, 5),
            ("timestamp(ms) c-ip cs-uri-stem sc-status asn", None, 4),
            ("sc-status timestamp c-ip cs-uri-stem", None, 1),
            ("date c-ip cs-uri-stem sc-status", Some(Field::Time), 4),
            ("date time cs-uri-stem sc-status", Some(Field::CIp), 4),
            ("date time c-ip sc-status", Some(Field::CsUriStem), 4),
            ("date time c-ip cs-uri-stem", Some(Field::ScStatus), 0),
            ("date time c-ip x-event sc-bytes x-cf-status x-cf-client-id cs-uri-stem", None, 6),
            ("", Some(Field::Time), 0),
        ] {
            let plan = Header::parse(format!("#Fields: {names}").as_bytes()).unwrap().plan;
            assert_eq!((plan.lacks, plan.reach), (lacks, reach), "{names}");
        }
    }

    #[test]
    fn inferred_headers_are_the_named_ones() {
        let names: Vec<_> = FIELDS[..LEGACY - 1].iter().flat_map(|info| info.title.split(' ')).collect();
        for columns in 0..40 {
            let named = Header::of_names(names.iter().take(columns).map(|name| name.as_bytes()));
            let expected = COLUMNS.contains(&columns).then_some(&named);
            assert_eq!(Header::inferred(columns), expected, "{columns}");
            assert!(expected.is_none_or(|header| header.plan.is_legacy && header.plan.lacks.is_none()));
        }
    }
}
