//! Selects the log objects left to convert: those in the sources without those in the ledger.

use super::stable_hash::stable_hash;
use super::stop::Stop;
use crate::dataset::{Owner, Place, Source, SourceVersion, State};
use crate::error::{Error, ErrorKind};
use crate::scan::{ByteSource, LogObject, ObjectVersion, Progress, Times, Unopened, micros};
use crate::schema::Table;
use crate::session::Session;
use crate::table::{FullNames, Listed, name_in_ledger};
use futures::StreamExt as _;
use futures::stream::BoxStream;
use s3log_parser::{CdnObjectKey, LogObjectKey};
use std::collections::{BTreeMap, HashSet, VecDeque};
use std::str::FromStr;
use std::sync::Arc;

/// Maximum number of changed objects to name; the rest is only counted.
const NAMED: usize = 100;

/// One of several runners that divide the log objects by name: `2/4` is the second of four.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard {
    index: u32,
    count: u32,
}

impl FromStr for Shard {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let parts = text.split_once('/').and_then(|(index, count)| Some((index.parse().ok()?, count.parse().ok()?)));
        match parts {
            Some((index, count)) if 1 <= index && index <= count => Ok(Self { index, count }),
            _ => Err(Error::invalid(format!("`{text}` is not a shard"))
                .with_hint("the second of four is 2/4; the first is 1/4, the last 4/4")),
        }
    }
}

impl std::fmt::Display for Shard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.index, self.count)
    }
}

impl Shard {
    /// Whether a log object belongs to this shard.
    fn takes(self, name: &str) -> bool {
        stable_hash(name) % u64::from(self.count) == u64::from(self.index - 1)
    }
}

/// A log object to convert.
#[derive(Clone, Debug)]
pub(super) struct Candidate {
    pub(super) source: Source,
    pub(super) unopened: Unopened,
}

impl Candidate {
    fn is_file(&self) -> bool {
        !matches!(self.unopened.object.byte_source(), ByteSource::Bucket(..))
    }
}

/// Log objects that a run skipped, by reason.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Skipped {
    /// Log objects whose records are in the dataset.
    pub converted: u64,
    /// Their size, in bytes as stored.
    pub converted_bytes: u64,
    /// Log objects of other shards.
    pub other_shards: u64,
    /// Log objects that other runners are converting, by runner.
    pub claimed: BTreeMap<String, u64>,
    /// The names of some log objects that were overwritten since they were converted.
    pub changed: Vec<String>,
    /// Number of log objects that were overwritten since they were converted.
    pub changed_count: u64,
}

/// The log objects of a session, in the order in which they are found.
pub(super) struct Candidates {
    local: std::vec::IntoIter<Listed>,
    names: FullNames,
    pages: BoxStream<'static, Result<Vec<Unopened>, crate::scan::ListError>>,
    /// Recognises files written by the conversion, by name.
    is_own: Box<dyn Fn(&str) -> bool + Send + Sync>,
    listed: Arc<Progress>,
    progress: Arc<Progress>,
}

impl Candidates {
    /// Lists the log objects that may contain records of the session's times, without those that `is_own` recognises.
    pub(super) fn list(
        session: &Session,
        is_own: impl Fn(&str) -> bool + Send + Sync + 'static,
    ) -> Result<Self, Error> {
        let table = session.log_table(Table::Logs);
        let times: Times = table.object_times();
        let mut sources = table.sources();
        // Listed objects may not be read at all, so they do not count in the session's progress.
        let listed = Arc::new(Progress::default());
        sources.progress = Some(Arc::clone(&listed));
        let (files, pruned) = sources.files(&times);
        let local: Vec<Listed> = files.into_iter().cloned().collect();
        if local.iter().any(|listed| listed.path.is_none()) {
            return Err(no_standard_input());
        }
        let progress = Arc::clone(session.progress());
        listed.pruned(pruned);
        Ok(Self {
            local: local.into_iter(),
            names: FullNames::default(),
            pages: sources.list_all(&times),
            is_own: Box::new(is_own),
            listed,
            progress,
        })
    }

