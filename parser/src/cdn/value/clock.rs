//! Times: `2026-01-15` with `10:22:41`, seconds or milliseconds since 1970, and RFC 3339.
//!
//! Years 0001 to 9999 of the Gregorian calendar; second 60 is the first second of the next minute.

use super::decimal::integer;
use crate::value::time::Civil;

/// Length of `2026-01-15`.
pub(crate) const DATE_LEN: usize = 10;
/// Length of `10:22:41`.
pub(crate) const TIME_LEN: usize = 8;

const SECOND: i64 = 1_000_000;

/// Unix seconds of the start of year 0001.
const START: i64 = -62_135_596_800;
/// Unix seconds of the start of year 10000.
const END: i64 = 253_402_300_800;

/// Caches the last decoded day, because nearly all lines of a log object share it.
#[derive(Clone, Debug)]
pub(crate) struct Day {
    text: [u8; DATE_LEN],
    /// Unix seconds of the start of the day.
    start: i64,
}

impl Default for Day {
    fn default() -> Self {
        Self { text: *b"1970-01-01", start: 0 }
    }
}

impl Day {
    /// Unix seconds of the start of a day such as `2026-01-15`.
    #[inline]
    pub(crate) fn start_of(&mut self, date: &[u8]) -> Option<i64> {
        let text: &[u8; DATE_LEN] = date.try_into().ok()?;
        if *text != self.text {
            self.start = of_date(text)?;
            self.text = *text;
        }
        Some(self.start)
    }

    /// Microseconds since 1970 of a date and a time such as `2026-01-15` and `10:22:41`.
    #[inline]
    pub(crate) fn at(&mut self, date: &[u8], time: &[u8]) -> Option<i64> {
        in_years(self.start_of(date)? + of_time(time)?).map(|seconds| seconds * SECOND)
    }
}

/// Decodes the cells `date` and `time` to microseconds since 1970, or `None` if they are invalid.
///
/// ```
/// use s3log_parser::cdn::value::date_and_time;
///
/// assert_eq!(date_and_time(b"2026-01-15", b"10:22:41"), Some(1_768_472_561_000_000));
/// assert_eq!(date_and_time(b"2026-02-29", b"10:22:41"), None);
/// ```
#[must_use]
pub fn date_and_time(date: &[u8], time: &[u8]) -> Option<i64> {
    Day::default().at(date, time)
}

/// Decodes the cell `timestamp(ms)`, milliseconds since 1970, to microseconds since 1970.
///
/// ```
/// use s3log_parser::cdn::value::timestamp_ms;
///
/// assert_eq!(timestamp_ms(b"1768472561358"), Some(1_768_472_561_358_000));
/// assert_eq!(timestamp_ms(b"1768472561.358"), None);
/// ```
#[must_use]
pub fn timestamp_ms(text: &[u8]) -> Option<i64> {
    let milliseconds = integer(text)?;
    (milliseconds < END * 1000).then(|| milliseconds * 1000)
}

/// Decodes the cell `timestamp` to microseconds since 1970. It holds seconds since 1970 with an optional fraction, or
/// an RFC 3339 time. Digits of a fraction beyond the sixth are truncated.
///
/// ```
/// use s3log_parser::cdn::value::timestamp;
///
/// assert_eq!(timestamp(b"1768472561.358"), Some(1_768_472_561_358_000));
/// assert_eq!(timestamp(b"2026-01-15T10:22:41Z"), Some(1_768_472_561_000_000));
/// assert_eq!(timestamp(b"2026-01-15T12:22:41.5+02:00"), Some(1_768_472_561_500_000));
/// ```
#[must_use]
pub fn timestamp(text: &[u8]) -> Option<i64> {
    rfc_3339(text).or_else(|| {
        let (seconds, fraction) = match text.iter().position(|byte| *byte == b'.') {
            Some(point) => (&text[..point], microseconds(&text[point + 1..])?),
            None => (text, 0),
        };
        let seconds = integer(seconds)?;
        (seconds < END).then(|| seconds * SECOND + fraction)
    })
}

