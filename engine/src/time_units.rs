//! How long days, hours and seconds are: rows have microseconds, names of log objects seconds.

/// Microseconds of a second.
pub(crate) const MICROS_PER_SECOND: i64 = 1_000_000;
/// Microseconds of an hour.
pub(crate) const MICROS_PER_HOUR: i64 = SECONDS_PER_HOUR * MICROS_PER_SECOND;
/// Microseconds of a day.
pub(crate) const MICROS_PER_DAY: i64 = SECONDS_PER_DAY * MICROS_PER_SECOND;
/// Seconds of an hour.
pub(crate) const SECONDS_PER_HOUR: i64 = 3_600;
/// Seconds of a day.
pub(crate) const SECONDS_PER_DAY: i64 = 24 * SECONDS_PER_HOUR;
