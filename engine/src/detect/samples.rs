//! Selects sample requests for hits.

use super::collect::event::Flags;
use super::collect::names::Names;
use super::facts::decoded_key;
use super::finding::Sample;
use super::hits::Hit;
use super::note::EntityKind;
use super::rules::Rule;
use super::tables::trail::TrailRows;
use crate::error::Error;
use datafusion::prelude::SessionContext;
use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

/// Maximum number of requests shown per detector.
const MOST: usize = 5;

/// The trail, indexed by source.
pub(super) struct Samples {
    trail: Arc<TrailRows>,
    /// Offset in `rows` of each source's requests, and the end of the last.
    starts: Vec<usize>,
    /// Rows of the collector's trail, by source, then in table order.
    rows: Vec<u32>,
    /// For rules with a samples condition, by rule id: whether each row of the collector's trail matches.
    chosen: HashMap<String, Vec<bool>>,
}

/// Flags that make a request a preferred sample.
const NOTABLE: [Flags; 9] = [
    Flags::SENSITIVE,
    Flags::WEB_PROBE,
    Flags::PAYLOAD,
    Flags::PROTOCOL,
    Flags::AUTH_ERROR,
    Flags::RANSOM_NOTE,
    Flags::SUSPICIOUS_UPLOAD,
    Flags::DENIED,
    Flags::FAIL,
];

impl Samples {
    /// Indexes `s3_trail`.
    pub(super) fn of(trail: Arc<TrailRows>) -> Self {
        let source = &trail.collector().trail.source;
        let mut starts = vec![0; trail.collector().sources.len() + 1];
        for row in trail.order() {
            starts[source[*row as usize] as usize + 1] += 1;
        }
        for source in 1..starts.len() {
            starts[source] += starts[source - 1];
        }
        let (mut next, mut rows) = (starts.clone(), vec![0; trail.order().len()]);
        for row in trail.order() {
            let place = &mut next[source[*row as usize] as usize];
            rows[*place] = *row;
            *place += 1;
        }
        Self { trail, starts, rows, chosen: HashMap::new() }
    }

    /// Evaluates a rule's samples condition, if it has one: a rule may count only some requests of an entity, and
    /// others would be no example.
    ///
    /// # Errors
    ///
    /// Fails if the condition does not match `s3_trail`.
    pub(super) fn choose(&mut self, context: &SessionContext, rule: &Rule) -> Result<(), Error> {
        let Some(condition) = rule.samples_condition()? else { return Ok(()) };
        let rows = self.trail.rows_where(context, &condition).map_err(|error| {
            Error::invalid(format!("`samples` of {} fails: {}", rule.id, error.strip_backtrace()))
                .in_object(rule.source.file().to_owned())
                .with_hint("it is a condition over `s3_trail`; `s3log rules tables s3_trail` lists its columns")
        })?;
        let mut is_chosen = vec![false; self.trail.collector().trail.len()];
        rows.into_iter().for_each(|row| is_chosen[row as usize] = true);
        self.chosen.insert(rule.id.clone(), is_chosen);
        Ok(())
    }

    /// Whether a row of the collector's trail may be a sample of a rule.
    fn shows(&self, rule: &Rule, row: u32) -> bool {
        self.chosen.get(&rule.id).is_none_or(|is_chosen| is_chosen[row as usize])
    }

    /// The requests of a source.
    fn of_source(&self, source: &str) -> &[u32] {
        let Some(number) = self.trail.collector().names.sources.find(source) else { return &[] };
        &self.rows[self.starts[number as usize]..self.starts[number as usize + 1]]
    }

