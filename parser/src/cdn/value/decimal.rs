//! Numbers: `2390`, `000`, and seconds such as `0.358`.

/// Parses an unsigned integer that fits into an `i64`.
///
/// ```
/// use s3log_parser::cdn::value::integer;
///
/// assert_eq!(integer(b"9223372036854775807"), Some(i64::MAX));
/// assert_eq!(integer(b"9223372036854775808"), None);
/// assert_eq!(integer(b"1.5"), None);
/// ```
#[inline]
#[must_use]
pub fn integer(text: &[u8]) -> Option<i64> {
    if text.is_empty() {
        return None;
    }
    text.iter().try_fold(0_i64, |value, byte| {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 { None } else { value.checked_mul(10)?.checked_add(i64::from(digit)) }
    })
}

/// Parses a three-digit HTTP status. `000` (the viewer disconnected before there was a response) is 0.
///
/// ```
/// use s3log_parser::cdn::value::status;
///
/// assert_eq!((status(b"200"), status(b"000"), status(b"20")), (Some(200), Some(0), None));
/// ```
#[inline]
#[must_use]
pub fn status(text: &[u8]) -> Option<u16> {
    match text {
        [hundreds @ b'0'..=b'9', tens @ b'0'..=b'9', ones @ b'0'..=b'9'] => {
            Some(u16::from(hundreds - b'0') * 100 + u16::from(tens - b'0') * 10 + u16::from(ones - b'0'))
        }
        _ => None,
    }
}

/// Parses seconds to milliseconds, exactly: rounded at the fourth decimal, half up.
///
/// ```
/// use s3log_parser::cdn::value::millis;
///
/// assert_eq!((millis(b"0.358"), millis(b"2"), millis(b"0.0005")), (Some(358), Some(2000), Some(1)));
/// assert_eq!(millis(b"-"), None);
/// ```
#[inline]
#[must_use]
pub fn millis(text: &[u8]) -> Option<i64> {
    let (whole, fraction) = parts(text)?;
    let digit = |at: usize| fraction.get(at).map_or(0, |byte| i64::from(byte - b'0'));
    let thousandths = digit(0) * 100 + digit(1) * 10 + digit(2) + i64::from(digit(3) >= 5);
    integer(whole)?.checked_mul(1000)?.checked_add(thousandths)
}

/// Parses seconds to the nearest floating-point number.
///
/// ```
/// use s3log_parser::cdn::value::seconds;
///
/// assert_eq!((seconds(b"0.358"), seconds(b"2"), seconds(b"-")), (Some(0.358), Some(2.0), None));
/// ```
#[inline]
#[must_use]
pub fn seconds(text: &[u8]) -> Option<f64> {
    const POWERS: [f64; 16] = [1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15];
    let (whole, fraction) = parts(text)?;
    if text.len() < POWERS.len() {
        // Numerator and divisor are exact, so the quotient is correctly rounded.
        let digits = whole.iter().chain(fraction).fold(0_i64, |value, digit| value * 10 + i64::from(digit - b'0'));
        return Some(digits as f64 / POWERS[fraction.len()]);
    }
    millis(text)?;
    std::str::from_utf8(text).ok()?.parse().ok()
}

/// The digits before and after the decimal point; `None` if the text is not a decimal number.
#[inline]
fn parts(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let whole = &text[..digits(text)];
    let fraction = match &text[whole.len()..] {
        [] => &[][..],
        [b'.', fraction @ ..] if !fraction.is_empty() && digits(fraction) == fraction.len() => fraction,
        _ => return None,
    };
    (!whole.is_empty()).then_some((whole, fraction))
}

/// Number of digits at the front.
#[inline]
fn digits(text: &[u8]) -> usize {
    text.iter().take_while(|byte| byte.is_ascii_digit()).count()
}

/// The last eight bytes before the end of a cell, and how many of their low bits belong to what precedes the cell.
/// `None` if the cell is empty, longer than eight bytes, or ends too close to the start of the line.
#[inline(always)]
fn last_eight(line: &[u8], start: usize, end: usize) -> Option<(u64, u32)> {
    let word = line.get(end.wrapping_sub(8)..end)?.first_chunk()?;
    let len = end.wrapping_sub(start);
    (len.wrapping_sub(1) < 8).then(|| (u64::from_le_bytes(*word), 64 - 8 * len as u32))
}

/// Whether the cell is `-` or an integer of one to eight digits. `false` for longer cells and for those too close to
/// the start of the line: the caller then has to check again.
#[inline(always)]
pub(crate) fn is_short_integer_or_null(line: &[u8], start: usize, end: usize) -> bool {
    let Some((word, room)) = last_eight(line, start, end) else { return false };
    are_digits(padded(word, room)) | (room == 56 && word >> 56 == u64::from(b'-'))
}

