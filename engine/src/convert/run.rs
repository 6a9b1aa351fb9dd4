//! A conversion run: takes batches of log objects, converts and commits them until none is left.

use super::batch_files::{self, DAYS};
use super::decoding::transform;
use super::dedupe::Deduplicator;
use super::destination::{Destination, Placed};
use super::known::CommittedIdentities;
#[cfg(feature = "cluster")]
use super::mark::mark_of;
use super::options::{ConvertOptions, PartitionBy};
#[cfg(feature = "cluster")]
use super::parts::{self, Order};
use super::pipeline::{Deduplicate, Job, Layout, Outcome, write_records};
use super::places::{check_free, own_files, places_of};
use super::privacy::Privacy;
use super::recovery::{Recovered, abandon_all, abort, check_open, now, recover, take_back_own};
use super::selection::{Candidate, Candidates, Selection, Skipped};
use super::stop::Stop;
use super::tidy::tidy;
use crate::dataset::{
    BatchCounts, Begin, Commit, DatasetSettings, Entry, Ledger, OpenBatch, Place, Runner, RunnerName, SETTINGS,
    SOURCES, Source, SourceList, State, Work, write_list,
};
use crate::error::{Error, ErrorKind};
#[cfg(feature = "cluster")]
use crate::scan::Unopened;
use crate::session::Session;
use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

/// Result of a conversion.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConvertReport {
    /// Counts of this run.
    pub counts: BatchCounts,
    /// Number of batches committed.
    pub batches: u64,
    /// Number of data files written.
    pub files: u64,
    /// Their size in bytes.
    pub file_bytes: u64,
    /// Log objects that were skipped.
    pub skipped: Skipped,
    /// Log objects that must be restored from an archive first.
    pub archived: u64,
    /// Log objects ruled out by their names, given the times of the session.
    pub pruned: u64,
    /// Log objects that could not be read, or listed; [`Session::progress`] has their names.
    pub unreadable: u64,
    /// Lines of logs of another kind, which were left out of the batches.
    pub others: u64,
    /// What was cleaned up after runners that are gone.
    pub recovered: Recovered,
    /// Whether the run was stopped before everything was converted.
    pub stopped: bool,
    /// Rows in the dataset after the run.
    pub dataset_rows: u64,
    /// Data files in the dataset after the run.
    pub dataset_files: u64,
}

/// What a conversion would do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConvertPlan {
    /// Number of log objects to convert.
    pub objects: u64,
    /// Their size, in bytes as stored.
    pub bytes: u64,
    /// Number of batches.
    pub batches: u64,
    /// Log objects that would be skipped.
    pub skipped: Skipped,
    /// Log objects that must be restored from an archive first.
    pub archived: u64,
    /// Log objects ruled out by their names, given the times of the session.
    pub pruned: u64,
    /// Log objects that could not be listed; [`Session::progress`] has their names.
    pub unreadable: u64,
    /// Whether the dataset exists.
    pub exists: bool,
}

/// Converts the log objects of a session that are not yet in the dataset at `dest`. Times of the session select log
/// objects by their names; those are converted completely.
///
/// # Errors
///
/// If the dataset cannot be read or written, its settings differ, or nothing can be listed. A batch is either committed
/// as a whole or not at all. Log objects that cannot be read are not an error, but part of the report.
pub async fn convert(
    session: &Session,
    dest: &str,
    options: &ConvertOptions,
    stop: &Stop,
) -> Result<ConvertReport, Error> {
    let (place, rejects) = places_of(session, dest, options).await?;
    let wanted = settings_of(options);
    let named = RunnerName::new(&now())?;
    let place = named.place(&place);
    let existing = DatasetSettings::read(&place).await?;
    let is_new = existing.is_none();
    let settings = match existing {
        Some(settings) => settings,
        None => {
            check_free(session, &place, rejects.as_ref()).await?;
            begin_dataset(&place, &wanted).await?
        }
    };
    settings.check(&wanted, &place)?;
    if let Err(error) = settings.probe(&place).await {
        if is_new && error.kind() == ErrorKind::Unsupported {
            place.delete(SETTINGS).await?;
        }
        return Err(error);
    }
    let runner = Runner::start(&place, named, &now()).await?;
    let mut run = Run {
        session,
        options,
        stop,
        partition_by: PartitionBy::of(&settings.partition_by)?,
        rejects: rejects.map(|rejects| rejects.for_writer_of(runner.place())),
        ledger: Ledger::load(runner.place()).await?,
        runner,
        batches_begun: 0,
        is_untidy: false,
        report: ConvertReport::default(),
    };
    let done = run.all().await;
    run.end(done).await
}