    /// Number of log objects ruled out by their names, given the times of the session.
    fn pruned(&self) -> u64 {
        self.listed.snapshot().pruned
    }

    /// The next log objects; `None` at the end.
    async fn next(&mut self) -> Result<Option<Vec<Candidate>>, Error> {
        const AT_ONCE: usize = 1_000;
        let is_own = &self.is_own;
        if !self.local.as_slice().is_empty() {
            let mut found = Vec::with_capacity(AT_ONCE.min(self.local.len()));
            for listed in self.local.by_ref().take(AT_ONCE) {
                let Some(full) = listed.path.as_ref().map(|path| self.names.of(path)) else { continue };
                if is_own(&full.to_string_lossy()) {
                    continue;
                }
                match name_in_ledger(&full) {
                    Some(name) => found.extend(candidate_of_file(listed, name.to_owned())),
                    // Its name for display would be that of other such files, too.
                    None => self.progress.failed(format!("{full:?}").trim_matches('"'), &no_unicode()),
                }
            }
            return Ok(Some(found));
        }
        match self.pages.next().await {
            None => Ok(None),
            Some(Ok(page)) => {
                let found = page.into_iter().filter_map(candidate_of_object);
                Ok(Some(found.filter(|one| !is_own(&one.source.name)).collect()))
            }
            Some(Err(failed)) if failed.is_fatal => Err(failed.error),
            Some(Err(failed)) => {
                let name = failed.error.object().unwrap_or_default().to_owned();
                self.progress.failed(&name, &failed.error);
                Ok(Some(Vec::new()))
            }
        }
    }
}

/// The error for the source `-`.
fn no_standard_input() -> Error {
    Error::new(ErrorKind::Unsupported, "standard input cannot be converted, because a later run could not recognize it")
        .with_hint(INTO_A_FILE)
}

const INTO_A_FILE: &str = "save it to a file first";

/// Log objects are recognised by name in later runs, so the name must refer to the same file again. This rejects pipes,
/// devices and sockets, as well as open files that have no name any more.
pub(super) fn check_name(listed: &Listed) -> Result<(), Error> {
    let Some(path) = &listed.path else { return Err(no_standard_input()) };
    // Special files are listed with size 0, so only few files are checked.
    let is_special = listed.size == 0 && path.metadata().is_ok_and(|metadata| !metadata.is_file());
    // `/dev/stdin` and the like are accepted if they refer to a file that still exists.
    let is_nameless = || (path.starts_with("/dev") || path.starts_with("/proc")) && path.canonicalize().is_err();
    if is_special || is_nameless() {
        return Err(Error::new(
            ErrorKind::Unsupported,
            "only regular files can be converted, because a later run could not recognize others",
        )
        .in_object(listed.object.name().to_string())
        .with_hint(INTO_A_FILE));
    }
    Ok(())
}

/// The error for a file that the ledger cannot name.
fn no_unicode() -> Error {
    Error::new(ErrorKind::Unsupported, "its name is not UTF-8, so a later run could not recognize it")
        .with_hint("rename it")
}

fn candidate_of_file(listed: Listed, name: String) -> Option<Candidate> {
    let path = listed.path?;
    let modified = micros(listed.modified);
    let version = SourceVersion { size: listed.size, modified, e_tag: None };
    let pinned = ObjectVersion { modified, e_tag: None, is_pinned: true, is_archived: false };
    let object = LogObject::file(Arc::clone(listed.object.name()), path).with_version(pinned);
    let source = Source { name, version };
    Some(Candidate { source, unopened: Unopened { object, size: listed.size, range: None } })
}

fn candidate_of_object(unopened: Unopened) -> Option<Candidate> {
    let ByteSource::Bucket(..) = unopened.object.byte_source() else { return None };
    let listed = unopened.object.version()?.clone();
    let name = unopened.object.name().to_string();
    let version = SourceVersion { size: unopened.size, modified: listed.modified, e_tag: listed.e_tag.clone() };
    let object = unopened.object.with_version(ObjectVersion { is_pinned: true, ..listed });
    Some(Candidate { source: Source { name, version }, unopened: Unopened { object, ..unopened } })
}

