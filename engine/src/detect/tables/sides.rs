//! The tables `heavy_reads`, `good`, `asks`, `buckets`, `referers` and `posture`.

use super::column::{Column, Kind, batch_of, booleans, integers, texts, times};
use crate::detect::baseline::Baseline;
use crate::detect::collect::Collector;
use crate::detect::collect::open::open_users;
use arrow::error::ArrowError;
use arrow::record_batch::RecordBatch;
use std::collections::{BTreeMap, BTreeSet};

pub(crate) const HEAVY_READS: &[Column] = &[
    ("src", Kind::Text, "The source."),
    ("bucket", Kind::Text, "The bucket."),
    ("key", Kind::Text, "Key of an object of at least 2 MB."),
    ("n", Kind::Integer, "How often it was read as a whole, signed by nobody."),
    ("aborted", Kind::Integer, "How often less than half of it was sent."),
    ("queries", Kind::Integer, "Different queries behind the path, estimated beyond 64."),
    ("object_size", Kind::Integer, "Size of the object."),
    ("bytes_sent", Kind::Integer, "Bytes that were sent of those."),
    ("ranges", Kind::Integer, "How often parts of it were read, signed by nobody."),
    ("tiny_ranges", Kind::Integer, "How often less than 256 bytes of it were."),
    ("range_bytes", Kind::Integer, "Bytes that were sent of parts."),
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
    (
        "open_users",
        Kind::Integer,
        "Different networks that listed it and read three objects or more, signing nothing; 0 unless on several days, or by ten networks.",
    ),
    ("known_open_users", Kind::Integer, "The same of the baseline."),
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
    (
        "own",
        Kind::Boolean,
        "Whether its pages seem to be the owner's: it is named like a bucket of the logs, or most style sheets, programs and fonts of one are loaded from there.",
    ),
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

/// Builds `heavy_reads`, without objects that were read once.
pub(crate) fn heavy_batch(collector: &Collector, is_cdn: &[bool]) -> Result<RecordBatch, ArrowError> {
    let names = &collector.names;
    let all = || {
        let keys = collector.sides.heavy.iter();
        keys.flat_map(|(key, heavy)| heavy.values().map(move |heavy| (key, heavy)))
            .filter(|(_, heavy)| heavy.reads() > 1)
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
            integers(all().map(|(_, heavy)| heavy.ranges)),
            integers(all().map(|(_, heavy)| heavy.tiny_ranges)),
            integers(all().map(|(_, heavy)| heavy.range_bytes)),
            times(all().map(|(_, heavy)| Some(heavy.first))),
            times(all().map(|(_, heavy)| Some(heavy.last))),
            booleans(all().map(|((source, _), _)| is_cdn.get(*source as usize).copied().unwrap_or_default())),
            booleans(all().map(|((source, _), _)| collector.totals[*source as usize].is_crawler())),
            source_is(crate::detect::collect::event::Flags::ALLOW),
        ],
    )
}

/// Builds `good` and `asks`, only for keys in the trail: of other keys only hashes are known.
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

/// Builds `buckets`.
pub(crate) fn buckets_batch(collector: &Collector, baseline: &Baseline) -> Result<RecordBatch, ArrowError> {
    let names = &collector.names;
    let open = open_users(collector);
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
            integers(all().map(|(name, _)| {
                let number = names.buckets.find(name);
                number.and_then(|number| open.get(&number)).copied().unwrap_or_default()
            })),
            integers(all().map(|(name, _)| baseline.open_users.get(name).copied().unwrap_or_default())),
            integers(all().map(|(_, bucket)| bucket.bytes_sent)),
            times(all().map(|(_, bucket)| Some(bucket.first))),
            times(all().map(|(_, bucket)| Some(bucket.last))),
        ],
    )
}

