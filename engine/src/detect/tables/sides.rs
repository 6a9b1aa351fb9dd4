//! `heavy_reads`, `good`, `asks`, `buckets`, `referers` and `posture`.

use super::column::{Column, Kind, batch_of, booleans, integers, texts, times};
use crate::detect::baseline::Baseline;
use crate::detect::collect::Collector;
use arrow::error::ArrowError;
use arrow::record_batch::RecordBatch;
use std::collections::BTreeMap;

pub(crate) const HEAVY_READS: &[Column] = &[
    ("src", Kind::Text, "The source."),
    ("bucket", Kind::Text, "The bucket."),
    ("key", Kind::Text, "Key of an object of at least 2 MB."),
    ("n", Kind::Integer, "How often it was read as a whole, signed by nobody; ranges do not count."),
    ("aborted", Kind::Integer, "How often less than half of it was sent."),
    ("queries", Kind::Integer, "Different queries behind the path, estimated beyond 64."),
    ("object_size", Kind::Integer, "Size of the object."),
    ("bytes_sent", Kind::Integer, "Bytes that were sent."),
    ("first", Kind::Time, "The first time."),
    ("last", Kind::Time, "The last time."),
    ("is_cdn", Kind::Boolean, "Whether it is a CDN's."),
    ("is_crawler", Kind::Boolean, "Whether it is a crawler's."),
    ("is_allow", Kind::Boolean, "Whether the address is allowed."),
];

pub(crate) const GOOD: &[Column] = &[
    ("bucket", Kind::Text, "The bucket."),
    ("key", Kind::Text, "A key of `s3_trail`, decoded as there."),
    ("n", Kind::Integer, "For how many sources it worked, up to 4."),
];

pub(crate) const ASKS: &[Column] = &[
    ("bucket", Kind::Text, "The bucket."),
    ("key", Kind::Text, "A key of `s3_trail`, decoded as there."),
    ("n", Kind::Integer, "How many sources failed on it."),
];

pub(crate) const BUCKETS: &[Column] = &[
    ("bucket", Kind::Text, "The bucket."),
    ("requests", Kind::Integer, "Requests."),
    ("srcs", Kind::Integer, "Different sources, estimated beyond 1,024."),
    ("keys", Kind::Integer, "Different keys that were used, estimated beyond 1,024."),
    ("anon_listers", Kind::Integer, "Different sources that listed it and signed nothing, estimated beyond 64."),
    ("known_anon_listers", Kind::Integer, "The same of the baseline."),
    ("bytes_sent", Kind::Integer, "Bytes that were sent."),
    ("first", Kind::Time, "The first request."),
    ("last", Kind::Time, "The last request."),
];

pub(crate) const REFERERS: &[Column] = &[
    ("bucket", Kind::Text, "The bucket."),
    ("referer_host", Kind::Text, "Host of the pages that requests came from."),
    ("requests", Kind::Integer, "Reads that nobody signed."),
    ("bytes_sent", Kind::Integer, "Bytes that were sent."),
    ("srcs", Kind::Integer, "Different sources, estimated beyond 64."),
    ("own", Kind::Boolean, "Whether the host is named like the bucket, or most referred requests come from it."),
    ("bucket_bytes", Kind::Integer, "Bytes that the bucket sent in all."),
    ("first", Kind::Time, "The first one."),
    ("last", Kind::Time, "The last one."),
];

pub(crate) const POSTURE: &[Column] = &[
    ("bucket", Kind::Text, "The bucket."),
    ("scheme", Kind::Text, "`http` or `https`, where the log tells."),
    ("tls_version", Kind::Text, "TLS version."),
    ("authentication_type", Kind::Text, "`AuthHeader` or `QueryString`; NULL when nobody signed."),
    ("requests", Kind::Integer, "Requests."),
];

/// `heavy_reads`, without what was read once.
pub(crate) fn heavy_batch(collector: &Collector, is_cdn: &[bool]) -> Result<RecordBatch, ArrowError> {
    let names = &collector.names;
    let all = || {
        let keys = collector.sides.heavy.iter();
        keys.flat_map(|(key, heavy)| heavy.values().map(move |heavy| (key, heavy))).filter(|(_, heavy)| heavy.n > 1)
    };
    let source_is = |flag: crate::detect::collect::event::Flags| {
        booleans(all().map(move |((source, _), _)| {
            crate::detect::collect::event::Flags::of_bits(collector.totals[*source as usize].some).has(flag)
        }))
    };
    batch_of(
        HEAVY_READS,
        vec![
            texts(all().map(|((source, _), _)| names.sources.text(*source))),
            texts(all().map(|((_, bucket), _)| names.buckets.text(*bucket))),
            texts(all().map(|(_, heavy)| Some(heavy.key.as_str()))),
            integers(all().map(|(_, heavy)| heavy.n)),
            integers(all().map(|(_, heavy)| heavy.aborted)),
            integers(all().map(|(_, heavy)| heavy.queries.count())),
            integers(all().map(|(_, heavy)| heavy.object_size)),
            integers(all().map(|(_, heavy)| heavy.bytes_sent)),
            times(all().map(|(_, heavy)| Some(heavy.first))),
            times(all().map(|(_, heavy)| Some(heavy.last))),
            booleans(all().map(|((source, _), _)| is_cdn.get(*source as usize).copied().unwrap_or_default())),
            source_is(crate::detect::collect::event::Flags::CRAWLER),
            source_is(crate::detect::collect::event::Flags::ALLOW),
        ],
    )
}

