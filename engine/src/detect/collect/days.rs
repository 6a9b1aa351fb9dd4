//! Activity of a source in a bucket on one day.

use super::Renamings;
use super::event::{Event, Flags, Times};
use super::kept::Kept;
use super::names::{NONE, renamed};
use super::sketch::{KeySample, KeyTimes};
use crate::detect::facts::OpClass;
use crate::time_units::MICROS_PER_DAY;
use datafusion::common::HashMap;

/// Source number, bucket number, and day since the Unix epoch.
pub(crate) type DayKey = (u32, u32, i32);

/// Requests of one source to one bucket on one day.
#[derive(Debug, Default)]
pub(crate) struct SourceDay {
    pub times: Times,
    pub requests: u32,
    pub anon_requests: u32,
    pub anon_object_requests: u32,
    pub anon_object_fails: u32,
    pub ok_reads: u32,
    pub anon_ok_reads: u32,
    pub bytes_sent: u64,
    pub lists: u32,
    pub lists_ok: u32,
    pub anon_lists_ok: u32,
    pub writes: u32,
    pub deletes: u32,
    pub crawls: u32,
    pub keys: KeySample,
    /// Minutes with requests, ascending.
    minutes: Vec<Minute>,
    /// Requests kept individually.
    pub kept: Kept,
}

/// Requests within one minute.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Minute {
    /// Minute of the day, from 0.
    pub minute: u16,
    pub requests: u16,
    pub fails: u16,
    /// Requests that are most expensive to answer: listings and writes.
    pub costly: u16,
}

impl SourceDay {
    pub(crate) fn add(&mut self, event: &Event<'_>) {
        let flags = event.flags;
        self.times.add(event.time);
        self.requests += 1;
        let (ok, anon) = (flags.has(Flags::OK), flags.has(Flags::ANON));
        let failed = flags.has(Flags::FAIL);
        self.bytes_sent += event.bytes_sent.unwrap_or_default();
        self.crawls += u32::from(flags.has(Flags::CRAWLER));
        if anon {
            self.anon_requests += 1;
            if event.class.is_object() {
                self.anon_object_requests += 1;
                self.anon_object_fails += u32::from(failed);
            }
        }
        match event.class {
            OpClass::ObjectRead if ok && !flags.has(Flags::HEAD) => {
                self.ok_reads += 1;
                self.anon_ok_reads += u32::from(anon);
            }
            OpClass::List => {
                self.lists += 1;
                self.lists_ok += u32::from(ok);
                self.anon_lists_ok += u32::from(ok && anon);
            }
            OpClass::ObjectWrite => self.writes += u32::from(ok),
            OpClass::ObjectDelete => self.deletes += u32::from(ok),
            _ => {}
        }
        if ok && event.key_hash != 0 {
            let second = u32::try_from((event.time.rem_euclid(MICROS_PER_DAY)) / 1_000_000 + 1).unwrap_or(1);
            let mut key = KeyTimes::default();
            match event.class {
                OpClass::ObjectRead if !flags.has(Flags::HEAD) => key.read = second,
                OpClass::ObjectWrite => key.written = second,
                OpClass::Copy if flags.has(Flags::COPY_SOURCE) => key.copied_from = second,
                OpClass::Copy => key.copied_to = second,
                _ => return self.count_minute(event, failed),
            }
            self.keys.add(event.key_hash, key);
        }
        self.count_minute(event, failed);
    }

    /// Whether nearly all requests are a crawler's.
    pub(crate) fn is_crawler(&self) -> bool {
        self.crawls > 0 && u64::from(self.crawls) * 10 >= u64::from(self.requests) * 9
    }

    fn count_minute(&mut self, event: &Event<'_>, failed: bool) {
        let minute = u16::try_from(event.time.rem_euclid(MICROS_PER_DAY) / 60_000_000).unwrap_or_default();
        let costly = matches!(event.class, OpClass::List | OpClass::ObjectWrite);
        self.add_minute(Minute { minute, requests: 1, fails: u16::from(failed), costly: u16::from(costly) });
    }

    fn add_minute(&mut self, more: Minute) {
        let at = match self.minutes.last() {
            Some(last) if last.minute == more.minute => Ok(self.minutes.len() - 1),
            Some(last) if last.minute > more.minute => {
                self.minutes.binary_search_by_key(&more.minute, |known| known.minute)
            }
            _ => Err(self.minutes.len()),
        };
        match at {
            Ok(at) => {
                let known = &mut self.minutes[at];
                known.requests = known.requests.saturating_add(more.requests);
                known.fails = known.fails.saturating_add(more.fails);
                known.costly = known.costly.saturating_add(more.costly);
            }
            Err(at) => {
                if self.minutes.len() == self.minutes.capacity() {
                    self.minutes.reserve_exact(self.minutes.len().max(1));
                }
                self.minutes.insert(at, more);
            }
        }
    }

