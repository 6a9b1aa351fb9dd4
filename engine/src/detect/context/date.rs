//! Dates in lists of networks: those set by users, and those in the comments of publishers.

use crate::time_units::SECONDS_PER_DAY;
use std::time::UNIX_EPOCH;

/// Parses a date (its first instant in UTC) or RFC 3339, as microseconds since the Unix epoch.
pub(super) fn instant(text: &str) -> Option<i64> {
    const DATE: usize = "2026-01-01".len();
    const OFFSET: usize = "+02:00".len();
    let text = text.to_ascii_uppercase();
    if text.len() == DATE {
        return utc(&format!("{text}T00:00:00Z"));
    }
    let split = text.len().checked_sub(OFFSET).and_then(|at| text.split_at_checked(at));
    let Some((local, offset)) = split.filter(|(local, _)| local.len() > DATE) else { return utc(&text) };
    match offset_minutes(offset) {
        Some(minutes) => utc(local)?.checked_sub(minutes * 60_000_000),
        None => utc(&text),
    }
}

/// Parses the date in a comment of a list: in the formats of [`instant`], or with the name of the month, in any order,
/// such as `Wed, 07 Jan 2026 12:00:00 GMT` and `Wed Jan  7 12:00:00 UTC 2026`. The time zone is ignored, because the
/// age of a list matters in days.
pub(super) fn of_comment(text: &str) -> Option<i64> {
    const MONTHS: [&str; 12] = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
    if let Some(instant) = instant(text.trim()) {
        return Some(instant);
    }
    let (mut year, mut month, mut day, mut time) = (None, None, None, "00:00:00");
    for word in text.split([' ', ',', '\t']).filter(|word| !word.is_empty()) {
        let number = word.bytes().all(|byte| byte.is_ascii_digit());
        match word.len() {
            1 | 2 if number => day = day.or(word.parse::<u8>().ok()),
            4 if number => year = year.or(Some(word)),
            8 if word.contains(':') => time = word,
            3.. => month = month.or_else(|| MONTHS.iter().position(|month| word.to_ascii_lowercase() == *month)),
            _ => {}
        }
    }
    utc(&format!("{}-{:02}-{:02}T{time}Z", year?, month? + 1, day?))
}

/// Formats days since the Unix epoch as a date.
pub(super) fn of_day(day: i64) -> String {
    let seconds = u64::try_from(day.saturating_mul(SECONDS_PER_DAY)).unwrap_or_default();
    let time = humantime::format_rfc3339_seconds(UNIX_EPOCH + std::time::Duration::from_secs(seconds)).to_string();
    time.split_once('T').map_or_else(String::new, |(date, _)| date.to_owned())
}

/// Offset from UTC in minutes of a zone such as `+02:00`.
fn offset_minutes(text: &str) -> Option<i64> {
    let (hours, minutes) = text.get(1..)?.split_once(':')?;
    let (hours, minutes): (u8, u8) = (hours.parse().ok()?, minutes.parse().ok()?);
    let ahead = i64::from(hours) * 60 + i64::from(minutes);
    match text.as_bytes().first() {
        Some(b'+') if hours < 24 && minutes < 60 => Some(ahead),
        Some(b'-') if hours < 24 && minutes < 60 => Some(-ahead),
        _ => None,
    }
}

fn utc(text: &str) -> Option<i64> {
    let time = humantime::parse_rfc3339_weak(text).ok()?;
    time.duration_since(UNIX_EPOCH).ok()?.as_micros().try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NEW_YEAR_2026: i64 = 1_767_225_600_000_000;
    const HOUR: i64 = 3_600_000_000;

    #[test]
    fn points_in_time() {
        for (text, expected) in [
            ("2026-01-01", Some(NEW_YEAR_2026)),
            ("2026-01-01T00:00:00Z", Some(NEW_YEAR_2026)),
            ("2026-01-01t00:00:00z", Some(NEW_YEAR_2026)),
            ("2026-01-01 00:00:00", Some(NEW_YEAR_2026)),
            ("2026-01-01T01:00:00.5+00:00", Some(NEW_YEAR_2026 + HOUR + 500_000)),
            ("2026-01-01T02:00:00+02:00", Some(NEW_YEAR_2026)),
            ("2025-12-31T18:30:00-05:30", Some(NEW_YEAR_2026)),
            ("2026-01-01T02:00:00+25:00", None),
            ("2026-02-29", None),
            ("2026-13-01", None),
            ("2026-1-1", None),
            ("01.01.2026", None),
            ("tomorrow", None),
            ("", None),
            ("2026-01-0é", None),
        ] {
            assert_eq!(instant(text), expected, "{text}");
        }
    }

    #[test]
    fn dates_of_publishers() {
        let noon = NEW_YEAR_2026 + 6 * 24 * HOUR + 12 * HOUR;
        for (text, expected) in [
            ("Wed, 07 Jan 2026 12:00:00 GMT", Some(noon)),
            ("Wed Jan  7 12:00:00 UTC 2026", Some(noon)),
            (" 2026-01-07T12:00:00Z ", Some(noon)),
            ("7 JAN 2026", Some(noon - 12 * HOUR)),
            ("Wed Jan 2026", None),
            ("7 2026", None),
            ("every 12 hours", None),
            ("", None),
        ] {
            assert_eq!(of_comment(text), expected, "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_will_do(text in any::<String>(), dated in "[0-9TZ:+. -]{0,30}") {
            let _ = (instant(&text), of_comment(&text), instant(&dated), of_comment(&dated));
        }
    }
}
