//! Names of log objects.
//!
//! AWS describes two forms in "Logging requests with server access logging" and in the API's `TargetObjectKeyFormat`;
//! Ceph and others use the same ones:
//!
//! ```text
//! simple       [TargetPrefix]YYYY-MM-DD-hh-mm-ss-UniqueString
//! partitioned  [TargetPrefix][SourceAccountId]/[SourceRegion]/[SourceBucket]/YYYY/MM/DD/YYYY-MM-DD-hh-mm-ss-UniqueString
//! ```
//!
//! AWS's unique string is 16 upper-case hexadecimal digits without any meaning. How the time in the name relates to
//! the records inside depends on the writer and its configuration, so this module does not interpret it.

use crate::value::time;

const DAY: i64 = 86_400;

/// The parsed name of a log object.
///
/// ```
/// use s3log_parser::LogObjectKey;
///
/// let key = LogObjectKey::parse("logs/2026-01-15-10-22-41-3E57427F3E57427F").unwrap();
/// assert_eq!((key.group(), key.seconds(), key.is_partitioned()), ("logs/", 1_768_472_561, false));
/// let key = LogObjectKey::parse("111122223333/eu-west-1/photos/2026/01/15/2026-01-15-00-00-00-3E57427F3E57427F").unwrap();
/// assert_eq!((key.group(), key.is_partitioned(), key.is_midnight()), ("111122223333/eu-west-1/photos/", true, true));
/// assert!(LogObjectKey::parse("logs/january.log").is_none());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogObjectKey<'a> {
    group: &'a str,
    unique: &'a str,
    seconds: i64,
    partitioned: bool,
}

impl<'a> LogObjectKey<'a> {
    /// Parses a name; returns `None` if it has neither of the two forms.
    #[must_use]
    pub fn parse(key: &'a str) -> Option<Self> {
        let (head, unique) = key.rsplit_once('-')?;
        if unique.is_empty() || !unique.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return None;
        }
        let (before, stamp) = head.split_at_checked(head.len().checked_sub(STAMP_LEN)?)?;
        let seconds = seconds_of(stamp.as_bytes())?;
        let (group, partitioned) = match before.split_at_checked(before.len().wrapping_sub(FOLDERS_LEN)) {
            Some((group, folders)) if is_day_folders(folders.as_bytes(), stamp.as_bytes()) && ends_folder(group) => {
                (group, true)
            }
            _ => (before, false),
        };
        Some(Self { group, unique, seconds, partitioned })
    }

    /// The part before the time, or before the day's folders. Names with the same group and form sort by time.
    #[must_use]
    pub fn group(&self) -> &'a str {
        self.group
    }

    /// The time in the name, in Unix seconds, taken as UTC.
    #[must_use]
    pub fn seconds(&self) -> i64 {
        self.seconds
    }

    /// Start of the day of [`seconds`](Self::seconds), in Unix seconds.
    #[must_use]
    pub fn day(&self) -> i64 {
        self.seconds.div_euclid(DAY) * DAY
    }

    /// Whether the time is `00-00-00`, as in all names that only tell the day of their records.
    #[must_use]
    pub fn is_midnight(&self) -> bool {
        self.seconds.rem_euclid(DAY) == 0
    }

    /// Whether the name has folders of its day (the partitioned form).
    #[must_use]
    pub fn is_partitioned(&self) -> bool {
        self.partitioned
    }

    /// Whether the unique string looks like AWS's: 16 upper-case hexadecimal digits.
    #[must_use]
    pub fn is_of_aws(&self) -> bool {
        self.unique.len() == 16 && self.unique.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'A'..=b'F'))
    }

    /// The common beginning of names of this group and form for the given time, in Unix seconds. It sorts before all
    /// of them and after all earlier ones. `None` outside the years 0001 to 9999.
    #[must_use]
    pub fn beginning_at(&self, seconds: i64) -> Option<String> {
        let stamp = time::Civil::of(seconds)?;
        let time::Civil { year, month, day, hour, minute, second } = stamp;
        let Self { group, .. } = self;
        let folders = if self.partitioned { format!("{year:04}/{month:02}/{day:02}/") } else { String::new() };
        Some(format!("{group}{folders}{year:04}-{month:02}-{day:02}-{hour:02}-{minute:02}-{second:02}"))
    }

    /// A string that sorts after all names of this group, form and year and before those of the next year. The form
    /// may change with a year, and names of another form may lie beyond it, so a listing must not skip past it.
    #[must_use]
    pub fn end_of_year(&self) -> Option<String> {
        let year = time::Civil::of(self.seconds)?.year;
        // A digit follows in names, and digits sort before `:`. Letters sort after it: a prefix such as `2025-shop/` is
        // another group.
        Some(format!("{}{year:04}{}:", self.group, self.separator()))
    }

    /// Whether the name sorts among those of this group and form. It need not have either.
    #[must_use]
    pub fn is_among(&self, name: &str) -> bool {
        name.strip_prefix(self.group).is_some_and(|rest| {
            let (year, rest) = rest.split_at_checked(4).unwrap_or_default();
            !year.is_empty() && year.bytes().all(|byte| byte.is_ascii_digit()) && rest.starts_with(self.separator())
        })
    }

    fn separator(&self) -> char {
        if self.partitioned { '/' } else { '-' }
    }

    /// The common beginning of names of this group and form from the given day on, whatever their time. For names
    /// that only tell the day. `None` outside the years 0001 to 9999.
    #[must_use]
    pub fn beginning_on(&self, seconds: i64) -> Option<String> {
        let time::Civil { year, month, day, .. } = time::Civil::of(seconds)?;
        let between = self.separator();
        Some(format!("{}{year:04}{between}{month:02}{between}{day:02}", self.group))
    }
}

