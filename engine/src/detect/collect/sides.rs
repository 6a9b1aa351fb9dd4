//! Secondary counts: deletes and listings by time, large reads, referers, transport, buckets.

use super::event::{Event, Flags, Times};
use super::names::renamed;
use super::sketch::{Distinct, hash_of};
use crate::detect::facts::{OpClass, extension_of};
use crate::time_units::MICROS_PER_HOUR;
use datafusion::common::{HashMap, HashSet};
use std::collections::BTreeMap;

/// Minimum size in bytes of objects whose egress is tracked.
const HEAVY: u64 = 2_000_000;
/// Maximum number of referring hosts per bucket, those with the smallest hashes, since clients can send any number.
const MOST_REFERERS: usize = 10_000;
/// Maximum number of large objects tracked per source and bucket, those with the smallest hashes.
const MOST_HEAVY: usize = 64;

/// Deletes within half an hour.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Deletes {
    /// Objects deleted.
    pub n: u64,
    /// Batch requests, and objects of batches with their own record: AWS logs both, other stores only the request.
    pub requests: u64,
    pub batch_lines: u64,
    pub times: Times,
}

/// Reads of a large object.
#[derive(Clone, Debug, Default)]
pub(crate) struct Heavy {
    pub key: String,
    /// Number of requests for the whole object.
    pub n: u64,
    pub aborted: u64,
    pub queries: Distinct<64>,
    pub object_size: u64,
    /// Bytes sent for requests for the whole object.
    pub bytes_sent: u64,
    /// Number of range requests.
    pub ranges: u64,
    /// Number of range requests for next to nothing.
    pub tiny_ranges: u64,
    pub range_bytes: u64,
    pub times: Times,
}

/// Requests with a referer on one host.
#[derive(Clone, Debug, Default)]
pub(crate) struct Referred {
    pub host: String,
    pub requests: u64,
    pub bytes_sent: u64,
    pub sources: Distinct<64>,
    /// Requests for style sheets, scripts and fonts, which indicate the bucket's own pages.
    pub assets: u64,
    pub times: Times,
}

/// Totals of one bucket.
#[derive(Clone, Debug, Default)]
pub(crate) struct Bucket {
    pub requests: u64,
    pub bytes_sent: u64,
    pub times: Times,
    pub keys: Distinct<1024>,
    pub sources: Distinct<1024>,
    pub anon_listers: Distinct<64>,
}

impl Heavy {
    /// Number of reads, whole or in part.
    pub(crate) fn reads(&self) -> u64 {
        self.n + self.ranges
    }
}

/// All secondary counts.
#[derive(Debug, Default)]
pub(crate) struct Sides {
    /// By source, requester, bucket and half hour.
    pub deletes: HashMap<(u32, u32, u32, i32), Deletes>,
    /// Source, bucket and hour of listings.
    pub lists: HashSet<(u32, u32, i32)>,
    /// By source and bucket, then by hash of the key.
    pub heavy: HashMap<(u32, u32), BTreeMap<u64, Heavy>>,
    /// By bucket, then by hash of the referring host.
    pub referers: HashMap<u32, BTreeMap<u64, Referred>>,
    /// Number of requests by bucket, scheme, TLS version and authentication type.
    pub posture: HashMap<(u32, u32, u32, u32), u64>,
    pub buckets: Vec<Bucket>,
}

/// A smaller range carries nothing worth requesting repeatedly.
const TINY: u64 = 256;

/// Whether a large object was read, whole or in part.
fn is_heavy(event: &Event<'_>) -> bool {
    !event.flags.has(Flags::HEAD)
        && event.object_size.is_some_and(|size| size >= HEAVY)
        && matches!(event.status, Some(200 | 206))
}

/// The hour of an instant, since the Unix epoch.
pub(crate) fn hour_of(time: i64) -> i32 {
    i32::try_from(time.div_euclid(MICROS_PER_HOUR)).unwrap_or_default()
}

