//! Time: `[06/Feb/2019:00:00:38 +0000]`.
//!
//! Exactly this form is accepted: English months, years 0001 to 9999, an offset that is applied, and second 60 as the
//! first second of the next minute. The calendar is the proleptic Gregorian one.

use crate::token::{MISFIT, Parsed};

/// Length of a time, including its brackets.
pub(crate) const LEN: usize = 28;

/// End of the part that lines of the same minute share: `[06/Feb/2019:00:00:`.
const MINUTE_END: usize = 19;
/// Start of the part after the seconds: ` +0000]`.
const OFFSET_START: usize = 21;

/// Caches the last decoded minute. Log lines come in bursts of the same minute, so most times cost two comparisons
/// and two digits.
#[derive(Clone, Debug)]
pub(crate) struct Minute {
    text: [u8; LEN],
    /// Unix seconds of the start of the minute.
    start: i64,
}

impl Default for Minute {
    fn default() -> Self {
        // Must be a real time with its correct value, because it takes part in comparisons.
        Self { text: *b"[01/Jan/1970:00:00:00 +0000]", start: 0 }
    }
}

impl Minute {
    /// Decodes `[06/Feb/2019:00:00:38 +0000] 192.0.2.3 …` to Unix seconds; the rest begins after the bracket.
    #[inline]
    pub(crate) fn bracketed<'a>(&mut self, input: &'a [u8]) -> Parsed<'a, i64> {
        let Some((text, rest)) = input.split_first_chunk::<LEN>() else { return Err(MISFIT) };
        if text[..MINUTE_END] == self.text[..MINUTE_END]
            && text[OFFSET_START..] == self.text[OFFSET_START..]
            && let Some(second) = two_digits(text[MINUTE_END], text[MINUTE_END + 1])
            && second <= 60
        {
            return Ok((rest, self.start + i64::from(second)));
        }
        let (rest, (seconds, second)) = decode(text, rest)?;
        self.text = *text;
        self.start = seconds - i64::from(second);
        Ok((rest, seconds))
    }
}

/// Decodes a bracketed time, which must span the whole text, to Unix seconds.
///
/// ```
/// use s3log_parser::value::time;
///
/// assert_eq!(time::parse(b"[06/Feb/2019:00:00:38 +0000]"), Some(1_549_411_238));
/// assert_eq!(time::parse(b"[06/Feb/2019:02:00:38 +0200]"), Some(1_549_411_238));
/// assert_eq!(time::parse(b"[31/Feb/2019:00:00:38 +0000]"), None);
/// ```
#[must_use]
pub fn parse(text: &[u8]) -> Option<i64> {
    let text: &[u8; LEN] = text.try_into().ok()?;
    decode(text, b"").ok().map(|(_, (seconds, _))| seconds)
}

/// Unix seconds of a time at the front of the input.
pub(crate) fn prefix(input: &[u8]) -> Option<i64> {
    input.first_chunk::<LEN>().and_then(|text| parse(text))
}

fn decode<'a>(text: &[u8; LEN], rest: &'a [u8]) -> Parsed<'a, (i64, u8)> {
    fields(text).map(|decoded| (rest, decoded)).ok_or(MISFIT)
}

