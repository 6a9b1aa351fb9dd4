//! What a source did with a bucket on a day.

use super::Renamings;
use super::event::{DAY, Event, Flags, widen};
use super::kept::Kept;
use super::names::renamed;
use super::sketch::{KeySample, KeyTimes};
use crate::detect::facts::OpClass;
use datafusion::common::HashMap;

/// Source, bucket and day (from 1970 on), by their numbers.
pub(crate) type DayKey = (u32, u32, i32);

/// Requests of one source to one bucket on one day.
#[derive(Debug, Default)]
pub(crate) struct SourceDay {
    pub first: i64,
    pub last: i64,
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
    pub is_crawler: bool,
    pub keys: KeySample,
    /// Minutes with requests, in their order.
    minutes: Vec<Minute>,
    /// Requests that are kept one by one.
    pub kept: Kept,
}

/// Requests of a minute.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Minute {
    /// Of the day, from 0 on.
    pub minute: u16,
    pub requests: u16,
    pub fails: u16,
    /// What costs most to answer: listings and writes.
    pub costly: u16,
}

impl SourceDay {
    /// Loads what [`Self::add`] and [`Kept::offer`] will ask for.
    fn touch(&self, group: u8) -> u64 {
        let minute = self.minutes.last().map_or(0, |minute| minute.minute);
        self.bytes_sent
            ^ self.first as u64
            ^ u64::from(self.anon_lists_ok ^ self.requests ^ u32::from(minute))
            ^ self.keys.touch()
            ^ self.kept.touch(group)
    }

    fn add(&mut self, event: &Event<'_>) {
        let flags = event.flags;
        widen(&mut self.first, &mut self.last, self.requests == 0, event.time, event.time);
        self.requests += 1;
        let (ok, anon) = (flags.has(Flags::OK), flags.has(Flags::ANON));
        let failed = flags.has(Flags::FAIL);
        self.bytes_sent += event.bytes_sent.unwrap_or_default();
        self.is_crawler |= flags.has(Flags::CRAWLER);
        if anon {
            self.anon_requests += 1;
            if event.class.is_object() {
                self.anon_object_requests += 1;
                self.anon_object_fails += u32::from(failed);
            }
        }
        match event.class {
            OpClass::ObjectRead if ok => {
                self.ok_reads += 1;
                self.anon_ok_reads += u32::from(anon);
            }
            OpClass::List => {
                self.lists += 1;
                self.lists_ok += u32::from(ok);
                self.anon_lists_ok += u32::from(ok && anon);
            }
            OpClass::ObjectWrite => self.writes += 1,
            OpClass::ObjectDelete => self.deletes += 1,
            _ => {}
        }
        if ok && event.key_hash != 0 {
            let second = u32::try_from((event.time.rem_euclid(DAY)) / 1_000_000 + 1).unwrap_or(1);
            let mut key = KeyTimes::default();
            match event.class {
                OpClass::ObjectRead => key.read = second,
                OpClass::ObjectWrite | OpClass::ObjectDelete => key.written = second,
                OpClass::Copy if flags.has(Flags::COPY_SOURCE) => key.copied_from = second,
                OpClass::Copy => key.copied_to = second,
                _ => return self.count_minute(event, failed),
            }
            self.keys.add(event.key_hash, key);
        }
        self.count_minute(event, failed);
    }

    fn count_minute(&mut self, event: &Event<'_>, failed: bool) {
        let minute = u16::try_from(event.time.rem_euclid(DAY) / 60_000_000).unwrap_or_default();
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

    /// The minute with most requests; the first of several.
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
        widen(&mut self.first, &mut self.last, self.requests == 0, other.first, other.last);
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
        ] {
            *mine = mine.saturating_add(more);
        }
        self.bytes_sent += other.bytes_sent;
        self.is_crawler |= other.is_crawler;
        self.keys.merge(&other.keys);
        for minute in other.minutes {
            self.add_minute(minute);
        }
        self.kept.merge(other.kept, names.rows);
    }
}

/// So many are stored together. A vector that doubles would copy all of them, and need room for twice as many.
const CHUNK: usize = 1024;

/// All of them.
#[derive(Debug, Default)]
pub(crate) struct SourceDays {
    numbers: HashMap<DayKey, u32>,
    chunks: Vec<Vec<(DayKey, SourceDay)>>,
    len: usize,
    last: Option<(DayKey, usize)>,
}

impl SourceDays {
    /// Counts a request; the answer is where, for what is kept of it.
    pub(crate) fn add(&mut self, event: &Event<'_>) -> &mut SourceDay {
        let day = self.entry((event.source, event.bucket, event.day()));
        day.add(event);
        day
    }

    /// Loads what [`Self::add`] will ask for.
    pub(crate) fn touch(&self, event: &Event<'_>) -> u64 {
        let day = self.get((event.source, event.bucket, event.day()));
        day.map_or(0, |day| day.touch(event.keeping().0))
    }

    fn entry(&mut self, key: DayKey) -> &mut SourceDay {
        let at = match self.last {
            Some((known, at)) if known == key => at,
            _ => *self.numbers.entry(key).or_insert(self.len as u32) as usize,
        };
        self.last = Some((key, at));
        if at == self.len {
            if at % CHUNK == 0 {
                self.chunks.push(Vec::with_capacity(CHUNK));
            }
            self.chunks[at / CHUNK].push((key, SourceDay::default()));
            self.len += 1;
        }
        &mut self.chunks[at / CHUNK][at % CHUNK].1
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &(DayKey, SourceDay)> {
        self.chunks.iter().flatten()
    }

    pub(crate) fn get(&self, key: DayKey) -> Option<&SourceDay> {
        let at = *self.numbers.get(&key)? as usize;
        Some(&self.chunks[at / CHUNK][at % CHUNK].1)
    }

    pub(crate) fn merge(&mut self, other: Self, names: &Renamings) {
        for ((source, bucket, day), theirs) in other.chunks.into_iter().flatten() {
            let key = (renamed(&names.sources, source), renamed(&names.buckets, bucket), day);
            self.entry(key).merge(theirs, names);
        }
    }
}