/// Plans a conversion. Writes nothing, and reads no log object.
///
/// # Errors
///
/// If the dataset cannot be read, its settings differ, or nothing can be listed.
pub async fn convert_plan(session: &Session, dest: &str, options: &ConvertOptions) -> Result<ConvertPlan, Error> {
    let (place, rejects) = places_of(session, dest, options).await?;
    let settings = DatasetSettings::read(&place).await?;
    let ledger = match &settings {
        Some(settings) => {
            settings.check(&settings_of(options), &place)?;
            Ledger::load(&place).await?
        }
        None => {
            check_free(session, &place, rejects.as_ref()).await?;
            Ledger::empty(&place)
        }
    };
    let candidates = Candidates::list(session, own_files(&place, rejects.as_ref()))?;
    let mut selection = Selection::new(candidates, &ledger.state, options.shard, &Stop::new());
    let mut plan = ConvertPlan { exists: settings.is_some(), ..ConvertPlan::default() };
    loop {
        let (batch_objects, batch_bytes) = batch_limits(session, options);
        let batch = selection.batch(&place, batch_objects, batch_bytes).await?;
        if batch.is_empty() {
            break;
        }
        plan.batches += 1;
        plan.objects += batch.len() as u64;
        plan.bytes += batch.iter().map(|candidate| candidate.unopened.size).sum::<u64>();
    }
    (plan.archived, plan.pruned) = selection.left_out();
    plan.skipped = selection.skipped;
    plan.unreadable = session.progress().unreadable_count();
    Ok(plan)
}

fn settings_of(options: &ConvertOptions) -> DatasetSettings {
    let privacy = options.privacy.describe();
    let mut settings = DatasetSettings::new(options.table, now(), options.partition_by.columns());
    settings.anonymize_ip = privacy.anonymize_ip.to_string();
    settings.key_fingerprint.clone_from(&privacy.key);
    settings.redact_uri = privacy.redact_uri;
    settings
}

/// Creates a dataset in a place without one.
async fn begin_dataset(place: &Place, wanted: &DatasetSettings) -> Result<DatasetSettings, Error> {
    if let Some(entry) = place.list("day=", None).await?.first() {
        return Err(Error::invalid(format!("files are in the way: {}", entry.path))
            .in_object(place.name())
            .with_hint("a new dataset needs a directory or prefix that has no folders `day=…` yet"));
    }
    wanted.create(place).await
}

/// Maximum number of objects in a batch, and maximum size in bytes.
fn batch_limits(session: &Session, options: &ConvertOptions) -> (u64, u64) {
    #[cfg(feature = "cluster")]
    if session.runs_remotely() {
        return parts::batch_limits(options, session.threads());
    }
    let _ = session;
    (options.batch_objects, options.batch_bytes)
}

/// One run of this process.
struct Run<'a> {
    session: &'a Session,
    options: &'a ConvertOptions,
    stop: &'a Stop,
    partition_by: PartitionBy,
    rejects: Option<Place>,
    ledger: Ledger,
    runner: Runner,
    batches_begun: u64,
    /// Whether it may have left lists that nothing refers to.
    is_untidy: bool,
    report: ConvertReport,
}

/// A batch that was begun.
struct Batch {
    name: String,
    candidates: Vec<Candidate>,
    list: SourceList,
}

