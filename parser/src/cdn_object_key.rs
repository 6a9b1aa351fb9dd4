//! Names of CDN log objects.
//!
//! ```text
//! [prefix]<distribution>.YYYY-MM-DD-HH.<unique string>[.gz]
//! ```
//!
//! The form is that of AWS's CloudFront Developer Guide, with other extensions or none. Standard logging v2 can add
//! folders of the day or the hour, plain (`2026/01/15/10/`) or Hive-style (`year=2026/month=01/day=15/hour=10/`).
//!
//! The hour is that of the requests, even if the object was delivered a day later. A record carries the time at which
//! its response was finished, so a few records may belong to later hours.

use crate::value::time::Civil;

/// The parsed name of a CDN log object.
///
/// ```
/// use s3log_parser::CdnObjectKey;
///
/// let key = CdnObjectKey::parse("logs/EMLARXS9EXAMPLE.2026-01-15-10.RT4KCN4SGK9.gz").unwrap();
/// assert_eq!((key.group(), key.distribution(), key.seconds()), ("logs/EMLARXS9EXAMPLE.", "EMLARXS9EXAMPLE", 1_768_471_200));
/// let key = CdnObjectKey::parse("cdn/2026/01/15/10/EMLARXS9EXAMPLE.2026-01-15-10.abcdef01.gz").unwrap();
/// assert_eq!((key.group(), key.is_partitioned()), ("cdn/", true));
/// assert!(CdnObjectKey::parse("logs/january.gz").is_none());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CdnObjectKey<'a> {
    group: &'a str,
    distribution: &'a str,
    seconds: i64,
    folders: Option<Folders>,
}

/// The date folders in front of the name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Folders {
    /// `2026/01/15/`
    Day,
    /// `2026/01/15/10/`
    Hour,
    /// `year=2026/month=01/day=15/`
    HiveDay,
    /// `year=2026/month=01/day=15/hour=10/`
    HiveHour,
}

impl Folders {
    const ALL: [Self; 4] = [Self::HiveHour, Self::HiveDay, Self::Hour, Self::Day];

    fn of(self, time: &Civil) -> String {
        let Civil { year, month, day, hour, .. } = time;
        match self {
            Self::Day => format!("{year:04}/{month:02}/{day:02}/"),
            Self::Hour => format!("{year:04}/{month:02}/{day:02}/{hour:02}/"),
            Self::HiveDay => format!("year={year:04}/month={month:02}/day={day:02}/"),
            Self::HiveHour => format!("year={year:04}/month={month:02}/day={day:02}/hour={hour:02}/"),
        }
    }

    fn year(self, year: u16) -> String {
        match self {
            Self::Day | Self::Hour => format!("{year:04}/"),
            Self::HiveDay | Self::HiveHour => format!("year={year:04}/"),
        }
    }
}

/// Extensions that a name may end with; up to two are removed.
const EXTENSIONS: [&str; 8] = [".gz", ".txt", ".json", ".parquet", ".log", ".zst", ".tsv", ".w3c"];

impl<'a> CdnObjectKey<'a> {
    /// Parses a name; returns `None` if it does not have the form.
    #[must_use]
    pub fn parse(key: &'a str) -> Option<Self> {
        let without = |key: &'a str| EXTENSIONS.iter().find_map(|extension| key.strip_suffix(extension)).unwrap_or(key);
        let (head, unique) = without(without(key)).rsplit_once('.')?;
        let (head, stamp) = head.rsplit_once('.')?;
        let folder_end = head.rfind('/').map_or(0, |slash| slash + 1);
        let (folder, distribution) = head.split_at(folder_end);
        let is_part = |text: &str| !text.is_empty() && !text.contains(['.', '/']);
        if !is_part(distribution) || !is_part(unique) {
            return None;
        }
        let time = time_of(stamp.as_bytes())?;
        let seconds = time.seconds()?;
        let led = |folders: &Folders| {
            let group = folder.strip_suffix(folders.of(&time).as_str())?;
            (group.is_empty() || group.ends_with('/')).then_some((group, Some(*folders)))
        };
        let flat = (&key[..head.len() + 1], None);
        let (group, folders) = Folders::ALL.iter().find_map(led).unwrap_or(flat);
        Some(Self { group, distribution, seconds, folders })
    }