/// The half hour of an instant, since the Unix epoch.
fn half_of(time: i64) -> i32 {
    i32::try_from(time.div_euclid(MICROS_PER_HOUR / 2)).unwrap_or_default()
}

/// The instant at which a half hour begins.
pub(crate) fn half_start(half: i32) -> i64 {
    i64::from(half) * (MICROS_PER_HOUR / 2)
}

/// The entry of a hash, if it is among the `most` smallest so far. Every entry left at the end was counted from the
/// beginning, whatever the order.
fn of_smallest<T: Default>(counted: &mut BTreeMap<u64, T>, hash: u64, most: usize) -> Option<&mut T> {
    if !counted.contains_key(&hash) && counted.len() >= most {
        if counted.last_key_value().is_some_and(|(largest, _)| *largest < hash) {
            return None;
        }
        counted.pop_last();
    }
    Some(counted.entry(hash).or_default())
}

impl Deletes {
    /// Adds the counts of `other`.
    pub(crate) fn absorb(&mut self, other: Self) {
        self.times.merge(other.times);
        self.n += other.n;
        self.requests += other.requests;
        self.batch_lines += other.batch_lines;
    }

    /// Batch requests whose objects are not logged.
    pub(crate) fn unnamed(&self) -> u64 {
        if self.batch_lines == 0 { self.requests } else { 0 }
    }
}

impl Sides {
    /// Prefetches the large structures that [`Self::add`] needs.
    pub(crate) fn touch(&self, event: &Event<'_>) -> u64 {
        if !is_heavy(event) {
            return 0;
        }
        let keys = self.heavy.get(&(event.source, event.bucket));
        keys.and_then(BTreeMap::first_key_value).map_or(0, |(key, _)| *key)
    }

    pub(crate) fn add(&mut self, event: &Event<'_>, host: Option<&str>, transport: (u32, u32, u32)) {
        let (scheme, tls, authentication) = transport;
        *self.posture.entry((event.bucket, scheme, tls, authentication)).or_default() += 1;
        let (ok, anon) = (event.flags.has(Flags::OK), event.flags.has(Flags::ANON));
        let bytes_sent = event.bytes_sent.unwrap_or_default();
        let bucket = self.bucket(event.bucket);
        bucket.times.add(event.time);
        bucket.requests += 1;
        bucket.bytes_sent += bytes_sent;
        bucket.sources.add(event.source_hash);
        if ok && event.key_hash != 0 {
            bucket.keys.add(event.key_hash);
        }
        match event.class {
            OpClass::List if ok && !event.flags.has(Flags::BUCKET_HEAD) => {
                if anon {
                    self.bucket(event.bucket).anon_listers.add(event.source_hash);
                }
                self.lists.insert((event.source, event.bucket, hour_of(event.time)));
            }
            OpClass::ObjectDelete if ok => {
                let key = (event.source, event.requester, event.bucket, half_of(event.time));
                let is_request = event.flags.has(Flags::DELETE_REQUEST);
                self.deletes.entry(key).or_default().absorb(Deletes {
                    n: u64::from(!is_request),
                    requests: u64::from(is_request),
                    batch_lines: u64::from(event.flags.has(Flags::BATCH_LINE)),
                    times: Times::at(event.time),
                });
            }
            OpClass::ObjectRead if ok && anon => {
                if let Some(host) = host {
                    self.add_referer(event, host, bytes_sent);
                }
                self.add_heavy(event, bytes_sent);
            }
            _ => {}
        }
    }

    fn bucket(&mut self, number: u32) -> &mut Bucket {
        let at = number as usize;
        if at >= self.buckets.len() {
            self.buckets.resize_with(at + 1, Bucket::default);
        }
        &mut self.buckets[at]
    }

    fn add_referer(&mut self, event: &Event<'_>, host: &str, bytes_sent: u64) {
        let hosts = self.referers.entry(event.bucket).or_default();
        let Some(referred) = of_smallest(hosts, hash_of(&[host.as_bytes()]), MOST_REFERERS) else { return };
        if referred.requests == 0 {
            host.clone_into(&mut referred.host);
        }
        referred.times.add(event.time);
        referred.requests += 1;
        referred.bytes_sent += bytes_sent;
        referred.sources.add(event.source_hash);
        // Anyone may embed images.
        let extension = event.key.map(extension_of).unwrap_or_default();
        let extension = extension.as_str();
        referred.assets += u64::from(matches!(extension, "css" | "js" | "mjs" | "woff" | "woff2" | "ttf"));
    }

