//! Decoders for the text of a field.
//!
//! They take text as written in a cell and do not handle cells without a value (`-` or empty).

mod clock;
mod decimal;
mod encoding;

pub(super) use clock::{DATE_LEN, Day, TIME_LEN, is_time};
pub use clock::{date_and_time, timestamp, timestamp_ms};
pub use decimal::{integer, millis, seconds, status};
pub(super) use decimal::{is_short_integer_or_null, is_short_seconds_or_null};
pub use encoding::{decode_once, user_agent};
