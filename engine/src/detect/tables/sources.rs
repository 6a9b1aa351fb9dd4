//! The tables `sources`, `src_bucket_day`, `walks` and `overwrites`: activity of sources.

use super::column::{Get, RowColumn, table_of};
use super::requests::is_app_page;
use crate::detect::collect::days::{Minute, SourceDay};
use crate::detect::collect::event::{Flags, Times};
use crate::detect::collect::names::{NONE, Names};
use crate::detect::collect::sketch::KeyTimes;
use crate::detect::collect::sources::{Numbers, SourceTotals};
use crate::detect::collect::{AllNames, Collector, SourceOf};
use crate::detect::context::Known;
use crate::detect::facts::{Kind as AgentKind, OpClass, are_near, decoded_key};
use crate::time_units::MICROS_PER_DAY;
use arrow::error::ArrowError;
use arrow::record_batch::RecordBatch;
use std::borrow::Cow;
use std::collections::HashMap;

/// The source that a row is about.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Source<'a> {
    collector: &'a Collector,
    number: u32,
}

impl<'a> Source<'a> {
    pub(crate) fn new(collector: &'a Collector, number: u32) -> Self {
        Self { collector, number }
    }

    pub(crate) fn name(self) -> Option<&'a str> {
        self.collector.names.sources.text(self.number)
    }

    /// What is known about its address.
    pub(crate) fn known(self) -> &'a Known {
        &self.collector.sources[self.number as usize].known
    }

    /// What it did in all buckets, on all days.
    pub(crate) fn totals(self) -> &'a SourceTotals {
        &self.collector.totals[self.number as usize]
    }

    /// Whether it is a CDN's, by the user's lists.
    pub(crate) fn is_cdn(self) -> bool {
        self.known().cdn.is_some()
    }

    /// Whether a flag is set for any of its requests.
    pub(crate) fn has(self, flag: Flags) -> bool {
        Flags::of_bits(self.totals().some).has(flag)
    }
}

/// The network of a source, as text.
pub(crate) fn net_of(source: &SourceOf) -> String {
    source.known.net(source.address)
}

/// The list of attackers that contains a source.
pub(crate) fn intel_of(known: &Known) -> Option<&str> {
    known.intel.as_ref().map(|entry| entry.label())
}

/// A row of `sources`.
pub(crate) struct SourceRow<'a> {
    source: Source<'a>,
    totals: &'a SourceTotals,
    names: &'a AllNames,
    net: String,
}

impl<'a> SourceRow<'a> {
    pub(crate) const COLUMNS: &'a [RowColumn<Self>] = &[
        ("src", Get::Text(|row| row.source.name()), "The source: an IPv4 address, or the /64 of an IPv6 address."),
        ("first", Get::Time(|row| Some(row.totals.times.first)), "Its first request."),
        ("last", Get::Time(|row| Some(row.totals.times.last)), "Its last request."),
        ("requests", Get::Integer(|row| row.totals.requests), "How many requests it made."),
        ("ok", Get::Integer(|row| row.totals.ok), "How many were answered."),
        (
            "fails",
            Get::Integer(|row| row.totals.fails),
            "How many asked for something that does not exist, or that it may not have.",
        ),
        ("anon_requests", Get::Integer(|row| row.totals.anon_requests), "How many nobody signed."),
        ("bytes_sent", Get::Integer(|row| row.totals.bytes_sent), "Bytes that were sent to it."),
        (
            "ua_norms",
            Get::Integer(|row| row.totals.agents.len() as u64),
            "How many different user agents it has, versions aside, up to 1,024.",
        ),
        ("ua_kinds", Get::Texts(|row| kinds(row.totals)), "Kinds of its user agents."),
        ("buckets", Get::Texts(|row| sorted(&row.totals.buckets, &row.names.buckets)), "Buckets that it asked."),
        (
            "requesters",
            Get::Texts(|row| sorted(&row.totals.requesters, &row.names.requesters)),
            "Requesters that it signed as.",
        ),
        ("is_cdn", Get::Boolean(|row| row.source.is_cdn()), "Whether it is a CDN's."),
        ("is_crawler", Get::Boolean(|row| row.totals.is_crawler()), "Whether it is a crawler's."),
        ("is_allow", Get::Boolean(|row| row.source.has(Flags::ALLOW)), "Whether it is allowed."),
        ("is_deny", Get::Boolean(|row| row.source.has(Flags::DENY)), "Whether it is denied."),
        ("is_private", Get::Boolean(|row| row.source.has(Flags::PRIVATE)), "Whether it is a private address."),
        ("intel", Get::Text(|row| intel_of(row.source.known())), "The list of attackers that contains it."),
        (
            "intel_confidence",
            Get::Double(|row| row.source.known().intel.as_ref().map(|entry| entry.confidence)),
            "What that list is worth, from 0 to 1.",
        ),
        (
            "net",
            Get::Text(|row| Some(&row.net)),
            "Its network: the autonomous system, if a database tells, else its /24 or /48.",
        ),
        ("country", Get::Text(|row| row.source.known().country.as_deref()), "Its country, if a database tells."),
    ];
}

