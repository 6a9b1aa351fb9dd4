//! The tables `heavy_reads`, `good`, `asks`, `buckets`, `referers` and `posture`.

use super::column::{Get, RowColumn, table_of};
use super::sources::Source;
use crate::detect::baseline::Baseline;
use crate::detect::collect::Collector;
use crate::detect::collect::event::Flags;
use crate::detect::collect::open::open_users;
use crate::detect::collect::sides::{Bucket, Heavy, Referred};
use crate::detect::facts::decoded_key;
use arrow::error::ArrowError;
use arrow::record_batch::RecordBatch;
use std::collections::{BTreeMap, BTreeSet};

/// A row of `heavy_reads`.
pub(crate) struct HeavyRow<'a> {
    source: Source<'a>,
    bucket: Option<&'a str>,
    heavy: &'a Heavy,
}

impl<'a> HeavyRow<'a> {
    pub(crate) const COLUMNS: &'a [RowColumn<Self>] = &[
        ("src", Get::Text(|row| row.source.name()), "The source."),
        ("bucket", Get::Text(|row| row.bucket), "The bucket."),
        ("key", Get::Text(|row| Some(&row.heavy.key)), "Key of an object of at least 2 MB."),
        ("n", Get::Integer(|row| row.heavy.n), "How often it was read as a whole, without a signature."),
        ("aborted", Get::Integer(|row| row.heavy.aborted), "How often less than half of it was sent."),
        (
            "queries",
            Get::Integer(|row| row.heavy.queries.count()),
            "Different queries behind the path, estimated beyond 64.",
        ),
        ("object_size", Get::Integer(|row| row.heavy.object_size), "Size of the object."),
        ("bytes_sent", Get::Integer(|row| row.heavy.bytes_sent), "Bytes that were sent when it was read as a whole."),
        ("ranges", Get::Integer(|row| row.heavy.ranges), "How often a part of it was read, without a signature."),
        (
            "tiny_ranges",
            Get::Integer(|row| row.heavy.tiny_ranges),
            "How often less than 256 bytes were sent of a part.",
        ),
        ("range_bytes", Get::Integer(|row| row.heavy.range_bytes), "Bytes that were sent of parts."),
        ("first", Get::Time(|row| Some(row.heavy.times.first)), "The first time."),
        ("last", Get::Time(|row| Some(row.heavy.times.last)), "The last time."),
        ("is_cdn", Get::Boolean(|row| row.source.is_cdn()), "Whether it is a CDN's."),
        ("is_crawler", Get::Boolean(|row| row.source.totals().is_crawler()), "Whether it is a crawler's."),
        ("is_allow", Get::Boolean(|row| row.source.has(Flags::ALLOW)), "Whether the address is allowed."),
    ];
}

/// Builds `heavy_reads`, without objects that were read once.
pub(crate) fn heavy_batch(collector: &Collector) -> Result<RecordBatch, ArrowError> {
    let keys = collector.sides.heavy.iter();
    let all = keys.flat_map(|(key, heavy)| heavy.values().map(move |heavy| (*key, heavy)));
    let rows = all.filter(|(_, heavy)| heavy.reads() > 1).map(|((source, bucket), heavy)| HeavyRow {
        source: Source::new(collector, source),
        bucket: collector.names.buckets.text(bucket),
        heavy,
    });
    table_of(HeavyRow::COLUMNS, &rows.collect::<Vec<_>>())
}

/// A row of `good` or `asks`.
pub(crate) struct KeyRow<'a> {
    bucket: Option<&'a str>,
    key: &'a str,
    n: u64,
}

impl<'a> KeyRow<'a> {
    pub(crate) const GOOD: &'a [RowColumn<Self>] =
        &[Self::BUCKET, Self::KEY, ("n", Get::Integer(|row| row.n), "For how many sources it worked, up to 4.")];

    pub(crate) const ASKS: &'a [RowColumn<Self>] =
        &[Self::BUCKET, Self::KEY, ("n", Get::Integer(|row| row.n), "How many sources failed on it.")];

    const BUCKET: RowColumn<Self> = ("bucket", Get::Text(|row| row.bucket), "The bucket.");
    const KEY: RowColumn<Self> = ("key", Get::Text(|row| Some(row.key)), "A key of `s3_trail`, decoded as there.");
}

/// Builds `good` and `asks`, only for keys in the trail: of other keys only hashes are known.
pub(crate) fn keys_batches(collector: &Collector, wanted: bool) -> Result<(RecordBatch, RecordBatch), ArrowError> {
    let trail = &collector.trail;
    let mut keys: BTreeMap<(u32, String), u64> = BTreeMap::new();
    for (_, day) in collector.days.iter().filter(|_| wanted) {
        for row in day.kept.rows() {
            let row = row as usize;
            if let Some(key) = trail.key.get(row) {
                keys.insert((trail.bucket[row], decoded_key(key).into_owned()), trail.key_hash[row]);
            }
        }
    }
    let rows = |count: &dyn Fn(u64) -> u64| {
        let rows = keys.iter().map(|((bucket, key), hash)| KeyRow {
            bucket: collector.names.buckets.text(*bucket),
            key,
            n: count(*hash),
        });
        rows.filter(|row| row.n > 0).collect::<Vec<_>>()
    };
    let good = table_of(KeyRow::GOOD, &rows(&|hash| collector.keys.good(hash)))?;
    let asks = table_of(KeyRow::ASKS, &rows(&|hash| collector.keys.asks(hash)))?;
    Ok((good, asks))
}

