//! The ledger: the state of a dataset, accumulated from the records in `record.rs`.
//!
//! Records are applied in the order of their numbers, starting from the last checkpoint. A commit takes effect only
//! while its batch is open; an abandoned batch stays abandoned. All readers of the same records arrive at the same
//! state.

use super::lookup::Lookup;
use super::place::Place;
use super::record::{
    Abandon, BatchCounts, Begin, Commit, DataFile, Entry, LEDGER_VERSION, LOG, Record, SourceList, Swept, Work,
    later_version,
};
use crate::error::{Error, ErrorKind};
use crate::store::PutNew;
use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

/// The folder of checkpoints: `_s3log/checkpoints/000000000128.json` is the state after record 128.
pub(crate) const CHECKPOINTS: &str = "_s3log/checkpoints";

/// Maximum number of concurrent reads of records.
const AT_ONCE: usize = 16;
/// Attempts to write a record while the outcome is unknown.
const ATTEMPTS: u32 = 8;

/// The state of a dataset after a number of records.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct State {
    /// The number of the last record applied.
    pub(crate) number: u64,
    /// The files of the dataset, by path.
    pub(crate) files: BTreeMap<String, DataFile>,
    /// Totals over all committed batches.
    pub(crate) totals: BatchCounts,
    /// Number of committed batches.
    pub(crate) batches: u64,
    /// Lists of converted log objects.
    pub(crate) converted: Vec<SourceList>,
    /// Batches begun, and neither committed nor abandoned. Their runners may be gone.
    pub(crate) open: BTreeMap<String, OpenBatch>,
    /// Abandoned batches, whose files may still exist.
    pub(crate) abandoned: BTreeMap<String, OpenBatch>,
    /// Replaced files that may not have been moved away yet, by the batch that replaced them.
    pub(crate) unswept: BTreeMap<String, Unswept>,
    /// The sources of all converted log objects, as they were named.
    #[serde(default)]
    pub(crate) origins: BTreeSet<String>,
    /// Files of rejects, by the place they are in.
    #[serde(default)]
    pub(crate) reject_files: BTreeMap<String, Vec<DataFile>>,
}

/// A batch that was begun.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct OpenBatch {
    pub(crate) runner: String,
    /// When it was begun, in RFC 3339.
    pub(crate) at: String,
    pub(crate) work: Work,
}

/// The files that a batch replaced.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Unswept {
    pub(crate) runner: String,
    pub(crate) files: Vec<String>,
}

/// The status of the log objects in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Owner {
    /// Their records are in the dataset.
    Converted,
    /// This runner is converting them.
    Claimed(Arc<str>),
}

#[derive(Serialize, Deserialize)]
struct Checkpoint {
    version: u32,
    state: State,
    /// Lists that were replaced by others in this checkpoint. Readers of the previous one may still open them.
    #[serde(default)]
    replaced: Vec<String>,
}

impl State {
    /// Applies the next record.
    pub(crate) fn apply(&mut self, record: Record) {
        self.number += 1;
        let Record { runner, at, entry, .. } = record;
        match entry {
            Entry::Begin(Begin { batch, work }) => {
                self.open.insert(batch, OpenBatch { runner, at, work });
            }
            Entry::Commit(commit) => {
                if let Some(open) = self.open.remove(&commit.batch) {
                    self.commit(commit, open);
                }
            }
            Entry::Abandon(Abandon { batch, .. }) => {
                if let Some(open) = self.open.remove(&batch) {
                    self.abandoned.insert(batch, open);
                }
            }
            Entry::Swept(Swept { batch }) => {
                self.unswept.remove(&batch);
            }
        }
    }

    fn commit(&mut self, commit: Commit, open: OpenBatch) {
        let Commit { batch, files, reject_files, counts, sources } = commit;
        self.batches += 1;
        self.files.extend(files.into_iter().map(|file| (file.path.clone(), file)));
        match open.work {
            Work::Convert { sources: begun, from, rejects, .. } => {
                self.totals += counts;
                self.origins.extend(from);
                let converted = sources.unwrap_or(begun);
                if converted.objects > 0 {
                    self.converted.push(converted);
                }
                if let Some(place) = rejects {
                    self.reject_files.entry(place).or_default().extend(reject_files);
                }
            }
            Work::Compact { files } => {
                for path in &files {
                    self.files.remove(path);
                }
                self.unswept.insert(batch, Unswept { runner: open.runner, files });
            }
        }
    }

    /// The number of rows in the dataset.
    pub(crate) fn rows(&self) -> u64 {
        self.files.values().map(|file| file.rows).sum()
    }

    /// Lists of log objects that are converted or being converted.
    pub(crate) fn source_lists(&self) -> impl Iterator<Item = &SourceList> {
        self.converted.iter().chain(self.claims().map(|(list, _)| list))
    }

    fn claims(&self) -> impl Iterator<Item = (&SourceList, &OpenBatch)> {
        self.open.values().filter_map(|open| match &open.work {
            Work::Convert { sources, .. } => Some((sources, open)),
            Work::Compact { .. } => None,
        })
    }

