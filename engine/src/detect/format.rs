//! Formatting of numbers, sizes and times for people, and of times for programs.

use arrow::temporal_conversions::timestamp_us_to_datetime;
use std::time::Duration;

/// Microseconds since the Unix epoch at which the years of four digits, 0000 to 9999, begin and end.
const FOUR_DIGITS: (i64, i64) = (-62_167_219_200_000_000, 253_402_300_799_999_999);

/// RFC 3339 in UTC, with a fraction only if needed: `2026-01-31T12:00:00Z`. Times outside of the calendar are printed
/// as numbers.
pub(crate) fn rfc3339(micros: i64) -> String {
    match timestamp_us_to_datetime(micros) {
        Some(time) => time.format("%Y-%m-%dT%H:%M:%S%.fZ").to_string(),
        None => format!("{micros} µs since 1970"),
    }
}

/// Formats as `2026-03-02 10:00:00` in UTC, clamped to years of four digits.
pub(super) fn time(micros: i64) -> String {
    let time = timestamp_us_to_datetime(micros.clamp(FOUR_DIGITS.0, FOUR_DIGITS.1));
    time.map(|time| time.format("%Y-%m-%d %H:%M:%S").to_string()).unwrap_or_default()
}

/// Formats `12345.60` as `12,345.60`.
pub(super) fn grouped(number: impl ToString) -> String {
    let number = number.to_string();
    let (sign, digits) = number.strip_prefix('-').map_or(("", number.as_str()), |digits| ("-", digits));
    let whole = digits.find('.').unwrap_or(digits.len());
    let mut result = sign.to_owned();
    for (at, digit) in digits.char_indices() {
        if at > 0 && at < whole && (whole - at).is_multiple_of(3) {
            result.push(',');
        }
        result.push(digit);
    }
    result
}

/// Formats `1.50` as `1.5`, and `2.00` as `2`.
pub(super) fn without_zeros(number: &str) -> &str {
    if number.contains('.') { number.trim_end_matches('0').trim_end_matches('.') } else { number }
}

/// Formats 0.153 as `15%`, and 0.0149 as `1.5%`.
pub(super) fn percent(share: f64) -> String {
    let percent = share * 100.0;
    let text = if percent.abs() < 9.95 { format!("{percent:.1}") } else { format!("{percent:.0}") };
    format!("{}%", grouped(without_zeros(&text)))
}

/// Formats as `3.4 MiB`.
pub(super) fn size(bytes: f64) -> String {
    let mut number = bytes;
    let mut unit = "bytes";
    for next in ["KiB", "MiB", "GiB", "TiB", "PiB"] {
        if number.abs() < 1024.0 {
            break;
        }
        number /= 1024.0;
        unit = next;
    }
    if unit == "bytes" { format!("{number:.0} {unit}") } else { format!("{} {unit}", grouped(format!("{number:.1}"))) }
}

/// Formats as `14days 6h 56m 7s`.
pub(super) fn duration(seconds: f64) -> String {
    // Clamped to the range of the formatter, which is far beyond that of any log.
    let whole = Duration::try_from_secs_f64(seconds.clamp(0.0, 1e12).round()).unwrap_or_default();
    humantime::format_duration(whole).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_printed_in_utc() {
        for (micros, text, short) in [
            (0, "1970-01-01T00:00:00Z", "1970-01-01 00:00:00"),
            (1_769_860_800_000_000, "2026-01-31T12:00:00Z", "2026-01-31 12:00:00"),
            (1_769_860_800_250_000, "2026-01-31T12:00:00.250Z", "2026-01-31 12:00:00"),
            (-1, "1969-12-31T23:59:59.999999Z", "1969-12-31 23:59:59"),
            (i64::MAX, "9223372036854775807 µs since 1970", "9999-12-31 23:59:59"),
            (i64::MIN, "-9223372036854775808 µs since 1970", "0000-01-01 00:00:00"),
        ] {
            assert_eq!((rfc3339(micros).as_str(), time(micros).as_str()), (text, short));
        }
    }

    #[test]
    fn numbers_are_read_easily() {
        for (number, text) in
            [("0", "0"), ("999", "999"), ("-999", "-999"), ("1000", "1,000"), ("-12345678.9012", "-12,345,678.9012")]
        {
            assert_eq!(grouped(number), text);
        }
        for (bytes, text) in [
            (0.0, "0 bytes"),
            (-999.0, "-999 bytes"),
            (1_023.0, "1023 bytes"),
            (1_536.0, "1.5 KiB"),
            (3_600_000.0, "3.4 MiB"),
            (u64::MAX as f64, "16,384.0 PiB"),
        ] {
            assert_eq!(size(bytes), text);
        }
        for (share, text) in [(0.0, "0%"), (0.0149, "1.5%"), (0.153, "15%"), (12.5, "1,250%")] {
            assert_eq!(percent(share), text);
        }
    }
}
