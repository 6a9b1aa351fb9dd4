//! Numbers: `2662992`, and other notations that some servers use (`45.5`, `1.234567e+06`).
//!
//! The grammar is `-?digits[.digits][e[+-]digits]`, rounded to 64 bits with halves away from zero. The arithmetic is
//! decimal throughout, so integers beyond 2^53 stay exact. Values that do not fit into an `i64` are rejected.

use crate::token::{MISFIT, Parsed};
use nom::Parser as _;
use nom::branch::alt;
use nom::bytes::complete::tag;
use nom::character::complete::{char, digit1};
use nom::combinator::{all_consuming, opt};
use nom::sequence::{pair, preceded};

/// Any number of up to this many digits fits into an `i64`.
pub(crate) const SAFE_DIGITS: usize = 18;

/// Maximum number of digits of a status.
pub(crate) const STATUS_DIGITS: usize = 3;

/// Parses a number that spans the whole text. Returns `None` for anything else, including `-`.
///
/// ```
/// use s3log_parser::value::number;
///
/// assert_eq!(number::parse(b"9007199254740993"), Some(9_007_199_254_740_993));
/// assert_eq!(number::parse(b"1.234567e+06"), Some(1_234_567));
/// assert_eq!(number::parse(b"-0.5"), Some(-1));
/// assert_eq!(number::parse(b"9223372036854775808"), None);
/// ```
#[inline]
#[must_use]
pub fn parse(text: &[u8]) -> Option<i64> {
    // Longer numbers and decimals are rare enough for the slow path.
    if text.is_empty() || text.len() > SAFE_DIGITS {
        return general(text);
    }
    let mut value = 0_i64;
    for &byte in text {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return general(text);
        }
        value = value * 10 + i64::from(digit);
    }
    Some(value)
}

/// Whether the text is valid in a numeric field: a number, or `-`.
#[inline]
pub(crate) fn is_number_or_null(text: &[u8]) -> bool {
    text == b"-" || parse(text).is_some()
}

/// Parses an HTTP status of one to three digits.
///
/// ```
/// assert_eq!(s3log_parser::value::number::status(b"404"), Some(404));
/// assert_eq!(s3log_parser::value::number::status(b"2000"), None);
/// ```
#[inline]
#[must_use]
pub fn status(text: &[u8]) -> Option<u16> {
    if text.is_empty() || text.len() > STATUS_DIGITS {
        return None;
    }
    text.iter().try_fold(0_u16, |value, byte| {
        let digit = byte.wrapping_sub(b'0');
        (digit <= 9).then(|| value * 10 + u16::from(digit))
    })
}

/// Whether the text is valid in the status field: a status, or `-`.
#[inline]
pub(crate) fn is_status_or_null(text: &[u8]) -> bool {
    text == b"-" || status(text).is_some()
}

/// The parts of `-?digits[.digits][e[+-]digits]`.
struct Decimal<'a> {
    negative: bool,
    whole: &'a [u8],
    fraction: &'a [u8],
    exponent_negative: bool,
    exponent: &'a [u8],
}

fn decimal(input: &[u8]) -> Parsed<'_, Decimal<'_>> {
    let exponent = preceded(char('e'), pair(alt((tag("+"), tag("-"))), digit1));
    let (rest, (minus, whole, fraction, exponent)) =
        all_consuming((opt(char('-')), digit1, opt(preceded(char('.'), digit1)), opt(exponent))).parse(input)?;
    let (sign, exponent): (&[u8], &[u8]) = exponent.unwrap_or((b"+", b"0"));
    let fraction = fraction.unwrap_or_default();
    Ok((rest, Decimal { negative: minus.is_some(), whole, fraction, exponent_negative: sign == b"-", exponent }))
}

#[cold]
fn general(text: &[u8]) -> Option<i64> {
    decimal(text).and_then(|(_, decimal)| decimal.round().ok_or(MISFIT)).ok()
}

