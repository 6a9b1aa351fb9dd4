//! Cleans up after runners that are gone: takes back what they began, and finishes what they committed.
//!
//! A batch that was begun and not committed is abandoned in the ledger first. From then on it cannot be committed, so
//! its files may be deleted, and its log objects are free for others. The runner's own file is deleted last: as long as
//! it exists, the next run repeats all of this, which is idempotent. So what cannot be cleaned up keeps nobody from
//! working: it is only reported.

use super::tidy::checkpoint_of;
use crate::dataset::{
    Abandon, Entry, Ledger, OpenUploads, Place, Runner, State, Swept, TMP, forget, remove_unfinished,
};
use crate::dataset::{REPLACED, SOURCES};
use crate::error::{Error, ErrorKind};
use crate::store::{Location, Stores};
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
    /// What could not be cleaned up, and why. The dataset is correct nonetheless, and the next run tries again.
    pub left: Vec<String>,
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
        let removed = remove_unfinished(runner.place(), &present, runner.now().await?).await;
        recovered.left.extend(removed.err().map(|error| error.to_string()));
    }
    let mut gone: BTreeMap<String, Gone> = others
        .iter()
        .filter(|found| found.is_gone)
        .map(|found| {
            let gone = Gone { uploads: found.file.uploads.clone().into(), is_certain: found.is_certain };
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
        recovered.batches += abandon_all(ledger, runner, &name, "its runner is gone").await?;
        let taken_back = take_back(ledger, runner, stores, &name, &gone, &mut recovered.files_removed).await;
        recovered.left.extend(taken_back.err().map(|error| error.to_string()));
        recovered.runners.push(name);
    }
    Ok(recovered)
}

/// A runner that is gone.
#[derive(Debug, Default)]
struct Gone {
    uploads: OpenUploads,
    /// Whether it cannot come back.
    is_certain: bool,
}

async fn take_back(
    ledger: &mut Ledger,
    runner: &Runner,
    stores: &Stores,
    name: &str,
    gone: &Gone,
    removed: &mut u64,
) -> Result<(), Error> {
    clean_up(ledger, runner, stores, name, gone, removed).await?;
    let place = runner.place();
    if place.is_local() {
        for entry in place.list(&format!("{TMP}/{name}"), None).await? {
            place.delete(&entry.path).await?;
        }
    }
    forget(place, name).await
}

/// Deletes what a runner left of its abandoned batches, and finishes what it committed. Every step is tried, whatever
/// became of those before; the result is the first error.
async fn clean_up(
    ledger: &mut Ledger,
    runner: &Runner,
    stores: &Stores,
    name: &str,
    gone: &Gone,
    removed: &mut u64,
) -> Result<(), Error> {
    let place = runner.place();
    let mut steps = vec![
        remove_marks_of(place, name).await,
        abort(stores, &gone.uploads).await,
        remove_files_of(ledger, place, name, removed).await,
        remove_rejects_of(ledger, stores, name, removed).await,
    ];
    for batch in swept_by(&ledger.state, name) {
        steps.push(sweep(ledger, runner, &batch).await);
    }
    steps.push(remove_lists_of(ledger, place, name, gone.is_certain).await);
    steps.into_iter().collect()
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

/// Deletes data files of a runner's abandoned batches, which cannot be committed any more, and counts them. Files are
/// only listed if there is such a batch. Files of its other batches are kept, whatever their state: they may still be
/// committed.
async fn remove_files_of(ledger: &Ledger, place: &Place, runner: &str, removed: &mut u64) -> Result<(), Error> {
    if !ledger.state.abandoned.values().any(|batch| batch.runner == runner) {
        return Ok(());
    }
    for entry in place.list("day=", None).await? {
        if is_abandoned(&ledger.state, &entry.path) {
            place.delete(&entry.path).await?;
            *removed += 1;
        }
    }
    Ok(())
}

/// The same for files of rejects.
async fn remove_rejects_of(ledger: &Ledger, stores: &Stores, runner: &str, removed: &mut u64) -> Result<(), Error> {
    let of_runner = ledger.state.abandoned.values().filter(|batch| batch.runner == runner);
    let places: BTreeSet<&String> = of_runner.filter_map(|batch| batch.work.rejects()).collect();
    for name in places {
        let rejects = Place::resolve(name, stores).await?;
        let files = match rejects.list(runner, None).await {
            // The bucket is gone, and everything with it.
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            files => files?,
        };
        for entry in files {
            if is_abandoned(&ledger.state, &entry.path) {
                rejects.delete(&entry.path).await?;
                *removed += 1;
            }
        }
        // Incomplete files.
        if rejects.is_local() {
            for entry in rejects.list(&format!("{TMP}/{runner}"), None).await? {
                rejects.delete(&entry.path).await?;
            }
        }
    }
    Ok(())
}

/// Whether a file belongs to an abandoned batch.
fn is_abandoned(state: &State, path: &str) -> bool {
    batch_of(path).is_some_and(|batch| state.abandoned.contains_key(batch))
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
    let this = Gone { uploads: runner.uploads().clone(), is_certain: true };
    clean_up(ledger, runner, stores, name, &this, &mut 0).await
}

/// Aborts multipart uploads: those into the dataset and those of rejects, which may go to another bucket.
pub(super) async fn abort(stores: &Stores, uploads: &OpenUploads) -> Result<(), Error> {
    let mut aborted = Ok(());
    for (name, id) in uploads.all() {
        let this = async {
            let location = Location::parse(&name)?;
            let bucket = stores.bucket(location.bucket()).await?;
            bucket.abort_parts(&Place::key("", location.prefix()), &id).await
        };
        match this.await {
            Ok(()) => uploads.remove(&id),
            failed => aborted = aborted.and(failed),
        }
    }
    aborted
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
    use crate::store::StoreOptions;
    use s3log_test_server::Server;

    #[tokio::test]
    async fn uploads_are_aborted_whatever_place_they_go_to() {
        let server = Server::builder().anonymous().start();
        let stores = Stores::new(StoreOptions {
            endpoint_url: Some(server.endpoint()),
            unsigned: true,
            ..StoreOptions::default()
        });
        let open = OpenUploads::default();
        let mut uploads = Vec::new();
        for bucket in ["data", "rejects"] {
            server.create_bucket(bucket);
            let place = Place::resolve(&format!("s3://{bucket}/a"), &stores).await.unwrap();
            let mut upload = place.upload("file", &open).await.unwrap();
            upload.write(vec![0; 9 << 20].into(), None).await.unwrap();
            uploads.push(upload);
            assert_eq!(server.open_uploads(bucket), ["a/file"]);
        }
        abort(&stores, &open).await.unwrap();
        assert_eq!(open.all(), []);
        for bucket in ["data", "rejects"] {
            assert!(server.open_uploads(bucket).is_empty(), "{bucket}");
        }
    }

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