/// Builds `sources`.
pub(crate) fn sources_batch(collector: &Collector) -> Result<RecordBatch, ArrowError> {
    let sources = (0_u32..).zip(collector.sources.iter().zip(&collector.totals));
    let rows = sources.map(|(number, (of, totals))| SourceRow {
        source: Source::new(collector, number),
        totals,
        names: &collector.names,
        net: net_of(of),
    });
    table_of(SourceRow::COLUMNS, &rows.collect::<Vec<_>>())
}

/// Kinds of a source's user agents.
fn kinds(totals: &SourceTotals) -> Vec<&'static str> {
    let has = |kind: &AgentKind| totals.kinds & (1 << *kind as u8) != 0;
    AgentKind::ALL.into_iter().filter(has).map(AgentKind::name).collect()
}

/// Names sorted as text, since their numbers differ between runs.
fn sorted<'a>(numbers: &Numbers, names: &'a Names) -> Vec<&'a str> {
    let mut names: Vec<_> = numbers.iter().map(|number| names.get(number)).collect();
    names.sort_unstable();
    names
}

/// A row of `src_bucket_day`.
pub(crate) struct DayRow<'a> {
    source: Source<'a>,
    bucket: Option<&'a str>,
    /// When the day begins.
    start: i64,
    counts: &'a SourceDay,
    peak: Minute,
}