/// Unix seconds, and the second within the minute as written.
fn fields(text: &[u8; LEN]) -> Option<(i64, u8)> {
    let &[
        b'[',
        d1,
        d2,
        b'/',
        m1,
        m2,
        m3,
        b'/',
        y1,
        y2,
        y3,
        y4,
        b':',
        h1,
        h2,
        b':',
        n1,
        n2,
        b':',
        s1,
        s2,
        b' ',
        sign,
        o1,
        o2,
        o3,
        o4,
        b']',
    ] = text
    else {
        return None;
    };
    let day = two_digits(d1, d2)?;
    let month = month([m1, m2, m3])?;
    let year = u16::from(two_digits(y1, y2)?) * 100 + u16::from(two_digits(y3, y4)?);
    let (hour, minute, second) = (two_digits(h1, h2)?, two_digits(n1, n2)?, two_digits(s1, s2)?);
    let (offset_hours, offset_minutes) = (two_digits(o1, o2)?, two_digits(o3, o4)?);
    let direction = match sign {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let in_range = year >= 1
        && day >= 1
        && day <= days_in_month(year, month)
        && hour <= 23
        && minute <= 59
        && second <= 60
        && offset_hours <= 23
        && offset_minutes <= 59;
    if !in_range {
        return None;
    }
    let offset = direction * (i64::from(offset_hours) * 3600 + i64::from(offset_minutes) * 60);
    let of_day = i64::from(hour) * 3600 + i64::from(minute) * 60 + i64::from(second);
    Some((days_from_epoch(year, month, day) * 86_400 + of_day - offset, second))
}

/// A calendar time in UTC.
pub(crate) struct Civil {
    pub(crate) year: u16,
    pub(crate) month: u8,
    pub(crate) day: u8,
    pub(crate) hour: u8,
    pub(crate) minute: u8,
    pub(crate) second: u8,
}

impl Civil {
    /// Converts Unix seconds; `None` outside the years 0001 to 9999.
    pub(crate) fn of(seconds: i64) -> Option<Self> {
        // Days since 1 March of year 0, in eras of 400 years.
        let days = seconds.div_euclid(86_400) + 719_468;
        let (era, day_of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
        let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let march_month = (5 * day_of_year + 2) / 153;
        let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
        let year = u16::try_from(era * 400 + year_of_era + i64::from(month <= 2)).ok()?;
        let of_day = seconds.rem_euclid(86_400);
        (1..=9999).contains(&year).then_some(Self {
            year,
            month: month as u8,
            day: (day_of_year - (153 * march_month + 2) / 5 + 1) as u8,
            hour: (of_day / 3_600) as u8,
            minute: (of_day / 60 % 60) as u8,
            second: (of_day % 60) as u8,
        })
    }

    /// Converts to Unix seconds; `None` if the calendar has no such time.
    pub(crate) fn seconds(&self) -> Option<i64> {
        let &Self { year, month, day, hour, minute, second } = self;
        let in_range = (1..=9999).contains(&year)
            && (1..=12).contains(&month)
            && (1..=days_in_month(year, month)).contains(&day)
            && hour <= 23
            && minute <= 59
            && second <= 59;
        let of_day = i64::from(hour) * 3_600 + i64::from(minute) * 60 + i64::from(second);
        in_range.then(|| days_from_epoch(year, month, day) * 86_400 + of_day)
    }
}

#[inline]
fn two_digits(tens: u8, ones: u8) -> Option<u8> {
    let (tens, ones) = (tens.wrapping_sub(b'0'), ones.wrapping_sub(b'0'));
    (tens <= 9 && ones <= 9).then(|| tens * 10 + ones)
}

fn month(name: [u8; 3]) -> Option<u8> {
    Some(match &name {
        b"Jan" => 1,
        b"Feb" => 2,
        b"Mar" => 3,
        b"Apr" => 4,
        b"May" => 5,
        b"Jun" => 6,
        b"Jul" => 7,
        b"Aug" => 8,
        b"Sep" => 9,
        b"Oct" => 10,
        b"Nov" => 11,
        b"Dec" => 12,
        _ => return None,
    })
}

fn is_leap(year: u16) -> bool {
    year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
}

fn days_in_month(year: u16, month: u8) -> u8 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days since 1970-01-01. Years count from March, so that the leap day is the last day of its year.
fn days_from_epoch(year: u16, month: u8, day: u8) -> i64 {
    let (year, month, day) = (i64::from(year), i64::from(month), i64::from(day));
    let (march_year, march_month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let leap_days = march_year.div_euclid(4) - march_year.div_euclid(100) + march_year.div_euclid(400);
    // March to July are 153 days, and so are August to December.
    let day_of_year = (153 * march_month + 2) / 5 + day - 1;
    march_year * 365 + leap_days + day_of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn known_instants() {
        for (text, seconds) in [
            ("[01/Jan/1970:00:00:00 +0000]", 0),
            ("[06/Feb/2019:00:00:38 +0000]", 1_549_411_238),
            ("[29/Feb/2000:12:00:00 +0000]", 951_825_600),
            ("[31/Dec/9999:23:59:59 +0000]", 253_402_300_799),
            ("[01/Jan/0001:00:00:00 +0000]", -62_135_596_800),
            ("[01/Jan/1970:00:00:60 +0000]", 60),
            ("[01/Jan/1970:05:30:00 +0530]", 0),
            ("[31/Dec/1969:19:00:00 -0500]", 0),
            ("[01/Jan/1970:00:00:00 -0000]", 0),
        ] {
            assert_eq!(parse(text.as_bytes()), Some(seconds), "{text}");
        }
    }

    #[test]
    fn what_is_no_time() {
        for text in [
            "[31/Feb/2019:00:00:00 +0000]",
            "[29/Feb/1900:00:00:00 +0000]",
            "[00/Jan/2019:00:00:00 +0000]",
            "[01/Jan/0000:00:00:00 +0000]",
            "[01/jan/2019:00:00:00 +0000]",
            "[01/Jan/2019:24:00:00 +0000]",
            "[01/Jan/2019:00:60:00 +0000]",
            "[01/Jan/2019:00:00:61 +0000]",
            "[01/Jan/2019:00:00:00 +2400]",
            "[01/Jan/2019:00:00:00 +0060]",
            "[01/Jan/2019:00:00:00  0000]",
            "[01/Jan/2019 00:00:00 +0000]",
            "[01/Jan/2019:00:00:0: +0000]",
            "[01/January/2019:00:00:00 +0000]",
            "[1/Jan/2019:00:00:00 +00000]",
            "01/Jan/2019:00:00:00 +0000",
            "",
        ] {
            assert_eq!(parse(text.as_bytes()), None, "{text}");
            assert!(Minute::default().bracketed(text.as_bytes()).is_err(), "{text}");
        }
    }

    #[test]
    fn every_day_of_400_years_follows_the_one_before() {
        let mut expected = days_from_epoch(1900, 1, 1);
        for year in 1900..2300 {
            for month in 1..=12 {
                for day in 1..=days_in_month(year, month) {
                    assert_eq!(days_from_epoch(year, month, day), expected);
                    let civil = Civil::of(expected * 86_400 + 86_399).unwrap();
                    assert_eq!((civil.year, civil.month, civil.day), (year, month, day));
                    assert_eq!(civil.seconds(), Some(expected * 86_400 + 86_399));
                    expected += 1;
                }
            }
        }
    }

    proptest! {
        #[test]
        fn the_memo_changes_nothing(texts in prop::collection::vec(
            "\\[[0-3][0-9]/(Jan|Feb|Dec)/20[0-2][0-9]:[0-2][0-9]:[0-6][0-9]:[0-6][0-9] [+-]0[0-2][0-6]0\\]", 1..20,
        )) {
            let mut minute = Minute::default();
            for text in texts.iter().flat_map(|text| [text, text]) {
                let memo = minute.bracketed(text.as_bytes()).ok().map(|(_, seconds)| seconds);
                prop_assert_eq!(memo, parse(text.as_bytes()));
            }
        }
    }
}