/// Forms batches of candidates that are not in the ledger.
pub(super) struct Selection {
    candidates: Candidates,
    shard: Option<Shard>,
    lookup: crate::dataset::Lookup<Owner>,
    /// The lists that `lookup` covers.
    known: Arc<HashSet<String>>,
    pub(super) skipped: Skipped,
    /// Number of archived log objects that are not in the ledger.
    archived: u64,
    /// Candidates not looked up yet.
    found: VecDeque<Candidate>,
    waiting: VecDeque<Candidate>,
    /// Names of files in earlier batches. Objects in buckets are listed once and in order; there may be too many to
    /// keep their names.
    taken: HashSet<String>,
    is_over: bool,
    stop: Stop,
}

impl Selection {
    pub(super) fn new(candidates: Candidates, state: &State, shard: Option<Shard>, stop: &Stop) -> Self {
        Self {
            candidates,
            shard,
            lookup: state.lookup(),
            known: Arc::new(lists_of(state)),
            skipped: Skipped::default(),
            archived: 0,
            found: VecDeque::new(),
            waiting: VecDeque::new(),
            taken: HashSet::new(),
            is_over: false,
            stop: stop.clone(),
        }
    }

    /// The next batch of at most `objects` objects and about `bytes` bytes, sorted by the time in their names; empty if
    /// nothing is left. Incomplete once the run is told to stop: there may be millions to look up. After an error, the
    /// next call returns the same candidates.
    pub(super) async fn batch(&mut self, place: &Place, objects: u64, bytes: u64) -> Result<Vec<Candidate>, Error> {
        let mut batch = Vec::new();
        if let Err(error) = self.fill(&mut batch, place, objects, bytes).await {
            self.give_back(&batch);
            for candidate in batch.into_iter().rev() {
                self.waiting.push_front(candidate);
            }
            return Err(error);
        }
        sort_by_time(&mut batch);
        Ok(batch)
    }

    async fn fill(&mut self, batch: &mut Vec<Candidate>, place: &Place, objects: u64, bytes: u64) -> Result<(), Error> {
        let mut total = 0_u64;
        while (batch.len() as u64) < objects && !self.stop.is_told() {
            let Some(candidate) = self.waiting.pop_front() else {
                if self.is_over && self.found.is_empty() {
                    break;
                }
                if self.found.is_empty() && !self.is_over {
                    match self.candidates.next().await? {
                        Some(found) => self.found.extend(found),
                        None => self.is_over = true,
                    }
                }
                self.sift(place).await?;
                continue;
            };
            let size = candidate.unopened.size;
            if !batch.is_empty() && total.saturating_add(size) > bytes {
                self.waiting.push_front(candidate);
                break;
            }
            if candidate.is_file() && !self.taken.insert(candidate.source.name.clone()) {
                continue;
            }
            total += size;
            batch.push(candidate);
        }
        Ok(())
    }

    /// Allows later batches to take these candidates.
    fn give_back(&mut self, batch: &[Candidate]) {
        for candidate in batch {
            self.taken.remove(&candidate.source.name);
        }
    }

    /// Looks up the candidates that were found. After an error, the remaining ones are still there.
    async fn sift(&mut self, place: &Place) -> Result<(), Error> {
        while let Some(candidate) = self.found.pop_front() {
            if self.shard.is_some_and(|shard| !shard.takes(&candidate.source.name)) {
                self.skipped.other_shards += 1;
                continue;
            }
            match self.is_new(place, &candidate.source).await {
                Ok(true) if candidate.unopened.object.is_archived() => self.archived += 1,
                Ok(true) => self.waiting.push_back(candidate),
                Ok(false) => {}
                Err(error) => {
                    self.found.push_front(candidate);
                    return Err(error);
                }
            }
        }
        Ok(())
    }

    async fn is_new(&mut self, place: &Place, source: &Source) -> Result<bool, Error> {
        match self.lookup.find(place, &source.name).await? {
            None => Ok(true),
            Some((_, Owner::Claimed(runner))) => {
                *self.skipped.claimed.entry(runner.to_string()).or_default() += 1;
                Ok(false)
            }
            Some((version, Owner::Converted)) if version.is(&source.version) => {
                self.skipped.converted += 1;
                self.skipped.converted_bytes += source.version.size;
                Ok(false)
            }
            Some((_, Owner::Converted)) => {
                self.skipped.changed_count += 1;
                if self.skipped.changed.len() < NAMED {
                    self.skipped.changed.push(source.name.clone());
                }
                Ok(false)
            }
        }
    }