    /// Counts reads of large objects. Ranges are counted separately, because media players use them.
    fn add_heavy(&mut self, event: &Event<'_>, bytes_sent: u64) {
        if !is_heavy(event) {
            return;
        }
        let size = event.object_size.unwrap_or_default();
        let keys = self.heavy.entry((event.source, event.bucket)).or_default();
        let Some(heavy) = of_smallest(keys, event.key_hash, MOST_HEAVY) else { return };
        if heavy.reads() == 0 {
            event.key.unwrap_or_default().clone_into(&mut heavy.key);
        }
        heavy.times.add(event.time);
        heavy.object_size = heavy.object_size.max(size);
        if event.status == Some(206) {
            heavy.ranges += 1;
            heavy.tiny_ranges += u64::from(bytes_sent < TINY);
            heavy.range_bytes += bytes_sent;
        } else {
            heavy.n += 1;
            heavy.aborted += u64::from(bytes_sent < size / 2);
            heavy.bytes_sent += bytes_sent;
        }
        if let Some(query) = event.query {
            heavy.queries.add(hash_of(&[query.as_bytes()]));
        }
    }

    pub(crate) fn merge(&mut self, other: Self, names: &super::Renamings) {
        let source = |number| renamed(&names.sources, number);
        let bucket = |number| renamed(&names.buckets, number);
        for ((from, requester, of, half), theirs) in other.deletes {
            let key = (source(from), renamed(&names.requesters, requester), bucket(of), half);
            self.deletes.entry(key).or_default().absorb(theirs);
        }
        self.lists.extend(other.lists.into_iter().map(|(from, of, hour)| (source(from), bucket(of), hour)));
        for ((from, of), keys) in other.heavy {
            let mine = self.heavy.entry((source(from), bucket(of))).or_default();
            for (key, theirs) in keys {
                let Some(mine) = of_smallest(mine, key, MOST_HEAVY) else { continue };
                mine.times.merge(theirs.times);
                mine.key = theirs.key;
                mine.n += theirs.n;
                mine.ranges += theirs.ranges;
                mine.tiny_ranges += theirs.tiny_ranges;
                mine.range_bytes += theirs.range_bytes;
                mine.aborted += theirs.aborted;
                mine.object_size = mine.object_size.max(theirs.object_size);
                mine.bytes_sent += theirs.bytes_sent;
                mine.queries.merge(&theirs.queries);
            }
        }
        for (of, hosts) in other.referers {
            let mine = self.referers.entry(bucket(of)).or_default();
            for (host, theirs) in hosts {
                let Some(mine) = of_smallest(mine, host, MOST_REFERERS) else { continue };
                mine.times.merge(theirs.times);
                mine.host = theirs.host;
                mine.requests += theirs.requests;
                mine.bytes_sent += theirs.bytes_sent;
                mine.sources.merge(&theirs.sources);
                mine.assets += theirs.assets;
            }
        }
        for ((of, scheme, tls, authentication), n) in other.posture {
            let transport = |number| renamed(&names.transports, number);
            *self
                .posture
                .entry((bucket(of), transport(scheme), transport(tls), transport(authentication)))
                .or_default() += n;
        }
        for (number, theirs) in other.buckets.into_iter().enumerate() {
            if theirs.requests == 0 {
                continue;
            }
            let mine = self.bucket(bucket(number as u32));
            mine.times.merge(theirs.times);
            mine.requests += theirs.requests;
            mine.bytes_sent += theirs.bytes_sent;
            mine.keys.merge(&theirs.keys);
            mine.sources.merge(&theirs.sources);
            mine.anon_listers.merge(&theirs.anon_listers);
        }
    }
}
