//! Rule 6: numbers, rounded exactly, digit by digit.

/// Parses `-?digits[.digits][e[+-]digits]`, rounded half away from zero; `None` if it is invalid or does not fit into
/// an `i64`.
pub(crate) fn integer(text: &[u8]) -> Option<i64> {
    let mut rest = text;
    let negative = rest.first() == Some(&b'-');
    if negative {
        rest = &rest[1..];
    }
    let whole = take_digits(&mut rest)?;
    let mut fraction: &[u8] = b"";
    if rest.first() == Some(&b'.') {
        rest = &rest[1..];
        fraction = take_digits(&mut rest)?;
    }
    let mut exponent: i64 = 0;
    if rest.first() == Some(&b'e') {
        // By convention, the sign of an exponent is mandatory.
        let sign = match rest.get(1)? {
            b'+' => 1,
            b'-' => -1,
            _ => return None,
        };
        rest = &rest[2..];
        for digit in take_digits(&mut rest)? {
            // Beyond any possible length of a line the exact exponent does not matter.
            exponent = (exponent * 10 + i64::from(digit - b'0')).min(1_000_000_000_000);
        }
        exponent *= sign;
    }
    if !rest.is_empty() {
        return None;
    }

    // The number is 0.DIGITS times ten to the power of `point`.
    let mut digits = [whole, fraction].concat();
    let mut point = i64::try_from(whole.len()).ok()? + exponent;
    while digits.first() == Some(&b'0') {
        digits.remove(0);
        point -= 1;
    }
    if digits.is_empty() || point < 0 {
        return Some(0);
    }
    if point > 19 {
        return None;
    }
    let mut magnitude: i128 = 0;
    for place in 0..point {
        magnitude = magnitude * 10 + digit_at(&digits, place);
    }
    // Round half away from zero.
    if digit_at(&digits, point) >= 5 {
        magnitude += 1;
    }
    i64::try_from(if negative { -magnitude } else { magnitude }).ok()
}

/// Removes one or more digits from the front.
fn take_digits<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let mut end = 0;
    while end < rest.len() && rest[end].is_ascii_digit() {
        end += 1;
    }
    let digits = &rest[..end];
    *rest = &rest[end..];
    if digits.is_empty() { None } else { Some(digits) }
}

/// The digit at this place; 0 before and after the written ones.
fn digit_at(digits: &[u8], place: i64) -> i128 {
    usize::try_from(place).ok().and_then(|place| digits.get(place)).map_or(0, |digit| i128::from(digit - b'0'))
}

#[test]
fn numbers_are_rounded_exactly() {
    let table: [(&str, Option<i64>); 32] = [
        ("0", Some(0)),
        ("-0", Some(0)),
        ("007", Some(7)),
        ("45.5", Some(46)),
        ("-45.5", Some(-46)),
        ("45.49999999999999999999999999999", Some(45)),
        ("0.5", Some(1)),
        ("0.4999", Some(0)),
        ("0.05e+1", Some(1)),
        ("1.234567e+06", Some(1_234_567)),
        ("1e+06", Some(1_000_000)),
        ("1e-400", Some(0)),
        ("0e+99999999999999999999", Some(0)),
        ("9007199254740993", Some(9_007_199_254_740_993)),
        ("9223372036854775807", Some(i64::MAX)),
        ("9223372036854775807.4", Some(i64::MAX)),
        ("9223372036854775807.5", None),
        ("9223372036854775808", None),
        ("-9223372036854775808", Some(i64::MIN)),
        ("-9223372036854775808.49", Some(i64::MIN)),
        ("-9223372036854775808.5", None),
        ("0.000000000000000000009223372036854775807e+39", Some(i64::MAX)),
        ("1e+19", None),
        ("1e5", None),
        ("1E+5", None),
        (".5", None),
        ("5.", None),
        ("+5", None),
        ("-", None),
        ("NaN", None),
        ("0x1f", None),
        ("1,024", None),
    ];
    for (text, expected) in table {
        assert_eq!(integer(text.as_bytes()), expected, "{text}");
    }
}
