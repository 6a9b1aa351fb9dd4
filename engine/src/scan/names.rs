//! Which records a log object may hold, judging by its name.
//!
//! The meaning of the time in a name is documented by AWS ("Amazon S3 server access log format", "PartitionedPrefix" of
//! its API) and by the source code of other services:
//!
//! - AWS, without partitioning: the time of *delivery*. No record is later; how much earlier a record may be is
//!   unbounded, since delivery is best effort. Objects delivered before the wanted time can be skipped, later ones
//!   cannot.
//! - AWS, partitioned by event time: the *day* of all records; the rest of the time is `00-00-00`.
//! - Scality: the time of the earliest record.
//! - Ceph: when the object was started, in the time zone of the gateway.
//! - CloudFront: the hour of the requests, even if delivery took a day. Records carry the time at which the response
//!   was finished, so an hour is allowed on either side.
//!
//! Any other name says nothing, and its object is always read.

use super::times::Times;
use crate::time_units::{MICROS_PER_SECOND, SECONDS_PER_DAY, SECONDS_PER_HOUR};
use s3log_parser::{CdnObjectKey, LogObjectKey};

/// Allowance in seconds for records later than the time of delivery: clocks differ, and a record is written when its
/// request ends.
const SLACK: i64 = 300;
/// The largest time zone offset ahead of UTC, in seconds.
const FURTHEST_ZONE: i64 = 14 * SECONDS_PER_HOUR;

/// How the time in the names of log objects is interpreted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Layout {
    /// AWS's documented meaning, for names in forms that only AWS writes, with and without day folders. Objects with
    /// other names are never skipped.
    #[default]
    Auto,
    /// The time of delivery, in names without day folders. Names in day folders are interpreted as by `Auto`.
    Flat,
    /// The time of delivery, with or without day folders.
    DeliveryTime,
    /// In day folders: the day of all records.
    EventTime,
    /// Scality: the time of the earliest record.
    FirstRecord,
    /// Ceph: when the object was started, in the local time of the gateway.
    Ceph,
    /// No meaning: every object is read.
    None,
}

impl Layout {
    /// The name of the layout on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Flat => "flat",
            Self::DeliveryTime => "delivery-time",
            Self::EventTime => "event-time",
            Self::FirstRecord => "first-record",
            Self::Ceph => "ceph",
            Self::None => "none",
        }
    }
}

/// How names of log objects are interpreted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NameRules {
    /// Meaning of the time in a name.
    pub layout: Layout,
    /// Maximum delivery delay in microseconds. Unsafe, since no service guarantees one: objects delivered later than
    /// this after the wanted time are skipped.
    pub max_lateness: Option<i64>,
}

/// The possible times of an object's records in microseconds, inclusive at both ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Bounds {
    pub(crate) from: i64,
    pub(crate) to: i64,
}

impl Bounds {
    const OPEN: Self = Self { from: i64::MIN, to: i64::MAX };

    /// Whether any wanted time is within the bounds.
    pub(crate) fn meet(self, wanted: &Times) -> bool {
        wanted.touches(self.from, self.to)
    }
}

impl NameRules {
    /// Whether objects can be skipped by name at all.
    #[must_use]
    pub fn prune(self) -> bool {
        self.layout != Layout::None
    }

    /// The bounds given by the name of an object; open if its form says nothing.
    pub(crate) fn bounds(self, key: &LogObjectKey<'_>) -> Bounds {
        let named = key.seconds();
        match self.layout {
            Layout::None => Bounds::OPEN,
            Layout::Auto if !key.is_of_aws() => Bounds::OPEN,
            Layout::EventTime if key.is_partitioned() => of_day(key),
            // Either the day of all records, or a delivery exactly at midnight: allow for both. The folders of the day
            // may be missing from the name: objects are copied elsewhere, and paths of files are relative.
            Layout::Auto | Layout::Flat | Layout::EventTime if key.is_midnight() => {
                Bounds { from: self.earliest(named), to: end_of(named + SECONDS_PER_DAY) }
            }
            Layout::Auto | Layout::Flat | Layout::DeliveryTime | Layout::EventTime => self.delivered(named),
            Layout::FirstRecord => Bounds { from: micros(named), to: i64::MAX },
            Layout::Ceph => Bounds { from: micros(named - FURTHEST_ZONE - SLACK), to: i64::MAX },
        }
    }

    /// The bounds given by the name of a CDN log object.
    pub(crate) fn cdn_bounds(self, key: &CdnObjectKey<'_>) -> Bounds {
        if !self.knows_cdn(key) {
            return Bounds::OPEN;
        }
        Bounds { from: micros(key.seconds() - SECONDS_PER_HOUR), to: end_of(key.seconds() + 2 * SECONDS_PER_HOUR) }
    }

    /// Whether names of CDN log objects of this form are interpreted.
    pub(crate) fn knows_cdn(self, key: &CdnObjectKey<'_>) -> bool {
        match self.layout {
            Layout::None => false,
            Layout::Auto => key.is_of_aws(),
            _ => true,
        }
    }

