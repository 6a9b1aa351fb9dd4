//! The tables `requester_src_day`, `requester_day` and `deletes_hour`: activity of requesters, and whether it is new.

use super::column::{Column, Kind, batch_of, booleans, doubles, integers, texts, times};
use super::sources::net_of;
use crate::detect::baseline::Baseline;
use crate::detect::collect::Collector;
use crate::detect::collect::requesters::PairDay;
use crate::detect::collect::sides::{Deletes, half_start, hour_of};
use crate::time_units::{MICROS_PER_DAY, MICROS_PER_HOUR};
use arrow::error::ArrowError;
use arrow::record_batch::RecordBatch;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

pub(crate) const REQUESTER_SRC_DAY: &[Column] = &[
    ("requester", Kind::Text, "Who signed."),
    ("src", Kind::Text, "The source."),
    ("day", Kind::Time, "The day."),
    ("requests", Kind::Integer, "Requests."),
    ("reads", Kind::Integer, "Objects that were read."),
    ("lists", Kind::Integer, "Listings."),
    ("version_lists", Kind::Integer, "Those of them of versions."),
    ("writes", Kind::Integer, "Objects that were written."),
    ("deletes", Kind::Integer, "Objects that were deleted; batches whose objects the log does not name are one each."),
    ("cfg_reads", Kind::Integer, "Different operations that read configuration."),
    ("cfg_writes", Kind::Integer, "Requests that write configuration."),
    ("denied", Kind::Integer, "Requests that were denied."),
    ("denied_tries", Kind::Integer, "Those of them that were about no object, but listings and configuration."),
    ("copies", Kind::Integer, "Objects that were copied."),
    (
        "copies_out",
        Kind::Integer,
        "Objects that were read to be copied to where the logs do not reach, such as another's bucket.",
    ),
    ("presigned", Kind::Integer, "Requests whose signature stood in the URL."),
    ("open_uploads", Kind::Integer, "Uploads of parts that were begun and neither put together nor given up."),
    ("version_reads", Kind::Integer, "Versions that were read by their id."),
    ("buckets", Kind::Integer, "Different buckets."),
    (
        "new_buckets",
        Kind::Integer,
        "Those of them that the requester uses from none of its usual sources; 0 if the logs have none of these.",
    ),
    (
        "new_operations",
        Kind::Integer,
        "Different operations that it uses from none of its usual sources; 0 if the logs have none of these.",
    ),
    ("read_keys", Kind::Integer, "Different keys that were read, estimated beyond 64."),
    ("bytes_sent", Kind::Integer, "Bytes that were sent."),
    ("first", Kind::Time, "The first request of the day."),
    ("last", Kind::Time, "The last request of the day."),
    ("first_seen", Kind::Time, "The first request of the requester from the source, the baseline included."),
    ("requester_first_seen", Kind::Time, "The first request of the requester from anywhere, the baseline included."),
    ("requester_requests", Kind::Integer, "All its requests, the baseline included."),
    ("requester_srcs", Kind::Integer, "All its sources, the baseline included, up to 201."),
    ("usual_srcs", Kind::Integer, "How many of them were usual when this source came."),
    (
        "usual_requests",
        Kind::Integer,
        "Requests from its usual sources, the baseline included: those that came before this one, and either in the first 8 hours of the requester or 72 hours before this one.",
    ),
    ("usual_last", Kind::Time, "The last request from one of them that the logs have."),
    ("share", Kind::Double, "Share of its requests that came from this source."),
    ("new_net", Kind::Boolean, "Whether it came from no other source of this network before."),
    (
        "new_country",
        Kind::Boolean,
        "Whether it came from no other source of this country before, if a database tells countries.",
    ),
    ("same_ua_family", Kind::Boolean, "Whether it has the source's clients at its usual sources, too."),
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
    (
        "hour",
        Kind::Time,
        "When the hour begins: at full and half hours, so that what lies around one of them is in one hour, too.",
    ),
    ("n", Kind::Integer, "Objects that were deleted."),
    ("n_half", Kind::Integer, "Those of the first half hour, for sums over hours."),
    (
        "batches",
        Kind::Integer,
        "Requests of batches of up to 1,000 objects, if the log does not name the objects. They are none of `n`.",
    ),
    ("first", Kind::Time, "The first one."),
    ("last", Kind::Time, "The last one."),
    (
        "first_for_pair",
        Kind::Boolean,
        "Whether the requester deleted nothing from this source in an hour before, the baseline included.",
    ),
    (
        "delete_days",
        Kind::Integer,
        "On how many days the requester deleted something from this source; all of the baseline is one.",
    ),
    ("delete_span", Kind::Integer, "How many days the last of them is after the first one."),
    ("list_before", Kind::Boolean, "Whether the source listed the bucket in that hour or the one before."),
    ("bucket_keys", Kind::Integer, "Different keys of the bucket that were used, estimated beyond 1,024."),
    ("is_allow", Kind::Boolean, "Whether the address is allowed."),
    ("is_cdn", Kind::Boolean, "Whether it is a CDN's."),
];

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
        let pair = whole.pair(names.sources.get(*source), day.first);
        pair.first = pair.first.min(day.first);
        pair.requests += day.requests;
        pair.last = pair.last.max(Some(day.last));
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

