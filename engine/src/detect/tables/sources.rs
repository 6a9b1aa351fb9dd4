//! The tables `sources`, `src_bucket_day`, `walks` and `overwrites`: activity of sources.

use super::column::{Column, Kind, batch_of, booleans, doubles, integers, text_lists, texts, times};
use super::requests::is_app_page;
use crate::detect::collect::days::SourceDay;
use crate::detect::collect::event::Flags;
use crate::detect::collect::names::Names;
use crate::detect::collect::sketch::KeyTimes;
use crate::detect::collect::sources::Numbers;
use crate::detect::collect::{Collector, SourceOf};
use crate::detect::facts::{Kind as AgentKind, OpClass, are_near, decoded_key};
use crate::time_units::MICROS_PER_DAY;
use arrow::error::ArrowError;
use arrow::record_batch::RecordBatch;
use std::borrow::Cow;
use std::collections::HashMap;

pub(crate) const SOURCES: &[Column] = &[
    ("src", Kind::Text, "The source: an IPv4 address, or the /64 of an IPv6 address."),
    ("first", Kind::Time, "Its first request."),
    ("last", Kind::Time, "Its last request."),
    ("requests", Kind::Integer, "How many requests it made."),
    ("ok", Kind::Integer, "How many were answered."),
    ("fails", Kind::Integer, "How many asked for what is not there, or not for it."),
    ("anon_requests", Kind::Integer, "How many nobody signed."),
    ("bytes_sent", Kind::Integer, "Bytes that were sent to it."),
    ("ua_norms", Kind::Integer, "How many different user agents it has, versions aside, up to 1,024."),
    ("ua_kinds", Kind::Texts, "Kinds of its user agents."),
    ("buckets", Kind::Texts, "Buckets that it asked."),
    ("requesters", Kind::Texts, "Requesters that it signed as."),
    ("is_cdn", Kind::Boolean, "Whether it is a CDN's."),
    ("is_crawler", Kind::Boolean, "Whether it is a crawler's."),
    ("is_allow", Kind::Boolean, "Whether it is allowed."),
    ("is_deny", Kind::Boolean, "Whether it is denied."),
    ("is_private", Kind::Boolean, "Whether it is a private address."),
    ("intel", Kind::Text, "The list of attackers that it stands on."),
    ("intel_confidence", Kind::Double, "What that list is worth, from 0 to 1."),
    ("net", Kind::Text, "Its network: the autonomous system, if a database tells, else its /24 or /48."),
    ("country", Kind::Text, "Its country, if a database tells."),
];

pub(crate) const SRC_BUCKET_DAY: &[Column] = &[
    ("src", Kind::Text, "The source."),
    ("bucket", Kind::Text, "The bucket."),
    ("day", Kind::Time, "The day."),
    ("requests", Kind::Integer, "Requests."),
    ("anon_requests", Kind::Integer, "Requests that nobody signed."),
    ("anon_object_requests", Kind::Integer, "Those of them for objects."),
    ("anon_object_fails", Kind::Integer, "Those of them that failed."),
    ("ok_reads", Kind::Integer, "Objects that were read, without HEAD."),
    ("anon_ok_reads", Kind::Integer, "Objects that were read and nobody signed."),
    ("read_keys", Kind::Integer, "Different keys that were read, estimated beyond 64."),
    ("bytes_sent", Kind::Integer, "Bytes that were sent."),
    ("lists", Kind::Integer, "Listings."),
    ("lists_ok", Kind::Integer, "Listings that were answered."),
    ("anon_lists_ok", Kind::Integer, "Those of them that nobody signed."),
    ("writes", Kind::Integer, "Objects that were written."),
    ("deletes", Kind::Integer, "Objects that were deleted."),
    ("first", Kind::Time, "The first request."),
    ("last", Kind::Time, "The last request."),
    ("peak_minute", Kind::Time, "The minute with most requests."),
    ("peak_requests", Kind::Integer, "Requests of that minute."),
    ("peak_fails", Kind::Integer, "Those of them that failed."),
    ("peak_costly", Kind::Integer, "Those of them that were listings and writes."),
    ("is_cdn", Kind::Boolean, "Whether it is a CDN's."),
    ("is_crawler", Kind::Boolean, "Whether it is a crawler's."),
    ("is_allow", Kind::Boolean, "Whether it is allowed."),
    ("from_history", Kind::Boolean, "Whether it is of the baseline, not of the logs looked at."),
];

