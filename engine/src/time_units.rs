//! Lengths of time units. Rows have times in microseconds, names of log objects in seconds.

pub(crate) const MICROS_PER_SECOND: i64 = 1_000_000;
pub(crate) const MICROS_PER_HOUR: i64 = SECONDS_PER_HOUR * MICROS_PER_SECOND;
pub(crate) const MICROS_PER_DAY: i64 = SECONDS_PER_DAY * MICROS_PER_SECOND;
pub(crate) const SECONDS_PER_HOUR: i64 = 3_600;
pub(crate) const SECONDS_PER_DAY: i64 = 24 * SECONDS_PER_HOUR;