/// An attempt at a batch. Earlier ones may still run on an executor, so marks and names of files are never shared.
#[derive(Clone, Copy, Debug, Default)]
struct Attempt {
    /// Number of previous attempts.
    number: u64,
    /// The first number in names of files.
    first_file: u64,
}

impl Run<'_> {
    async fn all(&mut self) -> Result<(), Error> {
        self.report.recovered = recover(&mut self.ledger, &self.runner, self.session.stores()).await?;
        let candidates = Candidates::list(self.session, own_files(&self.ledger.place, self.rejects.as_ref()))?;
        let mut selection = Selection::new(candidates, &self.ledger.state, self.options.shard, self.stop);
        let done = self.batches(&mut selection).await;
        (self.report.archived, self.report.pruned) = selection.left_out();
        self.report.skipped = selection.skipped;
        done
    }

    async fn batches(&mut self, selection: &mut Selection) -> Result<(), Error> {
        let mut reloads = 0;
        while !self.stop.is_told() {
            let (batch_objects, batch_bytes) = batch_limits(self.session, self.options);
            let found = tokio::select! {
                found = selection.batch(&self.ledger.place, batch_objects, batch_bytes) => found,
                () = self.stop.told_now() => break,
            };
            let candidates = match found {
                // Other runners have merged lists of log objects.
                Err(error) if is_list_missing(&error) && reloads < RELOADS => {
                    reloads += 1;
                    self.ledger.reload().await?;
                    selection.look_again(&self.ledger.state, Vec::new());
                    continue;
                }
                candidates => candidates?,
            };
            reloads = 0;
            if self.stop.is_told() {
                break;
            }
            if candidates.is_empty() {
                return Ok(());
            }
            let Some(batch) = self.begin(selection, candidates).await? else { continue };
            let (objects, bytes) = (batch.list.objects, batch.list.bytes);
            self.session.progress().planned(objects, bytes);
            self.convert(batch).await?;
            // The batch is committed, whatever becomes of this.
            if let Err(error) = tidy(&mut self.ledger, &self.runner).await {
                self.is_untidy = true;
                self.report.recovered.left.push(error.to_string());
            }
        }
        if self.stop.is_now() {
            return Err(stopped());
        }
        self.report.stopped = true;
        Ok(())
    }

    /// Claims log objects. Returns `None` if they have to be looked up again, since other runners have claimed some.
    async fn begin(&mut self, selection: &mut Selection, candidates: Vec<Candidate>) -> Result<Option<Batch>, Error> {
        if !selection.up_to_date()(&self.ledger.state) {
            selection.look_again(&self.ledger.state, candidates);
            return Ok(None);
        }
        self.batches_begun += 1;
        let name = format!("{}-{}", self.runner.name(), self.batches_begun);
        let path = format!("{SOURCES}/{name}.parquet");
        let dedupe = self.options.dedupe;
        let sources: Vec<Source> = candidates.iter().map(|candidate| candidate.source.clone()).collect();
        let list = write_list(self.runner.place(), self.runner.uploads(), path.clone(), sources).await?;
        let rejects = self.rejects.as_ref().map(Place::name);
        let from = self.session.raw_sources();
        let work = Work::Convert { sources: list.clone(), from, rejects, dedupe };
        let entry = Entry::Begin(Begin { batch: name.clone(), work });
        let is_up_to_date = selection.up_to_date();
        let still_free = move |state: &State| {
            may_begin(state, dedupe)?;
            match is_up_to_date(state) {
                true => Ok(()),
                false => Err(Error::new(ErrorKind::Conflict, "others have taken log objects")),
            }
        };
        match self.ledger.append(self.runner.name(), now(), entry, &still_free).await {
            Ok(()) => {
                selection.knows(&path);
                Ok(Some(Batch { name, candidates, list }))
            }
            Err(error) => {
                if error.kind() == ErrorKind::Conflict {
                    self.runner.place().delete(&path).await?;
                }
                if error.kind() != ErrorKind::Conflict || may_begin(&self.ledger.state, dedupe).is_err() {
                    return Err(error);
                }
                selection.look_again(&self.ledger.state, candidates);
                Ok(None)
            }
        }
    }

    /// Converts and commits a batch, without log objects that cannot be read.
    async fn convert(&mut self, batch: Batch) -> Result<(), Error> {
        let mut left_out: HashSet<usize> = HashSet::new();
        let mut attempt = Attempt::default();
        loop {
            let taken: Vec<usize> = (0..batch.candidates.len()).filter(|at| !left_out.contains(at)).collect();
            let outcome = self.attempt(&batch, &taken, attempt).await?;
            for (at, error) in &outcome.failed {
                if let Some(at) = taken.get(*at)
                    && left_out.insert(*at)
                    && let Some(candidate) = batch.candidates.get(*at)
                {
                    self.session.progress().failed(candidate.unopened.object.name(), error);
                }
            }
            if !outcome.spoiled {
                return self.commit(&batch, &taken, &left_out, outcome).await;
            }
            // Files contain records of an object that could not be read to its end: convert again without it.
            self.remove_own_files(&batch.name).await?;
            attempt = Attempt { number: attempt.number + 1, first_file: outcome.next_number };
        }
    }

    async fn attempt(&self, batch: &Batch, taken: &[usize], attempt: Attempt) -> Result<Outcome, Error> {
        let objects: Vec<_> =
            taken.iter().filter_map(|at| batch.candidates.get(*at)).map(|one| one.unopened.clone()).collect();
        let place = self.runner.place();
        let placed = |place: &Place| -> Arc<dyn Destination> {
            Arc::new(Placed::new(place.clone(), self.runner.uploads().clone()))
        };
        let dedupe = self.options.dedupe.then(|| {
            let known = CommittedIdentities::new(self.options.table, place.clone(), &self.ledger.state);
            Box::new(Deduplicator::new(self.options.table, Box::new(known), self.options.dedupe_memory))
                as Box<dyn Deduplicate>
        });
        let metadata = [
            ("s3log.version", env!("CARGO_PKG_VERSION").to_owned()),
            ("s3log.batch", batch.name.clone()),
            ("s3log.sources", batch.list.path.clone()),
            ("s3log.source_objects", batch.list.objects.to_string()),
            ("s3log.first_source", batch.list.first.clone()),
            ("s3log.last_source", batch.list.last.clone()),
            ("s3log.privacy", self.options.privacy.describe().to_string()),
        ];
        let layout = Layout {
            batch_id: batch.name.clone(),
            by_bucket: self.partition_by == PartitionBy::DayAndBucket,
            target_size: self.options.target_size,
            compression: self.options.compression,
            bloom: self.options.bloom.clone(),
            memory: self.options.memory,
            metadata: metadata.into_iter().map(|(key, value)| (key.to_owned(), value)).collect(),
            first_number: attempt.first_file,
        };
        #[cfg(feature = "cluster")]
        if self.session.runs_remotely() {
            let mark = mark_of(&batch.name, attempt.number);
            return tokio::select! {
                outcome = self.attempt_remotely(batch, objects, layout, &mark) => outcome,
                () = self.stop.told_now() => {
                    // Executors notice it even if the job is not cancelled.
                    place.delete(&mark).await?;
                    Err(stopped())
                }
            };
        }
        let job = Job {
            table: self.options.table,
            objects,
            concurrency: self.session.stores().options().concurrency,
            threads: self.session.threads(),
            lines: self.session.lines().clone(),
            per_block: transform(&self.options.privacy, Privacy::apply),
            reject_block: transform(&self.options.privacy, Privacy::apply_to_rejects),
            dedupe,
            data: placed(place),
            rejects: self.rejects.as_ref().map(|rejects| (placed(rejects), String::new())),
            layout,
            progress: Arc::clone(self.session.progress()),
            stop: self.stop.flag(),
        };
        tokio::select! {
            outcome = write_records(job) => outcome,
            () = self.stop.told_now() => Err(stopped()),
        }
    }

    /// An attempt whose files are written by the partitions of a plan. Files of lost tasks are deleted.
    #[cfg(feature = "cluster")]
    async fn attempt_remotely(
        &self,
        batch: &Batch,
        objects: Vec<Unopened>,
        layout: Layout,
        mark: &str,
    ) -> Result<Outcome, Error> {
        // A plan cannot have no partitions.
        if objects.is_empty() {
            return Ok(Outcome::default());
        }
        let (place, rejects) = (self.runner.place(), self.rejects.as_ref());
        let order = Order::new(self.options, place, rejects, self.runner.name(), self.partition_by, layout, mark)?;
        let bytes = objects.iter().map(|object| object.size).sum();
        let count = parts::count_of(bytes, batch_limits(self.session, self.options).1, self.session.threads());
        let parts = parts::shared_out(objects, count);
        let plan = parts::plan(self.session, self.options.table, &parts, order)?;
        place.put(mark, "{}\n".into()).await?;
        let rows = self.session.run_remotely(plan).await;
        // From here on no file keeps a name: neither of a task that was taken for lost, nor of one that failed.
        place.delete(mark).await?;
        let outcome = parts::joined(&parts, &rows?, self.session.progress())?;
        if !outcome.spoiled {
            batch_files::keep(place, DAYS, &batch.name, &outcome.files).await?;
            if let Some(rejects) = rejects {
                batch_files::keep(rejects, &batch.name, &batch.name, &outcome.reject_files).await?;
            }
        }
        Ok(outcome)
    }

    /// Commits a batch, without log objects that were left out or are archived.
    async fn commit(
        &mut self,
        batch: &Batch,
        taken: &[usize],
        left_out: &HashSet<usize>,
        outcome: Outcome,
    ) -> Result<(), Error> {
        let begun = outcome.objects_read + outcome.failed.len() + outcome.archived.len();
        let archived: HashSet<usize> = outcome.archived.iter().filter_map(|at| taken.get(*at)).copied().collect();
        self.report.archived += archived.len() as u64;
        let done = taken.iter().take(begun).filter(|at| !left_out.contains(at) && !archived.contains(at));
        let done: Vec<&Candidate> = done.filter_map(|at| batch.candidates.get(*at)).collect();
        let counts = counts_of(&done, &outcome)?;
        if done.is_empty() {
            // Nothing to commit: other runs may try the objects again.
            let (name, reason) = (self.runner.name().to_owned(), "no log object of it could be read");
            abandon_all(&mut self.ledger, &self.runner, &name, reason).await?;
            return self.runner.place().delete(&batch.list.path).await;
        }
        let sources = self.sources_of(batch, &done).await?;
        let (files, reject_files, others) = (outcome.files, outcome.reject_files, outcome.others);
        let (count, bytes) = (files.len() as u64, files.iter().map(|file| file.bytes).sum::<u64>());
        let is_partial = sources.is_some();
        let commit = Commit { batch: batch.name.clone(), files, reject_files, counts, sources };
        let is_open = |state: &State| check_open(state, &batch.name);
        self.ledger.append(self.runner.name(), now(), Entry::Commit(commit), &is_open).await?;
        if is_partial {
            self.runner.place().delete(&batch.list.path).await?;
        }
        self.report.counts += counts;
        self.report.others += others;
        self.report.batches += 1;
        self.report.files += count;
        self.report.file_bytes += bytes;
        Ok(())
    }

    /// A list of the log objects that were converted, unless all of the batch were.
    async fn sources_of(&self, batch: &Batch, done: &[&Candidate]) -> Result<Option<SourceList>, Error> {
        if done.len() == batch.candidates.len() {
            return Ok(None);
        }
        let path = format!("{SOURCES}/{}-part.parquet", batch.name);
        let sources = done.iter().map(|candidate| candidate.source.clone()).collect();
        write_list(self.runner.place(), self.runner.uploads(), path, sources).await.map(Some)
    }

    /// Deletes the files of a batch that is not committed.
    async fn remove_own_files(&self, batch: &str) -> Result<(), Error> {
        batch_files::remove(self.runner.place(), DAYS, batch).await?;
        if let Some(rejects) = &self.rejects {
            batch_files::remove(rejects, batch, batch).await?;
        }
        abort(self.session.stores(), self.runner.uploads()).await
    }

    /// Ends the run and takes back what is not committed. If that fails, the next run does it.
    async fn end(mut self, done: Result<(), Error>) -> Result<ConvertReport, Error> {
        let clean = match &done {
            Ok(()) => Ok(()),
            Err(_) => {
                tokio::time::timeout(PATIENCE, take_back_own(&mut self.ledger, &self.runner, self.session.stores()))
                    .await
                    .unwrap_or_else(|_| Err(Error::new(ErrorKind::Unwritable, "it could not be rolled back in time")))
            }
        };
        self.report.unreadable = self.session.progress().unreadable_count();
        self.report.dataset_rows = self.ledger.state.rows();
        self.report.dataset_files = self.ledger.state.files.len() as u64;
        match (done, clean) {
            // The runner's file stays, so that the next run removes what this one may have left.
            (Ok(()), _) if self.is_untidy => Ok(self.report),
            (Ok(()), _) => {
                let ended = self.runner.end().await;
                self.report.recovered.left.extend(ended.err().map(|error| error.to_string()));
                Ok(self.report)
            }
            (Err(error), Ok(())) if self.runner.place().is_local() || self.batches_begun == 0 => {
                drop(self.runner.end().await);
                Err(error)
            }
            // The runner's file stays, so that the next run takes back what was begun: a bucket may still carry out a
            // request that was given up here.
            (Err(error), _) => Err(error),
        }
    }
}