/// Length of `2026-01-15-10-22-41`.
const STAMP_LEN: usize = 19;
/// Length of `2026/01/15/`.
const FOLDERS_LEN: usize = 11;

fn seconds_of(stamp: &[u8]) -> Option<i64> {
    let is_dash = |at: usize| stamp.get(at) == Some(&b'-');
    if stamp.len() != STAMP_LEN || ![4, 7, 10, 13, 16].into_iter().all(is_dash) {
        return None;
    }
    let number = |from: usize, len: usize| {
        let digits = stamp.get(from..from + len)?;
        digits.iter().try_fold(0_u16, |sum, digit| digit.is_ascii_digit().then(|| sum * 10 + u16::from(digit - b'0')))
    };
    let two = |from| number(from, 2).map(|number| number as u8);
    let civil = time::Civil {
        year: number(0, 4)?,
        month: two(5)?,
        day: two(8)?,
        hour: two(11)?,
        minute: two(14)?,
        second: two(17)?,
    };
    civil.seconds()
}

/// Whether folders such as `2026/01/15/` match the day of a stamp such as `2026-01-15-10-22-41`.
fn is_day_folders(folders: &[u8], stamp: &[u8]) -> bool {
    let (Some(folders), Some(day)) = (folders.first_chunk::<FOLDERS_LEN>(), stamp.first_chunk::<10>()) else {
        return false;
    };
    folders.iter().zip(day.iter().chain(b"/")).all(|(folder, day)| match folder {
        b'/' => matches!(day, b'-' | b'/'),
        digit => digit == day,
    })
}

fn ends_folder(group: &str) -> bool {
    group.is_empty() || group.ends_with('/')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn any_name_is_taken_apart_or_not(name in "(a|é|/|-){0,3}([0-9]{4}/[0-9]{2}/[0-9]{2}/)?[0-9]{4}(-[0-9]{2}){5}-[0-9A-Fa-z/]{0,17}|.{0,60}") {
            if let Some(key) = LogObjectKey::parse(&name) {
                prop_assert!(name.starts_with(key.group()));
                prop_assert!(name.starts_with(&key.beginning_at(key.seconds()).unwrap()));
                prop_assert_eq!(key.day() == key.seconds(), key.is_midnight());
            }
        }
    }

    fn parsed(key: &str) -> Option<(&str, i64, bool, bool)> {
        LogObjectKey::parse(key).map(|key| (key.group(), key.seconds(), key.is_partitioned(), key.is_of_aws()))
    }

    #[test]
    fn names() {
        let t = 1_768_472_561;
        let unique = "3E57427F3E57427F";
        for (key, expected) in [
            (format!("2026-01-15-10-22-41-{unique}"), Some(("", t, false, true))),
            (format!("logs/2026-01-15-10-22-41-{unique}"), Some(("logs/", t, false, true))),
            (format!("access-log-2026-01-15-10-22-41-{unique}"), Some(("access-log-", t, false, true))),
            (format!("a/2026/01/15/2026-01-15-10-22-41-{unique}"), Some(("a/", t, true, true))),
            (format!("2026/01/15/2026-01-15-10-22-41-{unique}"), Some(("", t, true, true))),
            // Folders of another day, or that are not date folders, belong to the group.
            (format!("a/2026/01/14/2026-01-15-10-22-41-{unique}"), Some(("a/2026/01/14/", t, false, true))),
            (format!("a2026/01/15/2026-01-15-10-22-41-{unique}"), Some(("a2026/01/15/", t, false, true))),
            ("2026-01-15-10-22-41-abc".to_owned(), Some(("", t, false, false))),
            (format!("2026-01-15-10-22-41-{}", unique.to_lowercase()), Some(("", t, false, false))),
            (format!("2026-02-30-10-22-41-{unique}"), None),
            (format!("2026-01-15-24-00-00-{unique}"), None),
            (format!("2026-01-15-10-22-60-{unique}"), None),
            (format!("2026-01-15T10-22-41-{unique}"), None),
            (format!("2026-01-15-10-22-41-{unique}.gz"), None),
            (format!("2026-01-15-10-22-{unique}"), None),
            ("2026-01-15-10-22-41-".to_owned(), None),
            ("é026-01-15-10-22-41-A".to_owned(), None),
            (String::new(), None),
        ] {
            assert_eq!(parsed(&key), expected, "{key}");
        }
    }

    #[test]
    fn beginnings_sort_as_the_names_do() {
        for prefix in ["logs/", "logs/2026/01/15/"] {
            let name = format!("{prefix}2026-01-15-10-22-41-3E57427F3E57427F");
            let key = LogObjectKey::parse(&name).unwrap();
            let at = |seconds| key.beginning_at(seconds).unwrap();
            assert!(at(key.seconds()) <= name && at(key.seconds() + 1) > name && at(key.seconds() - 1) < name);
            let on = |seconds| key.beginning_on(seconds).unwrap();
            assert!(on(key.day()) <= name && on(key.day() + DAY) > name && on(key.day() + DAY - 1) <= name);
            assert!(name.starts_with(&at(key.seconds())) && name.starts_with(&on(key.seconds())));
            assert_eq!(key.beginning_at(i64::MAX), None);
            let end = key.end_of_year().unwrap();
            assert!(end.as_str() < "logs/2026-shop/2026-02-01" || key.is_partitioned());
            assert!(end > at(key.seconds() + 300 * DAY) && end < at(key.seconds() + 366 * DAY));
            assert!(key.is_among(&name) && key.is_among(&at(key.seconds() + 400 * DAY)) && !key.is_among("logs/x"));
        }
    }
}
