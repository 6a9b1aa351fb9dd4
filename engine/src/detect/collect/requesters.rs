//! Activity of requesters, by source.

use super::Renamings;
use super::event::{Event, Flags, Times};
use super::kept::Kept;
use super::names::renamed;
use super::sketch::Distinct;
use crate::detect::facts::OpClass;
use datafusion::common::{HashMap, HashSet};

/// Above this number of sources, new sources of a requester are no longer meaningful: fleets come and go.
pub(crate) const ELASTIC: usize = 200;

/// Number of distinct keys per day that are counted exactly.
const KEYS: usize = 256;

/// Requests of one requester from one source on one day.
#[derive(Debug, Default)]
pub(crate) struct PairDay {
    pub times: Times,
    pub requests: u64,
    pub reads: u64,
    pub lists: u64,
    pub version_lists: u64,
    pub writes: u64,
    pub deletes: u64,
    /// Batch delete requests, and deletions of a batch with their own record.
    pub delete_requests: u64,
    pub batch_lines: u64,
    pub config_writes: u64,
    pub denied: u64,
    /// Denied requests that were not about an object: listings, configuration.
    pub denied_tries: u64,
    pub copies: u64,
    /// Objects read as the source of a copy. If the target of the copy is in the log, it is also in `copies`.
    pub copy_sources: u64,
    /// Requests with a signature in the URL.
    pub presigned: u64,
    /// Multipart uploads started, and those completed or aborted.
    pub uploads_begun: u64,
    pub uploads_ended: u64,
    /// Reads of a version by id.
    pub version_reads: u64,
    pub bytes_sent: u64,
    /// Distinct operations that read configuration.
    pub config_reads: HashSet<u32>,
    /// All distinct operations.
    pub operations: HashSet<u32>,
    pub buckets: HashSet<u32>,
    /// Distinct families of user agents.
    pub families: HashSet<u32>,
    pub keys: Distinct<64>,
    /// A few ordinary requests, kept as samples.
    pub kept: Kept,
}

impl PairDay {
    fn add(&mut self, event: &Event<'_>) {
        self.times.add(event.time);
        self.requests += 1;
        self.bytes_sent += event.bytes_sent.unwrap_or_default();
        self.denied += u64::from(event.flags.has(Flags::DENIED));
        self.denied_tries += u64::from(event.flags.has(Flags::DENIED) && !event.class.is_object());
        self.buckets.insert(event.bucket);
        // Parts of a request that have records of their own, without its user agent.
        if !event.flags.has_any(&[Flags::BATCH_LINE, Flags::COPY_SOURCE]) {
            self.families.insert(event.family);
            self.operations.insert(event.operation);
        }
        let ok = event.flags.has(Flags::OK);
        let counts = |flag: Flags| u64::from(ok && event.flags.has(flag));
        self.presigned += counts(Flags::PRESIGNED);
        self.uploads_begun += counts(Flags::UPLOAD_BEGUN);
        self.uploads_ended += counts(Flags::UPLOAD_ENDED);
        self.delete_requests += counts(Flags::DELETE_REQUEST);
        self.batch_lines += counts(Flags::BATCH_LINE);
        self.copy_sources += counts(Flags::COPY_SOURCE);
        match event.class {
            OpClass::ObjectRead if ok && !event.flags.has(Flags::HEAD) => {
                self.reads += 1;
                self.version_reads += u64::from(event.query.is_some_and(|query| query.contains("versionId=")));
                self.keys.add(event.key_hash);
            }
            OpClass::List => {
                self.lists += 1;
                self.version_lists += u64::from(event.flags.has(Flags::VERSION_LIST));
            }
            OpClass::ObjectWrite => self.writes += u64::from(ok),
            OpClass::ObjectDelete => self.deletes += u64::from(ok && !event.flags.has(Flags::DELETE_REQUEST)),
            OpClass::ConfigRead => {
                self.config_reads.insert(event.operation);
            }
            OpClass::ConfigWrite => self.config_writes += 1,
            // A copy has two records; count the one of the target.
            OpClass::Copy => self.copies += u64::from(ok && !event.flags.has(Flags::COPY_SOURCE)),
            _ => {}
        }
    }

    /// Number of objects deleted. A batch delete whose objects are not logged counts as one.
    pub(crate) fn deleted(&self) -> u64 {
        self.deletes + if self.batch_lines == 0 { self.delete_requests } else { 0 }
    }

