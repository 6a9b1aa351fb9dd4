//! `requester_src_day`, `requester_day` and `deletes_hour`: what requesters did, and whether they did it before.

use super::column::{Column, Kind, batch_of, booleans, doubles, integers, texts, times};
use super::sources::net_of;
use crate::detect::baseline::Baseline;
use crate::detect::collect::Collector;
use crate::detect::collect::requesters::PairDay;
use crate::detect::collect::sides::hour_start;
use crate::time_units::MICROS_PER_DAY;
use arrow::error::ArrowError;
use arrow::record_batch::RecordBatch;
use std::collections::{BTreeMap, HashMap, HashSet};

pub(crate) const REQUESTER_SRC_DAY: &[Column] = &[
    ("requester", Kind::Text, "Who signed."),
    ("src", Kind::Text, "The source."),
    ("day", Kind::Time, "The day."),
    ("requests", Kind::Integer, "Requests."),
    ("reads", Kind::Integer, "Objects that were read."),
    ("lists", Kind::Integer, "Listings."),
    ("version_lists", Kind::Integer, "Those of them of versions."),
    ("writes", Kind::Integer, "Objects that were written."),
    ("deletes", Kind::Integer, "Objects that were deleted."),
    ("cfg_reads", Kind::Integer, "Different operations that read configuration."),
    ("cfg_writes", Kind::Integer, "Requests that write configuration."),
    ("denied", Kind::Integer, "Requests that were denied."),
    ("copies", Kind::Integer, "Objects that were copied."),
    ("buckets", Kind::Integer, "Different buckets."),
    ("read_keys", Kind::Integer, "Different keys that were read, estimated beyond 64."),
    ("bytes_sent", Kind::Integer, "Bytes that were sent."),
    ("first", Kind::Time, "The first request of the day."),
    ("last", Kind::Time, "The last request of the day."),
    ("first_seen", Kind::Time, "The first request of the requester from the source, the baseline included."),
    ("requester_first_seen", Kind::Time, "The first request of the requester from anywhere, the baseline included."),
    ("requester_requests", Kind::Integer, "All its requests, the baseline included."),
    ("requester_srcs", Kind::Integer, "All its sources, the baseline included, up to 201."),
    ("share", Kind::Double, "Share of its requests that came from this source."),
    ("new_net", Kind::Boolean, "Whether it came from no other source of this network before."),
    (
        "new_country",
        Kind::Boolean,
        "Whether it came from no other source of this country before, if a database tells countries.",
    ),
    ("same_ua_family", Kind::Boolean, "Whether it has the source's clients at other sources, too."),
    ("is_allow", Kind::Boolean, "Whether the address is allowed."),
    ("is_cdn", Kind::Boolean, "Whether it is a CDN's."),
    ("is_private", Kind::Boolean, "Whether it is a private address."),
];

pub(crate) const REQUESTER_DAY: &[Column] = &[
    ("requester", Kind::Text, "Who signed."),
    ("day", Kind::Time, "The day."),
    ("requests", Kind::Integer, "Requests."),
    ("read_keys", Kind::Integer, "Different keys that were read, estimated beyond 256."),
    ("bytes_sent", Kind::Integer, "Bytes that were sent."),
    ("srcs", Kind::Integer, "Different sources, estimated beyond 256."),
    ("from_history", Kind::Boolean, "Whether it is of the baseline, not of the logs looked at."),
];

pub(crate) const DELETES_HOUR: &[Column] = &[
    ("src", Kind::Text, "The source."),
    ("requester", Kind::Text, "Who signed; NULL when nobody did."),
    ("bucket", Kind::Text, "The bucket."),
    ("hour", Kind::Time, "The hour."),
    ("n", Kind::Integer, "Objects that were deleted."),
    ("first", Kind::Time, "The first one."),
    ("last", Kind::Time, "The last one."),
    (
        "first_for_pair",
        Kind::Boolean,
        "Whether the requester deleted nothing from this source in an hour before, the baseline included.",
    ),
    ("list_before", Kind::Boolean, "Whether the source listed the bucket in that hour or the one before."),
    ("bucket_keys", Kind::Integer, "Different keys of the bucket that were used, estimated beyond 1,024."),
    ("is_allow", Kind::Boolean, "Whether the address is allowed."),
    ("is_cdn", Kind::Boolean, "Whether it is a CDN's."),
];