/// Attempts to read lists that other runners are merging.
const RELOADS: u32 = 5;

/// The counts of a batch. Rows are counted in the files, lines by their ends, to detect any that are lost in between.
fn counts_of(done: &[&Candidate], outcome: &Outcome) -> Result<BatchCounts, Error> {
    let counts = BatchCounts {
        objects: done.len() as u64,
        bytes: done.iter().map(|candidate| candidate.unopened.size).sum(),
        lines: outcome.lines,
        rows: outcome.files.iter().map(|file| file.rows).sum(),
        rejects: outcome.rejects,
        duplicates: outcome.duplicates,
    };
    if counts.lines == counts.rows + counts.rejects + counts.duplicates {
        return Ok(counts);
    }
    let message = format!(
        "the account does not add up: {} lines, but {} rows, {} rejects and {} duplicates",
        counts.lines, counts.rows, counts.rejects, counts.duplicates
    );
    Err(Error::new(ErrorKind::Internal, message)
        .with_hint("nothing was committed; this is a bug; please report it with the log object that triggers it"))
}

fn stopped() -> Error {
    Error::new(ErrorKind::Interrupted, "stopped")
}

fn is_list_missing(error: &Error) -> bool {
    error.kind() == ErrorKind::NotFound && error.object().is_some_and(|object| object.contains(SOURCES))
}

/// Limit on the time that a failed run spends on taking back what it began.
const PATIENCE: Duration = Duration::from_secs(30);

/// Whether a batch may begin beside the open ones: one that leaves out duplicates must see all earlier records.
fn may_begin(state: &State, dedupe: bool) -> Result<(), Error> {
    // Merging files does not change the records.
    let converts = |open: &&OpenBatch| matches!(open.work, Work::Convert { .. });
    let other = state.open.values().filter(converts).find(|open| dedupe || open.work.is_exclusive());
    match other {
        None => Ok(()),
        Some(open) => Err(Error::new(
            ErrorKind::Conflict,
            format!(
                "the runner {} has been working on the dataset since {}, and one of the two looks for duplicates",
                open.runner, open.at
            ),
        )
        .with_hint("run again when it is done; --dedupe allows one runner at a time")),
    }
}