    /// Up to five requests of a source for a hit: those named by its evidence first, then notable ones, then others.
    pub(super) fn for_hit(&self, source: &str, rule: &Rule, hit: &Hit) -> Vec<Sample> {
        let (names, trail) = (&self.trail.collector().names, &self.trail.collector().trail);
        let same = |text: Option<&str>, wanted: &Option<String>| wanted.is_none() || text == wanted.as_deref();
        let is_about = |row: &&u32| {
            let is_shown = self.shows(rule, **row);
            let row = **row as usize;
            is_shown
                && is_within(trail.time[row], hit)
                && same(text(&names.buckets, trail.bucket[row]), &hit.bucket)
                && same(text(&names.requesters, trail.requester[row]), &hit.requester)
        };
        let requests = self.of_source(source).iter().filter(is_about).map(|row| self.request(*row));
        let mut candidates: Vec<(usize, usize, Request<'_>)> =
            requests.enumerate().map(|(at, request)| (request.rank(hit), at, request)).collect();
        candidates.sort_unstable_by_key(|(rank, at, _)| (*rank, *at));
        candidates.truncate(MOST);
        // Order of time, as in the trail.
        candidates.sort_unstable_by_key(|(_, at, _)| *at);
        candidates.into_iter().map(|(_, _, request)| request.into()).collect()
    }

    /// The first five requests about an entity that is not a source, of those that the rule allows as samples.
    pub(super) fn for_note(&self, kind: EntityKind, rule: &Rule, hit: &Hit) -> Vec<Sample> {
        let (names, trail) = (&self.trail.collector().names, &self.trail.collector().trail);
        let (names, numbers): (&Names, _) = match kind {
            EntityKind::Bucket => (&names.buckets, &trail.bucket),
            EntityKind::Requester => (&names.requesters, &trail.requester),
            EntityKind::Referer => (&names.referers, &trail.referer),
            EntityKind::Network => return Vec::new(),
        };
        let entity = Some(hit.entity.as_str()).filter(|entity| !entity.is_empty());
        let Some(number) = entity.and_then(|entity| names.find(entity)) else { return Vec::new() };
        let is_about = |row: &&u32| {
            let at = **row as usize;
            numbers[at] == number && is_within(trail.time[at], hit) && self.shows(rule, **row)
        };
        self.trail.order().iter().filter(is_about).take(MOST).map(|row| self.request(*row).into()).collect()
    }

    /// All requests of a source that were kept individually, in order of time.
    pub(super) fn all_of(&self, source: &str) -> Vec<Sample> {
        self.of_source(source).iter().map(|row| self.request(*row).into()).collect()
    }

    fn request(&self, row: u32) -> Request<'_> {
        let (names, trail) = (&self.trail.collector().names, &self.trail.collector().trail);
        let row = row as usize;
        Request {
            time: trail.time[row],
            bucket: text(&names.buckets, trail.bucket[row]),
            requester: text(&names.requesters, trail.requester[row]),
            operation: text(&names.operations, trail.operation[row]),
            method: text(&names.methods, trail.method[row]),
            key: trail.key.get(row).map(decoded_key),
            uri: trail.uri.get(row),
            status: trail.status[row],
            error_code: text(&names.errors, trail.error[row]),
            user_agent: text(&names.agents, trail.agent[row]),
            is_notable: Flags::of_bits(trail.flags[row]).has_any(&NOTABLE),
        }
    }
}

/// The text of a number; the empty text stands for a missing value.
fn text(names: &Names, number: u32) -> Option<&str> {
    names.text(number).filter(|text| !text.is_empty())
}

fn is_within(time: i64, hit: &Hit) -> bool {
    hit.first.is_none_or(|first| first <= time) && hit.last.is_none_or(|last| time <= last)
}

/// A request of the trail.
struct Request<'a> {
    time: i64,
    bucket: Option<&'a str>,
    requester: Option<&'a str>,
    operation: Option<&'a str>,
    method: Option<&'a str>,
    key: Option<Cow<'a, str>>,
    uri: Option<&'a str>,
    status: Option<i32>,
    error_code: Option<&'a str>,
    user_agent: Option<&'a str>,
    is_notable: bool,
}

impl Request<'_> {
    /// Sort key: lower ranks are better samples.
    fn rank(&self, hit: &Hit) -> usize {
        let named = |text: Option<&str>| text.is_some_and(|text| hit.evidence.iter().any(|evidence| evidence == text));
        if named(self.key.as_deref()) || named(self.uri) || named(self.operation) || named(self.user_agent) {
            return 0;
        }
        if self.is_notable { 1 } else { 2 }
    }
}

impl From<Request<'_>> for Sample {
    fn from(request: Request<'_>) -> Self {
        let owned = |text: Option<&str>| text.map(str::to_owned);
        Self {
            time: request.time,
            bucket: owned(request.bucket).unwrap_or_default(),
            requester: owned(request.requester),
            operation: owned(request.operation).or_else(|| owned(request.method)).unwrap_or_default(),
            key: owned(request.key.as_deref()).or_else(|| owned(request.uri)),
            status: request.status,
            error_code: owned(request.error_code),
            user_agent: owned(request.user_agent),
        }
    }
}
