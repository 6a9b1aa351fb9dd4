//! Normal activity: requesters with their sources, daily reads, who deletes, which keys exist.
//!
//! A baseline is learned from logs of an earlier time, or read from a profile, a Parquet file written by
//! [`Baseline::write`]. Days that are also in the logs being examined do not count as earlier.

mod profile;

use super::collect::Collector;
use super::collect::keys::MOST_GOOD;
use super::collect::open::open_users;
use super::tables::column::{booleans, integers, texts, times};
use super::tables::net_of;
use crate::error::Error;
use crate::time_units::MICROS_PER_DAY;
use arrow::array::{RecordBatch, new_null_array};
use arrow::datatypes::{DataType, SchemaRef};
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, HashMap};

/// A requester with one of its sources.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct KnownPair {
    pub requester: String,
    pub src: String,
    pub first: i64,
    pub requests: u64,
    pub families: Vec<String>,
    pub net: String,
    pub country: Option<String>,
}

/// Reads of a requester on one day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct KnownRequesterDay {
    pub requester: String,
    pub day: i32,
    pub requests: u64,
    pub read_keys: u64,
    pub bytes_sent: u64,
    pub srcs: u64,
}

/// Reads of a source from a bucket on one day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct KnownSourceDay {
    pub src: String,
    pub bucket: String,
    pub day: i32,
    pub requests: u64,
    pub anon_requests: u64,
    pub ok_reads: u64,
    pub anon_ok_reads: u64,
    pub anon_lists_ok: u64,
    pub writes: u64,
    pub read_keys: u64,
    pub bytes_sent: u64,
}

/// Normal activity of buckets, requesters and keys.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Baseline {
    pub(crate) pairs: Vec<KnownPair>,
    pub(crate) requester_days: Vec<KnownRequesterDay>,
    pub(crate) source_days: Vec<KnownSourceDay>,
    /// Pairs of source and requester that deleted something, with the time of the first deletion.
    pub(crate) deleters: BTreeMap<(String, String), i64>,
    /// Number of networks that used each bucket as a public one.
    pub(crate) open_users: HashMap<String, u64>,
    /// Hashes of keys, each with some of the sources for which it succeeded.
    pub(crate) keys: Vec<(u64, [u32; MOST_GOOD])>,
}

impl KnownPair {
    fn absorb(&mut self, other: Self) {
        self.first = self.first.min(other.first);
        self.requests += other.requests;
        self.families.extend(other.families);
        self.families.sort_unstable();
        self.families.dedup();
        self.country = self.country.take().or(other.country);
    }
}

/// Adds sources to those of a key while there is room.
fn absorb(mine: &mut [u32; MOST_GOOD], others: [u32; MOST_GOOD]) {
    for other in others.into_iter().filter(|other| *other != 0) {
        if !mine.contains(&other)
            && let Some(free) = mine.iter_mut().find(|place| **place == 0)
        {
            *free = other;
        }
    }
}

impl Baseline {
    /// The baseline from the counts of a collector.
    pub(crate) fn of(collector: &Collector) -> Self {
        let mut keys: Vec<_> = collector.keys.good_keys().collect();
        keys.sort_unstable();
        Self {
            pairs: pairs_of(collector),
            requester_days: requester_days_of(collector),
            source_days: source_days_of(collector),
            deleters: deleters_of(collector),
            open_users: open_users_of(collector),
            keys,
        }
    }

    /// Drops days that are not before `first`, so that no activity counts as usual because of itself.
    pub(crate) fn before(mut self, first: i64) -> Self {
        let day = first.div_euclid(MICROS_PER_DAY) as i32;
        self.requester_days.retain(|known| known.day < day);
        self.source_days.retain(|known| known.day < day);
        self.pairs.retain(|known| known.first < first);
        self.deleters.retain(|_, known| *known < first);
        self
    }

    /// Merges a baseline learned from another time.
    pub fn extend(&mut self, other: Self) {
        let mut pairs: BTreeMap<(String, String), KnownPair> = BTreeMap::new();
        for known in self.pairs.drain(..).chain(other.pairs) {
            match pairs.entry((known.requester.clone(), known.src.clone())) {
                Entry::Vacant(place) => drop(place.insert(known)),
                Entry::Occupied(mut mine) => mine.get_mut().absorb(known),
            }
        }
        self.pairs = pairs.into_values().collect();
        self.requester_days.extend(other.requester_days);
        self.source_days.extend(other.source_days);
        for (who, first) in other.deleters {
            let known = self.deleters.entry(who).or_insert(first);
            *known = first.min(*known);
        }
        for (bucket, users) in other.open_users {
            let known = self.open_users.entry(bucket).or_default();
            *known = (*known).max(users);
        }
        let mut keys: BTreeMap<u64, [u32; MOST_GOOD]> = self.keys.drain(..).collect();
        for (key, sources) in other.keys {
            // Four are as many as any rule needs.
            keys.entry(key).and_modify(|mine| absorb(mine, sources)).or_insert(sources);
        }
        self.keys = keys.into_iter().collect();
    }