/// `2026-01-15T10:22:41.358+02:00`
fn rfc_3339(text: &[u8]) -> Option<i64> {
    let (date, rest) = text.split_first_chunk::<DATE_LEN>()?;
    let (separator, rest) = rest.split_first()?;
    let (time, rest) = rest.split_first_chunk::<TIME_LEN>()?;
    if !matches!(separator, b'T' | b't' | b' ') {
        return None;
    }
    let local = of_date(date)? + of_time(time)?;
    let (fraction, zone) = match rest {
        [b'.', behind @ ..] => {
            let len = behind.iter().take_while(|byte| byte.is_ascii_digit()).count();
            (microseconds(&behind[..len])?, &behind[len..])
        }
        _ => (0, rest),
    };
    let offset = match zone {
        b"Z" | b"z" => 0,
        [sign @ (b'+' | b'-'), h1, h2, b':', m1, m2] => {
            let (hours, minutes) = (integer(&[*h1, *h2])?, integer(&[*m1, *m2])?);
            if hours > 23 || minutes > 59 {
                return None;
            }
            (hours * 3600 + minutes * 60) * if *sign == b'+' { 1 } else { -1 }
        }
        _ => return None,
    };
    in_years(local - offset).map(|seconds| seconds * SECOND + fraction)
}

/// Passes through seconds within the years 0001 to 9999.
#[inline]
fn in_years(seconds: i64) -> Option<i64> {
    (START..END).contains(&seconds).then_some(seconds)
}

/// Unix seconds of the start of a day.
fn of_date(text: &[u8; DATE_LEN]) -> Option<i64> {
    let &[y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2] = text else { return None };
    let (month, day) = (integer(&[m1, m2])? as u8, integer(&[d1, d2])? as u8);
    Civil { year: integer(&[y1, y2, y3, y4])? as u16, month, day, hour: 0, minute: 0, second: 0 }.seconds()
}

/// Seconds since midnight. Tests all eight bytes at once.
#[inline]
fn of_time(text: &[u8]) -> Option<i64> {
    const HIGH: u64 = 0xF0F0_F0F0_F0F0_F0F0;
    const SIX: u64 = 0x0606_0606_0606_0606;
    const COLONS: u64 = 0x0000_FF00_00FF_0000;
    let text: &[u8; TIME_LEN] = text.try_into().ok()?;
    // XOR turns colons into 0 and digits into their values.
    let word = u64::from_le_bytes(*text) ^ u64::from_le_bytes(*b"00:00:00");
    if (word | word.wrapping_add(SIX)) & HIGH | word & COLONS != 0 {
        return None;
    }
    let [h1, h2, _, m1, m2, _, s1, s2] = word.to_le_bytes().map(i64::from);
    let (hour, minute, second) = (h1 * 10 + h2, m1 * 10 + m2, s1 * 10 + s2);
    (hour <= 23 && minute <= 59 && second <= 60).then_some(hour * 3600 + minute * 60 + second)
}

/// Whether the text is a valid time of day.
pub(crate) fn is_time(text: &[u8]) -> bool {
    of_time(text).is_some()
}