/// A source of a requester, over all days.
#[derive(Debug, Default)]
struct Pair {
    first: i64,
    requests: u64,
    families: HashSet<String>,
    net: Option<String>,
    country: Option<String>,
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

    /// What is new of a source.
    fn newness(&self, source: &str) -> (bool, bool, bool) {
        let Some(pair) = self.pairs.get(source) else { return (false, false, false) };
        let others = || self.pairs.iter().filter(|(name, _)| *name != source).map(|(_, other)| other);
        let before = || others().filter(|other| other.first < pair.first);
        let new_net = !before().any(|other| other.net.is_some() && other.net == pair.net);
        let new_country = pair.country.is_some()
            && before().any(|other| other.country.is_some())
            && !before().any(|other| other.country == pair.country);
        let same_family = pair.families.iter().all(|family| others().any(|other| other.families.contains(family)));
        (new_net, new_country, same_family && !pair.families.is_empty())
    }
}

fn wholes(collector: &Collector, baseline: &Baseline) -> HashMap<String, Whole> {
    let names = &collector.names;
    let mut wholes: HashMap<String, Whole> = HashMap::new();
    for ((requester, source, _), day) in &collector.requesters.pairs {
        let whole = wholes.entry(names.requesters.get(*requester).to_owned()).or_default();
        let of = &collector.sources[*source as usize];
        let pair = whole.pair(names.sources.get(*source), day.first);
        pair.first = pair.first.min(day.first);
        pair.requests += day.requests;
        pair.families.extend(day.families.iter().map(|family| names.families.get(*family).to_owned()));
        pair.net = Some(net_of(of));
        pair.country = of.known.country.as_deref().map(str::to_owned);
    }
    for known in &baseline.pairs {
        // What a requester is that does nothing now, nobody asks.
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

/// `requester_src_day`.
pub(crate) fn pairs_batch(
    collector: &Collector,
    baseline: &Baseline,
    is_cdn: &[bool],
) -> Result<RecordBatch, ArrowError> {
    let names = &collector.names;
    let wholes = wholes(collector, baseline);
    let mut newness: HashMap<(u32, u32), (bool, bool, bool)> = HashMap::new();
    let rows: Vec<_> = collector
        .requesters
        .pairs
        .iter()
        .filter_map(|((requester, source, day), pair)| {
            let whole = wholes.get(names.requesters.get(*requester))?;
            let text = names.sources.get(*source);
            let newness = *newness.entry((*requester, *source)).or_insert_with(|| whole.newness(text));
            Some(((*requester, *source, *day), pair, whole, whole.pairs.get(text)?, newness))
        })
        .collect();
    let all = || rows.iter();
    let count = |figure: fn(&PairDay) -> u64| integers(all().map(move |row| figure(row.1)));
    batch_of(
        REQUESTER_SRC_DAY,
        vec![
            texts(all().map(|row| names.requesters.text(row.0.0))),
            texts(all().map(|row| names.sources.text(row.0.1))),
            times(all().map(|row| Some(i64::from(row.0.2) * MICROS_PER_DAY))),
            count(|pair| pair.requests),
            count(|pair| pair.reads),
            count(|pair| pair.lists),
            count(|pair| pair.version_lists),
            count(|pair| pair.writes),
            count(|pair| pair.deletes),
            count(|pair| pair.config_reads.len() as u64),
            count(|pair| pair.config_writes),
            count(|pair| pair.denied),
            count(|pair| pair.copies),
            count(|pair| pair.buckets.len() as u64),
            count(|pair| pair.keys.count()),
            count(|pair| pair.bytes_sent),
            times(all().map(|row| Some(row.1.first))),
            times(all().map(|row| Some(row.1.last))),
            times(all().map(|row| Some(row.3.first))),
            times(all().map(|row| Some(row.2.first))),
            integers(all().map(|row| row.2.requests)),
            integers(all().map(|row| row.2.pairs.len() as u64)),
            doubles(all().map(|row| Some(row.3.requests as f64 / row.2.requests.max(1) as f64))),
            booleans(all().map(|row| row.4.0)),
            booleans(all().map(|row| row.4.1)),
            booleans(all().map(|row| row.4.2)),
            booleans(all().map(|row| collector.sources[row.0.1 as usize].known.allow.is_some())),
            booleans(all().map(|row| is_cdn.get(row.0.1 as usize).copied().unwrap_or_default())),
            booleans(all().map(|row| collector.sources[row.0.1 as usize].known.private)),
        ],
    )
}

/// `requester_day`.
pub(crate) fn requester_days_batch(collector: &Collector, baseline: &Baseline) -> Result<RecordBatch, ArrowError> {
    let names = &collector.names;
    let now = || collector.requesters.days.iter();
    let before = || baseline.requester_days.iter();
    batch_of(
        REQUESTER_DAY,
        vec![
            texts(
                now()
                    .map(|((requester, _), _)| names.requesters.text(*requester))
                    .chain(before().map(|known| Some(known.requester.as_str()))),
            ),
            times(
                now()
                    .map(|((_, day), _)| *day)
                    .chain(before().map(|known| known.day))
                    .map(|day| Some(i64::from(day) * MICROS_PER_DAY)),
            ),
            integers(now().map(|(_, day)| day.requests).chain(before().map(|known| known.requests))),
            integers(now().map(|(_, day)| day.keys.count()).chain(before().map(|known| known.read_keys))),
            integers(now().map(|(_, day)| day.bytes_sent).chain(before().map(|known| known.bytes_sent))),
            integers(now().map(|(_, day)| day.sources.count()).chain(before().map(|known| known.srcs))),
            booleans(now().map(|_| false).chain(before().map(|_| true))),
        ],
    )
}

/// `deletes_hour`.
pub(crate) fn deletes_batch(
    collector: &Collector,
    baseline: &Baseline,
    is_cdn: &[bool],
) -> Result<RecordBatch, ArrowError> {
    let names = &collector.names;
    let sides = &collector.sides;
    let mut firsts: HashMap<(u32, u32), i32> = HashMap::new();
    for (source, requester, _, hour) in sides.deletes.keys() {
        let first = firsts.entry((*source, *requester)).or_insert(*hour);
        *first = (*first).min(*hour);
    }
    let known: HashSet<(&str, &str)> =
        baseline.deleters.keys().map(|(source, requester)| (source.as_str(), requester.as_str())).collect();
    let all = || sides.deletes.iter();
    batch_of(
        DELETES_HOUR,
        vec![
            texts(all().map(|((source, ..), _)| names.sources.text(*source))),
            texts(all().map(|((_, requester, ..), _)| names.requesters.text(*requester))),
            texts(all().map(|((_, _, bucket, _), _)| names.buckets.text(*bucket))),
            times(all().map(|((.., hour), _)| Some(hour_start(*hour)))),
            integers(all().map(|(_, deletes)| deletes.n)),
            times(all().map(|(_, deletes)| Some(deletes.first))),
            times(all().map(|(_, deletes)| Some(deletes.last))),
            booleans(all().map(|((source, requester, _, hour), _)| {
                firsts.get(&(*source, *requester)) == Some(hour)
                    && !known.contains(&(names.sources.get(*source), names.requesters.get(*requester)))
            })),
            booleans(all().map(|((source, _, bucket, hour), _)| {
                [*hour, *hour - 1].iter().any(|hour| sides.lists.contains(&(*source, *bucket, *hour)))
            })),
            integers(all().map(|((_, _, bucket, _), _)| {
                sides.buckets.get(*bucket as usize).map_or(0, |bucket| bucket.keys.count())
            })),
            booleans(all().map(|((source, ..), _)| collector.sources[*source as usize].known.allow.is_some())),
            booleans(all().map(|((source, ..), _)| is_cdn.get(*source as usize).copied().unwrap_or_default())),
        ],
    )
}