pub(crate) const WALKS: &[Column] = &[
    ("src", Kind::Text, "The source."),
    ("bucket", Kind::Text, "The bucket."),
    (
        "n",
        Kind::Integer,
        "Reads of objects that nobody signed: the first of each day, without those of pages of an application (`app_page`).",
    ),
    ("distinct_keys", Kind::Integer, "Different keys of them."),
    (
        "near_share",
        Kind::Double,
        "Share of steps from a key to the next whose number is at most 3 away, all else in the key being equal.",
    ),
    (
        "ascending_share",
        Kind::Double,
        "Share of steps from one second to the next whose keys all come later in the alphabet.",
    ),
    ("denied_share", Kind::Double, "Share that failed."),
    ("referer_share", Kind::Double, "Share with a referer."),
    ("asset_share", Kind::Double, "Share of pages and parts of pages."),
    ("numbered_parts", Kind::Boolean, "Whether most are numbered parts of something larger."),
    ("is_cdn", Kind::Boolean, "Whether it is a CDN's."),
    ("is_crawler", Kind::Boolean, "Whether it is a crawler's."),
    ("is_allow", Kind::Boolean, "Whether it is allowed."),
    ("ua_kind", Kind::Text, "Kind of the first one's user agent."),
    ("first", Kind::Time, "The first one."),
    ("last", Kind::Time, "The last one."),
];

pub(crate) const OVERWRITES: &[Column] = &[
    ("src", Kind::Text, "The source."),
    ("requester", Kind::Text, "Who signed at the source; the first by name of several."),
    ("bucket", Kind::Text, "The bucket."),
    ("keys", Kind::Integer, "Different keys that were used, estimated beyond 64 a day."),
    ("copied_onto", Kind::Integer, "Keys that were copied onto themselves."),
    ("read_then_written", Kind::Integer, "Keys that were read, and written within ten minutes."),
    ("estimated", Kind::Double, "How many keys stand for one that was looked at."),
    ("first", Kind::Time, "The first request of those days."),
    ("last", Kind::Time, "The last one."),
];

/// The network of a source, as text.
pub(crate) fn net_of(source: &SourceOf) -> String {
    source.known.net(source.address)
}

/// The list of attackers that contains a source.
pub(crate) fn intel_of(source: &SourceOf) -> Option<&str> {
    source.known.intel.as_ref().map(|entry| entry.label())
}

/// Builds `sources`.
pub(crate) fn sources_batch(collector: &Collector, is_cdn: &[bool]) -> Result<RecordBatch, ArrowError> {
    let all = || collector.sources.iter().zip(&collector.totals).enumerate();
    let names = &collector.names;
    let some = |flag: Flags| booleans(all().map(move |(_, (_, totals))| Flags::of_bits(totals.some).has(flag)));
    let nets: Vec<String> = collector.sources.iter().map(net_of).collect();
    batch_of(
        SOURCES,
        vec![
            texts(all().map(|(number, _)| names.sources.text(number as u32))),
            times(all().map(|(_, (_, totals))| Some(totals.first))),
            times(all().map(|(_, (_, totals))| Some(totals.last))),
            integers(all().map(|(_, (_, totals))| totals.requests)),
            integers(all().map(|(_, (_, totals))| totals.ok)),
            integers(all().map(|(_, (_, totals))| totals.fails)),
            integers(all().map(|(_, (_, totals))| totals.anon_requests)),
            integers(all().map(|(_, (_, totals))| totals.bytes_sent)),
            integers(all().map(|(_, (_, totals))| totals.agents.len() as u64)),
            text_lists(all().map(|(_, (_, totals))| {
                AgentKind::ALL.into_iter().filter(|kind| totals.kinds & (1 << *kind as u8) != 0).map(AgentKind::name)
            })),
            text_lists(all().map(|(_, (_, totals))| sorted(&totals.buckets, &names.buckets))),
            text_lists(all().map(|(_, (_, totals))| sorted(&totals.requesters, &names.requesters))),
            booleans(all().map(|(number, _)| is_cdn.get(number).copied().unwrap_or_default())),
            booleans(all().map(|(_, (_, totals))| totals.is_crawler())),
            some(Flags::ALLOW),
            some(Flags::DENY),
            some(Flags::PRIVATE),
            texts(all().map(|(_, (source, _))| intel_of(source))),
            doubles(all().map(|(_, (source, _))| source.known.intel.as_ref().map(|entry| entry.confidence))),
            texts(nets.iter().map(|net| Some(net.as_str()))),
            texts(all().map(|(_, (source, _))| source.known.country.as_deref())),
        ],
    )
}

