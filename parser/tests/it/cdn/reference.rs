//! A slow, straightforward reader for CDN log lines, written from the rules of the format alone.
//!
//! It is independent of the parser and shares only the names of fields with it. A line is split at its tabs, and the
//! names of the cells determine everything else. Start at [`read`] and [`object`].

use crate::reference::time_at;
use bstr::{BString, ByteSlice};
use s3log_parser::cdn::Field;
use std::collections::HashMap;

/// Everything that the rules say about one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RefRecord {
    /// The bytes of each field as written.
    pub(crate) raw: [Option<BString>; Field::COUNT],
    /// The same, with `None` for `-` and empty text.
    pub(crate) text: [Option<BString>; Field::COUNT],
    /// Microseconds since 1970, UTC.
    pub(crate) time: Option<i64>,
    pub(crate) status: Option<u16>,
    pub(crate) integers: [Option<i64>; Field::COUNT],
    pub(crate) millis: [Option<i64>; Field::COUNT],
    /// Bit patterns of the floating-point numbers.
    pub(crate) seconds: [Option<u64>; Field::COUNT],
    pub(crate) cells: usize,
}

/// Columns of legacy logs, in order.
pub(crate) const LEGACY: [&str; 33] = [
    "date",
    "time",
    "x-edge-location",
    "sc-bytes",
    "c-ip",
    "cs-method",
    "cs(host)",
    "cs-uri-stem",
    "sc-status",
    "cs(referer)",
    "cs(user-agent)",
    "cs-uri-query",
    "cs(cookie)",
    "x-edge-result-type",
    "x-edge-request-id",
    "x-host-header",
    "cs-protocol",
    "cs-bytes",
    "time-taken",
    "x-forwarded-for",
    "ssl-protocol",
    "ssl-cipher",
    "x-edge-response-result-type",
    "cs-protocol-version",
    "fle-status",
    "fle-encrypted-fields",
    "c-port",
    "time-to-first-byte",
    "x-edge-detailed-result-type",
    "sc-content-type",
    "sc-content-len",
    "sc-range-start",
    "sc-range-end",
];

/// Integer fields.
const INTEGERS: [&str; 8] = [
    "sc-bytes",
    "cs-bytes",
    "fle-encrypted-fields",
    "c-port",
    "sc-content-len",
    "sc-range-start",
    "sc-range-end",
    "asn",
];

/// Fields in seconds.
const SECONDS: [&str; 2] = ["time-taken", "time-to-first-byte"];

/// The names of a field, primary name first. The time is special; see [`time_of`].
fn names_of(field: Field) -> Vec<String> {
    let mut names = vec![field.title().to_lowercase()];
    match field {
        Field::XHostHeader => names.push("cs-host".to_owned()),
        Field::CsReferer => names.push("cs-referer".to_owned()),
        Field::CsUserAgent => names.push("cs-user-agent".to_owned()),
        Field::CsCookie => names.push("cs-cookie".to_owned()),
        _ => {}
    }
    names
}

/// The lower-case names of a `#Fields:` line; `None` for other lines.
pub(crate) fn header(line: &[u8]) -> Option<Vec<String>> {
    let text: String = line.iter().map(|byte| char::from(byte.to_ascii_lowercase())).collect();
    let names = text.strip_prefix("#fields:")?;
    Some(names.split([' ', '\t', '\r']).filter(|name| !name.is_empty()).map(str::to_owned).collect())
}

/// The names of a log without a header, inferred from the number of columns.
fn inferred(cells: &[&[u8]]) -> Option<Vec<String>> {
    let known = |count: usize| [11, 12, 15, 18, 19, 23, 24, 26, 33].contains(&count);
    let count = match cells.len() {
        count if known(count) => count,
        // Trailing tab.
        count if cells[count - 1].is_empty() && known(count - 1) => count - 1,
        _ => return None,
    };
    Some(LEGACY[..count].iter().map(|name| (*name).to_owned()).collect())
}