/// `good` and `asks`: of the keys in the trail alone, since of the others only hashes are known.
pub(crate) fn keys_batches(collector: &Collector, wanted: bool) -> Result<(RecordBatch, RecordBatch), ArrowError> {
    let trail = &collector.trail;
    let mut keys: BTreeMap<(u32, String), u64> = BTreeMap::new();
    for (_, day) in collector.days.iter().filter(|_| wanted) {
        for row in day.kept.rows() {
            let row = row as usize;
            if let Some(key) = trail.key.get(row) {
                let key = crate::detect::facts::decoded_key(key).into_owned();
                keys.insert((trail.bucket[row], key), trail.key_hash[row]);
            }
        }
    }
    let names = &collector.names;
    let table = |columns: &'static [Column], count: &dyn Fn(u64) -> u64| {
        let all = || keys.iter().map(|((bucket, key), hash)| (bucket, key, count(*hash))).filter(|(_, _, n)| *n > 0);
        batch_of(
            columns,
            vec![
                texts(all().map(|(bucket, _, _)| names.buckets.text(*bucket))),
                texts(all().map(|(_, key, _)| Some(key.as_str()))),
                integers(all().map(|(_, _, n)| n)),
            ],
        )
    };
    let good = table(GOOD, &|hash| collector.keys.good(hash))?;
    let asks = table(ASKS, &|hash| collector.keys.asks(hash))?;
    Ok((good, asks))
}

/// `buckets`.
pub(crate) fn buckets_batch(collector: &Collector, baseline: &Baseline) -> Result<RecordBatch, ArrowError> {
    let names = &collector.names;
    let all = || {
        collector
            .sides
            .buckets
            .iter()
            .enumerate()
            .filter(|(_, bucket)| bucket.requests > 0)
            .map(|(number, bucket)| (names.buckets.get(number as u32), bucket))
    };
    batch_of(
        BUCKETS,
        vec![
            texts(all().map(|(name, _)| Some(name))),
            integers(all().map(|(_, bucket)| bucket.requests)),
            integers(all().map(|(_, bucket)| bucket.sources.count())),
            integers(all().map(|(_, bucket)| bucket.keys.count())),
            integers(all().map(|(_, bucket)| bucket.anon_listers.count())),
            integers(all().map(|(name, _)| baseline.anon_listers.get(name).copied().unwrap_or_default())),
            integers(all().map(|(_, bucket)| bucket.bytes_sent)),
            times(all().map(|(_, bucket)| Some(bucket.first))),
            times(all().map(|(_, bucket)| Some(bucket.last))),
        ],
    )
}

/// `referers`.
pub(crate) fn referers_batch(collector: &Collector) -> Result<RecordBatch, ArrowError> {
    let names = &collector.names;
    let all = || {
        collector.sides.referers.iter().flat_map(|(bucket, hosts)| {
            hosts.values().map(|referred| (*bucket, names.buckets.get(*bucket), referred.host.as_str(), referred))
        })
    };
    // Most of who comes from some page comes from those of the bucket's owner.
    let mut referred: BTreeMap<u32, u64> = BTreeMap::new();
    for (bucket, hosts) in &collector.sides.referers {
        referred.insert(*bucket, hosts.values().map(|counted| counted.requests).sum());
    }
    let leads = |bucket: u32, requests: u64| requests * 2 > referred.get(&bucket).copied().unwrap_or_default();
    let bytes = |bucket: u32| collector.sides.buckets.get(bucket as usize).map_or(0, |bucket| bucket.bytes_sent);
    batch_of(
        REFERERS,
        vec![
            texts(all().map(|(_, bucket, _, _)| Some(bucket))),
            texts(all().map(|(_, _, host, _)| Some(host))),
            integers(all().map(|(_, _, _, referred)| referred.requests)),
            integers(all().map(|(_, _, _, referred)| referred.bytes_sent)),
            integers(all().map(|(_, _, _, referred)| referred.sources.count())),
            booleans(
                all().map(|(number, bucket, host, counted)| is_own(bucket, host) || leads(number, counted.requests)),
            ),
            integers(all().map(|(bucket, _, _, _)| bytes(bucket))),
            times(all().map(|(_, _, _, referred)| Some(referred.first))),
            times(all().map(|(_, _, _, referred)| Some(referred.last))),
        ],
    )
}

/// Whether a host's pages are those of a bucket: it is called by the bucket's name, or one is in the domain of the other.
fn is_own(bucket: &str, host: &str) -> bool {
    let within =
        |inner: &str, outer: &str| inner.strip_suffix(outer).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
    host.split_once('.').is_some_and(|(first, _)| first == bucket)
        || bucket.contains('.') && (within(host, bucket) || within(bucket, host.trim_start_matches("www.")))
}

/// `posture`.
pub(crate) fn posture_batch(collector: &Collector) -> Result<RecordBatch, ArrowError> {
    let names = &collector.names;
    let all = || collector.sides.posture.iter();
    batch_of(
        POSTURE,
        vec![
            texts(all().map(|((bucket, ..), _)| names.buckets.text(*bucket))),
            texts(all().map(|((_, scheme, ..), _)| names.transports.text(*scheme))),
            texts(all().map(|((_, _, tls, _), _)| names.transports.text(*tls))),
            texts(all().map(|((.., authentication), _)| names.transports.text(*authentication))),
            integers(all().map(|(_, requests)| *requests)),
        ],
    )
}
