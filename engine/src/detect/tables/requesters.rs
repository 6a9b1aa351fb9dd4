//! The tables `requester_src_day`, `requester_day` and `deletes_hour`: activity of requesters, and whether it is new.

use super::column::{Get, RowColumn, table_of};
use super::sources::{Source, net_of};
use crate::detect::baseline::Baseline;
use crate::detect::collect::Collector;
use crate::detect::collect::requesters::PairDay;
use crate::detect::collect::sides::{Deletes, half_start, hour_of};
use crate::time_units::{MICROS_PER_DAY, MICROS_PER_HOUR};
use arrow::error::ArrowError;
use arrow::record_batch::RecordBatch;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

/// Sources that appear within this time of a requester's first request are usual: there is nothing else to compare
/// with.
const USUAL_AT_FIRST: i64 = 8 * MICROS_PER_HOUR;
/// Other sources become usual for those that appear at least this much later, since nobody objected.
const USUAL_AFTER: i64 = 72 * MICROS_PER_HOUR;

/// A source of a requester, over all days.
#[derive(Debug, Default)]
struct Pair {
    first: i64,
    /// Time of the last request in the logs.
    last: Option<i64>,
    requests: u64,
    families: HashSet<String>,
    /// Numbers of buckets and operations.
    buckets: HashSet<u32>,
    operations: HashSet<u32>,
    net: Option<String>,
    country: Option<String>,
}

/// What is new about a source of a requester.
#[derive(Clone, Copy, Debug, Default)]
struct Newness {
    net: bool,
    country: bool,
    same_family: bool,
    usual_sources: u64,
    usual_requests: u64,
    usual_last: Option<i64>,
}

/// A requester over all days and sources.
#[derive(Debug, Default)]
struct Whole {
    first: i64,
    requests: u64,
    pairs: BTreeMap<String, Pair>,
}

impl Whole {
    fn pair(&mut self, source: &str, first: i64) -> &mut Pair {
        self.pairs.entry(source.to_owned()).or_insert_with(|| Pair { first, ..Pair::default() })
    }

    /// The sources that were usual when a source first appeared.
    fn usual<'a>(&'a self, source: &'a str, pair: &'a Pair) -> impl Iterator<Item = &'a Pair> {
        let is_usual = move |other: &Pair| {
            other.first < pair.first
                && (other.first - self.first <= USUAL_AT_FIRST || pair.first - other.first >= USUAL_AFTER)
        };
        self.pairs.iter().filter(move |(name, other)| *name != source && is_usual(other)).map(|(_, other)| other)
    }

    /// What is new about a source.
    fn newness(&self, source: &str) -> Newness {
        let Some(pair) = self.pairs.get(source) else { return Newness::default() };
        let others = || self.pairs.iter().filter(|(name, _)| *name != source).map(|(_, other)| other);
        let before = || others().filter(|other| other.first < pair.first);
        let usual = || self.usual(source, pair);
        let same_family = pair.families.iter().all(|family| usual().any(|other| other.families.contains(family)));
        Newness {
            net: !before().any(|other| other.net.is_some() && other.net == pair.net),
            country: pair.country.is_some()
                && before().any(|other| other.country.is_some())
                && !before().any(|other| other.country == pair.country),
            same_family: same_family && !pair.families.is_empty(),
            usual_sources: usual().count() as u64,
            usual_requests: usual().map(|other| other.requests).sum(),
            usual_last: usual().filter_map(|other| other.last).max(),
        }
    }

    /// How many of a day's buckets and operations none of the usual sources has used.
    fn unusual(&self, source: &str, day: &PairDay) -> (u64, u64) {
        let Some(pair) = self.pairs.get(source) else { return (0, 0) };
        let usual: Vec<&Pair> = self.usual(source, pair).filter(|other| other.last.is_some()).collect();
        if usual.is_empty() {
            return (0, 0);
        }
        let new = |numbers: &mut dyn Iterator<Item = &u32>, of: fn(&Pair) -> &HashSet<u32>| {
            numbers.filter(|number| !usual.iter().any(|other| of(other).contains(*number))).count() as u64
        };
        let operations = new(&mut day.operations.iter(), |other| &other.operations);
        (new(&mut day.buckets.iter(), |other| &other.buckets), operations)
    }
}