impl<'a> DayRow<'a> {
    pub(crate) const COLUMNS: &'a [RowColumn<Self>] = &[
        ("src", Get::Text(|row| row.source.name()), "The source."),
        ("bucket", Get::Text(|row| row.bucket), "The bucket."),
        ("day", Get::Time(|row| Some(row.start)), "The day."),
        ("requests", Get::Integer(|row| row.counts.requests.into()), "Requests."),
        ("anon_requests", Get::Integer(|row| row.counts.anon_requests.into()), "Requests that nobody signed."),
        (
            "anon_object_requests",
            Get::Integer(|row| row.counts.anon_object_requests.into()),
            "Those of them for objects.",
        ),
        ("anon_object_fails", Get::Integer(|row| row.counts.anon_object_fails.into()), "Those of them that failed."),
        ("ok_reads", Get::Integer(|row| row.counts.ok_reads.into()), "Objects that were read, without HEAD."),
        (
            "anon_ok_reads",
            Get::Integer(|row| row.counts.anon_ok_reads.into()),
            "Those of them that were read without a signature.",
        ),
        (
            "read_keys",
            Get::Integer(|row| row.counts.keys.estimate(|key| key.read != 0)),
            "Different keys that were read, estimated beyond 64.",
        ),
        ("bytes_sent", Get::Integer(|row| row.counts.bytes_sent), "Bytes that were sent."),
        ("lists", Get::Integer(|row| row.counts.lists.into()), "Listings."),
        ("lists_ok", Get::Integer(|row| row.counts.lists_ok.into()), "Listings that were answered."),
        ("anon_lists_ok", Get::Integer(|row| row.counts.anon_lists_ok.into()), "Those of them that nobody signed."),
        ("writes", Get::Integer(|row| row.counts.writes.into()), "Objects that were written."),
        ("deletes", Get::Integer(|row| row.counts.deletes.into()), "Objects that were deleted."),
        ("first", Get::Time(|row| Some(row.counts.times.first)), "The first request."),
        ("last", Get::Time(|row| Some(row.counts.times.last)), "The last request."),
        (
            "peak_minute",
            Get::Time(|row| Some(row.start + i64::from(row.peak.minute) * 60_000_000)),
            "The minute with most requests.",
        ),
        ("peak_requests", Get::Integer(|row| row.peak.requests.into()), "Requests of that minute."),
        ("peak_fails", Get::Integer(|row| row.peak.fails.into()), "Those of them that failed."),
        ("peak_costly", Get::Integer(|row| row.peak.costly.into()), "Those of them that were listings and writes."),
        ("is_cdn", Get::Boolean(|row| row.source.is_cdn()), "Whether it is a CDN's."),
        ("is_crawler", Get::Boolean(|row| row.counts.is_crawler()), "Whether it is a crawler's."),
        ("is_allow", Get::Boolean(|row| row.source.has(Flags::ALLOW)), "Whether it is allowed."),
        ("from_history", Get::Boolean(|_| false), "Whether the row comes from the baseline, not from these logs."),
    ];
}

/// Builds `src_bucket_day`, without the rows of a baseline.
pub(crate) fn days_batch(collector: &Collector) -> Result<RecordBatch, ArrowError> {
    let rows = collector.days.iter().map(|((source, bucket, day), counts)| DayRow {
        source: Source::new(collector, *source),
        bucket: collector.names.buckets.text(*bucket),
        start: i64::from(*day) * MICROS_PER_DAY,
        counts,
        peak: counts.peak(),
    });
    table_of(DayRow::COLUMNS, &rows.collect::<Vec<_>>())
}

/// A row of `overwrites`.
pub(crate) struct OverwriteRow<'a> {
    source: Source<'a>,
    bucket: Option<&'a str>,
    requester: Option<&'a str>,
    keys: u64,
    copied_onto: u64,
    read_then_written: u64,
    estimated: f64,
    times: Times,
}

impl<'a> OverwriteRow<'a> {
    pub(crate) const COLUMNS: &'a [RowColumn<Self>] = &[
        ("src", Get::Text(|row| row.source.name()), "The source."),
        (
            "requester",
            Get::Text(|row| row.requester),
            "Who signed requests of the source; if several did, the first by name.",
        ),
        ("bucket", Get::Text(|row| row.bucket), "The bucket."),
        ("keys", Get::Integer(|row| row.keys), "Different keys that were used, estimated beyond 64 a day."),
        ("copied_onto", Get::Integer(|row| row.copied_onto), "Keys that were copied onto themselves."),
        (
            "read_then_written",
            Get::Integer(|row| row.read_then_written),
            "Keys that were read, and written within ten minutes.",
        ),
        (
            "estimated",
            Get::Double(|row| Some(row.estimated)),
            "How many keys each key that was looked at stands for; 1 if all were looked at.",
        ),
        ("first", Get::Time(|row| Some(row.times.first)), "The first request of those days."),
        ("last", Get::Time(|row| Some(row.times.last)), "The last one."),
    ];
}

/// Maximum time in seconds between reading and overwriting a key.
const SOON: u32 = 600;
/// Maximum time in seconds between the two records of a copy.
const SAME_COPY: u32 = 60;

fn is_copied_onto_itself(key: &KeyTimes) -> bool {
    key.copied_from != 0 && key.copied_to != 0 && key.copied_from.abs_diff(key.copied_to) <= SAME_COPY
}