/// Whether the cell is `-` or seconds of five to eight bytes with three decimals. `false` for other valid forms, too:
/// the caller then has to check again.
#[inline(always)]
pub(crate) fn is_short_seconds_or_null(line: &[u8], start: usize, end: usize) -> bool {
    let Some((word, room)) = last_eight(line, start, end) else { return false };
    // XOR turns a point, the fourth byte from the end, into `0`; no other byte becomes `0` there.
    let digits = padded(word, room) ^ u64::from(b'.' ^ b'0') << 32;
    let has_point = digits >> 32 & 0xFF == u64::from(b'0');
    (room <= 24 && has_point & are_digits(digits)) | (room == 56 && word >> 56 == u64::from(b'-'))
}

const ZEROS: u64 = u64::from_ne_bytes([b'0'; 8]);

/// Whether all eight bytes are digits.
#[inline]
fn are_digits(word: u64) -> bool {
    const HIGH: u64 = 0xF0F0_F0F0_F0F0_F0F0;
    const SIX: u64 = 0x0606_0606_0606_0606;
    word & HIGH == ZEROS && word.wrapping_add(SIX) & HIGH == ZEROS
}

/// Replaces the lowest `room` bits by those of `0` digits.
#[inline(always)]
fn padded(word: u64, room: u32) -> u64 {
    let before = (1_u64 << room) - 1;
    word & !before | ZEROS & before
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn integers_and_statuses() {
        for (text, expected) in [
            ("0", Some(0)),
            ("007", Some(7)),
            ("0000000000000000000000012", Some(12)),
            ("12345678", Some(12_345_678)),
            ("", None),
            ("-", None),
            ("-1", None),
            ("+1", None),
            ("1 ", None),
            ("1.0", None),
            ("0x1", None),
            ("١", None),
        ] {
            assert_eq!(integer(text.as_bytes()), expected, "{text}");
        }
        for no in ["", "-", "0", "20", "2000", "20x", "/200", "2 0", "200https://"] {
            assert_eq!(status(no.as_bytes()), None, "{no}");
        }
    }

    #[test]
    fn seconds_and_milliseconds() {
        for (text, expected) in [
            ("0.001", Some((0.001, 1))),
            ("0.000", Some((0.0, 0))),
            ("2", Some((2.0, 2000))),
            ("12.5", Some((12.5, 12_500))),
            ("0.9995", Some((0.9995, 1000))),
            ("0.99949999999999999999", Some((0.9995, 999))),
            ("00000000000000000001.5", Some((1.5, 1500))),
            ("9223372036854775.807", Some((9_223_372_036_854_775.807, i64::MAX))),
            ("9223372036854775.8074", Some((9_223_372_036_854_775.807_4, i64::MAX))),
            ("9223372036854775.8075", None),
            ("9223372036854776", None),
            ("", None),
            ("-", None),
            (".5", None),
            ("5.", None),
            ("-0.5", None),
            ("1e3", None),
            ("0,358", None),
            ("1.2.3", None),
            ("NaN", None),
            ("inf", None),
        ] {
            let bytes = text.as_bytes();
            assert_eq!((seconds(bytes), millis(bytes)), (expected.map(|it| it.0), expected.map(|it| it.1)), "{text}");
        }
    }

    proptest! {
        #[test]
        fn milliseconds_come_back(value in 0..i64::MAX) {
            let text = format!("{}.{:03}", value / 1000, value % 1000);
            prop_assert_eq!(millis(text.as_bytes()), Some(value));
            prop_assert_eq!(seconds(text.as_bytes()), text.parse().ok());
        }

        #[test]
        fn seconds_are_the_nearest(text in "[0-9]{1,12}\\.[0-9]{1,12}") {
            prop_assert_eq!(seconds(text.as_bytes()), text.parse().ok());
        }

        #[test]
        fn short_cells_are_told_at_once(before in "[0-9.x\t-]{0,12}", cell in "-?|[0-9]{1,10}|[0-9]{0,6}\\.[0-9]{0,4}|[-0-9./:]{1,9}", behind in "(\t[0-9]{0,9})?") {
            let line = format!("{before}\t{cell}{behind}");
            let (start, end) = (before.len() + 1, before.len() + 1 + cell.len());
            let (line, text) = (line.as_bytes(), cell.as_bytes());
            if is_short_integer_or_null(line, start, end) {
                prop_assert!(text == b"-" || integer(text).is_some());
            } else {
                prop_assert!(text.is_empty() || text.len() > 8 || end < 8 || (text != b"-" && integer(text).is_none()));
            }
            if is_short_seconds_or_null(line, start, end) {
                prop_assert!(text == b"-" || millis(text).is_some());
            } else {
                prop_assert!(end < 8 || (text != b"-" && !(millis(text).is_some() && (5..=8).contains(&text.len()) && text[text.len() - 4] == b'.')));
            }
        }
    }
}
