//! Compaction: small files of past days are merged into larger ones, with the same protocol as a conversion.
//!
//! A batch takes some files of one folder, merges them by time, and commits the new file in their place. The old files
//! are then moved; readers with an older snapshot find them under the new name for at least an hour.
//!
//! A merge opens as many files as fit into memory. Where that is not enough, the results are merged in further rounds.

use super::destination::Placed;
use super::files::{FileLimits, Files};
use super::kept::Kept;
use super::merge::{cannot, merge};
use super::options::ConvertOptions;
use super::parquet::{Compression, Encoders, Format};
use super::pipeline::ROW_GROUP_ROWS;
use super::privacy::PrivacyDescription;
use super::recovery::{Recovered, check_open, now, recover, sweep, take_back_own};
use super::stop::Stop;
use super::tidy::{remove_replaced, tidy};
use crate::dataset::{
    BatchCounts, Begin, Commit, DataFile, DatasetSettings, DatasetTable, Entry, Ledger, Place, Runner, RunnerName,
    State, Work,
};
use crate::error::{Error, ErrorKind};
use crate::schema::{Table, TextLayout};
use crate::session::Session;
use crate::time_units::MICROS_PER_DAY;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Options of [`compact`].
#[derive(Clone, Debug)]
pub struct CompactOptions {
    /// Only compact days that ended before this instant, in microseconds since the Unix epoch.
    pub until: i64,
    /// Target size of files, in bytes.
    pub target_size: u64,
    /// Memory budget in bytes, beside the fixed memory of encoders.
    pub memory: usize,
    /// Compression of pages, if not that of the files that are merged.
    pub compression: Option<Compression>,
    /// Columns with Bloom filters, if not those that have them in the files that are merged.
    pub bloom: Option<Vec<String>>,
    /// Only report what would be merged.
    pub dry_run: bool,
}

impl Default for CompactOptions {
    fn default() -> Self {
        let ConvertOptions { target_size, memory, .. } = ConvertOptions::default();
        Self { until: i64::MAX, target_size, memory, compression: None, bloom: None, dry_run: false }
    }
}

/// Result of a compaction.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CompactReport {
    /// Number of files replaced.
    pub replaced: u64,
    /// Their size in bytes.
    pub replaced_bytes: u64,
    /// Number of files written in their place.
    pub files: u64,
    /// Their size in bytes.
    pub file_bytes: u64,
    /// Number of rows in these files.
    pub rows: u64,
    /// Number of files that other runners are merging.
    pub claimed: u64,
    /// Number of files replaced earlier that were deleted.
    pub removed: u64,
    /// What was cleaned up after runners that are gone.
    pub recovered: Recovered,
    /// Whether the compaction was stopped before everything was merged.
    pub stopped: bool,
}

/// Files of at least the target size divided by this are left alone.
const SMALL: u64 = 2;
/// Files of at least this size are left alone, too: stores copy no larger ones, and replaced files are moved as copies.
const MOVABLE: u64 = 5 << 30;

/// Merges small files of past days.
///
/// # Errors
///
/// If there is no dataset, or it cannot be read or written. A batch is either committed as a whole or not at all.
pub async fn compact(
    session: &Session,
    dest: &str,
    options: &CompactOptions,
    stop: &Stop,
) -> Result<CompactReport, Error> {
    let place = Place::resolve(dest, session.stores()).await?;
    let Some(settings) = DatasetSettings::read(&place).await? else {
        return Err(Error::new(ErrorKind::NotFound, "there is no dataset")
            .in_object(place.name())
            .with_hint("create one with `s3log convert SOURCE --to DEST`"));
    };
    let table = settings.known_table().map_err(|error| error.in_object(place.name()))?;
    let bloom = options.bloom.clone().unwrap_or_default();
    ConvertOptions { table, bloom, ..ConvertOptions::default() }.check_bloom()?;
    let privacy = PrivacyDescription {
        redact_uri: settings.redact_uri,
        anonymize_ip: settings.anonymize_ip.parse().map_err(|error: Error| error.in_object(place.name()))?,
        key: settings.key_fingerprint,
    };
    if options.dry_run {
        let ledger = Ledger::load(&place).await?;
        let mut report = CompactReport::default();
        for group in groups(&ledger.state, options, None, &mut report.claimed) {
            report.replaced += group.len() as u64;
            report.replaced_bytes += group.iter().map(|file| file.bytes).sum::<u64>();
            report.rows += group.iter().map(|file| file.rows).sum::<u64>();
            report.files += 1;
        }
        return Ok(report);
    }
    let runner = Runner::start(&place, RunnerName::new(&now())?, &now()).await?;
    let ledger = Ledger::load(runner.place()).await?;
    let mut run = Compaction {
        session,
        options,
        table,
        privacy,
        stop,
        runner,
        ledger,
        begun: 0,
        made: BTreeSet::new(),
        is_untidy: false,
        report: CompactReport::default(),
    };
    let done = run.all().await;
    run.end(done).await
}

