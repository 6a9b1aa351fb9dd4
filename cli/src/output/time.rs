//! Timestamps and dates as text: RFC 3339 in UTC, with a fraction only if needed; and elapsed times.

use std::time::Duration;

use arrow::datatypes::TimeUnit;
use chrono::{DateTime, Datelike as _, NaiveDate, NaiveDateTime, Timelike as _};

use super::push_fmt;

/// Days from the first day of the common era to 1 January 1970.
const EPOCH_DAY: i32 = 719_163;

/// Appends a timestamp such as `2026-01-31T10:00:00Z`, with the fewest of 0, 3, 6 or 9 fractional digits that represent
/// it exactly, as in the engine's findings. A timestamp outside of the calendar is printed as a number.
pub(crate) fn push_timestamp(value: i64, unit: TimeUnit, out: &mut String) {
    match instant(value, unit) {
        Some(time) => {
            push_day(time.date(), out);
            push_fmt(out, format_args!("T{:02}:{:02}:{:02}", time.hour(), time.minute(), time.second()));
            match time.nanosecond() {
                0 => {}
                nanos if nanos % 1_000_000 == 0 => push_fmt(out, format_args!(".{:03}", nanos / 1_000_000)),
                nanos if nanos % 1_000 == 0 => push_fmt(out, format_args!(".{:06}", nanos / 1_000)),
                nanos => push_fmt(out, format_args!(".{nanos:09}")),
            }
            out.push('Z');
        }
        None => push_fmt(out, format_args!("{value}")),
    }
}

/// Formats microseconds since 1970 as a timestamp.
pub(crate) fn rfc3339(micros: i64) -> String {
    let mut text = String::new();
    push_timestamp(micros, TimeUnit::Microsecond, &mut text);
    text
}

/// The date of a timestamp in microseconds since 1970, such as `2026-01-31`.
pub(crate) fn date(micros: i64) -> String {
    let text = rfc3339(micros);
    text.split_once('T').map_or_else(|| text.clone(), |(day, _)| day.to_owned())
}

/// The time of day of a timestamp in microseconds since 1970, such as `10:00:00Z`.
pub(crate) fn time_of_day(micros: i64) -> String {
    let text = rfc3339(micros);
    text.split_once('T').map_or_else(|| text.clone(), |(_, time)| time.to_owned())
}

/// A duration in seconds, rounded to milliseconds, for machine-readable reports.
pub(crate) fn seconds(elapsed: Duration) -> f64 {
    (elapsed.as_secs_f64() * 1e3).round() / 1e3
}

/// Appends a date such as `2026-01-31`, given in days since 1970.
pub(crate) fn push_date(days: i32, out: &mut String) {
    match days.checked_add(EPOCH_DAY).and_then(NaiveDate::from_num_days_from_ce_opt) {
        Some(day) => push_day(day, out),
        None => push_fmt(out, format_args!("{days}")),
    }
}

fn push_day(day: NaiveDate, out: &mut String) {
    push_fmt(out, format_args!("{:04}-{:02}-{:02}", day.year(), day.month(), day.day()));
}

fn instant(value: i64, unit: TimeUnit) -> Option<NaiveDateTime> {
    let per_second = match unit {
        TimeUnit::Second => 1,
        TimeUnit::Millisecond => 1_000,
        TimeUnit::Microsecond => 1_000_000,
        TimeUnit::Nanosecond => 1_000_000_000,
    };
    let nanos = u32::try_from(value.rem_euclid(per_second) * (1_000_000_000 / per_second)).ok()?;
    Some(DateTime::from_timestamp(value.div_euclid(per_second), nanos)?.naive_utc())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants() {
        let cases = [
            (0, TimeUnit::Second, "1970-01-01T00:00:00Z"),
            (-1, TimeUnit::Microsecond, "1969-12-31T23:59:59.999999Z"),
            (1_500, TimeUnit::Millisecond, "1970-01-01T00:00:01.500Z"),
            (1_769_860_800_250_000, TimeUnit::Microsecond, "2026-01-31T12:00:00.250Z"),
            (1_500_010, TimeUnit::Microsecond, "1970-01-01T00:00:01.500010Z"),
            (1, TimeUnit::Nanosecond, "1970-01-01T00:00:00.000000001Z"),
            (-62_135_596_800, TimeUnit::Second, "0001-01-01T00:00:00Z"),
            (253_402_300_799, TimeUnit::Second, "9999-12-31T23:59:59Z"),
            (i64::MAX, TimeUnit::Second, "9223372036854775807"),
        ];
        for (value, unit, expected) in cases {
            let mut out = String::new();
            push_timestamp(value, unit, &mut out);
            assert_eq!(out, expected);
        }
    }

    #[test]
    fn parts_of_an_instant() {
        let micros = 1_769_860_800_250_000;
        assert_eq!((date(micros).as_str(), time_of_day(micros).as_str()), ("2026-01-31", "12:00:00.250Z"));
        let never = (i64::MAX.to_string(), i64::MAX.to_string());
        assert_eq!((date(i64::MAX), time_of_day(i64::MAX)), never);
    }

    #[test]
    fn seconds_are_told_to_the_millisecond() {
        for (micros, expected) in [(0, 0.0), (499, 0.0), (1_500_000, 1.5), (12_345_678, 12.346)] {
            assert_eq!(seconds(Duration::from_micros(micros)), expected);
        }
    }

    #[test]
    fn a_day_outside_of_the_calendar_is_its_number() {
        let mut out = String::new();
        push_date(i32::MAX, &mut out);
        assert_eq!(out, "2147483647");
    }
}