/// Microseconds of the digits of a fraction, which must not be empty.
fn microseconds(fraction: &[u8]) -> Option<i64> {
    if fraction.is_empty() || !fraction.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let places = fraction.iter().map(|digit| i64::from(digit - b'0')).chain(std::iter::repeat(0));
    Some(places.take(6).fold(0, |value, digit| value * 10 + digit))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const T: i64 = 1_768_472_561_000_000;

    #[test]
    fn dates_and_times() {
        for (date, time, expected) in [
            ("2026-01-15", "10:22:41", Some(T)),
            ("1970-01-01", "00:00:00", Some(0)),
            ("0001-01-01", "00:00:00", Some(-62_135_596_800_000_000)),
            ("9999-12-31", "23:59:59", Some((END - 1) * SECOND)),
            ("2016-12-31", "23:59:60", Some(1_483_228_800_000_000)),
            ("9999-12-31", "23:59:60", None),
            ("2024-02-29", "00:00:00", Some(1_709_164_800_000_000)),
            ("2023-02-29", "00:00:00", None),
            ("2026-13-05", "00:00:00", None),
            ("2026-00-05", "00:00:00", None),
            ("2026-01-00", "00:00:00", None),
            ("0000-01-01", "00:00:00", None),
            ("20yy-01-15", "00:00:00", None),
            ("2026/01/15", "00:00:00", None),
            ("2026-1-15", "00:00:00", None),
            ("2026-01-15", "24:00:00", None),
            ("2026-01-15", "00:60:00", None),
            ("2026-01-15", "00:00:61", None),
            ("2026-01-15", "00-00:00", None),
            ("2026-01-15", "00:00:0:", None),
            ("2026-01-15", "00:00:0", None),
            ("2026-01-15", "00:00:000", None),
            ("", "", None),
        ] {
            assert_eq!(date_and_time(date.as_bytes(), time.as_bytes()), expected, "{date} {time}");
        }
    }

    #[test]
    fn timestamps() {
        for (text, expected) in [
            ("1768472561", Some(T)),
            ("1768472561.3", Some(T + 300_000)),
            ("1768472561.1234569", Some(T + 123_456)),
            ("0", Some(0)),
            ("2026-01-15T10:22:41Z", Some(T)),
            ("2026-01-15t10:22:41.358z", Some(T + 358_000)),
            ("2026-01-15 05:22:41-05:00", Some(T)),
            ("9999-12-31T23:59:59-01:00", None),
            ("0001-01-01T00:00:00+01:00", None),
            ("253402300799", Some((END - 1) * SECOND)),
            ("253402300800", None),
            ("1768472561.", None),
            (".5", None),
            ("-1", None),
            ("1e9", None),
            ("2026-01-15T10:22:41", None),
            ("2026-01-15T10:22:41+0200", None),
            ("2026-01-15T10:22:41+24:00", None),
            ("2026-01-15T10:22:41.Z", None),
            ("2026-02-30T10:22:41Z", None),
            ("99999999999999999999", None),
            ("", None),
            ("-", None),
        ] {
            assert_eq!(timestamp(text.as_bytes()), expected, "{text}");
        }
        assert_eq!(timestamp_ms(b"0"), Some(0));
        assert_eq!(timestamp_ms(b"253402300800000"), None);
        assert_eq!(timestamp_ms(b"-"), None);
    }

    proptest! {
        #[test]
        fn the_memo_changes_nothing(dates in prop::collection::vec("20[0-2][0-9]-[01][0-9]-[0-3][0-9]", 1..20)) {
            let mut day = Day::default();
            for date in dates.iter().flat_map(|date| [date, date]) {
                prop_assert_eq!(day.at(date.as_bytes(), b"01:02:03"), date_and_time(date.as_bytes(), b"01:02:03"));
            }
        }

        #[test]
        fn times_of_eight_bytes(text in "[0-9:/;]{2}[:0][0-9:/;]{2}[:0][0-9:/;]{2}") {
            let two = |at: usize| text[at..at + 2].bytes().all(|byte| byte.is_ascii_digit()).then(|| text[at..at + 2].parse::<i64>().unwrap());
            let expected = match (two(0), &text[2..3], two(3), &text[5..6], two(6)) {
                (Some(hour @ ..24), ":", Some(minute @ ..60), ":", Some(second @ ..61)) => Some(hour * 3600 + minute * 60 + second),
                _ => None,
            };
            prop_assert_eq!(of_time(text.as_bytes()), expected);
        }
    }
}