struct Compaction<'a> {
    session: &'a Session,
    options: &'a CompactOptions,
    table: Table,
    privacy: PrivacyDescription,
    stop: &'a Stop,
    runner: Runner,
    ledger: Ledger,
    begun: u64,
    /// Files written by this run, which it may merge again.
    made: BTreeSet<String>,
    /// Whether it may have left lists that nothing refers to.
    is_untidy: bool,
    report: CompactReport,
}

impl Compaction<'_> {
    async fn all(&mut self) -> Result<(), Error> {
        self.report.recovered = recover(&mut self.ledger, &self.runner, self.session.stores()).await?;
        // Half of the memory is for the files being read; the other half is for encoding.
        let room = Some(self.options.memory as u64 / 2);
        let mut claimed = 0;
        let mut round = groups(&self.ledger.state, self.options, room, &mut claimed);
        self.report.claimed = claimed;
        while !round.is_empty() && !self.report.stopped {
            let mut fewer = false;
            for group in round {
                if self.stop.is_now() {
                    return Err(Error::new(ErrorKind::Interrupted, "stopped"));
                }
                if self.stop.is_told() {
                    self.report.stopped = true;
                    break;
                }
                let before = group.len();
                fewer |= self.merge(group).await?.is_some_and(|files| files < before);
                let tidied = tidy(&mut self.ledger, &self.runner).await;
                self.is_untidy |= tidied.is_err();
                self.leave(tidied);
            }
            round = if fewer { groups(&self.ledger.state, self.options, room, &mut 0) } else { Vec::new() };
        }
        match remove_replaced(&self.runner).await {
            Ok(removed) => self.report.removed = removed,
            failed => self.leave(failed),
        }
        Ok(())
    }

    /// Reports what could not be cleaned up, which is left to the next run.
    fn leave<T>(&mut self, cleaned: Result<T, Error>) {
        self.report.recovered.left.extend(cleaned.err().map(|error| error.to_string()));
    }

    /// Merges the files of a group. Returns the number of new files; `None` if another run has taken the group.
    async fn merge(&mut self, group: Vec<DataFile>) -> Result<Option<usize>, Error> {
        self.begun += 1;
        let batch = format!("{}-{}", self.runner.name(), self.begun);
        let paths: Vec<String> = group.iter().map(|file| file.path.clone()).collect();
        let work = Work::Compact { files: paths.clone() };
        let are_free = |state: &State| {
            let taken = claimed_files(state);
            match paths.iter().all(|path| state.files.contains_key(path) && !taken.contains(path.as_str())) {
                true => Ok(()),
                false => Err(Error::new(ErrorKind::Conflict, "others have taken these files")),
            }
        };
        let entry = Entry::Begin(Begin { batch: batch.clone(), work });
        match self.ledger.append(self.runner.name(), now(), entry, &are_free).await {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::Conflict => {
                self.report.claimed += group.len() as u64;
                return Ok(None);
            }
            Err(error) => return Err(error),
        }
        let folder = paths.first().and_then(|path| path.rsplit_once('/')).map_or("", |(folder, _)| folder).to_owned();
        let table = DatasetTable::of_records(self.table, self.runner.place(), &self.ledger.state, TextLayout::Views)?;
        let merged = async {
            let into = self.files_like(&table, &group, &batch).await?;
            merge(self.session, &table, group.clone(), &folder, into).await
        };
        let files = tokio::select! {
            files = merged => files?,
            () = self.stop.told_now() => return Err(Error::new(ErrorKind::Interrupted, "stopped")),
        };
        let rows = |files: &[DataFile]| files.iter().map(|file| file.rows).sum::<u64>();
        if rows(&files) != rows(&group) {
            return Err(Error::new(
                ErrorKind::Internal,
                format!("{} rows were to be merged, and {} were", rows(&group), rows(&files)),
            )
            .in_object(self.runner.place().name_of(&folder))
            .with_hint("nothing was committed; this is a bug, please report it"));
        }
        self.count(&group, &files);
        let counts = BatchCounts { rows: rows(&files), ..BatchCounts::default() };
        let made = files.len();
        let commit = Commit { batch: batch.clone(), files, reject_files: Vec::new(), counts, sources: None };
        let is_open = |state: &State| check_open(state, &batch);
        self.ledger.append(self.runner.name(), now(), Entry::Commit(commit), &is_open).await?;
        let swept = sweep(&mut self.ledger, &self.runner, &batch).await;
        self.leave(swept);
        Ok(Some(made))
    }

    /// The files to write, in the format of those that are merged unless the options have another.
    async fn files_like(&self, table: &DatasetTable, group: &[DataFile], batch: &str) -> Result<Files, Error> {
        let kept = Kept::of(table, group).await.map_err(cannot)?;
        let options = self.options;
        let metadata = [
            ("s3log.version", env!("CARGO_PKG_VERSION").to_owned()),
            ("s3log.batch", batch.to_owned()),
            ("s3log.privacy", self.privacy.to_string()),
        ];
        let format = Format::new(self.table, options.compression.unwrap_or(kept.compression), ROW_GROUP_ROWS)
            .with_bloom_filters(options.bloom.clone().unwrap_or_else(|| kept.bloom.into_iter().collect()))
            .with_metadata(metadata.into_iter().map(|(key, value)| (key.to_owned(), value)).collect());
        let destination = Arc::new(Placed::new(self.runner.place().clone(), self.runner.uploads().clone()));
        let limits = FileLimits::new(options.target_size, options.memory);
        Ok(Files::new(destination, format, batch, limits, Encoders::new(self.session.threads())?))
    }

    /// Counts files that existed before the run and that exist after it, without intermediate results.
    fn count(&mut self, group: &[DataFile], files: &[DataFile]) {
        let report = &mut self.report;
        for file in group {
            if self.made.remove(&file.path) {
                report.files -= 1;
                report.file_bytes -= file.bytes;
            } else {
                report.replaced += 1;
                report.replaced_bytes += file.bytes;
                report.rows += file.rows;
            }
        }
        for file in files {
            self.made.insert(file.path.clone());
            report.files += 1;
            report.file_bytes += file.bytes;
        }
    }

    async fn end(mut self, done: Result<(), Error>) -> Result<CompactReport, Error> {
        let Err(error) = done else {
            // Otherwise the next run cleans up once more.
            if !self.is_untidy {
                let ended = self.runner.end().await;
                self.report.recovered.left.extend(ended.err().map(|error| error.to_string()));
            }
            return Ok(self.report);
        };
        let clean = take_back_own(&mut self.ledger, &self.runner, self.session.stores()).await;
        // In a bucket the next run cleans up once more: see `Run::end`.
        if clean.is_ok() && self.runner.place().is_local() {
            drop(self.runner.end().await);
        }
        Err(error)
    }
}