/// A row of `buckets`.
pub(crate) struct BucketRow<'a> {
    name: &'a str,
    counts: &'a Bucket,
    open_users: u64,
    known_open_users: u64,
}

impl<'a> BucketRow<'a> {
    pub(crate) const COLUMNS: &'a [RowColumn<Self>] = &[
        ("bucket", Get::Text(|row| Some(row.name)), "The bucket."),
        ("requests", Get::Integer(|row| row.counts.requests), "Requests."),
        ("srcs", Get::Integer(|row| row.counts.sources.count()), "Different sources, estimated beyond 1,024."),
        ("keys", Get::Integer(|row| row.counts.keys.count()), "Different keys that were used, estimated beyond 1,024."),
        (
            "anon_listers",
            Get::Integer(|row| row.counts.anon_listers.count()),
            "Different sources that listed it without a signature, estimated beyond 64.",
        ),
        (
            "open_users",
            Get::Integer(|row| row.open_users),
            "Different networks that listed it and read at least three objects, without a signature; 0 unless they did so on several days, or ten networks did.",
        ),
        ("known_open_users", Get::Integer(|row| row.known_open_users), "The same in the baseline."),
        ("bytes_sent", Get::Integer(|row| row.counts.bytes_sent), "Bytes that were sent."),
        ("first", Get::Time(|row| Some(row.counts.times.first)), "The first request."),
        ("last", Get::Time(|row| Some(row.counts.times.last)), "The last request."),
    ];
}

/// Builds `buckets`.
pub(crate) fn buckets_batch(collector: &Collector, baseline: &Baseline) -> Result<RecordBatch, ArrowError> {
    let open = open_users(collector);
    let buckets = (0_u32..).zip(&collector.sides.buckets).filter(|(_, counts)| counts.requests > 0);
    let rows = buckets.map(|(number, counts)| {
        let name = collector.names.buckets.get(number);
        BucketRow {
            name,
            counts,
            open_users: open.get(&number).copied().unwrap_or_default(),
            known_open_users: baseline.open_users.get(name).copied().unwrap_or_default(),
        }
    });
    table_of(BucketRow::COLUMNS, &rows.collect::<Vec<_>>())
}

/// A row of `referers`.
pub(crate) struct RefererRow<'a> {
    bucket: &'a str,
    referred: &'a Referred,
    own: bool,
    bucket_bytes: u64,
}

impl<'a> RefererRow<'a> {
    pub(crate) const COLUMNS: &'a [RowColumn<Self>] = &[
        ("bucket", Get::Text(|row| Some(row.bucket)), "The bucket."),
        ("referer_host", Get::Text(|row| Some(&row.referred.host)), "Host of the pages that requests came from."),
        ("requests", Get::Integer(|row| row.referred.requests), "Reads that nobody signed."),
        ("bytes_sent", Get::Integer(|row| row.referred.bytes_sent), "Bytes that were sent."),
        ("srcs", Get::Integer(|row| row.referred.sources.count()), "Different sources, estimated beyond 64."),
        (
            "own",
            Get::Boolean(|row| row.own),
            "Whether its pages seem to be the owner's: it is named like a bucket of the logs, or most style sheets, scripts and fonts of one are loaded from its pages.",
        ),
        ("bucket_bytes", Get::Integer(|row| row.bucket_bytes), "Bytes that the bucket sent in all."),
        ("first", Get::Time(|row| Some(row.referred.times.first)), "The first one."),
        ("last", Get::Time(|row| Some(row.referred.times.last)), "The last one."),
    ];
}

/// Builds `referers`.
pub(crate) fn referers_batch(collector: &Collector) -> Result<RecordBatch, ArrowError> {
    let own = own_hosts(collector);
    let mut rows = Vec::new();
    for (bucket, hosts) in &collector.sides.referers {
        let bucket_bytes = collector.sides.buckets.get(*bucket as usize).map_or(0, |bucket| bucket.bytes_sent);
        rows.extend(hosts.values().map(|referred| RefererRow {
            bucket: collector.names.buckets.get(*bucket),
            referred,
            own: own.contains(referred.host.as_str()),
            bucket_bytes,
        }));
    }
    table_of(RefererRow::COLUMNS, &rows)
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

/// A row of `posture`.
pub(crate) struct PostureRow<'a> {
    bucket: Option<&'a str>,
    scheme: Option<&'a str>,
    tls_version: Option<&'a str>,
    authentication_type: Option<&'a str>,
    requests: u64,
}

impl<'a> PostureRow<'a> {
    pub(crate) const COLUMNS: &'a [RowColumn<Self>] = &[
        ("bucket", Get::Text(|row| row.bucket), "The bucket."),
        ("scheme", Get::Text(|row| row.scheme), "`http` or `https`, where the log tells."),
        ("tls_version", Get::Text(|row| row.tls_version), "TLS version."),
        (
            "authentication_type",
            Get::Text(|row| row.authentication_type),
            "`AuthHeader` or `QueryString`; NULL when nobody signed.",
        ),
        ("requests", Get::Integer(|row| row.requests), "Requests."),
    ];
}

/// Builds `posture`.
pub(crate) fn posture_batch(collector: &Collector) -> Result<RecordBatch, ArrowError> {
    let names = &collector.names;
    let all = collector.sides.posture.iter();
    let rows = all.map(|((bucket, scheme, tls, authentication), requests)| PostureRow {
        bucket: names.buckets.text(*bucket),
        scheme: names.transports.text(*scheme),
        tls_version: names.transports.text(*tls),
        authentication_type: names.transports.text(*authentication),
        requests: *requests,
    });
    table_of(PostureRow::COLUMNS, &rows.collect::<Vec<_>>())
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