    /// A lookup over these lists.
    pub(crate) fn lookup(&self) -> Lookup<Owner> {
        let converted = self.converted.iter().map(|list| (list.clone(), Owner::Converted));
        let claimed = self.claims().map(|(list, open)| (list.clone(), Owner::Claimed(Arc::from(open.runner.as_str()))));
        Lookup::new(converted.chain(claimed).collect())
    }
}

/// The ledger of a dataset, as far as it has been read.
#[derive(Debug)]
pub(crate) struct Ledger {
    pub(crate) place: Place,
    pub(crate) state: State,
    /// The number of the checkpoint that it was loaded from; 0 without one.
    pub(crate) checkpoint: u64,
    /// Lists that the checkpoint replaced.
    replaced: Vec<String>,
    /// Number of records written by this instance.
    written: u64,
}

/// Checks whether a record may still be written on top of the given state.
pub(crate) type StillRight<'a> = &'a (dyn Fn(&State) -> Result<(), Error> + Sync);

impl Ledger {
    /// The ledger of a dataset that does not exist yet.
    pub(crate) fn empty(place: &Place) -> Self {
        Self { place: place.clone(), state: State::default(), checkpoint: 0, replaced: Vec::new(), written: 0 }
    }

    /// Loads the last checkpoint and applies the records after it.
    pub(crate) async fn load(place: &Place) -> Result<Self, Error> {
        let checkpoints = place.list(&format!("{CHECKPOINTS}/"), None).await?;
        let mut ledger = Self::empty(place);
        if let Some(last) = checkpoints.last() {
            let damaged = |error: Error| error.in_object(place.name_of(&last.path));
            let bytes = place.get(&last.path).await?.ok_or_else(|| damaged(changed()))?;
            let Checkpoint { state, replaced, .. } = parse_checkpoint(&bytes).map_err(damaged)?;
            (ledger.checkpoint, ledger.state, ledger.replaced) = (state.number, state, replaced);
        }
        ledger.refresh().await?;
        Ok(ledger)
    }

    /// Whether readers of the previous checkpoint may still open a list that is no longer referenced.
    pub(crate) fn is_still_read(&self, list: &str) -> bool {
        self.replaced.iter().any(|path| path == list)
    }

    /// Loads everything again, starting from the last checkpoint: other runners may have merged lists of log objects.
    pub(crate) async fn reload(&mut self) -> Result<(), Error> {
        let written = self.written;
        *self = Self { written, ..Self::load(&self.place).await? };
        Ok(())
    }

    /// Applies the records written since the last read.
    pub(crate) async fn refresh(&mut self) -> Result<(), Error> {
        let behind = Record::path(self.state.number);
        let entries = self.place.list(&format!("{LOG}/"), Some(&behind)).await?;
        self.apply_all(entries.iter().filter_map(|entry| Record::number(&entry.path)).collect()).await
    }

    /// Applies the records with these numbers, and those missing between them: a directory is not listed as of one
    /// moment, so a record may be in the list, and the one that was written just before it may not.
    async fn apply_all(&mut self, numbers: Vec<u64>) -> Result<(), Error> {
        let place = &self.place;
        let mut records = futures::stream::iter(numbers)
            .map(|number| async move { read(place, number).await.map(|record| (number, record)) })
            .buffered(AT_ONCE);
        let state = &mut self.state;
        while let Some((number, record)) = records.try_next().await? {
            while state.number + 1 < number {
                let missed = read(place, state.number + 1).await?;
                state.apply(missed.ok_or_else(|| lacks(place, state.number + 1))?);
            }
            state.apply(record.ok_or_else(|| lacks(place, number))?);
        }
        Ok(())
    }

    /// Whether another runner has written a checkpoint since this ledger was loaded.
    pub(crate) async fn has_later_checkpoint(&self) -> Result<bool, Error> {
        let behind = checkpoint_path(self.checkpoint);
        Ok(!self.place.list(&format!("{CHECKPOINTS}/"), Some(&behind)).await?.is_empty())
    }