fn wholes(collector: &Collector, baseline: &Baseline) -> HashMap<String, Whole> {
    let names = &collector.names;
    let mut wholes: HashMap<String, Whole> = HashMap::new();
    for ((requester, source, _), day) in &collector.requesters.pairs {
        let whole = wholes.entry(names.requesters.get(*requester).to_owned()).or_default();
        let of = &collector.sources[*source as usize];
        let pair = whole.pair(names.sources.get(*source), day.times.first);
        pair.first = pair.first.min(day.times.first);
        pair.requests += day.requests;
        pair.last = pair.last.max(Some(day.times.last));
        pair.families.extend(day.families.iter().map(|family| names.families.get(*family).to_owned()));
        pair.buckets.extend(&day.buckets);
        pair.operations.extend(&day.operations);
        pair.net = Some(net_of(of));
        pair.country = of.known.country.as_deref().map(str::to_owned);
    }
    for known in &baseline.pairs {
        // Requesters without current activity are not needed.
        let Some(whole) = wholes.get_mut(&known.requester) else { continue };
        let pair = whole.pair(&known.src, known.first);
        pair.first = pair.first.min(known.first);
        pair.requests += known.requests;
        pair.families.extend(known.families.iter().cloned());
        pair.net = pair.net.take().or_else(|| Some(known.net.clone()));
        pair.country = pair.country.take().or_else(|| known.country.clone());
    }
    for whole in wholes.values_mut() {
        whole.first = whole.pairs.values().map(|pair| pair.first).min().unwrap_or_default();
        whole.requests = whole.pairs.values().map(|pair| pair.requests).sum();
    }
    wholes
}

/// A row of `requester_src_day`.
pub(crate) struct PairRow<'a> {
    requester: Option<&'a str>,
    source: Source<'a>,
    /// When the day begins.
    start: i64,
    counts: &'a PairDay,
    whole: &'a Whole,
    pair: &'a Pair,
    newness: Newness,
    new_buckets: u64,
    new_operations: u64,
}

