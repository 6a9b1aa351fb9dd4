//! Decides by name which objects of a listing are worth reading, in a single pass.

use crate::scan::{NameRules, Times};
use s3log_parser::{CdnObjectKey, LogObjectKey};
use std::collections::HashSet;

/// Maximum number of objects held back for one day. If a day has more, they are read.
const MAX_HELD: usize = 10_000;

/// Receives objects in name order and keeps those that may hold a wanted record.
///
/// One rule needs more than a single name: if all names in a day folder say `00-00-00`, the folder is the day of the
/// records; a single other name means that names are times of delivery. Objects that only the first interpretation
/// excludes are held until the end of their day.
#[derive(Debug)]
pub(super) struct Sieve<T> {
    rules: NameRules,
    wanted: Times,
    /// The current day, and whether any of its objects has a time of its own.
    day: Option<Day>,
    held: Vec<T>,
    pruned: u64,
    /// Groups and days known to have names with times, of objects that are not pushed.
    delivery_days: HashSet<(String, i64)>,
}

#[derive(Debug, PartialEq, Eq)]
struct Day {
    group: String,
    start: i64,
    has_times: bool,
}

impl<T> Sieve<T> {
    pub(super) fn new(rules: NameRules, wanted: Times) -> Self {
        Self { rules, wanted, day: None, held: Vec::new(), pruned: 0, delivery_days: HashSet::new() }
    }

    /// Also considers objects that are not pushed: the groups and days whose names have times of delivery.
    pub(super) fn with_delivery_days(self, days: &HashSet<(String, i64)>) -> Self {
        Self { delivery_days: days.clone(), ..self }
    }

    /// Number of objects excluded since the last call.
    pub(super) fn take_pruned(&mut self) -> u64 {
        std::mem::take(&mut self.pruned)
    }

    /// Processes the next object; objects to be read are appended to `kept`.
    ///
    /// `scope` is the prefix of the listing. If it restricts names within a day folder, nothing is known of the others
    /// in that folder.
    pub(super) fn push(&mut self, name: &str, scope: &str, object: T, kept: &mut Vec<T>) {
        if self.wanted.is_all() {
            kept.push(object);
            return;
        }
        let Some(key) = LogObjectKey::parse(name) else {
            match CdnObjectKey::parse(name) {
                Some(key) if !self.rules.cdn_bounds(&key).meet(&self.wanted) => self.pruned += 1,
                _ => kept.push(object),
            }
            return;
        };
        let folder = name.rfind('/').map_or("", |slash| &name[..=slash]);
        let sees_whole_day = folder.starts_with(scope.trim_end_matches('/'));
        let day_has_times = self.enter(&key, kept) || !sees_whole_day;
        if !self.rules.bounds(&key).meet(&self.wanted) {
            self.pruned += 1;
        } else if day_has_times || self.rules.bounds_on_event_day(&key).meet(&self.wanted) {
            kept.push(object);
        } else if self.held.len() < MAX_HELD {
            self.held.push(object);
        } else {
            // Too many to hold: treat the day as if it had times.
            if let Some(day) = &mut self.day {
                day.has_times = true;
            }
            kept.append(&mut self.held);
            kept.push(object);
        }
    }

    /// Marks the end of the objects.
    pub(super) fn finish(&mut self) {
        self.pruned += self.held.len() as u64;
        self.held.clear();
        self.day = None;
    }

    /// Notes the day of a name; returns whether a time other than midnight was seen on that day.
    fn enter(&mut self, key: &LogObjectKey<'_>, kept: &mut Vec<T>) -> bool {
        if !key.is_partitioned() {
            return true;
        }
        let is_same = |day: &Day| day.start == key.day() && day.group == key.group();
        if !self.day.as_ref().is_some_and(is_same) {
            self.finish();
        }
        let day = self.day.get_or_insert_with(|| {
            let of = (key.group().to_owned(), key.day());
            let has_times = self.delivery_days.contains(&of);
            Day { group: of.0, start: of.1, has_times }
        });
        if !key.is_midnight() {
            day.has_times = true;
            kept.append(&mut self.held);
        }
        day.has_times
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 86_400_000_000;

    /// Days of January 2026.
    fn wanted(from: i64, until: i64) -> Times {
        let first = 1_767_225_600_000_000;
        Times::between(Some(first + (from - 1) * DAY), Some(first + (until - 1) * DAY))
    }

    fn kept<'a>(names: &[&'a str], wanted: Times) -> (Vec<&'a str>, u64) {
        kept_in("", names, wanted)
    }

    fn kept_in<'a>(scope: &str, names: &[&'a str], wanted: Times) -> (Vec<&'a str>, u64) {
        let mut sieve = Sieve::new(NameRules::default(), wanted);
        let mut kept = Vec::new();
        for name in names {
            sieve.push(name, scope, *name, &mut kept);
        }
        sieve.finish();
        (kept, sieve.take_pruned())
    }

    #[test]
    fn days_of_events_are_left_out_on_both_sides() {
        let names = [
            "a/2026/01/14/2026-01-14-00-00-00-3E57427F3E57427F",
            "a/2026/01/15/2026-01-15-00-00-00-3E57427F3E57427F",
            "a/2026/01/16/2026-01-16-00-00-00-3E57427F3E57427F",
        ];
        assert_eq!(kept(&names, wanted(15, 16)), (vec![names[1]], 2));
    }

    #[test]
    fn one_time_of_delivery_tells_that_all_of_a_day_are() {
        let names = [
            "a/2026/01/16/2026-01-16-00-00-00-3E57427F3E57427F",
            "a/2026/01/16/2026-01-16-00-00-00-4E57427F3E57427F",
            "a/2026/01/16/2026-01-16-07-00-00-3E57427F3E57427F",
            "b/2026/01/16/2026-01-16-00-00-00-3E57427F3E57427F",
        ];
        // The first three may all hold late records.
        assert_eq!(kept(&names, wanted(15, 16)), (names[..3].to_vec(), 1));
    }

    #[test]
    fn a_part_of_a_day_tells_nothing_of_the_rest() {
        let name = "a/2026/01/16/2026-01-16-00-00-00-3E57427F3E57427F";
        assert_eq!(kept_in("a/2026/01/16/2026-01-16-00", &[name], wanted(15, 16)), (vec![name], 0));
        for scope in ["", "a", "a/", "a/2026/01/1", "a/2026/01/16/"] {
            assert_eq!(kept_in(scope, &[name], wanted(15, 16)), (vec![], 1), "{scope}");
        }
    }

    #[test]
    fn a_day_of_too_many_objects_is_read() {
        let names: Vec<_> = (0..25_000).map(|at| format!("a/2026/01/16/2026-01-16-00-00-00-{at:016X}")).collect();
        let names: Vec<_> = names.iter().map(String::as_str).collect();
        assert_eq!(kept(&names, wanted(15, 16)).0.len(), 25_000);
    }

    #[test]
    fn names_of_no_known_form_are_kept() {
        let names =
            ["a/january", "logs/2026-01-10-10-00-00-3E57427F3E57427F", "logs/2026-01-10-10-00-00-3e57427f3e57427f"];
        assert_eq!(kept(&names, wanted(15, 16)), (vec![names[0], names[2]], 1));
    }
}