/// Builds `src_bucket_day`, without the rows of a baseline.
pub(crate) fn days_batch(collector: &Collector, is_cdn: &[bool]) -> Result<RecordBatch, ArrowError> {
    let all = || collector.days.iter();
    let names = &collector.names;
    let count = |figure: fn(&SourceDay) -> u64| integers(all().map(move |(_, day)| figure(day)));
    let start = |day: i32| i64::from(day) * MICROS_PER_DAY;
    let peaks: Vec<_> = all().map(|(_, day)| day.peak()).collect();
    let some = |flag: Flags| {
        booleans(
            all().map(move |((source, _, _), _)| Flags::of_bits(collector.totals[*source as usize].some).has(flag)),
        )
    };
    batch_of(
        SRC_BUCKET_DAY,
        vec![
            texts(all().map(|((source, _, _), _)| names.sources.text(*source))),
            texts(all().map(|((_, bucket, _), _)| names.buckets.text(*bucket))),
            times(all().map(|((_, _, day), _)| Some(start(*day)))),
            count(|day| u64::from(day.requests)),
            count(|day| u64::from(day.anon_requests)),
            count(|day| u64::from(day.anon_object_requests)),
            count(|day| u64::from(day.anon_object_fails)),
            count(|day| u64::from(day.ok_reads)),
            count(|day| u64::from(day.anon_ok_reads)),
            count(|day| day.keys.estimate(|key| key.read != 0)),
            count(|day| day.bytes_sent),
            count(|day| u64::from(day.lists)),
            count(|day| u64::from(day.lists_ok)),
            count(|day| u64::from(day.anon_lists_ok)),
            count(|day| u64::from(day.writes)),
            count(|day| u64::from(day.deletes)),
            times(all().map(|(_, day)| Some(day.first))),
            times(all().map(|(_, day)| Some(day.last))),
            times(
                all()
                    .zip(&peaks)
                    .map(|(((_, _, day), _), peak)| Some(start(*day) + i64::from(peak.minute) * 60_000_000)),
            ),
            integers(peaks.iter().map(|peak| u64::from(peak.requests))),
            integers(peaks.iter().map(|peak| u64::from(peak.fails))),
            integers(peaks.iter().map(|peak| u64::from(peak.costly))),
            booleans(all().map(|((source, _, _), _)| is_cdn.get(*source as usize).copied().unwrap_or_default())),
            booleans(all().map(|(_, day)| day.is_crawler())),
            some(Flags::ALLOW),
            booleans(all().map(|_| false)),
        ],
    )
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
    #[derive(Default)]
    struct Overwrites {
        keys: u64,
        copied_onto: u64,
        read_then_written: u64,
        estimated: f64,
        first: i64,
        last: i64,
    }
    let mut by_source: HashMap<(u32, u32), Overwrites> = HashMap::new();
    for ((source, bucket, _), day) in collector.days.iter() {
        let copied_onto = day.keys.estimate(is_copied_onto_itself);
        let read_then_written = day.keys.estimate(is_read_then_written);
        if copied_onto + read_then_written == 0 {
            continue;
        }
        let all = by_source.entry((*source, *bucket)).or_insert_with(|| Overwrites {
            first: day.first,
            last: day.last,
            ..Overwrites::default()
        });
        all.keys += day.keys.count();
        all.copied_onto += copied_onto;
        all.read_then_written += read_then_written;
        all.estimated = all.estimated.max(day.keys.scale());
        all.first = all.first.min(day.first);
        all.last = all.last.max(day.last);
    }
    let all = || by_source.iter();
    let names = &collector.names;
    batch_of(
        OVERWRITES,
        vec![
            texts(all().map(|((source, _), _)| names.sources.text(*source))),
            texts(all().map(|((source, _), _)| {
                let requesters = &collector.totals[*source as usize].requesters;
                requesters.iter().map(|number| names.requesters.get(number)).min()
            })),
            texts(all().map(|((_, bucket), _)| names.buckets.text(*bucket))),
            integers(all().map(|(_, one)| one.keys)),
            integers(all().map(|(_, one)| one.copied_onto)),
            integers(all().map(|(_, one)| one.read_then_written)),
            doubles(all().map(|(_, one)| Some(one.estimated))),
            times(all().map(|(_, one)| Some(one.first))),
            times(all().map(|(_, one)| Some(one.last))),
        ],
    )
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
    first: i64,
    last: i64,
    agent: u32,
}