fn is_read_then_written(key: &KeyTimes) -> bool {
    key.read != 0 && key.written > key.read && key.written - key.read <= SOON
}

/// Builds `overwrites`.
pub(crate) fn overwrites_batch(collector: &Collector) -> Result<RecordBatch, ArrowError> {
    let names = &collector.names;
    let mut rows: HashMap<(u32, u32), OverwriteRow<'_>> = HashMap::new();
    for ((source, bucket, _), day) in collector.days.iter() {
        let copied_onto = day.keys.estimate(is_copied_onto_itself);
        let read_then_written = day.keys.estimate(is_read_then_written);
        if copied_onto + read_then_written == 0 {
            continue;
        }
        let row = rows.entry((*source, *bucket)).or_insert_with(|| {
            let source = Source::new(collector, *source);
            let requesters = source.totals().requesters.iter();
            OverwriteRow {
                source,
                bucket: names.buckets.text(*bucket),
                requester: requesters.map(|number| names.requesters.get(number)).min(),
                keys: 0,
                copied_onto: 0,
                read_then_written: 0,
                estimated: 0.0,
                times: day.times,
            }
        });
        row.keys += day.keys.count();
        row.copied_onto += copied_onto;
        row.read_then_written += read_then_written;
        row.estimated = row.estimated.max(day.keys.scale());
        row.times.merge(day.times);
    }
    table_of(OverwriteRow::COLUMNS, &rows.into_values().collect::<Vec<_>>())
}

/// Minimum number of steps of a walk.
const SHORTEST_WALK: usize = 4;
/// Maximum difference between the numbers of neighbouring keys.
const NEAR: u64 = 3;

/// One read in a walk.
struct Step<'a> {
    time: i64,
    key: Cow<'a, str>,
    row: usize,
}

/// How a source moved from key to key.
#[derive(Debug, Default)]
struct Walk {
    n: u64,
    distinct_keys: u64,
    near: u64,
    steps: u64,
    ascending: u64,
    seconds: u64,
    denied: u64,
    referred: u64,
    assets: u64,
    parts: u64,
    times: Times,
    /// Kind of the first step's user agent.
    ua_kind: Option<&'static str>,
}

impl Walk {
    /// From steps sorted by time and, within a second, by key: logs have no finer resolution.
    fn of(steps: &[Step<'_>], collector: &Collector) -> Self {
        let trail = &collector.trail;
        let mut walk = Self { n: steps.len() as u64, ..Self::default() };
        if let (Some(first), Some(last)) = (steps.first(), steps.last()) {
            let agent = collector.agents.get(trail.agent[first.row] as usize);
            walk.ua_kind = agent.map(|agent| agent.facts.kind.name());
            walk.times = Times { first: first.time, last: last.time };
        }
        let mut keys: Vec<&str> = steps.iter().map(|step| &*step.key).collect();
        keys.sort_unstable();
        keys.dedup();
        walk.distinct_keys = keys.len() as u64;
        for step in steps {
            let flags = Flags::of_bits(trail.flags[step.row]);
            walk.denied += u64::from(flags.has(Flags::FAIL));
            walk.referred += u64::from(trail.referer[step.row] != NONE);
            walk.assets += u64::from(flags.has_any(&[Flags::ASSET, Flags::PAGE]));
            walk.parts += u64::from(flags.has(Flags::PART));
        }
        for pair in steps.windows(2) {
            walk.steps += 1;
            walk.near += u64::from(are_near(&pair[0].key, &pair[1].key, NEAR));
            // Steps are sorted by key within a second, so these are the last of one second and the first of the next.
            if pair[0].time != pair[1].time {
                walk.seconds += 1;
                walk.ascending += u64::from(pair[0].key < pair[1].key);
            }
        }
        walk
    }
}

/// A row of `walks`.
pub(crate) struct WalkRow<'a> {
    source: Source<'a>,
    bucket: Option<&'a str>,
    walk: Walk,
}