impl<'a> PairRow<'a> {
    pub(crate) const COLUMNS: &'a [RowColumn<Self>] = &[
        ("requester", Get::Text(|row| row.requester), "Who signed."),
        ("src", Get::Text(|row| row.source.name()), "The source."),
        ("day", Get::Time(|row| Some(row.start)), "The day."),
        ("requests", Get::Integer(|row| row.counts.requests), "Requests."),
        ("reads", Get::Integer(|row| row.counts.reads), "Objects that were read."),
        ("lists", Get::Integer(|row| row.counts.lists), "Listings."),
        ("version_lists", Get::Integer(|row| row.counts.version_lists), "Those of them of versions."),
        ("writes", Get::Integer(|row| row.counts.writes), "Objects that were written."),
        (
            "deletes",
            Get::Integer(|row| row.counts.deleted()),
            "Objects that were deleted; a batch whose objects the log does not name counts as one.",
        ),
        (
            "cfg_reads",
            Get::Integer(|row| row.counts.config_reads.len() as u64),
            "Different operations that read configuration.",
        ),
        ("cfg_writes", Get::Integer(|row| row.counts.config_writes), "Requests that write configuration."),
        ("denied", Get::Integer(|row| row.counts.denied), "Requests that were denied."),
        (
            "denied_tries",
            Get::Integer(|row| row.counts.denied_tries),
            "Those of them that were not for an object, such as listings and configuration.",
        ),
        ("copies", Get::Integer(|row| row.counts.copies), "Objects that were copied."),
        (
            "copies_out",
            Get::Integer(|row| row.counts.copy_sources.saturating_sub(row.counts.copies)),
            "Objects that were read for a copy to somewhere outside of the logs, such as someone else's bucket.",
        ),
        ("presigned", Get::Integer(|row| row.counts.presigned), "Requests whose signature stood in the URL."),
        (
            "open_uploads",
            Get::Integer(|row| row.counts.uploads_begun.saturating_sub(row.counts.uploads_ended)),
            "Multipart uploads that were begun, and neither completed nor aborted.",
        ),
        ("version_reads", Get::Integer(|row| row.counts.version_reads), "Versions that were read by their id."),
        ("buckets", Get::Integer(|row| row.counts.buckets.len() as u64), "Different buckets."),
        (
            "new_buckets",
            Get::Integer(|row| row.new_buckets),
            "Those of them that the requester uses from none of its usual sources; 0 if the logs have none of these sources.",
        ),
        (
            "new_operations",
            Get::Integer(|row| row.new_operations),
            "Different operations that it uses from none of its usual sources; 0 if the logs have none of these sources.",
        ),
        (
            "read_keys",
            Get::Integer(|row| row.counts.keys.count()),
            "Different keys that were read, estimated beyond 64.",
        ),
        ("bytes_sent", Get::Integer(|row| row.counts.bytes_sent), "Bytes that were sent."),
        ("first", Get::Time(|row| Some(row.counts.times.first)), "The first request of the day."),
        ("last", Get::Time(|row| Some(row.counts.times.last)), "The last request of the day."),
        (
            "first_seen",
            Get::Time(|row| Some(row.pair.first)),
            "The first request of the requester from the source, the baseline included.",
        ),
        (
            "requester_first_seen",
            Get::Time(|row| Some(row.whole.first)),
            "The first request of the requester from anywhere, the baseline included.",
        ),
        ("requester_requests", Get::Integer(|row| row.whole.requests), "All its requests, the baseline included."),
        (
            "requester_srcs",
            Get::Integer(|row| row.whole.pairs.len() as u64),
            "All its sources, the baseline included, up to 201.",
        ),
        (
            "usual_srcs",
            Get::Integer(|row| row.newness.usual_sources),
            "How many of them were usual when this source appeared: those that had appeared within 8 hours of the requester's first request, or at least 72 hours before this one.",
        ),
        (
            "usual_requests",
            Get::Integer(|row| row.newness.usual_requests),
            "Requests from its usual sources, the baseline included.",
        ),
        (
            "usual_last",
            Get::Time(|row| row.newness.usual_last),
            "The last request in the logs from one of its usual sources.",
        ),
        (
            "share",
            Get::Double(|row| Some(row.pair.requests as f64 / row.whole.requests.max(1) as f64)),
            "Share of its requests that came from this source.",
        ),
        (
            "new_net",
            Get::Boolean(|row| row.newness.net),
            "Whether it came from no other source of this network before.",
        ),
        (
            "new_country",
            Get::Boolean(|row| row.newness.country),
            "Whether it came from no other source of this country before, if a database tells countries.",
        ),
        (
            "same_ua_family",
            Get::Boolean(|row| row.newness.same_family),
            "Whether all its clients at this source are also those of its usual sources.",
        ),
        ("is_allow", Get::Boolean(|row| row.source.known().allow.is_some()), "Whether the address is allowed."),
        ("is_cdn", Get::Boolean(|row| row.source.is_cdn()), "Whether it is a CDN's."),
        ("is_private", Get::Boolean(|row| row.source.known().private), "Whether it is a private address."),
    ];
}