impl Walk {
    /// From steps sorted by time and, within a second, by key: logs have no finer resolution.
    fn of(steps: &[Step<'_>], collector: &Collector) -> Self {
        let trail = &collector.trail;
        let mut walk = Self { n: steps.len() as u64, ..Self::default() };
        if let (Some(first), Some(last)) = (steps.first(), steps.last()) {
            (walk.first, walk.last, walk.agent) = (first.time, last.time, trail.agent[first.row]);
        }
        let mut keys: Vec<&str> = steps.iter().map(|step| &*step.key).collect();
        keys.sort_unstable();
        keys.dedup();
        walk.distinct_keys = keys.len() as u64;
        for step in steps {
            let flags = Flags::of_bits(trail.flags[step.row]);
            walk.denied += u64::from(flags.has(Flags::FAIL));
            walk.referred += u64::from(trail.referer[step.row] != crate::detect::collect::names::NONE);
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

/// Builds `walks`.
pub(crate) fn walks_batch(collector: &Collector, is_cdn: &[bool]) -> Result<RecordBatch, ArrowError> {
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
    let walks: Vec<((u32, u32), Walk)> = by_source
        .into_iter()
        .map(|(key, mut steps)| {
            let kind = |step: &Step<'_>| collector.agents[trail.agent[step.row] as usize].facts.kind as u8;
            steps.sort_unstable_by(|a, b| (a.time, &a.key, kind(a)).cmp(&(b.time, &b.key, kind(b))));
            (key, Walk::of(&steps, collector))
        })
        .collect();
    let all = || walks.iter();
    let names = &collector.names;
    let share = |part: fn(&Walk) -> u64, of: fn(&Walk) -> u64| {
        doubles(all().map(move |(_, walk)| (of(walk) > 0).then(|| part(walk) as f64 / of(walk) as f64)))
    };
    let some = |flag: Flags| {
        booleans(all().map(move |((source, _), _)| Flags::of_bits(collector.totals[*source as usize].some).has(flag)))
    };
    batch_of(
        WALKS,
        vec![
            texts(all().map(|((source, _), _)| names.sources.text(*source))),
            texts(all().map(|((_, bucket), _)| names.buckets.text(*bucket))),
            integers(all().map(|(_, walk)| walk.n)),
            integers(all().map(|(_, walk)| walk.distinct_keys)),
            share(|walk| walk.near, |walk| walk.steps),
            share(|walk| walk.ascending, |walk| walk.seconds),
            share(|walk| walk.denied, |walk| walk.n),
            share(|walk| walk.referred, |walk| walk.n),
            share(|walk| walk.assets, |walk| walk.n),
            booleans(all().map(|(_, walk)| walk.parts * 2 > walk.n)),
            booleans(all().map(|((source, _), _)| is_cdn.get(*source as usize).copied().unwrap_or_default())),
            booleans(all().map(|((source, _), _)| collector.totals[*source as usize].is_crawler())),
            some(Flags::ALLOW),
            texts(
                all().map(|(_, walk)| collector.agents.get(walk.agent as usize).map(|agent| agent.facts.kind.name())),
            ),
            times(all().map(|(_, walk)| Some(walk.first))),
            times(all().map(|(_, walk)| Some(walk.last))),
        ],
    )
}

/// Names sorted as text, since their numbers differ between runs.
fn sorted<'a>(numbers: &Numbers, names: &'a Names) -> impl Iterator<Item = &'a str> {
    let mut names: Vec<_> = numbers.iter().map(|number| names.get(number)).collect();
    names.sort_unstable();
    names.into_iter()
}