    /// The part before the time, or before the date folders. Names with the same group and folder form sort by time
    /// (with folders: by the time in the folders).
    #[must_use]
    pub fn group(&self) -> &'a str {
        self.group
    }

    /// The distribution id.
    #[must_use]
    pub fn distribution(&self) -> &'a str {
        self.distribution
    }

    /// Whether the distribution id looks like CloudFront's: `E`, then 12 to 14 upper-case letters and digits.
    #[must_use]
    pub fn is_of_aws(&self) -> bool {
        let is_id = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit();
        (13..=15).contains(&self.distribution.len())
            && self.distribution.starts_with('E')
            && self.distribution.bytes().all(is_id)
    }

    /// Start of the hour in the name, in Unix seconds.
    #[must_use]
    pub fn seconds(&self) -> i64 {
        self.seconds
    }

    /// Whether the name has date folders.
    #[must_use]
    pub fn is_partitioned(&self) -> bool {
        self.folders.is_some()
    }

    /// The common beginning of names of this group and form for the given time, in Unix seconds. It sorts before all
    /// of them and after those of earlier hours. With folders of days the granularity is a day, because within a day
    /// names sort by distribution first. `None` outside the years 0001 to 9999.
    #[must_use]
    pub fn beginning_at(&self, seconds: i64) -> Option<String> {
        let time = Civil::of(seconds)?;
        let stamp = match self.folders {
            Some(folders) => folders.of(&time),
            None => {
                let Civil { year, month, day, hour, .. } = time;
                format!("{year:04}-{month:02}-{day:02}-{hour:02}")
            }
        };
        Some(format!("{}{stamp}", self.group))
    }

    /// A string that sorts after all names of this group, form and year and before those of the next year. Names of
    /// another form may lie beyond it, so a listing must not skip past it.
    #[must_use]
    pub fn end_of_year(&self) -> Option<String> {
        let year = Civil::of(self.seconds)?.year;
        // All characters that can follow in a name sort before `~`.
        Some(format!("{}{}~", self.group, self.year(year)))
    }

    /// Whether the name sorts among those of this group and form. It need not have either.
    #[must_use]
    pub fn is_among(&self, name: &str) -> bool {
        let year = name.strip_prefix(self.group).and_then(|rest| {
            let digits = rest.strip_prefix("year=").unwrap_or(rest).get(..4)?;
            let year = digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())?;
            year.map(|year| (rest, year))
        });
        year.is_some_and(|(rest, year)| rest.starts_with(&self.year(year)))
    }

    fn year(&self, year: u16) -> String {
        self.folders.map_or_else(|| format!("{year:04}-"), |folders| folders.year(year))
    }
}