    fn merge(&mut self, other: Self, names: &Renamings) {
        self.times.merge(other.times);
        for (mine, more) in [
            (&mut self.requests, other.requests),
            (&mut self.reads, other.reads),
            (&mut self.lists, other.lists),
            (&mut self.version_lists, other.version_lists),
            (&mut self.writes, other.writes),
            (&mut self.deletes, other.deletes),
            (&mut self.config_writes, other.config_writes),
            (&mut self.denied, other.denied),
            (&mut self.denied_tries, other.denied_tries),
            (&mut self.copies, other.copies),
            (&mut self.copy_sources, other.copy_sources),
            (&mut self.presigned, other.presigned),
            (&mut self.uploads_begun, other.uploads_begun),
            (&mut self.uploads_ended, other.uploads_ended),
            (&mut self.version_reads, other.version_reads),
            (&mut self.delete_requests, other.delete_requests),
            (&mut self.batch_lines, other.batch_lines),
            (&mut self.bytes_sent, other.bytes_sent),
        ] {
            *mine += more;
        }
        self.config_reads.extend(other.config_reads.iter().map(|number| renamed(&names.operations, *number)));
        self.operations.extend(other.operations.iter().map(|number| renamed(&names.operations, *number)));
        self.buckets.extend(other.buckets.iter().map(|number| renamed(&names.buckets, *number)));
        self.families.extend(other.families.iter().map(|number| renamed(&names.families, *number)));
        self.keys.merge(&other.keys);
        self.kept.merge(other.kept, names.rows);
    }
}

/// Requests of one requester on one day.
#[derive(Debug, Default)]
pub(crate) struct RequesterDay {
    pub requests: u64,
    pub bytes_sent: u64,
    pub keys: Distinct<KEYS>,
    pub sources: Distinct<KEYS>,
}

/// Totals of one requester.
#[derive(Debug, Default)]
pub(crate) struct Requester {
    pub times: Times,
    pub requests: u64,
    /// Sources, up to [`ELASTIC`] and one more.
    pub sources: HashSet<u32>,
}

impl Requester {
    /// Whether it has too many sources for them to be meaningful.
    pub(crate) fn is_elastic(&self) -> bool {
        self.sources.len() > ELASTIC
    }

    fn has_source(&mut self, source: u32) {
        if !self.is_elastic() {
            self.sources.insert(source);
        }
    }
}

/// The activity of all requesters.
#[derive(Debug, Default)]
pub(crate) struct Requesters {
    pub requesters: Vec<Requester>,
    pub pairs: HashMap<(u32, u32, i32), PairDay>,
    pub days: HashMap<(u32, i32), RequesterDay>,
}

impl Requesters {
    /// Counts a signed request. Returns where to keep it, unless the requester has too many sources.
    pub(crate) fn add(&mut self, event: &Event<'_>) -> Option<&mut Kept> {
        let day = self.days.entry((event.requester, event.day())).or_default();
        day.requests += 1;
        day.bytes_sent += event.bytes_sent.unwrap_or_default();
        day.sources.add(event.source_hash);
        if event.class == OpClass::ObjectRead && event.flags.has(Flags::OK) && !event.flags.has(Flags::HEAD) {
            day.keys.add(event.key_hash);
        }
        let requester = self.requester(event.requester);
        requester.times.add(event.time);
        requester.requests += 1;
        requester.has_source(event.source);
        if requester.is_elastic() {
            return None;
        }
        let pair = self.pairs.entry((event.requester, event.source, event.day())).or_default();
        pair.add(event);
        Some(&mut pair.kept)
    }

    fn requester(&mut self, number: u32) -> &mut Requester {
        let at = number as usize;
        if at >= self.requesters.len() {
            self.requesters.resize_with(at + 1, Requester::default);
        }
        &mut self.requesters[at]
    }

    pub(crate) fn merge(&mut self, other: Self, names: &Renamings) {
        for (number, theirs) in other.requesters.into_iter().enumerate() {
            if theirs.requests == 0 {
                continue;
            }
            let mine = self.requester(renamed(&names.requesters, number as u32));
            mine.times.merge(theirs.times);
            mine.requests += theirs.requests;
            for source in theirs.sources {
                mine.has_source(renamed(&names.sources, source));
            }
        }
        for ((requester, source, day), theirs) in other.pairs {
            let key = (renamed(&names.requesters, requester), renamed(&names.sources, source), day);
            self.pairs.entry(key).or_default().merge(theirs, names);
        }
        for ((requester, day), theirs) in other.days {
            let mine = self.days.entry((renamed(&names.requesters, requester), day)).or_default();
            mine.requests += theirs.requests;
            mine.bytes_sent += theirs.bytes_sent;
            mine.keys.merge(&theirs.keys);
            mine.sources.merge(&theirs.sources);
        }
    }

    /// Drops the pairs of requesters with too many sources: they were only counted until that was known, so their
    /// figures are meaningless.
    pub(crate) fn settle(&mut self) {
        let requesters = &self.requesters;
        self.pairs.retain(|(requester, _, _), _| {
            requesters.get(*requester as usize).is_some_and(|requester| !requester.is_elastic())
        });
    }
}