    /// The days of sources as rows of `src_bucket_day`.
    pub(crate) fn source_days(&self, schema: &SchemaRef) -> Result<Option<RecordBatch>, Error> {
        if self.source_days.is_empty() {
            return Ok(None);
        }
        let all = || self.source_days.iter();
        let columns = schema.fields().iter().map(|field| match field.name().as_str() {
            "src" => texts(all().map(|known| Some(known.src.as_str()))),
            "bucket" => texts(all().map(|known| Some(known.bucket.as_str()))),
            "day" | "first" | "last" => times(all().map(|known| Some(i64::from(known.day) * MICROS_PER_DAY))),
            "requests" => integers(all().map(|known| known.requests)),
            "anon_requests" => integers(all().map(|known| known.anon_requests)),
            "anon_lists_ok" => integers(all().map(|known| known.anon_lists_ok)),
            "writes" => integers(all().map(|known| known.writes)),
            "ok_reads" => integers(all().map(|known| known.ok_reads)),
            "anon_ok_reads" => integers(all().map(|known| known.anon_ok_reads)),
            "read_keys" => integers(all().map(|known| known.read_keys)),
            "bytes_sent" => integers(all().map(|known| known.bytes_sent)),
            "from_history" => booleans(all().map(|_| true)),
            // Rules do not use these columns for days of the baseline.
            "is_cdn" | "is_crawler" | "is_allow" => booleans(all().map(|_| false)),
            // Counts that a profile does not keep are 0, so that sums stay valid.
            _ if field.data_type() == &DataType::Int64 => integers(all().map(|_| 0)),
            _ => new_null_array(field.data_type(), self.source_days.len()),
        });
        Ok(Some(RecordBatch::try_new(schema.clone(), columns.collect())?))
    }
}

fn pairs_of(collector: &Collector) -> Vec<KnownPair> {
    let names = &collector.names;
    let mut pairs: HashMap<(u32, u32), KnownPair> = HashMap::new();
    for ((requester, source, _), day) in &collector.requesters.pairs {
        let of = &collector.sources[*source as usize];
        let pair = pairs.entry((*requester, *source)).or_insert_with(|| KnownPair {
            requester: names.requesters.get(*requester).to_owned(),
            src: names.sources.get(*source).to_owned(),
            first: day.times.first,
            requests: 0,
            families: Vec::new(),
            net: net_of(of),
            country: of.known.country.as_deref().map(str::to_owned),
        });
        pair.first = pair.first.min(day.times.first);
        pair.requests += day.requests;
        pair.families.extend(day.families.iter().map(|family| names.families.get(*family).to_owned()));
    }
    let mut pairs: Vec<KnownPair> = pairs.into_values().collect();
    for pair in &mut pairs {
        pair.families.sort_unstable();
        pair.families.dedup();
    }
    pairs.sort_unstable_by(|a, b| (&a.requester, &a.src).cmp(&(&b.requester, &b.src)));
    pairs
}

fn requester_days_of(collector: &Collector) -> Vec<KnownRequesterDay> {
    let days = collector.requesters.days.iter().map(|((requester, day), counted)| KnownRequesterDay {
        requester: collector.names.requesters.get(*requester).to_owned(),
        day: *day,
        requests: counted.requests,
        read_keys: counted.keys.count(),
        bytes_sent: counted.bytes_sent,
        srcs: counted.sources.count(),
    });
    let mut days: Vec<_> = days.collect();
    days.sort_unstable_by(|a, b| (&a.requester, a.day).cmp(&(&b.requester, b.day)));
    days
}

fn source_days_of(collector: &Collector) -> Vec<KnownSourceDay> {
    let names = &collector.names;
    let days = collector.days.iter().map(|((source, bucket, day), counted)| KnownSourceDay {
        src: names.sources.get(*source).to_owned(),
        bucket: names.buckets.get(*bucket).to_owned(),
        day: *day,
        requests: u64::from(counted.requests),
        anon_requests: u64::from(counted.anon_requests),
        ok_reads: u64::from(counted.ok_reads),
        anon_ok_reads: u64::from(counted.anon_ok_reads),
        anon_lists_ok: u64::from(counted.anon_lists_ok),
        writes: u64::from(counted.writes),
        read_keys: counted.keys.estimate(|key| key.read != 0),
        bytes_sent: counted.bytes_sent,
    });
    let mut days: Vec<_> = days.collect();
    days.sort_unstable_by(|a, b| (a.day, &a.bucket, &a.src).cmp(&(b.day, &b.bucket, &b.src)));
    days
}

fn deleters_of(collector: &Collector) -> BTreeMap<(String, String), i64> {
    let names = &collector.names;
    let mut deleters = BTreeMap::new();
    for ((source, requester, ..), counted) in &collector.sides.deletes {
        let who = (names.sources.get(*source).to_owned(), names.requesters.get(*requester).to_owned());
        let first = deleters.entry(who).or_insert(counted.times.first);
        *first = counted.times.first.min(*first);
    }
    deleters
}

fn open_users_of(collector: &Collector) -> HashMap<String, u64> {
    let name = |bucket: u32| collector.names.buckets.get(bucket).to_owned();
    open_users(collector).into_iter().map(|(bucket, users)| (name(bucket), users)).collect()
}