fn claimed_files(state: &State) -> BTreeSet<&str> {
    let compactions = state.open.values().filter_map(|open| match &open.work {
        Work::Compact { files } => Some(files),
        Work::Convert { .. } => None,
    });
    compactions.flatten().map(String::as_str).collect()
}

/// Groups of files worth merging: in one folder, small, of about the target size in total, at least two, and no more
/// than can be open at a time with `room` bytes of memory, if it is limited.
fn groups(state: &State, options: &CompactOptions, room: Option<u64>, claimed: &mut u64) -> Vec<Vec<DataFile>> {
    let taken = claimed_files(state);
    let target = options.target_size.max(1);
    let mut folders: BTreeMap<&str, Vec<&DataFile>> = BTreeMap::new();
    for file in state.files.values() {
        let folder = file.path.rsplit_once('/').map_or("", |(folder, _)| folder);
        let day_ends = file.max_time.div_euclid(MICROS_PER_DAY).saturating_add(1).saturating_mul(MICROS_PER_DAY);
        if day_ends > options.until || file.bytes >= (target / SMALL).min(MOVABLE) {
            continue;
        }
        if taken.contains(file.path.as_str()) {
            *claimed += 1;
            continue;
        }
        folders.entry(folder).or_default().push(file);
    }
    let mut groups = Vec::new();
    for mut files in folders.into_values() {
        files.sort_by(|a, b| (a.min_time, &a.path).cmp(&(b.min_time, &b.path)));
        let mut group: Vec<DataFile> = Vec::new();
        let (mut bytes, mut memory) = (0, 0);
        for file in files {
            bytes += file.bytes;
            memory += memory_of(file);
            let is_large = !group.is_empty() && bytes > target;
            let is_wide = group.len() > 1 && room.is_some_and(|room| memory > room || group.len() >= FILES);
            if is_large || is_wide {
                groups.push(std::mem::take(&mut group));
                (bytes, memory) = (file.bytes, memory_of(file));
            }
            group.push(file.clone());
        }
        groups.push(group);
    }
    groups.retain(|group| group.len() > 1);
    groups
}