    /// Number of archived log objects that are not converted, and of those ruled out by their names, given the times of
    /// the session.
    pub(super) fn left_out(&self) -> (u64, u64) {
        (self.archived, self.candidates.pruned())
    }

    /// A predicate that tells whether a state contains only lists that were looked at.
    pub(super) fn up_to_date(&self) -> impl Fn(&State) -> bool + Send + Sync + 'static {
        let known = Arc::clone(&self.known);
        move |state| lists_of(state).is_subset(&known)
    }

    /// Starts over with the current state. The candidates of a batch that was not begun are looked up again.
    pub(super) fn look_again(&mut self, state: &State, batch: Vec<Candidate>) {
        self.lookup = state.lookup();
        self.known = Arc::new(lists_of(state));
        self.give_back(&batch);
        for candidate in self.waiting.drain(..).rev().chain(batch.into_iter().rev()) {
            self.found.push_front(candidate);
        }
    }

    /// Marks the list of an own batch as known: its objects are not selected again anyway.
    pub(super) fn knows(&mut self, path: &str) {
        Arc::make_mut(&mut self.known).insert(path.to_owned());
    }
}

fn lists_of(state: &State) -> HashSet<String> {
    state.source_lists().map(|list| list.path.clone()).collect()
}

/// Records of similar times are mostly in objects named by similar times.
fn sort_by_time(batch: &mut [Candidate]) {
    batch.sort_by_cached_key(|candidate| {
        let name = &candidate.source.name;
        let cdn = || CdnObjectKey::parse(name).map(|key| key.seconds());
        (LogObjectKey::parse(name).map(|key| key.seconds()).or_else(cdn), name.clone())
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::SourceList;
    use crate::session::SessionOptions;

    /// The selection over this many files in a directory, which the caller must keep.
    async fn selection(files: usize) -> (tempfile::TempDir, Place, Selection) {
        let directory = tempfile::tempdir().unwrap();
        for number in 0..files {
            std::fs::write(directory.path().join(format!("{number:04}")), "x").unwrap();
        }
        selection_of(directory).await
    }

    async fn selection_of(directory: tempfile::TempDir) -> (tempfile::TempDir, Place, Selection) {
        let source = directory.path().display().to_string();
        let session = Session::open(std::slice::from_ref(&source), SessionOptions::default()).await.unwrap();
        let place = Place::resolve(&source, session.stores()).await.unwrap();
        let candidates = Candidates::list(&session, |_| false).unwrap();
        (directory, place, Selection::new(candidates, &State::default(), None, &Stop::new()))
    }

    #[tokio::test]
    async fn nothing_is_selected_once_it_is_told_to_stop() {
        let (_kept, place, mut selection) = selection(3).await;
        selection.stop.soon();
        assert!(selection.batch(&place, 9, 100).await.unwrap().is_empty());
        assert!(selection.candidates.local.len() == 3, "nothing was looked up");
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn names_that_the_ledger_cannot_tell_apart_are_reported() {
        use std::os::unix::ffi::OsStrExt as _;
        let directory = tempfile::tempdir().unwrap();
        for name in [&b"acc-\xe4.log"[..], b"acc-\xf6.log", "acc-ä.log".as_bytes()] {
            std::fs::write(directory.path().join(std::ffi::OsStr::from_bytes(name)), "x").unwrap();
        }
        let (_kept, place, mut selection) = selection_of(directory).await;
        assert_eq!(names(&selection.batch(&place, 9, 100).await.unwrap()), ["acc-ä.log"]);
        let unreadable = selection.candidates.progress.unreadable();
        let names: Vec<&str> = unreadable.iter().map(|one| one.object.rsplit('/').next().unwrap()).collect();
        assert_eq!(names, [r"acc-\xE4.log", r"acc-\xF6.log"]);
    }

    fn names(batch: &[Candidate]) -> Vec<&str> {
        batch.iter().map(|candidate| candidate.source.name.rsplit('/').next().unwrap()).collect()
    }

    #[tokio::test]
    async fn a_file_is_taken_once() {
        let (_kept, place, mut selection) = selection(3).await;
        let listed: Vec<Listed> = selection.candidates.local.as_slice().to_vec();
        selection.candidates.local = [&listed[..], &listed[..], &listed[..]].concat().into_iter();
        let batch = selection.batch(&place, 2, 100).await.unwrap();
        assert_eq!(names(&batch), ["0000", "0001"]);
        // The batch was not begun after all.
        selection.look_again(&State::default(), batch);
        let batch = selection.batch(&place, 2, 100).await.unwrap();
        assert_eq!(names(&batch), ["0000", "0001"]);
        assert_eq!(names(&selection.batch(&place, 9, 100).await.unwrap()), ["0002"]);
        assert!(selection.batch(&place, 9, 100).await.unwrap().is_empty());
    }

    #[tokio::test]
    async fn an_error_loses_nothing() {
        let (directory, place, mut selection) = selection(1_010).await;
        // Another runner has merged a list, which is gone. What it may contain comes after candidates already in the
        // batch.
        let name = |number: &str| directory.path().canonicalize().unwrap().join(number).display().to_string();
        let (first, last) = (name("1005"), name("1006"));
        let path = "_s3log/sources/gone.parquet".to_owned();
        let list = SourceList { path, file_bytes: 9, objects: 2, bytes: 2, first, last };
        let state = State { converted: vec![list], ..State::default() };
        selection.look_again(&state, Vec::new());
        selection.batch(&place, 2_000, 10_000).await.unwrap_err();
        selection.look_again(&State::default(), Vec::new());
        let batch = selection.batch(&place, 2_000, 10_000).await.unwrap();
        assert_eq!(batch.len(), 1_010);
        assert_eq!(names(&batch[..2]), ["0000", "0001"]);
    }

    #[test]
    fn shards_share_everything_out() {
        let shards: Vec<Shard> = (1..=4).map(|index| format!("{index}/4").parse().unwrap()).collect();
        let mut counts = [0; 4];
        for number in 0..4_000 {
            let name = format!("s3://logs/2026-01-15-10-{:02}-00-{number:016X}", number % 60);
            let takers: Vec<_> = (0..4).filter(|shard| shards[*shard].takes(&name)).collect();
            assert_eq!(takers.len(), 1, "{name}");
            counts[takers[0]] += 1;
        }
        assert!(counts.iter().all(|count| (800..1_200).contains(count)), "{counts:?}");
        for wrong in ["0/4", "5/4", "1", "1/0", "a/b", "-1/4", ""] {
            assert!(wrong.parse::<Shard>().is_err(), "{wrong}");
        }
        assert_eq!(shards[1].to_string(), "2/4");
    }

    /// Including names that only differ at the end.
    #[test]
    fn shards_of_names_of_any_kind_are_about_even() {
        let kinds: [fn(u32) -> String; 6] = [
            |number| format!("/logs/x{number:04}"),
            |number| format!("/logs/part-{number:05}"),
            |number| format!("/var/log/access.log.{number}"),
            |number| format!("s3://logs/access/{number}.gz"),
            |number| format!("s3://logs/2026-01-15-10-{:02}-00-{number:016X}", number % 60),
            |number| format!("s3://logs/1234/eu-west-1/b/2026/01/15/2026-01-15-10-{:02}-00-{number:016X}", number % 60),
        ];
        for kind in kinds {
            for count in [2, 4] {
                let mut takes = vec![0; count as usize];
                for name in (0..400).map(kind) {
                    let is_taken = |index: &u32| Shard { index: index + 1, count }.takes(&name);
                    takes[(0..count).find(is_taken).unwrap() as usize] += 1;
                }
                let share = 400 / count;
                let is_even = |taken: &u32| (share / 2..=share * 2).contains(taken);
                assert!(takes.iter().all(is_even), "{} of {count}: {takes:?}", kind(0));
            }
        }
    }
}