    /// If this CDN log object can be skipped: the name after which the next object worth reading can be.
    pub(crate) fn beyond_cdn(self, key: &CdnObjectKey<'_>, wanted: &Times) -> Option<String> {
        if self.cdn_bounds(key).meet(wanted) {
            return None;
        }
        let end = key.end_of_year()?;
        let first = wanted.first().div_euclid(MICROS_PER_SECOND).saturating_sub(2 * SECONDS_PER_HOUR);
        if wanted.first() > i64::MIN && key.seconds() < first {
            return Some(key.beginning_at(first)?.min(end));
        }
        let last = wanted.end().div_euclid(MICROS_PER_SECOND).saturating_add(SECONDS_PER_HOUR);
        (wanted.end() < i64::MAX && key.seconds() > last).then_some(end)
    }

    /// Whether names of this form are interpreted.
    pub(crate) fn knows(self, key: &LogObjectKey<'_>) -> bool {
        self.layout != Layout::Auto || key.is_of_aws()
    }

    /// The bounds of an object in a day folder in which all names say `00-00-00`, that is, one partitioned by event
    /// time.
    pub(crate) fn bounds_on_event_day(self, key: &LogObjectKey<'_>) -> Bounds {
        match self.layout {
            Layout::Auto if key.is_of_aws() && key.is_partitioned() && key.is_midnight() => of_day(key),
            Layout::Flat if key.is_partitioned() && key.is_midnight() => of_day(key),
            _ => self.bounds(key),
        }
    }

    /// The earliest time in names of this form, in Unix seconds, of an object with wanted records; `None` if there is
    /// no limit.
    pub(crate) fn first_name(self, wanted: &Times) -> Option<i64> {
        let first = wanted.first();
        let bounds_records =
            matches!(self.layout, Layout::Auto | Layout::Flat | Layout::DeliveryTime | Layout::EventTime);
        (bounds_records && first > i64::MIN).then(|| first.div_euclid(MICROS_PER_SECOND).saturating_sub(SLACK))
    }

    /// The latest time in names of this form, in Unix seconds, of an object with wanted records; `None` if there is no
    /// limit.
    pub(crate) fn last_name(self, key: &LogObjectKey<'_>, wanted: &Times) -> Option<i64> {
        let end = wanted.end();
        if end == i64::MAX {
            return None;
        }
        let end = end.div_euclid(MICROS_PER_SECOND).saturating_add(1);
        match self.layout {
            Layout::EventTime if key.is_partitioned() => Some(end),
            Layout::FirstRecord => Some(end),
            Layout::Ceph => Some(end.saturating_add(FURTHEST_ZONE + SLACK)),
            Layout::None => None,
            Layout::Auto if !key.is_of_aws() => None,
            _ => {
                self.max_lateness.map(|lateness| end.saturating_add(lateness.div_euclid(MICROS_PER_SECOND) + 1 + SLACK))
            }
        }
    }

    fn delivered(self, named: i64) -> Bounds {
        Bounds { from: self.earliest(named), to: micros(named + SLACK) + MICROS_PER_SECOND - 1 }
    }

    fn earliest(self, named: i64) -> i64 {
        self.max_lateness.map_or(i64::MIN, |lateness| micros(named - SLACK).saturating_sub(lateness))
    }
}

fn of_day(key: &LogObjectKey<'_>) -> Bounds {
    Bounds { from: micros(key.day()), to: end_of(key.day() + SECONDS_PER_DAY) }
}

fn micros(seconds: i64) -> i64 {
    seconds.saturating_mul(MICROS_PER_SECOND)
}

/// The last microsecond before this second.
fn end_of(seconds: i64) -> i64 {
    micros(seconds) - 1
}