/// Builds `requester_src_day`.
pub(crate) fn pairs_batch(
    collector: &Collector,
    baseline: &Baseline,
    is_cdn: &[bool],
) -> Result<RecordBatch, ArrowError> {
    let names = &collector.names;
    let wholes = wholes(collector, baseline);
    let mut newness: HashMap<(u32, u32), Newness> = HashMap::new();
    let rows: Vec<_> = collector
        .requesters
        .pairs
        .iter()
        .filter_map(|((requester, source, day), pair)| {
            let whole = wholes.get(names.requesters.get(*requester))?;
            let text = names.sources.get(*source);
            let newness = *newness.entry((*requester, *source)).or_insert_with(|| whole.newness(text));
            let unusual = whole.unusual(text, pair);
            Some(((*requester, *source, *day), pair, whole, whole.pairs.get(text)?, newness, unusual))
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
            count(PairDay::deleted),
            count(|pair| pair.config_reads.len() as u64),
            count(|pair| pair.config_writes),
            count(|pair| pair.denied),
            count(|pair| pair.denied_tries),
            count(|pair| pair.copies),
            count(|pair| pair.copy_sources.saturating_sub(pair.copies)),
            count(|pair| pair.presigned),
            count(|pair| pair.uploads_begun.saturating_sub(pair.uploads_ended)),
            count(|pair| pair.version_reads),
            count(|pair| pair.buckets.len() as u64),
            integers(all().map(|row| row.5.0)),
            integers(all().map(|row| row.5.1)),
            count(|pair| pair.keys.count()),
            count(|pair| pair.bytes_sent),
            times(all().map(|row| Some(row.1.first))),
            times(all().map(|row| Some(row.1.last))),
            times(all().map(|row| Some(row.3.first))),
            times(all().map(|row| Some(row.2.first))),
            integers(all().map(|row| row.2.requests)),
            integers(all().map(|row| row.2.pairs.len() as u64)),
            integers(all().map(|row| row.4.usual_sources)),
            integers(all().map(|row| row.4.usual_requests)),
            times(all().map(|row| row.4.usual_last)),
            doubles(all().map(|row| Some(row.3.requests as f64 / row.2.requests.max(1) as f64))),
            booleans(all().map(|row| row.4.net)),
            booleans(all().map(|row| row.4.country)),
            booleans(all().map(|row| row.4.same_family)),
            booleans(all().map(|row| collector.sources[row.0.1 as usize].known.allow.is_some())),
            booleans(all().map(|row| is_cdn.get(row.0.1 as usize).copied().unwrap_or_default())),
            booleans(all().map(|row| collector.sources[row.0.1 as usize].known.private)),
        ],
    )
}