/// Reads one line, given without its line ending.
pub(crate) fn read(line: &[u8], header: Option<&[String]>) -> Option<RefRecord> {
    if line.starts_with(b"#") {
        return None;
    }
    let cells: Vec<&[u8]> = line.strip_suffix(b"\r").unwrap_or(line).split(|byte| *byte == b'\t').collect();
    let names = match header {
        Some(names) => names.to_vec(),
        None => inferred(&cells)?,
    };
    let mut places: HashMap<&str, usize> = HashMap::new();
    for (place, name) in names.iter().enumerate() {
        places.entry(name).or_insert(place);
    }

    // Required names, and how far a line must reach.
    let has_time = places.contains_key("date") && places.contains_key("time")
        || places.contains_key("timestamp")
        || places.contains_key("timestamp(ms)");
    if !has_time || !places.contains_key("c-ip") || !places.contains_key("cs-uri-stem") {
        return None;
    }
    let status = *places.get("sc-status").or(places.get("x-cf-status"))?;
    if cells.len() <= status {
        return None;
    }

    let cell = |name: &str| places.get(name).and_then(|place| cells.get(*place)).copied();
    let value = |name: &str| cell(name).filter(|text| !matches!(*text, b"" | b"-"));
    let mut record = RefRecord {
        raw: [const { None }; Field::COUNT],
        text: [const { None }; Field::COUNT],
        time: Some(time_of(&value)?),
        status: None,
        integers: [None; Field::COUNT],
        millis: [None; Field::COUNT],
        seconds: [None; Field::COUNT],
        cells: cells.len(),
    };
    for field in Field::ALL {
        if field == Field::Time {
            record.raw[0] = raw_time(&places, &value);
            record.text[0] = record.raw[0].clone();
            continue;
        }
        let Some(name) = names_of(field).into_iter().find(|name| places.contains_key(name.as_str())) else { continue };
        record.raw[field.index()] = cell(&name).map(BString::from);
        let Some(text) = value(&name) else { continue };
        record.text[field.index()] = Some(text.into());
        let number = field.title().to_lowercase();
        if number == "sc-status" {
            if text.len() != 3 || !text.iter().all(u8::is_ascii_digit) {
                return None;
            }
            record.status = text.to_str().ok().and_then(|text| text.parse().ok());
        }
        if INTEGERS.contains(&number.as_str()) {
            record.integers[field.index()] = Some(integer(text)?);
        }
        if SECONDS.contains(&number.as_str()) {
            record.millis[field.index()] = Some(millis(text)?);
            record.seconds[field.index()] = text.to_str().ok()?.parse::<f64>().ok().map(f64::to_bits);
        }
    }
    Some(record)
}

/// Every cell of the time that has a value must be valid. `timestamp(ms)` takes precedence over `timestamp`, which
/// takes precedence over date and time.
fn time_of<'a>(value: &impl Fn(&str) -> Option<&'a [u8]>) -> Option<i64> {
    let (date, time) = (value("date"), value("time"));
    if let Some(date) = date {
        date_and_time(date, b"00:00:00")?;
    }
    if let Some(time) = time {
        date_and_time(b"2000-01-01", time)?;
    }
    let mut found = None;
    if let (Some(date), Some(time)) = (date, time) {
        found = Some(date_and_time(date, time)?);
    }
    if let Some(text) = value("timestamp") {
        found = Some(timestamp(text)?);
    }
    if let Some(text) = value("timestamp(ms)") {
        found = Some(in_years(integer(text)?.checked_mul(1000)?)?);
    }
    found
}

/// The text that the time was read from.
fn raw_time<'a>(places: &HashMap<&str, usize>, value: &impl Fn(&str) -> Option<&'a [u8]>) -> Option<BString> {
    if let Some(text) = value("timestamp(ms)").or(value("timestamp")) {
        return Some(text.into());
    }
    if places["date"] + 1 != places["time"] {
        return None;
    }
    Some(bstr::join("\t", [value("date")?, value("time")?]).into())
}

