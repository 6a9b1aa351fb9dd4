//! Cleans up after runners that are gone: takes back what they began, and finishes what they committed.
//!
//! A batch that was begun and not committed is abandoned in the ledger first. From then on it cannot be committed, so
//! its files may be deleted, and its log objects are free for others. The runner's own file is deleted last: as long as
//! it exists, the next run repeats all of this, which is idempotent.

use super::tidy::checkpoint_of;
use crate::dataset::{Abandon, Entry, Ledger, Place, Runner, State, Swept, TMP, forget, remove_unfinished};
use crate::dataset::{REPLACED, SOURCES};
use crate::error::{Error, ErrorKind};
use crate::store::Stores;
use std::collections::{BTreeMap, BTreeSet};
use std::time::SystemTime;

/// What was cleaned up after runners that are gone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Recovered {
    /// The runners that were gone.
    pub runners: Vec<String>,
    /// Number of batches taken back. Their log objects will be converted again.
    pub batches: u64,
    /// Number of uncommitted files deleted.
    pub files_removed: u64,
}

/// Checks that a batch of this runner may be committed.
pub(super) fn check_open(state: &State, batch: &str) -> Result<(), Error> {
    if state.open.contains_key(batch) {
        return Ok(());
    }
    let message = "another runner considered this one dead and rolled back its batch";
    Err(Error::new(ErrorKind::Conflict, message).with_hint("run again; nothing is lost"))
}

/// Takes back what runners left that are gone.
pub(super) async fn recover(ledger: &mut Ledger, runner: &Runner, stores: &Stores) -> Result<Recovered, Error> {
    let mut recovered = Recovered::default();
    // In this order: the runner of a batch had a file before it began the batch.
    ledger.refresh().await?;
    let others = runner.others().await?;
    let present: BTreeSet<&str> = others.iter().map(|found| found.file.runner.as_str()).collect();
    if runner.place().is_local() {
        let mut present = present.clone();
        present.insert(runner.name());
        remove_unfinished(runner.place(), &present, runner.now().await?).await?;
    }
    let mut gone: BTreeMap<String, Gone> = others
        .iter()
        .filter(|found| found.is_gone)
        .map(|found| {
            let gone = Gone { uploads: found.file.uploads.clone(), is_certain: found.is_certain };
            (found.file.runner.clone(), gone)
        })
        .collect();
    // Runners whose file has been removed.
    let begun = ledger.state.open.values().map(|open| &open.runner);
    let unswept = ledger.state.unswept.values().map(|unswept| &unswept.runner);
    for name in begun.chain(unswept).filter(|name| !present.contains(name.as_str()) && *name != runner.name()) {
        gone.entry(name.clone()).or_default();
    }
    for (name, gone) in gone {
        take_back(ledger, runner, stores, &name, gone, &mut recovered).await?;
        recovered.runners.push(name);
    }
    Ok(recovered)
}

/// A runner that is gone.
#[derive(Debug, Default)]
struct Gone {
    uploads: Vec<(String, String)>,
    /// Whether it cannot come back.
    is_certain: bool,
}

async fn take_back(
    ledger: &mut Ledger,
    runner: &Runner,
    stores: &Stores,
    name: &str,
    gone: Gone,
    recovered: &mut Recovered,
) -> Result<(), Error> {
    let place = runner.place();
    recovered.batches += abandon_all(ledger, runner, name, "its runner is gone").await?;
    remove_marks_of(place, name).await?;
    if let Some((bucket, prefix)) = place.bucket() {
        for (path, id) in gone.uploads {
            bucket.abort_parts(&Place::key(prefix, &path), &id).await?;
        }
    }
    recovered.files_removed += remove_files_of(ledger, place, stores, name).await?;
    for batch in swept_by(&ledger.state, name) {
        sweep(ledger, runner, &batch).await?;
    }
    remove_lists_of(ledger, place, name, gone.is_certain).await?;
    if place.is_local() {
        for entry in place.list(&format!("{TMP}/{name}"), None).await? {
            place.delete(&entry.path).await?;
        }
    }
    forget(place, name).await
}