    /// The busiest minute, the first one if there are several.
    pub(crate) fn peak(&self) -> Minute {
        let mut peak = Minute::default();
        for minute in &self.minutes {
            if minute.requests > peak.requests {
                peak = *minute;
            }
        }
        peak
    }

    fn merge(&mut self, other: Self, names: &Renamings) {
        self.times.merge(other.times);
        for (mine, more) in [
            (&mut self.requests, other.requests),
            (&mut self.anon_requests, other.anon_requests),
            (&mut self.anon_object_requests, other.anon_object_requests),
            (&mut self.anon_object_fails, other.anon_object_fails),
            (&mut self.ok_reads, other.ok_reads),
            (&mut self.anon_ok_reads, other.anon_ok_reads),
            (&mut self.lists, other.lists),
            (&mut self.lists_ok, other.lists_ok),
            (&mut self.anon_lists_ok, other.anon_lists_ok),
            (&mut self.writes, other.writes),
            (&mut self.deletes, other.deletes),
            (&mut self.crawls, other.crawls),
        ] {
            *mine = mine.saturating_add(more);
        }
        self.bytes_sent += other.bytes_sent;
        self.keys.merge(&other.keys);
        for minute in other.minutes {
            self.add_minute(minute);
        }
        self.kept.merge(other.kept, names.rows);
    }
}

/// Entries per chunk. A single growing vector would copy everything on each reallocation, and temporarily need twice
/// the memory.
const CHUNK: usize = 1024;

/// All days of all sources.
#[derive(Debug, Default)]
pub(crate) struct SourceDays {
    places: HashMap<DayKey, u32>,
    chunks: Vec<Vec<(DayKey, SourceDay)>>,
    len: usize,
}

impl SourceDays {
    /// Indexes of the days of several events, which are created as needed.
    ///
    /// Done in two passes: each lookup is likely a cache miss, and the misses of several lookups overlap as long as no
    /// insertion is in between.
    pub(crate) fn places<const N: usize>(&mut self, keys: [Option<DayKey>; N]) -> [u32; N] {
        let mut places = keys.map(|key| key.and_then(|key| self.places.get(&key).copied()).unwrap_or(NONE));
        for (place, key) in places.iter_mut().zip(keys) {
            if let (NONE, Some(key)) = (*place, key) {
                *place = self.place(key);
            }
        }
        places
    }

    /// Prefetches what counting a request needs from the day itself.
    pub(crate) fn touch(&self, place: u32) -> u64 {
        self.at(place).map_or(0, |day| {
            day.bytes_sent
                ^ day.times.first as u64
                ^ u64::from(day.anon_lists_ok ^ day.requests)
                ^ day.keys.len() as u64
        })
    }

    /// Prefetches what counting needs from minutes, keys and groups of kept requests.
    pub(crate) fn touch_parts(&self, place: u32) -> u64 {
        self.at(place).map_or(0, |day| {
            let minute = day.minutes.last().map_or(0, |minute| minute.minute);
            u64::from(minute) ^ day.keys.touch() ^ day.kept.touch()
        })
    }

    /// Prefetches what counting needs from a group of kept requests.
    pub(crate) fn touch_kept(&self, place: u32, group: u8) -> u64 {
        self.at(place).map_or(0, |day| day.kept.touch_group(group))
    }

    fn at(&self, place: u32) -> Option<&SourceDay> {
        let at = place as usize;
        self.chunks.get(at / CHUNK).map(|chunk| &chunk[at % CHUNK].1)
    }

    /// The day at an index.
    pub(crate) fn at_mut(&mut self, place: u32) -> &mut SourceDay {
        let at = place as usize;
        &mut self.chunks[at / CHUNK][at % CHUNK].1
    }

    /// The index of a day, which is created if needed.
    fn place(&mut self, key: DayKey) -> u32 {
        if let Some(place) = self.places.get(&key) {
            return *place;
        }
        self.push(key, SourceDay::default())
    }

    /// Appends a day that has no index yet.
    fn push(&mut self, key: DayKey, day: SourceDay) -> u32 {
        if self.len.is_multiple_of(CHUNK) {
            self.chunks.push(Vec::with_capacity(CHUNK));
        }
        self.chunks[self.len / CHUNK].push((key, day));
        let place = self.len as u32;
        self.places.insert(key, place);
        self.len += 1;
        place
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &(DayKey, SourceDay)> {
        self.chunks.iter().flatten()
    }

    pub(crate) fn get(&self, key: DayKey) -> Option<&SourceDay> {
        self.at(*self.places.get(&key)?)
    }

    pub(crate) fn merge(&mut self, other: Self, names: &Renamings) {
        for ((source, bucket, day), mut theirs) in other.chunks.into_iter().flatten() {
            let key = (renamed(&names.sources, source), renamed(&names.buckets, bucket), day);
            match self.places.get(&key) {
                Some(place) => self.at_mut(*place).merge(theirs, names),
                None => {
                    theirs.kept.move_up(names.rows);
                    self.push(key, theirs);
                }
            }
        }
    }
}
