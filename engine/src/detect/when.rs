//! Formatting of times.

use arrow::temporal_conversions::timestamp_us_to_datetime;

/// RFC 3339 in UTC, with a fraction only if needed: `2026-01-31T12:00:00Z`. Times outside of the calendar are printed
/// as numbers.
pub(crate) fn rfc3339(micros: i64) -> String {
    match timestamp_us_to_datetime(micros) {
        Some(time) => time.format("%Y-%m-%dT%H:%M:%S%.fZ").to_string(),
        None => format!("{micros} µs since 1970"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_printed_in_utc() {
        for (micros, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (1_769_860_800_000_000, "2026-01-31T12:00:00Z"),
            (1_769_860_800_250_000, "2026-01-31T12:00:00.250Z"),
            (-1, "1969-12-31T23:59:59.999999Z"),
            (i64::MAX, "9223372036854775807 µs since 1970"),
        ] {
            assert_eq!(rfc3339(micros), text);
        }
    }
}
