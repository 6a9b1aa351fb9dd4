//! Delivers lines as log objects: S3 collects those of one bucket for some hours and delivers them later, slightly
//! out of order.

use super::File;
use super::company::{ACCOUNT, Bucket, REGION};
use super::scribe::Event;
use crate::calendar::{DAY, date};
use crate::objects::object_name;
use crate::random::Random;

/// Maximum time span covered by an object, in seconds.
const WINDOW: i64 = 3 * 3600;
/// Of a thousand lines, the number that are delivered with the next object.
const LATE: u64 = 20;
/// Objects per day if they are named by the day.
const OBJECTS_A_DAY: usize = 4;

/// The lines of one bucket, ordered by time.
pub(super) fn log_of(bucket: &Bucket, events: &[Event]) -> Vec<Event> {
    let mut log: Vec<Event> = events.iter().filter(|event| event.bucket == bucket).cloned().collect();
    log.sort_by_key(|event| event.time);
    log
}

/// Objects named by delivery time, which is after the time of every line in them.
pub(super) fn by_delivery_time(prefix: &str, log: Vec<Event>, random: &mut Random) -> Vec<File> {
    let mut files = Vec::new();
    let mut gathered: Vec<Event> = Vec::new();
    let mut late: Vec<Event> = Vec::new();
    let mut end = i64::MIN;
    let mut deliver = |gathered: &mut Vec<Event>, random: &mut Random| {
        if let Some(last) = gathered.iter().map(|event| event.time).max() {
            let delay = random.between(5 * 60, 90 * 60) as i64;
            shuffle(gathered, random);
            files.push(object(prefix, last + delay, gathered, random));
            gathered.clear();
        }
    };
    for event in log {
        if event.time >= end {
            deliver(&mut gathered, random);
            gathered.append(&mut late);
            end = event.time + WINDOW;
        }
        if random.chance(LATE) { late.push(event) } else { gathered.push(event) }
    }
    gathered.append(&mut late);
    deliver(&mut gathered, random);
    files
}

/// Objects of one day each, in folders for account, Region, bucket and day, named by the first second of the day.
pub(super) fn by_event_time(prefix: &str, log: Vec<Event>, random: &mut Random) -> Vec<File> {
    let mut files = Vec::new();
    for mut day in
        log.chunk_by(|one, other| one.time.div_euclid(DAY) == other.time.div_euclid(DAY)).map(<[Event]>::to_vec)
    {
        let Some(first) = day.first() else { continue };
        let midnight = first.time.div_euclid(DAY) * DAY;
        let (year, month, day_of_month) = date(midnight);
        let folder = format!("{prefix}{ACCOUNT}/{REGION}/{}/{year}/{month:02}/{day_of_month:02}/", first.bucket.name);
        shuffle(&mut day, random);
        for part in day.chunks(day.len().div_ceil(OBJECTS_A_DAY)) {
            files.push(object(&folder, midnight, part, random));
        }
    }
    files
}

/// A log object of these lines.
pub(super) fn object(prefix: &str, time: i64, events: &[Event], random: &mut Random) -> File {
    let bytes = events.iter().flat_map(|event| &event.line).copied().collect();
    File { path: format!("{prefix}{}", object_name(time, random)), bytes }
}

/// Swaps lines with close neighbours.
fn shuffle(events: &mut [Event], random: &mut Random) {
    for index in 1..events.len() {
        let other = index - random.below(index.min(4) as u64 + 1) as usize;
        events.swap(index, other);
    }
}