/// Microseconds of a date and a time such as `2026-01-15` and `10:22:41`.
pub(crate) fn date_and_time(date: &[u8], time: &[u8]) -> Option<i64> {
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let (date, time) = (date.to_str().ok()?, time.to_str().ok()?);
    let parts: Vec<&str> = date.split('-').collect();
    let [year, month, day] = parts[..] else { return None };
    if month.len() != 2 {
        return None;
    }
    let month = MONTHS.get(month.parse::<usize>().ok()?.checked_sub(1)?)?;
    let text = format!("[{day}/{month}/{year}:{time} +0000]");
    if text.len() != 28 {
        return None;
    }
    in_years(time_at(text.as_bytes(), 0)? * 1_000_000)
}

/// Years 0001 to 9999.
fn in_years(microseconds: i64) -> Option<i64> {
    (-62_135_596_800_000_000..253_402_300_800_000_000).contains(&microseconds).then_some(microseconds)
}

/// Seconds since 1970 with an optional fraction, or an RFC 3339 time.
pub(crate) fn timestamp(text: &[u8]) -> Option<i64> {
    let text = text.to_str().ok()?;
    if !text.contains('-') && !text.contains(':') {
        let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
        return in_years(integer(whole.as_bytes())?.checked_mul(1_000_000)?.checked_add(microseconds(fraction)?)?);
    }
    let (date, rest) = text.split_at_checked(10)?;
    let rest = rest.strip_prefix(['T', 't', ' '])?;
    let (time, rest) = rest.split_at_checked(8)?;
    let (fraction, zone) = match rest.strip_prefix('.') {
        Some(rest) => rest.split_at(rest.find(|byte: char| !byte.is_ascii_digit())?),
        None => ("0", rest),
    };
    let offset = match zone {
        "Z" | "z" => 0,
        _ => {
            let (hours, minutes) = zone.get(1..)?.split_once(':')?;
            let two = |text: &str| (text.len() == 2).then(|| integer(text.as_bytes())).flatten();
            let (hours, minutes) = (two(hours)?, two(minutes)?);
            let sign = if zone.starts_with('+') { 1 } else { -1 };
            if hours > 23 || minutes > 59 || !zone.starts_with(['+', '-']) {
                return None;
            }
            sign * (hours * 60 + minutes) * 60
        }
    };
    // A local time in year 10000 may be in 9999 in UTC, so compute the time of day on a day in range.
    let of_day = date_and_time(b"2000-01-01", time.as_bytes())? - date_and_time(b"2000-01-01", b"00:00:00")?;
    let midnight = date_and_time(date.as_bytes(), b"00:00:00")?;
    Some(in_years(midnight + of_day - offset * 1_000_000)? + microseconds(fraction)?)
}

fn microseconds(fraction: &str) -> Option<i64> {
    if fraction.is_empty() || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    format!("{fraction}000000")[..6].parse().ok()
}

/// Unsigned digits that fit into an `i64`.
pub(crate) fn integer(text: &[u8]) -> Option<i64> {
    if text.is_empty() || !text.iter().all(u8::is_ascii_digit) {
        return None;
    }
    text.to_str().ok()?.parse().ok()
}

/// Milliseconds: three decimals, rounded up if the fourth is 5 or more.
pub(crate) fn millis(text: &[u8]) -> Option<i64> {
    let text = text.to_str().ok()?;
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let are_digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !are_digits(whole) || !are_digits(fraction) {
        return None;
    }
    let fraction = format!("{fraction}0000");
    let thousandths: i64 = format!("{whole}{}", &fraction[..3]).parse().ok()?;
    thousandths.checked_add(i64::from(&fraction[3..4] >= "5"))
}

/// The kind of a line of a log object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum RefLine {
    Blank,
    Directive,
    Record(Box<RefRecord>),
    Reject,
}

/// Reads a log object; a header applies until the next one.
pub(crate) fn object(bytes: &[u8]) -> Vec<RefLine> {
    let mut names = None;
    let mut found = Vec::new();
    for line in crate::reference::lines(bytes) {
        let line = if line.blank {
            RefLine::Blank
        } else if line.bytes.starts_with(b"#") {
            names = header(&line.bytes).or(names);
            RefLine::Directive
        } else {
            read(&line.bytes, names.as_deref()).map_or(RefLine::Reject, |record| RefLine::Record(Box::new(record)))
        };
        found.push(line);
    }
    found
}