/// The bounds given by a name alone, without looking at neighbouring names.
pub(crate) fn bounds_of(rules: NameRules, name: &str) -> Bounds {
    match LogObjectKey::parse(name) {
        Some(key) => rules.bounds(&key),
        None => CdnObjectKey::parse(name).map_or(Bounds::OPEN, |key| rules.cdn_bounds(&key)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMED: &str = "2026-01-15-10-22-41-3E57427F3E57427F";
    const MIDNIGHT: &str = "111122223333/eu-west-1/photos/2026/01/15/2026-01-15-00-00-00-3E57427F3E57427F";

    fn wanted(since: &str, until: &str) -> Times {
        let micros = |text: &str| {
            let time = humantime::parse_rfc3339_weak(text).ok()?;
            let since_epoch = time.duration_since(std::time::SystemTime::UNIX_EPOCH).ok()?;
            i64::try_from(since_epoch.as_micros()).ok()
        };
        Times::between(micros(since), micros(until))
    }

    fn meets(layout: Layout, lateness: Option<i64>, name: &str, since: &str, until: &str) -> bool {
        let rules = NameRules { layout, max_lateness: lateness.map(|hours| hours * 3_600 * MICROS_PER_SECOND) };
        bounds_of(rules, name).meet(&wanted(since, until))
    }

    #[test]
    fn a_time_of_delivery_is_the_latest_of_its_records() {
        for layout in [Layout::Auto, Layout::Flat, Layout::DeliveryTime, Layout::EventTime] {
            assert!(meets(layout, None, NAMED, "2026-01-15 10:00:00", ""));
            assert!(meets(layout, None, NAMED, "2026-01-15 10:27:41", ""), "clocks differ");
            assert!(!meets(layout, None, NAMED, "2026-01-15 10:27:42", ""));
            assert!(meets(layout, None, NAMED, "", "2020-01-01 00:00:00"), "a late record");
            assert!(!meets(layout, Some(24), NAMED, "", "2026-01-14 10:00:00"), "only by a limit that somebody sets");
            assert!(meets(layout, Some(24), NAMED, "", "2026-01-14 11:00:00"));
        }
    }

    #[test]
    fn a_day_of_events_bounds_both_ends() {
        let meets = |layout, since, until| meets(layout, None, MIDNIGHT, since, until);
        assert!(meets(Layout::EventTime, "2026-01-15 23:59:59", ""));
        assert!(!meets(Layout::EventTime, "2026-01-16 00:00:00", ""));
        assert!(!meets(Layout::EventTime, "", "2026-01-15 00:00:00"));
        // It might also have been delivered at midnight.
        assert!(meets(Layout::Auto, "2026-01-15 23:59:59", "") && meets(Layout::Auto, "", "2026-01-14 00:00:00"));
        assert!(!meets(Layout::Auto, "2026-01-16 00:00:00", ""));
        // Without day folders, names say nothing about those with them.
        assert!(meets(Layout::Flat, "2026-01-15 23:59:59", ""));
        let key = LogObjectKey::parse(MIDNIGHT).unwrap();
        let known = NameRules::default().bounds_on_event_day(&key);
        assert!(!known.meet(&wanted("", "2026-01-15 00:00:00")));
    }

    #[test]
    fn other_services() {
        assert!(!meets(Layout::FirstRecord, None, NAMED, "", "2026-01-15 10:22:41"));
        assert!(meets(Layout::FirstRecord, None, NAMED, "2027-01-01 00:00:00", ""));
        // A Ceph name may be up to fourteen hours ahead of UTC.
        assert!(meets(Layout::Ceph, None, NAMED, "", "2026-01-14 21:00:00"));
        assert!(!meets(Layout::Ceph, None, NAMED, "", "2026-01-14 20:00:00"));
        // Names that AWS does not write mean nothing unless a layout is given.
        let ceph = "logs/2026-01-15-10-22-41-O3L1K9XUQPD4AZ0B";
        assert!(meets(Layout::Auto, None, ceph, "2027-01-01 00:00:00", ""));
        assert!(!meets(Layout::Flat, None, ceph, "2027-01-01 00:00:00", ""));
    }

    #[test]
    fn an_hour_of_a_cdn_bounds_both_ends() {
        let name = "cdn/EMLARXS9EXAMPLE.2026-01-15-10.RT4KCN4SGK9.gz";
        for layout in [Layout::Auto, Layout::Flat] {
            assert!(meets(layout, None, name, "2026-01-15 11:59:59", ""));
            assert!(!meets(layout, None, name, "2026-01-15 12:00:00", ""));
            assert!(meets(layout, None, name, "", "2026-01-15 09:00:01"));
            assert!(!meets(layout, None, name, "", "2026-01-15 09:00:00"));
        }
        let other = "cdn/static.2026-01-15-10.abcdef01";
        assert!(meets(Layout::Auto, None, other, "2027-01-01 00:00:00", ""), "no id of CloudFront");
        assert!(!meets(Layout::Flat, None, other, "2027-01-01 00:00:00", ""));
        assert!(meets(Layout::None, None, name, "2027-01-01 00:00:00", ""));
        let beyond = |since, until| {
            let key = CdnObjectKey::parse(name).unwrap();
            NameRules::default().beyond_cdn(&key, &wanted(since, until))
        };
        assert_eq!(beyond("2026-01-15 10:30:00", ""), None);
        assert_eq!(beyond("2026-03-01 12:30:00", "").as_deref(), Some("cdn/EMLARXS9EXAMPLE.2026-03-01-10"));
        assert!(beyond("2027-03-01 12:30:00", "").is_some_and(|name| name.starts_with("cdn/EMLARXS9EXAMPLE.2026-")));
        assert!(beyond("", "2025-03-01 12:30:00").is_some_and(|name| name.starts_with("cdn/EMLARXS9EXAMPLE.2026-")));
    }

    #[test]
    fn unknown_names_and_no_rules() {
        assert!(meets(Layout::Auto, Some(0), "logs/january.log", "2027-01-01 00:00:00", ""));
        assert!(meets(Layout::None, Some(0), NAMED, "2027-01-01 00:00:00", ""));
    }
}