/// Builds `requester_src_day`.
pub(crate) fn pairs_batch(collector: &Collector, baseline: &Baseline) -> Result<RecordBatch, ArrowError> {
    let names = &collector.names;
    let wholes = wholes(collector, baseline);
    let mut newness: HashMap<(u32, u32), Newness> = HashMap::new();
    let rows = collector.requesters.pairs.iter().filter_map(|((requester, source, day), counts)| {
        let whole = wholes.get(names.requesters.get(*requester))?;
        let text = names.sources.get(*source);
        let newness = *newness.entry((*requester, *source)).or_insert_with(|| whole.newness(text));
        let (new_buckets, new_operations) = whole.unusual(text, counts);
        Some(PairRow {
            requester: names.requesters.text(*requester),
            source: Source::new(collector, *source),
            start: i64::from(*day) * MICROS_PER_DAY,
            counts,
            whole,
            pair: whole.pairs.get(text)?,
            newness,
            new_buckets,
            new_operations,
        })
    });
    table_of(PairRow::COLUMNS, &rows.collect::<Vec<_>>())
}

/// A row of `requester_day`.
pub(crate) struct RequesterDayRow<'a> {
    requester: Option<&'a str>,
    day: i32,
    requests: u64,
    read_keys: u64,
    bytes_sent: u64,
    srcs: u64,
    from_history: bool,
}

impl<'a> RequesterDayRow<'a> {
    pub(crate) const COLUMNS: &'a [RowColumn<Self>] = &[
        ("requester", Get::Text(|row| row.requester), "Who signed."),
        ("day", Get::Time(|row| Some(i64::from(row.day) * MICROS_PER_DAY)), "The day."),
        ("requests", Get::Integer(|row| row.requests), "Requests."),
        ("read_keys", Get::Integer(|row| row.read_keys), "Different keys that were read, estimated beyond 256."),
        ("bytes_sent", Get::Integer(|row| row.bytes_sent), "Bytes that were sent."),
        ("srcs", Get::Integer(|row| row.srcs), "Different sources, estimated beyond 256."),
        (
            "from_history",
            Get::Boolean(|row| row.from_history),
            "Whether the row comes from the baseline, not from these logs.",
        ),
    ];
}

/// Builds `requester_day`.
pub(crate) fn requester_days_batch(collector: &Collector, baseline: &Baseline) -> Result<RecordBatch, ArrowError> {
    let now = collector.requesters.days.iter().map(|((requester, day), counts)| RequesterDayRow {
        requester: collector.names.requesters.text(*requester),
        day: *day,
        requests: counts.requests,
        read_keys: counts.keys.count(),
        bytes_sent: counts.bytes_sent,
        srcs: counts.sources.count(),
        from_history: false,
    });
    let before = baseline.requester_days.iter().map(|known| RequesterDayRow {
        requester: Some(&known.requester),
        day: known.day,
        requests: known.requests,
        read_keys: known.read_keys,
        bytes_sent: known.bytes_sent,
        srcs: known.srcs,
        from_history: true,
    });
    table_of(RequesterDayRow::COLUMNS, &now.chain(before).collect::<Vec<_>>())
}

/// A row of `deletes_hour`.
pub(crate) struct DeletesRow<'a> {
    source: Source<'a>,
    requester: Option<&'a str>,
    bucket: Option<&'a str>,
    /// When the hour begins.
    start: i64,
    hour: Deletes,
    first_half: &'a Deletes,
    first_for_pair: bool,
    delete_days: u64,
    delete_span: u64,
    list_before: bool,
    bucket_keys: u64,
}