    /// Writes the next record. `still_right` is checked for every record number that is tried.
    ///
    /// # Errors
    ///
    /// An error of `still_right` means that nothing was written. After any other error the record may exist, or appear
    /// later.
    pub(crate) async fn append(
        &mut self,
        runner: &str,
        at: String,
        entry: Entry,
        still_right: StillRight<'_>,
    ) -> Result<(), Error> {
        self.written += 1;
        let id = format!("{runner}-r{}", self.written);
        let record = Record { version: LEDGER_VERSION, id, at, runner: runner.to_owned(), entry };
        let bytes = serde_json::to_vec(&record)
            .map_err(|error| Error::new(ErrorKind::Internal, "a record cannot be written down").with_source(error))?;
        let mut attempt = 0;
        // A put of this record that failed and may still arrive at this number. Until the number is taken, no other may
        // be tried.
        let mut may_come = None;
        loop {
            if may_come.is_none() {
                still_right(&self.state)?;
            }
            let number = self.state.number + 1;
            let put = self.place.put_new(&Record::path(number), bytes.clone().into()).await;
            match put {
                Ok(PutNew::Done) => {
                    self.state.apply(record);
                    return Ok(());
                }
                // It may be our own record: the response to a first attempt may have been lost.
                Ok(PutNew::Exists) => {}
                Err(error) => may_come = Some(error),
            }
            match (read(&self.place, number).await?, may_come.take()) {
                (Some(there), _) => {
                    let is_mine = there.id == record.id;
                    self.state.apply(there);
                    if is_mine {
                        return Ok(());
                    }
                    attempt = 0;
                    self.refresh().await?;
                }
                (None, Some(error)) if attempt < ATTEMPTS => {
                    attempt += 1;
                    may_come = Some(error);
                    tokio::time::sleep(Duration::from_millis(50 << attempt)).await;
                }
                (None, Some(error)) => return Err(error),
                (None, None) => {
                    attempt += 1;
                    if attempt >= ATTEMPTS {
                        return Err(Error::new(
                            ErrorKind::Unsupported,
                            "the store reports that an object exists, but does not return it",
                        )
                        .in_object(self.place.name_of(&Record::path(number))));
                    }
                    tokio::time::sleep(Duration::from_millis(50 << attempt)).await;
                }
            }
        }
    }

    /// Writes the current state as a checkpoint, so that earlier records need not be read. `lists` replaces
    /// [`State::converted`], after merging. Returns `false` if another runner wrote a checkpoint of this number first.
    ///
    /// The ledger must have been reloaded immediately before: lists that a later checkpoint replaced are deleted, so a
    /// checkpoint must not build on an earlier one.
    ///
    /// # Errors
    ///
    /// After an error the checkpoint may exist, or appear later: `lists` must be kept.
    pub(crate) async fn write_checkpoint(&mut self, lists: Vec<SourceList>) -> Result<bool, Error> {
        let mut state = self.state.clone();
        let replaced: Vec<_> = state
            .converted
            .iter()
            .filter(|list| !lists.iter().any(|kept| kept.path == list.path))
            .map(|list| list.path.clone())
            .collect();
        state.converted.clone_from(&lists);
        let checkpoint = Checkpoint { version: LEDGER_VERSION, state, replaced: replaced.clone() };
        let bytes = serde_json::to_vec(&checkpoint).map_err(|error| {
            Error::new(ErrorKind::Internal, "a checkpoint cannot be written down").with_source(error)
        })?;
        let (path, bytes) = (checkpoint_path(self.state.number), Bytes::from(bytes));
        let mut attempt = 0;
        loop {
            let put = self.place.put_new(&path, bytes.clone()).await;
            if matches!(put, Ok(PutNew::Done)) {
                break;
            }
            // It may be our own checkpoint: the response to a first attempt may have been lost.
            match (self.place.get(&path).await?, put) {
                (Some(there), _) if there == bytes => break,
                (Some(_), _) => return Ok(false),
                (None, Err(error)) => return Err(error),
                // Of two concurrent puts a store may reject both.
                (None, Ok(_)) if attempt < ATTEMPTS => {
                    attempt += 1;
                    tokio::time::sleep(Duration::from_millis(50 << attempt)).await;
                }
                (None, Ok(_)) => return Err(changed()),
            }
        }
        // Lists that the previous checkpoint replaced are no longer read.
        for path in std::mem::replace(&mut self.replaced, replaced) {
            self.place.delete(&path).await?;
        }
        let checkpoints = self.place.list(&format!("{CHECKPOINTS}/"), None).await?;
        let older = checkpoints.len().saturating_sub(2);
        for entry in checkpoints.into_iter().take(older) {
            self.place.delete(&entry.path).await?;
        }
        self.checkpoint = self.state.number;
        self.state.converted = lists;
        Ok(true)
    }
}

fn checkpoint_path(number: u64) -> String {
    format!("{CHECKPOINTS}/{number:012}.json")
}

fn lacks(place: &Place, number: u64) -> Error {
    Error::new(ErrorKind::Unreadable, format!("the ledger lacks its record {number}"))
        .in_object(place.name())
        .with_hint("something has removed files below `_s3log`; restore them")
}

async fn read(place: &Place, number: u64) -> Result<Option<Record>, Error> {
    let path = Record::path(number);
    let Some(bytes) = place.get(&path).await? else { return Ok(None) };
    Record::parse(&bytes).map(Some).map_err(|error| error.in_object(place.name_of(&path)))
}

fn parse_checkpoint(bytes: &[u8]) -> Result<Checkpoint, Error> {
    #[derive(Deserialize)]
    struct Head {
        version: u32,
    }
    let not_one = |error| Error::invalid("it is not a checkpoint of a ledger").with_source(error);
    let Head { version } = serde_json::from_slice(bytes).map_err(not_one)?;
    if version > LEDGER_VERSION {
        return Err(later_version(version));
    }
    serde_json::from_slice(bytes).map_err(not_one)
}

fn changed() -> Error {
    Error::new(ErrorKind::Unreadable, "the ledger changed while it was read").with_hint("run again")
}

#[cfg(test)]
mod tests;
