//! Dates and times in UTC, as written in log lines and in names of log objects.

/// English months, as in log lines.
const MONTHS: [&[u8; 3]; 12] =
    [b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec"];

/// Seconds per day.
pub const DAY: i64 = 86_400;

/// Seconds since 1970-01-01 00:00:00 UTC of the start of a day.
///
/// `month` and `day` count from 1.
pub const fn midnight(year: i64, month: i64, day: i64) -> i64 {
    // Years begin in March here, so that the leap day is the last day.
    let shifted = if month <= 2 { year - 1 } else { year };
    let era = shifted.div_euclid(400);
    let year_of_era = shifted.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    (era * 146_097 + day_of_era - 719_468) * DAY
}

/// Year, month and day (both from 1) of a time in seconds since 1970.
pub const fn date(seconds: i64) -> (i64, i64, i64) {
    let days = seconds.div_euclid(DAY) + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
    (year_of_era + era * 400 + (month <= 2) as i64, month, day)
}

/// Appends `number`, zero-padded to at least `width` digits. Negative numbers are written as 0.
pub fn push_padded(number: i64, width: usize, out: &mut Vec<u8>) {
    let mut digits = [b'0'; 20];
    let mut start = digits.len();
    let mut rest = number.max(0);
    while rest > 0 || digits.len() - start < width.max(1) {
        start -= 1;
        digits[start] = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
    out.extend_from_slice(&digits[start..]);
}

/// Renders times for log lines. Caches the last one, because neighbouring lines often share a second.
#[derive(Clone, Debug)]
pub struct TimeStamp {
    seconds: i64,
    text: [u8; 28],
}

impl Default for TimeStamp {
    fn default() -> Self {
        Self { seconds: 0, text: *b"[01/Jan/1970:00:00:00 +0000]" }
    }
}

impl TimeStamp {
    /// The bracketed time, such as `[06/Feb/2019:00:00:38 +0000]`.
    pub fn render(&mut self, seconds: i64) -> &[u8; 28] {
        if seconds.div_euclid(DAY) != self.seconds.div_euclid(DAY) {
            let (year, month, day) = date(seconds);
            let mut text = Vec::with_capacity(28);
            push_padded(day, 2, &mut text);
            text.push(b'/');
            text.extend_from_slice(MONTHS[(month - 1) as usize]);
            text.push(b'/');
            push_padded(year, 4, &mut text);
            self.text[1..12].copy_from_slice(&text);
        }
        if seconds != self.seconds {
            let second = seconds.rem_euclid(DAY);
            self.two_digits(13, second / 3600);
            self.two_digits(16, second / 60 % 60);
            self.two_digits(19, second % 60);
            self.seconds = seconds;
        }
        &self.text
    }

    fn two_digits(&mut self, at: usize, number: i64) {
        self.text[at] = b'0' + (number / 10) as u8;
        self.text[at + 1] = b'0' + (number % 10) as u8;
    }
}

/// Appends a time such as `2019-02-06-00-00-38`, as in names of log objects.
pub fn push_object_time(seconds: i64, out: &mut Vec<u8>) {
    let (year, month, day) = date(seconds);
    push_padded(year, 4, out);
    let second = seconds.rem_euclid(DAY);
    for part in [month, day, second / 3600, second / 60 % 60, second % 60] {
        out.push(b'-');
        push_padded(part, 2, out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_go_there_and_back() {
        assert_eq!(midnight(1970, 1, 1), 0);
        assert_eq!(midnight(2019, 2, 6), 1_549_411_200);
        for day in (midnight(1999, 12, 1)..midnight(2030, 1, 1)).step_by(DAY as usize) {
            let (year, month, day_of_month) = date(day + 86_399);
            assert_eq!(midnight(year, month, day_of_month), day);
        }
        assert_eq!(date(midnight(2024, 2, 29)), (2024, 2, 29));
    }

    #[test]
    fn times_read_as_in_a_log() {
        let mut stamp = TimeStamp::default();
        assert_eq!(stamp.render(0), b"[01/Jan/1970:00:00:00 +0000]");
        assert_eq!(stamp.render(1_549_411_238), b"[06/Feb/2019:00:00:38 +0000]");
        assert_eq!(stamp.render(1_549_411_239), b"[06/Feb/2019:00:00:39 +0000]");
        assert_eq!(stamp.render(1_549_497_599), b"[06/Feb/2019:23:59:59 +0000]");
        assert_eq!(stamp.render(1_549_497_600), b"[07/Feb/2019:00:00:00 +0000]");
        let mut name = Vec::new();
        push_object_time(1_549_411_238, &mut name);
        assert_eq!(name, b"2019-02-06-00-00-38");
    }

    #[test]
    fn numbers_are_padded() {
        let mut out = Vec::new();
        push_padded(7, 2, &mut out);
        push_padded(0, 0, &mut out);
        push_padded(123, 2, &mut out);
        assert_eq!(out, b"070123");
    }
}