/// Builds `requester_day`.
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

/// Builds `deletes_hour`.
pub(crate) fn deletes_batch(
    collector: &Collector,
    baseline: &Baseline,
    is_cdn: &[bool],
) -> Result<RecordBatch, ArrowError> {
    let names = &collector.names;
    let sides = &collector.sides;
    let mut firsts: HashMap<(u32, u32), i32> = HashMap::new();
    let mut days: HashMap<(u32, u32), BTreeSet<i64>> = HashMap::new();
    for ((source, requester, _, half), deletes) in &sides.deletes {
        let first = firsts.entry((*source, *requester)).or_insert(*half);
        *first = (*first).min(*half);
        days.entry((*source, *requester)).or_default().insert(deletes.first.div_euclid(MICROS_PER_DAY));
    }
    for ((source, requester), days) in &mut days {
        let who = (names.sources.get(*source).to_owned(), names.requesters.get(*requester).to_owned());
        days.extend(baseline.deleters.get(&who).map(|first| first.div_euclid(MICROS_PER_DAY)));
    }
    let known: HashSet<(&str, &str)> =
        baseline.deleters.keys().map(|(source, requester)| (source.as_str(), requester.as_str())).collect();
    let days_of = |source: u32, requester: u32| days.get(&(source, requester));
    // An hour starting at each half hour with deletes, so that any two adjacent half hours share an hour.
    let hours: Vec<_> = sides
        .deletes
        .iter()
        .map(|(&(source, requester, bucket, half), first_half)| {
            let mut hour = *first_half;
            if let Some(second) =
                half.checked_add(1).and_then(|next| sides.deletes.get(&(source, requester, bucket, next)))
            {
                hour.absorb(*second);
            }
            (source, requester, bucket, half, first_half, hour)
        })
        .collect();
    let all = || hours.iter();
    let count = |figure: fn(&Deletes) -> u64| integers(all().map(move |(.., hour)| figure(hour)));
    batch_of(
        DELETES_HOUR,
        vec![
            texts(all().map(|(source, ..)| names.sources.text(*source))),
            texts(all().map(|(_, requester, ..)| names.requesters.text(*requester))),
            texts(all().map(|(_, _, bucket, ..)| names.buckets.text(*bucket))),
            times(all().map(|(_, _, _, half, ..)| Some(half_start(*half)))),
            count(|hour| hour.n),
            integers(all().map(|(_, _, _, _, first_half, _)| first_half.n)),
            count(Deletes::unnamed),
            times(all().map(|(.., hour)| Some(hour.first))),
            times(all().map(|(.., hour)| Some(hour.last))),
            booleans(all().map(|(source, requester, _, half, ..)| {
                firsts.get(&(*source, *requester)) == Some(half)
                    && !known.contains(&(names.sources.get(*source), names.requesters.get(*requester)))
            })),
            integers(
                all().map(|(source, requester, ..)| days_of(*source, *requester).map_or(0, |days| days.len() as u64)),
            ),
            integers(all().map(|(source, requester, ..)| {
                let days = days_of(*source, *requester);
                let ends = days.and_then(|days| days.first().zip(days.last()));
                ends.map_or(0, |(first, last)| (last - first).unsigned_abs())
            })),
            booleans(all().map(|(source, _, bucket, half, _, deletes)| {
                let hour = hour_of(half_start(*half));
                let last = hour_of(deletes.last);
                [hour - 1, hour, last].iter().any(|hour| sides.lists.contains(&(*source, *bucket, *hour)))
            })),
            integers(
                all().map(|(_, _, bucket, ..)| {
                    sides.buckets.get(*bucket as usize).map_or(0, |bucket| bucket.keys.count())
                }),
            ),
            booleans(all().map(|(source, ..)| collector.sources[*source as usize].known.allow.is_some())),
            booleans(all().map(|(source, ..)| is_cdn.get(*source as usize).copied().unwrap_or_default())),
        ],
    )
}