/// Suffix of the mark of a batch, which exists while several processes write its files.
pub(super) const MARK: &str = "-parts";

/// Deletes the marks of a runner's batches: from here on none of their files gets its final name.
async fn remove_marks_of(place: &Place, runner: &str) -> Result<(), Error> {
    for entry in place.list(&format!("{SOURCES}/{runner}-"), None).await? {
        if entry.path.ends_with(MARK) {
            place.delete(&entry.path).await?;
        }
    }
    Ok(())
}

/// Deletes lists of log objects that a runner wrote and that nothing refers to.
///
/// A runner that only seems to be gone may still begin a batch with its list, or write a checkpoint with lists that it
/// merged; so of such a runner only lists of abandoned batches are deleted. Even a runner that is gone may have sent a
/// checkpoint that arrives later: the lists that it merged are kept until another checkpoint takes its place.
async fn remove_lists_of(ledger: &mut Ledger, place: &Place, runner: &str, is_certain: bool) -> Result<(), Error> {
    let lists = place.list(&format!("{SOURCES}/{runner}-"), None).await?;
    if lists.is_empty() {
        return Ok(());
    }
    // Other runners may have written a checkpoint that refers to them.
    ledger.reload().await?;
    let known: BTreeSet<&str> = ledger.state.source_lists().map(|list| list.path.as_str()).collect();
    for entry in lists {
        let name = entry.path.rsplit('/').next().unwrap_or_default();
        let batch = name.trim_end_matches(".parquet").trim_end_matches("-part");
        let may_go = match checkpoint_of(name, runner) {
            Some(number) => is_certain && number <= ledger.checkpoint,
            None => is_certain || ledger.state.abandoned.contains_key(batch),
        };
        if may_go && !known.contains(entry.path.as_str()) && !ledger.is_still_read(&entry.path) {
            place.delete(&entry.path).await?;
        }
    }
    Ok(())
}

/// Abandons all open batches of a runner, and returns their number.
pub(super) async fn abandon_all(ledger: &mut Ledger, runner: &Runner, of: &str, reason: &str) -> Result<u64, Error> {
    let open = ledger.state.open.iter().filter(|(_, open)| open.runner == of);
    let batches: Vec<_> = open.map(|(batch, _)| batch.clone()).collect();
    let mut abandoned = 0;
    for batch in batches {
        let entry = Entry::Abandon(Abandon { batch: batch.clone(), reason: reason.to_owned() });
        let is_open = |state: &State| match state.open.contains_key(&batch) {
            true => Ok(()),
            false => Err(Error::new(ErrorKind::Conflict, "another run rolled it back, or it was committed")),
        };
        match ledger.append(runner.name(), now(), entry, &is_open).await {
            Ok(()) => abandoned += 1,
            Err(error) if error.kind() == ErrorKind::Conflict => {}
            Err(error) => return Err(error),
        }
    }
    Ok(abandoned)
}

/// Deletes files of a runner's abandoned batches, which cannot be committed any more, and returns their number. Files
/// are only listed if there is such a batch. Files of its other batches are kept, whatever their state: they may still
/// be committed.
async fn remove_files_of(ledger: &Ledger, place: &Place, stores: &Stores, runner: &str) -> Result<u64, Error> {
    let abandoned = &ledger.state.abandoned;
    if !abandoned.values().any(|batch| batch.runner == runner) {
        return Ok(0);
    }
    let is_abandoned = |path: &str| batch_of(path).is_some_and(|batch| abandoned.contains_key(batch));
    let mut removed = 0;
    for entry in place.list("day=", None).await? {
        if is_abandoned(&entry.path) {
            place.delete(&entry.path).await?;
            removed += 1;
        }
    }
    let of_runner = abandoned.values().filter(|batch| batch.runner == runner);
    let places: BTreeSet<&String> = of_runner.filter_map(|batch| batch.work.rejects()).collect();
    for name in places {
        let rejects = Place::resolve(name, stores).await?;
        for entry in rejects.list(runner, None).await? {
            if is_abandoned(&entry.path) {
                rejects.delete(&entry.path).await?;
                removed += 1;
            }
        }
        // Incomplete files.
        if rejects.is_local() {
            for entry in rejects.list(&format!("{TMP}/{runner}"), None).await? {
                rejects.delete(&entry.path).await?;
            }
        }
    }
    Ok(removed)
}