/// Maximum number of files to merge at a time: all of them are open.
const FILES: usize = 256;

/// An estimate of the memory to merge a file: its row group as stored, a decompressed page of each column (ten times
/// the size, but pages have at most 1 MiB), and the rows read ahead.
fn memory_of(file: &DataFile) -> u64 {
    file.bytes + (10 * file.bytes).min(24 << 20) + (2 << 20)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(files: &[(&str, u64, i64)]) -> State {
        let mut state = State::default();
        for (path, bytes, day) in files {
            let file = DataFile {
                path: (*path).to_owned(),
                rows: 1,
                bytes: *bytes,
                min_time: day * MICROS_PER_DAY,
                max_time: day * MICROS_PER_DAY + 5,
            };
            state.files.insert(file.path.clone(), file);
        }
        state
    }

    #[test]
    fn small_files_of_closed_days_are_grouped() {
        let options = CompactOptions { until: 3 * MICROS_PER_DAY, target_size: 100, ..CompactOptions::default() };
        let state = state(&[
            ("day=1/a", 10, 1),
            ("day=1/b", 20, 1),
            ("day=1/c", 60, 1),
            ("day=1/d", 49, 1),
            ("day=1/e", 49, 1),
            ("day=2/a", 10, 2),
            ("day=3/a", 10, 3),
            ("day=3/b", 10, 3),
        ]);
        let names = |room: Option<u64>| -> Vec<Vec<String>> {
            let groups = groups(&state, &options, room, &mut 0);
            groups.into_iter().map(|group| group.into_iter().map(|file| file.path).collect()).collect()
        };
        assert_eq!(names(None), [["day=1/a", "day=1/b", "day=1/d"]]);
        // Two files are merged however little memory there is.
        assert_eq!(names(Some(0)), [["day=1/a", "day=1/b"], ["day=1/d", "day=1/e"]]);
    }

    #[test]
    fn files_that_stores_cannot_copy_are_left_alone() {
        let options = CompactOptions { target_size: 100 * MOVABLE, ..CompactOptions::default() };
        for (bytes, expected) in [(MOVABLE - 1, 1), (MOVABLE, 0)] {
            let state = state(&[("day=1/a", bytes, 1), ("day=1/b", bytes, 1)]);
            assert_eq!(groups(&state, &options, None, &mut 0).len(), expected, "{bytes}");
        }
    }
}
