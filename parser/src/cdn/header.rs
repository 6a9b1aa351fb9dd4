//! The header of a CDN log: the `#Fields:` line, which names the cells of the lines after it.
//!
//! Legacy logs only ever gained columns at the end, so without a header the number of columns determines their order.
//! Newer logs may hold any fields in any order, so a header always takes precedence. Start at [`Header::parse`].

use super::field::{FIELDS, Field, Kind};
use super::field_set::FieldSet;
use std::collections::HashMap;
use std::sync::LazyLock;

/// Meaning of a name in a `#Fields:` line: a field, or one of the parts that make up the time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Cell {
    /// A field other than the time.
    Field(Field),
    /// `2026-01-15`.
    Date,
    /// `10:22:41`.
    Time,
    /// Seconds since 1970 with an optional fraction, or an RFC 3339 time.
    Timestamp,
    /// Milliseconds since 1970.
    TimestampMs,
}

impl Cell {
    /// The field that the cell belongs to; every cell of the time belongs to `Field::Time`.
    #[must_use]
    pub fn field(self) -> Field {
        match self {
            Self::Field(field) => field,
            Self::Date | Self::Time | Self::Timestamp | Self::TimestampMs => Field::Time,
        }
    }
}

/// Alternative field names, used by real-time logs and some configurations of standard logging v2.
const ALIASES: [(&str, Field); 4] = [
    ("cs-host", Field::XHostHeader),
    ("cs-referer", Field::CsReferer),
    ("cs-user-agent", Field::CsUserAgent),
    ("cs-cookie", Field::CsCookie),
];

/// Resolves a field name, from a `#Fields:` line or a JSON key. ASCII case is ignored; returns `None` for unknown
/// names.
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
    // The title of the time consists of two names and matches neither.
    FIELDS.iter().find(|info| info.field != Field::Time && is(info.title)).map(|info| Cell::Field(info.field))
}

fn alias(name: &[u8]) -> Option<Cell> {
    let named = ALIASES.iter().find(|(alias, _)| name.eq_ignore_ascii_case(alias.as_bytes()));
    named.map(|(_, field)| Cell::Field(*field))
}

/// The status of RTMP streaming logs (until 2020). It has no column because its values differ from HTTP statuses, but
/// it takes the place of `sc-status` as the last cell that a line must reach.
const STREAM_STATUS: &[u8] = b"x-cf-status";

/// Whether a line is a directive, i.e. begins with `#`, and so not a record. Pass directives to [`Header::parse`].
#[inline]
#[must_use]
pub fn is_directive(line: &[u8]) -> bool {
    line.first() == Some(&b'#')
}

/// The field that each cell of a line holds.
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

/// What the parser needs from a header, computed once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Plan {
    /// Fields present in the header.
    pub(super) fields: FieldSet,
    /// Whether every known cell is where the 33 legacy columns have it.
    pub(super) is_legacy: bool,
    /// Number of cells up to the last known one.
    pub(super) end: usize,
    /// Minimum number of cells in a record: up to the status.
    pub(super) reach: usize,
    /// A required field that the header does not name.
    pub(super) lacks: Option<Field>,
    /// Cells of all fields but the time, in order.
    pub(super) places: Vec<(u32, Field)>,
    /// Cells of integers, in order.
    pub(super) integers: Vec<u32>,
    /// Cells of seconds, in order.
    pub(super) seconds: Vec<u32>,
    pub(super) status: Option<u32>,
    pub(super) date: Option<u32>,
    pub(super) time: Option<u32>,
    pub(super) timestamp: Option<u32>,
    pub(super) timestamp_ms: Option<u32>,
}

/// Numbers of columns that legacy logs have had; each is a prefix of the [`LEGACY`] columns.
const COLUMNS: [usize; 9] = [11, 12, 15, 18, 19, 23, 24, 26, 33];

/// Number of columns of legacy logs: date and time, then the other fields in table order.
pub(super) const LEGACY: usize = Field::ScRangeEnd as usize + 2;

/// Meaning of a column of a legacy log.
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
    /// Parses a `#Fields:` line (any ASCII case) with names separated by spaces or tabs. Returns `None` for any other
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

    /// Builds a header from field names. Of several cells with the same meaning the first one counts, except that a
    /// field's primary name takes precedence over its alias.
    #[must_use]
    pub fn of_names<'n>(names: impl IntoIterator<Item = &'n [u8]>) -> Self {
        let mut cells: Vec<Option<Cell>> = Vec::new();
        // Where each meaning was named first, and whether by an alias. Not searched for in `cells`: a line may have
        // millions of names.
        let mut named: HashMap<Cell, (usize, bool)> = HashMap::new();
        let (mut unknown, mut stream_status) = (0, None);
        for (at, name) in names.into_iter().enumerate() {
            let own = own_name(name);
            let Some(cell) = own.or_else(|| alias(name)) else {
                unknown += 1;
                if name.eq_ignore_ascii_case(STREAM_STATUS) {
                    stream_status = stream_status.or(Some(at));
                }
                cells.push(None);
                continue;
            };
            let takes_precedence = match named.get(&cell) {
                Some((earlier, true)) if own.is_some() => {
                    cells[*earlier] = None;
                    true
                }
                earlier => earlier.is_none(),
            };
            if takes_precedence {
                named.insert(cell, (at, own.is_none()));
            }
            cells.push(takes_precedence.then_some(cell));
        }
        Self::new(cells, unknown, stream_status)
    }

    /// The header of a legacy log without a `#Fields:` line, inferred from its number of columns. Returns `None` if
    /// no legacy log had that many columns.
    #[must_use]
    pub fn inferred(cells: usize) -> Option<&'static Self> {
        INFERRED.iter().rev().find(|header| header.len() == cells)
    }

    fn new(cells: Vec<Option<Cell>>, unknown: usize, stream_status: Option<usize>) -> Self {
        let plan = Plan::of(&cells, stream_status);
        Self { cells, unknown, plan }
    }

    /// Number of names, known or not.
    #[must_use]
    pub fn len(&self) -> usize {
        self.cells.len()
    }

    /// Whether the header has no names.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.cells.is_empty()
    }

    /// Number of names that are not known fields.
    #[must_use]
    pub fn unknown(&self) -> usize {
        self.unknown
    }

    /// The field of each cell, `None` for cells that are passed over. Several cells may belong to the time.
    pub fn fields(&self) -> impl Iterator<Item = Option<Field>> {
        self.cells().map(|cell| cell.map(Cell::field))
    }

    /// The meaning of each cell, `None` for cells that are passed over.
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

    /// The cells, other than those of the time, that exist in a line with `cells` cells.
    #[inline]
    pub(super) fn places_within(&self, cells: usize) -> &[(u32, Field)] {
        if cells >= self.end {
            return &self.places;
        }
        &self.places[..self.places.partition_point(|(cell, _)| (*cell as usize) < cells)]
    }

    /// The fields that a record with `cells` cells has.
    #[inline]
    pub(super) fn fields_within(&self, cells: usize) -> FieldSet {
        if cells >= self.end {
            return self.fields;
        }
        // Every record has a time.
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