/// The batch of a data file or a file of rejects: `day=2026-01-15/BATCH-0.parquet`, `BATCH-rejects-0.parquet`.
fn batch_of(path: &str) -> Option<&str> {
    let name = path.rsplit('/').next()?.strip_suffix(".parquet")?;
    let (batch, number) = name.rsplit_once('-')?;
    let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| batch.strip_suffix("-rejects").unwrap_or(batch))
}

/// Takes back what this run began: batches, their files, multipart uploads, and lists that nothing refers to. Finishes
/// what it committed.
pub(super) async fn take_back_own(ledger: &mut Ledger, runner: &Runner, stores: &Stores) -> Result<(), Error> {
    runner.uploads().close();
    // A record whose write failed may be in the ledger.
    ledger.refresh().await?;
    let name = runner.name();
    abandon_all(ledger, runner, name, "its runner stopped").await?;
    remove_marks_of(runner.place(), name).await?;
    remove_files_of(ledger, runner.place(), stores, name).await?;
    abort_uploads(runner).await?;
    for batch in swept_by(&ledger.state, name) {
        sweep(ledger, runner, &batch).await?;
    }
    remove_lists_of(ledger, runner.place(), name, true).await
}

/// Aborts the multipart uploads of this run.
pub(super) async fn abort_uploads(runner: &Runner) -> Result<(), Error> {
    let Some((bucket, prefix)) = runner.place().bucket() else { return Ok(()) };
    for (path, id) in runner.uploads().all() {
        bucket.abort_parts(&Place::key(prefix, &path), &id).await?;
        runner.uploads().remove(&id);
    }
    Ok(())
}

fn swept_by(state: &State, runner: &str) -> Vec<String> {
    let unswept = state.unswept.iter().filter(|(_, unswept)| unswept.runner == runner);
    unswept.map(|(batch, _)| batch.clone()).collect()
}

/// Moves files away that a batch replaced. Readers with an older snapshot find them there.
pub(super) async fn sweep(ledger: &mut Ledger, runner: &Runner, batch: &str) -> Result<(), Error> {
    let Some(unswept) = ledger.state.unswept.get(batch).cloned() else { return Ok(()) };
    for path in &unswept.files {
        runner.place().rename(path, &format!("{REPLACED}/{path}.replaced")).await?;
    }
    let entry = Entry::Swept(Swept { batch: batch.to_owned() });
    let is_left = |state: &State| match state.unswept.contains_key(batch) {
        true => Ok(()),
        false => Err(Error::new(ErrorKind::Conflict, "another run did it")),
    };
    match ledger.append(runner.name(), now(), entry, &is_left).await {
        Err(error) if error.kind() == ErrorKind::Conflict => Ok(()),
        done => done,
    }
}

/// The current time in RFC 3339.
pub(super) fn now() -> String {
    humantime::format_rfc3339_seconds(SystemTime::now()).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_tell_their_batch() {
        for (path, batch) in [
            ("day=2026-01-15/20260115T103000Z-5b1c9e-2-0.parquet", Some("20260115T103000Z-5b1c9e-2")),
            ("day=2026-01-15/bucket=a/20260115T103000Z-5b1c9e-12-7.parquet", Some("20260115T103000Z-5b1c9e-12")),
            ("20260115T103000Z-5b1c9e-2-rejects-0.parquet", Some("20260115T103000Z-5b1c9e-2")),
            ("day=2026-01-15/of-someone-else.parquet", None),
            ("day=2026-01-15/part.parquet", None),
            ("day=2026-01-15/20260115T103000Z-5b1c9e-2-0", None),
        ] {
            assert_eq!(batch_of(path), batch, "{path}");
        }
    }
}