impl<'a> WalkRow<'a> {
    pub(crate) const COLUMNS: &'a [RowColumn<Self>] = &[
        ("src", Get::Text(|row| row.source.name()), "The source."),
        ("bucket", Get::Text(|row| row.bucket), "The bucket."),
        (
            "n",
            Get::Integer(|row| row.walk.n),
            "Reads of objects that nobody signed: the first of each day, without those of pages of an application (`app_page`).",
        ),
        ("distinct_keys", Get::Integer(|row| row.walk.distinct_keys), "Different keys of them."),
        (
            "near_share",
            Get::Double(|row| share(row.walk.near, row.walk.steps)),
            "Share of steps from a key to one that differs only in its number, by at most 3.",
        ),
        (
            "ascending_share",
            Get::Double(|row| share(row.walk.ascending, row.walk.seconds)),
            "Share of steps from one second to the next in which all keys of the next come later in the alphabet.",
        ),
        ("denied_share", Get::Double(|row| share(row.walk.denied, row.walk.n)), "Share that failed."),
        ("referer_share", Get::Double(|row| share(row.walk.referred, row.walk.n)), "Share with a referer."),
        ("asset_share", Get::Double(|row| share(row.walk.assets, row.walk.n)), "Share of pages and parts of pages."),
        (
            "numbered_parts",
            Get::Boolean(|row| row.walk.parts * 2 > row.walk.n),
            "Whether most are numbered parts of something larger.",
        ),
        ("is_cdn", Get::Boolean(|row| row.source.is_cdn()), "Whether it is a CDN's."),
        ("is_crawler", Get::Boolean(|row| row.source.totals().is_crawler()), "Whether it is a crawler's."),
        ("is_allow", Get::Boolean(|row| row.source.has(Flags::ALLOW)), "Whether it is allowed."),
        ("ua_kind", Get::Text(|row| row.walk.ua_kind), "Kind of the first one's user agent."),
        ("first", Get::Time(|row| Some(row.walk.times.first)), "The first one."),
        ("last", Get::Time(|row| Some(row.walk.times.last)), "The last one."),
    ];
}

fn share(part: u64, of: u64) -> Option<f64> {
    (of > 0).then(|| part as f64 / of as f64)
}

/// Builds `walks`.
pub(crate) fn walks_batch(collector: &Collector) -> Result<RecordBatch, ArrowError> {
    let trail = &collector.trail;
    let mut by_source: HashMap<(u32, u32), Vec<Step<'_>>> = HashMap::new();
    for ((source, bucket, _), day) in collector.days.iter() {
        for row in day.kept.first_rows() {
            let row = row as usize;
            let flags = Flags::of_bits(trail.flags[row]);
            let is_read = trail.class[row] == OpClass::ObjectRead as u8 && flags.has(Flags::ANON);
            if is_read
                && !is_app_page(collector, row)
                && flags.has_any(&[Flags::OK, Flags::FAIL])
                && let Some(key) = trail.key.get(row)
            {
                by_source.entry((*source, *bucket)).or_default().push(Step {
                    time: trail.time[row],
                    key: decoded_key(key),
                    row,
                });
            }
        }
    }
    by_source.retain(|_, steps| steps.len() >= SHORTEST_WALK);
    let rows = by_source.into_iter().map(|((source, bucket), mut steps)| {
        let kind = |step: &Step<'_>| collector.agents[trail.agent[step.row] as usize].facts.kind as u8;
        steps.sort_unstable_by(|a, b| (a.time, &a.key, kind(a)).cmp(&(b.time, &b.key, kind(b))));
        WalkRow {
            source: Source::new(collector, source),
            bucket: collector.names.buckets.text(bucket),
            walk: Walk::of(&steps, collector),
        }
    });
    table_of(WalkRow::COLUMNS, &rows.collect::<Vec<_>>())
}