/// Builds `referers`.
pub(crate) fn referers_batch(collector: &Collector) -> Result<RecordBatch, ArrowError> {
    let names = &collector.names;
    let all = || {
        collector.sides.referers.iter().flat_map(|(bucket, hosts)| {
            hosts.values().map(|referred| (*bucket, names.buckets.get(*bucket), referred.host.as_str(), referred))
        })
    };
    let own = own_hosts(collector);
    let bytes = |bucket: u32| collector.sides.buckets.get(bucket as usize).map_or(0, |bucket| bucket.bytes_sent);
    batch_of(
        REFERERS,
        vec![
            texts(all().map(|(_, bucket, _, _)| Some(bucket))),
            texts(all().map(|(_, _, host, _)| Some(host))),
            integers(all().map(|(_, _, _, referred)| referred.requests)),
            integers(all().map(|(_, _, _, referred)| referred.bytes_sent)),
            integers(all().map(|(_, _, _, referred)| referred.sources.count())),
            booleans(all().map(|(_, _, host, _)| own.contains(host))),
            integers(all().map(|(bucket, _, _, _)| bytes(bucket))),
            times(all().map(|(_, _, _, referred)| Some(referred.first))),
            times(all().map(|(_, _, _, referred)| Some(referred.last))),
        ],
    )
}

/// Minimum number of asset requests that identifies the bucket's own pages.
const LEAST_ASSETS: u64 = 5;

/// Hosts of the owner's own pages. The volume of requests proves nothing, since the worst hotlinker may have the most.
/// But pages rarely load style sheets from someone else's bucket, and the owner of one bucket in the logs owns them
/// all.
fn own_hosts(collector: &Collector) -> BTreeSet<&str> {
    let names = &collector.names;
    let referers = || collector.sides.referers.values().flat_map(|hosts| hosts.values());
    let buckets: Vec<&str> = (0..names.buckets.len() as u32).map(|number| names.buckets.get(number)).collect();
    let mut own: BTreeSet<&str> = collector
        .sides
        .referers
        .values()
        .flat_map(|hosts| {
            let assets: u64 = hosts.values().map(|referred| referred.assets).sum();
            hosts.values().filter(move |referred| referred.assets >= LEAST_ASSETS && referred.assets * 2 > assets)
        })
        .map(|referred| referred.host.as_str())
        .collect();
    own.extend(referers().map(|referred| referred.host.as_str()).filter(|host| is_own(&buckets, host)));
    own
}

/// Names that do not identify the owner of a host or bucket.
const ANYBODYS: [&str; 18] = [
    "assets",
    "blog",
    "cdn",
    "cloud",
    "content",
    "data",
    "docs",
    "download",
    "downloads",
    "forum",
    "images",
    "media",
    "mobile",
    "shop",
    "static",
    "storage",
    "video",
    "videos",
];

/// Whether the pages of a host belong to a bucket: their names are equal, one is in the domain of the other, or the
/// bucket is named after the domain, as `example-media` after `www.example.com`.
fn is_own(buckets: &[&str], host: &str) -> bool {
    let within =
        |inner: &str, outer: &str| inner.strip_suffix(outer).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
    // The domain without its last label: two labels are enough for `example.co.uk`.
    let labels: Vec<&str> = host.rsplit('.').skip(1).take(2).collect();
    let named_after = |bucket: &str| {
        labels.iter().any(|label| {
            let words = format!("-{}-", bucket.replace(['.', '_'], "-"));
            label.len() >= 4 && !ANYBODYS.contains(label) && words.contains(&format!("-{label}-"))
        })
    };
    buckets.iter().any(|bucket| {
        host.split_once('.').is_some_and(|(first, _)| first == *bucket)
            || bucket.contains('.') && (within(host, bucket) || within(bucket, host.trim_start_matches("www.")))
            || named_after(bucket)
    })
}

/// Builds `posture`.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_known_by_the_names_of_buckets() {
        for (bucket, host, own) in [
            ("photos", "photos.s3.amazonaws.com", true),
            ("www.example.com", "www.example.com", true),
            ("img.example.com", "example.com", true),
            ("example.com", "shop.example.com", true),
            ("example-media", "www.example.com", true),
            ("eu-example", "play.example.co.uk", true),
            ("example-media", "evil.test", false),
            ("example-media", "media.evil.test", false),
            ("our-media", "media.com", false),
            ("counterexample", "example.com", false),
            ("com", "example.com", false),
        ] {
            assert_eq!(is_own(&[bucket], host), own, "{bucket} {host}");
        }
    }
}