/// Parses `2026-01-15-10`.
fn time_of(stamp: &[u8]) -> Option<Civil> {
    let &[y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2, b'-', h1, h2] = stamp else { return None };
    let number = |digits: &[u8]| {
        digits.iter().try_fold(0_u16, |sum, digit| digit.is_ascii_digit().then(|| sum * 10 + u16::from(digit - b'0')))
    };
    let two = |tens, ones| number(&[tens, ones]).map(|number| number as u8);
    Some(Civil {
        year: number(&[y1, y2, y3, y4])?,
        month: two(m1, m2)?,
        day: two(d1, d2)?,
        hour: two(h1, h2)?,
        minute: 0,
        second: 0,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const HOUR: i64 = 3_600;

    proptest! {
        #[test]
        fn any_name_is_taken_apart_or_not(name in "(a|é|/){0,3}((year=)?20[0-9]{2}/(month=)?[01][0-9]/(day=)?[0-3][0-9]/)?(E1|é|)\\.20[0-9]{2}(-[0-2][0-9]){3}\\.[0-9a-z/.]{0,12}|.{0,60}") {
            if let Some(key) = CdnObjectKey::parse(&name) {
                prop_assert!(name.starts_with(key.group()));
                prop_assert!(name.starts_with(&key.beginning_at(key.seconds()).unwrap()));
                prop_assert_eq!(key.seconds() % HOUR, 0);
                prop_assert!(key.is_among(&name));
                prop_assert!(crate::LogObjectKey::parse(&name).is_none());
            }
        }
    }

    #[test]
    fn names() {
        let t = 1_768_471_200;
        for (key, expected) in [
            ("E1.2026-01-15-10.RT4K.gz", Some(("E1.", t, false))),
            ("logs/E1.2026-01-15-10.RT4K.gz", Some(("logs/E1.", t, false))),
            ("logs/E1.2026-01-15-10.RT4K", Some(("logs/E1.", t, false))),
            ("logs/E1.2026-01-15-10.RT4K.json.gz", Some(("logs/E1.", t, false))),
            ("a.b/E1.2026-01-15-10.RT4K.parquet", Some(("a.b/E1.", t, false))),
            ("a/2026/01/15/10/E1.2026-01-15-10.RT4K.gz", Some(("a/", t, true))),
            ("2026/01/15/E1.2026-01-15-10.RT4K.gz", Some(("", t, true))),
            ("a/year=2026/month=01/day=15/hour=10/E1.2026-01-15-10.RT4K.gz", Some(("a/", t, true))),
            ("a/year=2026/month=01/day=15/E1.2026-01-15-10.RT4K.txt", Some(("a/", t, true))),
            // Folders of another hour, or that are not date folders, belong to the group.
            ("a/2026/01/15/11/E1.2026-01-15-10.RT4K.gz", Some(("a/2026/01/15/11/E1.", t, false))),
            ("a2026/01/15/E1.2026-01-15-10.RT4K.gz", Some(("a2026/01/15/E1.", t, false))),
            ("E1.2026-02-30-10.RT4K.gz", None),
            ("E1.2026-01-15-24.RT4K.gz", None),
            ("E1.2026-01-15.RT4K.gz", None),
            ("E1.2026-01-15-10.gz", None),
            ("E1.2026-01-15-10", None),
            (".2026-01-15-10.RT4K.gz", None),
            ("2026-01-15-10.RT4K.gz", None),
            ("E1.2026-01-15-10.RT4K.exe", None),
            ("E1.2026-01-15-10.a/b.gz", None),
            ("E1.2026-01-15-10..gz", None),
            ("logs/2026-01-15-10-22-41-3E57427F3E57427F", None),
            ("", None),
        ] {
            let parsed = CdnObjectKey::parse(key).map(|key| (key.group(), key.seconds(), key.is_partitioned()));
            assert_eq!(parsed, expected, "{key}");
        }
    }

    #[test]
    fn beginnings_sort_as_the_names_do() {
        for (folders, step) in [("", HOUR), ("2026/01/15/10/", HOUR), ("year=2026/month=01/day=15/", 24 * HOUR)] {
            let name = format!("logs/{folders}E1.2026-01-15-10.RT4K.gz");
            let key = CdnObjectKey::parse(&name).unwrap();
            let at = |seconds| key.beginning_at(seconds).unwrap();
            assert!(at(key.seconds()) <= name && at(key.seconds() + step) > name && at(key.seconds() - step) < name);
            assert_eq!(at(key.seconds()), at(key.seconds() + HOUR - 1));
            assert_eq!(key.beginning_at(i64::MAX), None);
            let end = key.end_of_year().unwrap();
            assert!(end > at(key.seconds() + 300 * 24 * HOUR) && end < at(key.seconds() + 366 * 24 * HOUR));
            assert!(key.is_among(&at(key.seconds() + 9600 * HOUR)) && !key.is_among("logs/x"));
        }
    }
}