impl<'a> DeletesRow<'a> {
    pub(crate) const COLUMNS: &'a [RowColumn<Self>] = &[
        ("src", Get::Text(|row| row.source.name()), "The source."),
        ("requester", Get::Text(|row| row.requester), "Who signed; NULL when nobody did."),
        ("bucket", Get::Text(|row| row.bucket), "The bucket."),
        (
            "hour",
            Get::Time(|row| Some(row.start)),
            "When the hour begins. Hours begin at full and half hours and overlap, so that deletes around a full hour are within one of them, too.",
        ),
        ("n", Get::Integer(|row| row.hour.n), "Objects that were deleted."),
        ("n_half", Get::Integer(|row| row.first_half.n), "Those of the first half hour, for sums over hours."),
        (
            "batches",
            Get::Integer(|row| row.hour.unnamed()),
            "Requests to delete a batch of up to 1,000 objects that the log does not name. They are not counted in `n`.",
        ),
        ("first", Get::Time(|row| Some(row.hour.times.first)), "The first one."),
        ("last", Get::Time(|row| Some(row.hour.times.last)), "The last one."),
        (
            "first_for_pair",
            Get::Boolean(|row| row.first_for_pair),
            "Whether the requester deleted nothing from this source before this hour, the baseline included.",
        ),
        (
            "delete_days",
            Get::Integer(|row| row.delete_days),
            "On how many days the requester deleted something from this source; all of the baseline is one.",
        ),
        ("delete_span", Get::Integer(|row| row.delete_span), "How many days the last of them is after the first one."),
        (
            "list_before",
            Get::Boolean(|row| row.list_before),
            "Whether the source listed the bucket in that hour or the one before.",
        ),
        (
            "bucket_keys",
            Get::Integer(|row| row.bucket_keys),
            "Different keys of the bucket that were used, estimated beyond 1,024.",
        ),
        ("is_allow", Get::Boolean(|row| row.source.known().allow.is_some()), "Whether the address is allowed."),
        ("is_cdn", Get::Boolean(|row| row.source.is_cdn()), "Whether it is a CDN's."),
    ];
}

/// Builds `deletes_hour`.
pub(crate) fn deletes_batch(collector: &Collector, baseline: &Baseline) -> Result<RecordBatch, ArrowError> {
    let names = &collector.names;
    let sides = &collector.sides;
    let mut firsts: HashMap<(u32, u32), i32> = HashMap::new();
    let mut days: HashMap<(u32, u32), BTreeSet<i64>> = HashMap::new();
    for ((source, requester, _, half), deletes) in &sides.deletes {
        let first = firsts.entry((*source, *requester)).or_insert(*half);
        *first = (*first).min(*half);
        days.entry((*source, *requester)).or_default().insert(deletes.times.first.div_euclid(MICROS_PER_DAY));
    }
    for ((source, requester), days) in &mut days {
        let who = (names.sources.get(*source).to_owned(), names.requesters.get(*requester).to_owned());
        days.extend(baseline.deleters.get(&who).map(|first| first.div_euclid(MICROS_PER_DAY)));
    }
    let known: HashSet<(&str, &str)> =
        baseline.deleters.keys().map(|(source, requester)| (source.as_str(), requester.as_str())).collect();
    // An hour starting at each half hour with deletes, so that any two adjacent half hours share an hour.
    let rows = sides.deletes.iter().map(|(&(source, requester, bucket, half), first_half)| {
        let second_half = half.checked_add(1).and_then(|next| sides.deletes.get(&(source, requester, bucket, next)));
        let mut hour = *first_half;
        if let Some(second_half) = second_half {
            hour.absorb(*second_half);
        }
        let start = half_start(half);
        let hours = [hour_of(start) - 1, hour_of(start), hour_of(hour.times.last)];
        let days = days.get(&(source, requester));
        let ends = days.and_then(|days| days.first().zip(days.last()));
        DeletesRow {
            source: Source::new(collector, source),
            requester: names.requesters.text(requester),
            bucket: names.buckets.text(bucket),
            start,
            hour,
            first_half,
            first_for_pair: firsts.get(&(source, requester)) == Some(&half)
                && !known.contains(&(names.sources.get(source), names.requesters.get(requester))),
            delete_days: days.map_or(0, |days| days.len() as u64),
            delete_span: ends.map_or(0, |(first, last)| (last - first).unsigned_abs()),
            list_before: hours.iter().any(|hour| sides.lists.contains(&(source, bucket, *hour))),
            bucket_keys: sides.buckets.get(bucket as usize).map_or(0, |bucket| bucket.keys.count()),
        }
    });
    table_of(DeletesRow::COLUMNS, &rows.collect::<Vec<_>>())
}
