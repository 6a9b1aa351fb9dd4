//! Rule 5: times, computed by counting days.

/// Length of `[06/Feb/2019:00:00:38 +0000]`.
pub(crate) const LENGTH: usize = 28;

const MONTHS: [&[u8]; 12] =
    [b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec"];

/// Seconds since 1970 of a time `[dd/Mon/yyyy:hh:mm:ss ±hhmm]` that begins at `at`.
pub(crate) fn time_at(line: &[u8], at: usize) -> Option<i64> {
    let text = line.get(at..at + LENGTH)?;
    let punctuation = [(0, b'['), (3, b'/'), (7, b'/'), (12, b':'), (15, b':'), (18, b':'), (21, b' '), (27, b']')];
    for (place, byte) in punctuation {
        if text[place] != byte {
            return None;
        }
    }
    let day = digits(&text[1..3])?;
    // By convention, letter case must match.
    let month = MONTHS.iter().position(|name| *name == &text[4..7])?;
    let year = digits(&text[8..12])?;
    let hour = digits(&text[13..15])?;
    let minute = digits(&text[16..18])?;
    let second = digits(&text[19..21])?;
    let sign = match text[22] {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let offset_hours = digits(&text[23..25])?;
    let offset_minutes = digits(&text[25..27])?;

    // There is no year 0000. Years are checked as written, before the offset is applied.
    if year == 0 || day == 0 || day > days_of(year)[month] {
        return None;
    }
    // Second 60 is the first second of the next minute, which the sum below gives.
    if hour > 23 || minute > 59 || second > 60 || offset_hours > 23 || offset_minutes > 59 {
        return None;
    }
    let mut days = days_before(year) - days_before(1970);
    for length in &days_of(year)[..month] {
        days += length;
    }
    days += day - 1;
    let local = days * 86_400 + hour * 3_600 + minute * 60 + second;
    Some(local - sign * (offset_hours * 3_600 + offset_minutes * 60))
}

/// Days from 1 January of year 1 to 1 January of `year`.
fn days_before(year: i64) -> i64 {
    let mut days = 0;
    for earlier in 1..year {
        days += days_of(earlier).iter().sum::<i64>();
    }
    days
}

fn days_of(year: i64) -> [i64; 12] {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    [31, if leap { 29 } else { 28 }, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
}

fn digits(text: &[u8]) -> Option<i64> {
    let mut number = 0;
    for byte in text {
        if !byte.is_ascii_digit() {
            return None;
        }
        number = number * 10 + i64::from(byte - b'0');
    }
    Some(number)
}

#[test]
fn times_are_counted_in_days() {
    let table: [(&str, Option<i64>); 18] = [
        ("[01/Jan/1970:00:00:00 +0000]", Some(0)),
        ("[06/Feb/2019:00:00:38 +0000]", Some(1_549_411_238)),
        ("[10/Feb/2012:16:42:07 -0500]", Some(1_328_910_127)),
        ("[29/Feb/2000:12:00:00 +0000]", Some(951_825_600)),
        ("[31/Dec/2016:23:59:60 +0000]", Some(1_483_228_800)),
        ("[01/Jan/0001:00:00:00 +0000]", Some(-62_135_596_800)),
        ("[31/Dec/9999:23:59:59 +0000]", Some(253_402_300_799)),
        ("[01/Jan/1970:00:00:00 +2359]", Some(-86_340)),
        ("[29/Feb/1900:12:00:00 +0000]", None),
        ("[31/Feb/2019:00:00:38 +0000]", None),
        ("[00/Feb/2019:00:00:38 +0000]", None),
        ("[06/Feb/0000:00:00:38 +0000]", None),
        ("[06/feb/2019:00:00:38 +0000]", None),
        ("[06/Feb/2019:24:00:00 +0000]", None),
        ("[06/Feb/2019:00:00:61 +0000]", None),
        ("[06/Feb/2019:00:00:38 +2400]", None),
        ("[06/Feb/2019:00:00:38 +0060]", None),
        ("[06/Feb/2019:00:00:38  0000]", None),
    ];
    for (text, expected) in table {
        assert_eq!(time_at(text.as_bytes(), 0), expected, "{text}");
    }
}