impl Decimal<'_> {
    /// The nearest integer, halves away from zero; `None` if it does not fit into an `i64`.
    fn round(&self) -> Option<i64> {
        let digits = || self.whole.iter().chain(self.fraction).map(|digit| digit - b'0');
        if digits().all(|digit| digit == 0) {
            return Some(0);
        }
        // An exponent that saturates exceeds the number of digits of any line.
        let exponent = self
            .exponent
            .iter()
            .fold(0_i64, |value, digit| value.saturating_mul(10).saturating_add(i64::from(digit - b'0')));
        let shift = if self.exponent_negative { -exponent } else { exponent };
        let whole_digits = i64::try_from(self.whole.len()).ok()?.saturating_add(shift);

        let mut value = 0_i128;
        let mut taken = 0_i64;
        let mut rest = digits();
        while taken < whole_digits {
            let Some(digit) = rest.next() else {
                // Only zeros follow, as many as the exponent demands.
                for _ in taken..whole_digits {
                    value *= 10;
                    if value > i128::from(i64::MAX) + 1 {
                        return None;
                    }
                }
                return self.signed(value);
            };
            value = value * 10 + i128::from(digit);
            if value > i128::from(i64::MAX) + 1 {
                return None;
            }
            taken += 1;
        }
        // If there are less than zero whole digits, zeros follow the point, so nothing rounds up.
        let half = whole_digits >= 0 && rest.next().is_some_and(|digit| digit >= 5);
        self.signed(value + i128::from(half))
    }

    fn signed(&self, magnitude: i128) -> Option<i64> {
        i64::try_from(if self.negative { -magnitude } else { magnitude }).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn numbers() {
        for (text, value) in [
            ("0", 0),
            ("007", 7),
            ("-12", -12),
            ("45.5", 46),
            ("45.4", 45),
            ("-45.5", -46),
            ("0.5", 1),
            ("0.05", 0),
            ("1e+06", 1_000_000),
            ("1.5e+01", 15),
            ("5e-01", 1),
            ("5e-02", 0),
            ("99e-99999999999999999999999", 0),
            ("0e+99999999999999999999999", 0),
            ("9223372036854775807", i64::MAX),
            ("-9223372036854775808", i64::MIN),
            ("9223372036854775807.4", i64::MAX),
            ("9007199254740993", 9_007_199_254_740_993),
            ("0000000000000000000000012", 12),
            ("9.223372036854775807e+18", i64::MAX),
            ("123456789e-4", 12_346),
        ] {
            assert_eq!(parse(text.as_bytes()), Some(value), "{text}");
            assert!(is_number_or_null(text.as_bytes()));
        }
    }

    #[test]
    fn what_is_no_number() {
        for text in [
            "",
            "+1",
            "--1",
            "1.",
            ".5",
            "1e6",
            "1E+06",
            "1e+",
            "0x10",
            "1,024",
            "NaN",
            "inf",
            "12 ",
            "9223372036854775808",
            "-9223372036854775809",
            "9223372036854775807.5",
            "1e+19",
            "1e+99999999999999999999999",
        ] {
            assert_eq!(parse(text.as_bytes()), None, "{text}");
        }
        assert!(is_number_or_null(b"-"));
        assert!(!is_number_or_null(b""));
    }

    #[test]
    fn statuses() {
        assert_eq!(status(b"200"), Some(200));
        assert_eq!(status(b"0"), Some(0));
        assert_eq!(status(b"20x"), None);
        assert_eq!(status(b""), None);
        assert_eq!(status(b"-"), None);
        assert!(is_status_or_null(b"-"));
    }

    proptest! {
        #[test]
        fn integers_are_exact(value: i64) {
            prop_assert_eq!(parse(value.to_string().as_bytes()), Some(value));
        }

        #[test]
        fn decimals_round_as_wide_integers_do(whole in 0_u64..1_000_000_000_000, fraction in 0_u32..1000, shift in 0_i32..3) {
            let text = format!("{whole}.{fraction:03}e+{shift:02}");
            let thousandths = (i128::from(whole) * 1000 + i128::from(fraction)) * 10_i128.pow(shift.unsigned_abs());
            prop_assert_eq!(parse(text.as_bytes()).map(i128::from), Some((thousandths + 500) / 1000));
        }
    }
}
