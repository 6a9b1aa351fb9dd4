//! Who signed requests, and from where.

use super::Renamings;
use super::event::{Event, Flags, widen};
use super::kept::Kept;
use super::names::renamed;
use super::sketch::Distinct;
use crate::detect::facts::OpClass;
use datafusion::common::{HashMap, HashSet};

/// From how many sources on nobody asks whether a requester is new at one of them: fleets come and go.
pub(crate) const ELASTIC: usize = 200;

/// How many different keys a day are counted exactly.
const KEYS: usize = 256;

/// Requests of one requester from one source on one day.
#[derive(Debug, Default)]
pub(crate) struct PairDay {
    pub first: i64,
    pub last: i64,
    pub requests: u64,
    pub reads: u64,
    pub lists: u64,
    pub version_lists: u64,
    pub writes: u64,
    pub deletes: u64,
    /// Requests of batches of deletions, and deletions of batches that have a record of their own.
    pub delete_requests: u64,
    pub batch_lines: u64,
    pub config_writes: u64,
    pub denied: u64,
    /// Those of them that were about no object: listings, configuration.
    pub denied_tries: u64,
    pub copies: u64,
    /// Objects that were read to be copied; where the copy's target is in the log, it is one of `copies`, too.
    pub copy_sources: u64,
    /// Requests whose signature stood in the URL.
    pub presigned: u64,
    /// Uploads of parts that were begun, and that were put together or given up.
    pub uploads_begun: u64,
    pub uploads_ended: u64,
    /// Reads of a version by its id.
    pub version_reads: u64,
    pub bytes_sent: u64,
    /// Operations that read the configuration.
    pub config_reads: HashSet<u32>,
    /// All operations.
    pub operations: HashSet<u32>,
    pub buckets: HashSet<u32>,
    /// Families of user agents.
    pub families: HashSet<u32>,
    pub keys: Distinct<64>,
    /// A few ordinary requests, to be shown.
    pub kept: Kept,
}

impl PairDay {
    fn add(&mut self, event: &Event<'_>) {
        widen(&mut self.first, &mut self.last, self.requests == 0, event.time, event.time);
        self.requests += 1;
        self.bytes_sent += event.bytes_sent.unwrap_or_default();
        self.denied += u64::from(event.flags.has(Flags::DENIED));
        self.denied_tries += u64::from(event.flags.has(Flags::DENIED) && !event.class.is_object());
        self.buckets.insert(event.bucket);
        self.families.insert(event.family);
        self.operations.insert(event.operation);
        let ok = event.flags.has(Flags::OK);
        let counts = |flag: Flags| u64::from(ok && event.flags.has(flag));
        self.presigned += counts(Flags::PRESIGNED);
        self.uploads_begun += counts(Flags::UPLOAD_BEGUN);
        self.uploads_ended += counts(Flags::UPLOAD_ENDED);
        self.delete_requests += counts(Flags::DELETE_REQUEST);
        self.batch_lines += counts(Flags::BATCH_LINE);
        self.copy_sources += counts(Flags::COPY_SOURCE);
        match event.class {
            OpClass::ObjectRead if ok => {
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
            // A copy is two lines; the target's counts.
            OpClass::Copy => self.copies += u64::from(ok && !event.flags.has(Flags::COPY_SOURCE)),
            _ => {}
        }
    }

    /// Objects that were deleted; batches that the log names no objects of are one each.
    pub(crate) fn deleted(&self) -> u64 {
        self.deletes + if self.batch_lines == 0 { self.delete_requests } else { 0 }
    }

    fn merge(&mut self, other: Self, names: &Renamings) {
        widen(&mut self.first, &mut self.last, self.requests == 0, other.first, other.last);
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

/// All that is known of one requester.
#[derive(Debug, Default)]
pub(crate) struct Requester {
    pub first: i64,
    pub last: i64,
    pub requests: u64,
    /// Its sources, up to [`ELASTIC`] and one more.
    pub sources: HashSet<u32>,
}

impl Requester {
    /// Whether it has more sources than anybody would call its own.
    pub(crate) fn is_elastic(&self) -> bool {
        self.sources.len() > ELASTIC
    }

    fn has_source(&mut self, source: u32) {
        if !self.is_elastic() {
            self.sources.insert(source);
        }
    }
}

/// All of them.
#[derive(Debug, Default)]
pub(crate) struct Requesters {
    pub requesters: Vec<Requester>,
    pub pairs: HashMap<(u32, u32, i32), PairDay>,
    pub days: HashMap<(u32, i32), RequesterDay>,
}

impl Requesters {
    /// Counts a signed request; where to keep it, unless the requester has too many sources.
    pub(crate) fn add(&mut self, event: &Event<'_>) -> Option<&mut Kept> {
        let day = self.days.entry((event.requester, event.day())).or_default();
        day.requests += 1;
        day.bytes_sent += event.bytes_sent.unwrap_or_default();
        day.sources.add(event.source_hash);
        if event.class == OpClass::ObjectRead && event.flags.has(Flags::OK) {
            day.keys.add(event.key_hash);
        }
        let requester = self.requester(event.requester);
        widen(&mut requester.first, &mut requester.last, requester.requests == 0, event.time, event.time);
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
            widen(&mut mine.first, &mut mine.last, mine.requests == 0, theirs.first, theirs.last);
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

    /// Forgets what pairs of requesters with too many sources did: it was counted only until that was known, and is no figure.
    pub(crate) fn settle(&mut self) {
        let requesters = &self.requesters;
        self.pairs.retain(|(requester, _, _), _| {
            requesters.get(*requester as usize).is_some_and(|requester| !requester.is_elastic())
        });
    }
}
