//! Instants and dates as text: RFC 3339 in UTC, a fraction only when there is one.

use arrow::datatypes::TimeUnit;
use chrono::{DateTime, Datelike as _, NaiveDate, NaiveDateTime, Timelike as _};

use super::push_fmt;

/// Days from the first day of the common era to 1 January 1970.
const EPOCH_DAY: i32 = 719_163;

/// Appends an instant, such as `2026-01-31T10:00:00Z`; microseconds only when they are not zero, nanoseconds only when
/// they are finer than that. An instant outside of the calendar is printed as its number.
pub(crate) fn push_timestamp(value: i64, unit: TimeUnit, out: &mut String) {
    match instant(value, unit) {
        Some(time) => {
            push_day(time.date(), out);
            push_fmt(out, format_args!("T{:02}:{:02}:{:02}", time.hour(), time.minute(), time.second()));
            match time.nanosecond() {
                0 => {}
                nanos if nanos % 1000 == 0 => push_fmt(out, format_args!(".{:06}", nanos / 1000)),
                nanos => push_fmt(out, format_args!(".{nanos:09}")),
            }
            out.push('Z');
        }
        None => push_fmt(out, format_args!("{value}")),
    }
}

/// An instant as text, from its microseconds since 1970.
pub(crate) fn rfc3339(micros: i64) -> String {
    let mut text = String::new();
    push_timestamp(micros, TimeUnit::Microsecond, &mut text);
    text
}

/// Appends a day, such as `2026-01-31`, from its number since 1970.
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
            (1_500, TimeUnit::Millisecond, "1970-01-01T00:00:01.500000Z"),
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
    fn a_day_outside_of_the_calendar_is_its_number() {
        let mut out = String::new();
        push_date(i32::MAX, &mut out);
        assert_eq!(out, "2147483647");
    }
}
