//! Runners: who writes into a dataset at this moment, and who did and is gone.
//!
//! A runner has a file in the dataset, `_s3log/runners/<name>.json`, and writes it again every [`EVERY`]. One that was not written for
//! [`GONE_AFTER`], by the clock of the place itself, is of a runner that is gone. So that nobody waits for one that was killed on
//! the same machine, each also holds a lock on a file in the machine's folder for temporary files: the lock ends with
//! the process, however it ends.
//!
//! A runner that only seemed to be gone does no harm: its batch was abandoned in the ledger, and it cannot commit that any more.

use super::place::{Place, TMP};
use super::upload::OpenUploads;
use crate::error::{Error, ErrorKind};
use datafusion::common::runtime::SpawnedTask;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fs::{File, TryLockError};
use std::path::PathBuf;
use std::time::Duration;

/// The folder of runners' files.
pub(crate) const RUNNERS: &str = "_s3log/runners";

/// How often a runner shows that it is there.
const EVERY: Duration = Duration::from_secs(15);
/// How long one that does not is taken to be there.
const GONE_AFTER: Duration = Duration::from_secs(120);

/// This process, as one that writes.
#[derive(Debug)]
pub(crate) struct Runner {
    name: String,
    place: Place,
    uploads: OpenUploads,
    lock: Option<(File, PathBuf)>,
    heartbeat: Option<SpawnedTask<()>>,
}

/// What a runner's file says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RunnerFile {
    pub(crate) runner: String,
    pub(crate) host: String,
    pub(crate) process: u32,
    /// In RFC 3339, by its own clock.
    pub(crate) started: String,
    /// Uploads in parts that go on: paths, and the store's names of them.
    #[serde(default)]
    pub(crate) uploads: Vec<(String, String)>,
}

/// A runner that has a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) file: RunnerFile,
    /// Whether it is taken to be gone,
    pub(crate) is_gone: bool,
    /// and whether it is gone for certain: one that was only silent may come back.
    pub(crate) is_certain: bool,
}

/// A name for a runner, locked on this machine: what is written under it is taken back once the process is gone.
pub(crate) struct RunnerName {
    name: String,
    lock: Option<(File, PathBuf)>,
}

impl RunnerName {
    /// A name that no other runner has. `now` is in RFC 3339.
    pub(crate) fn new(now: &str) -> Result<Self, Error> {
        let mut random = [0; 6];
        getrandom::fill(&mut random).map_err(|error| {
            Error::new(ErrorKind::Internal, "the machine gives no random numbers")
                .with_source(std::io::Error::other(error.to_string()))
        })?;
        let digits: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
        let compact: String = now.chars().take(19).filter(|letter| letter.is_ascii_alphanumeric()).collect();
        let name = format!("{compact}Z-{digits}");
        let lock = lock(&name);
        Ok(Self { name, lock })
    }

    /// The place for what is written before the runner has a file of its own.
    pub(crate) fn place(&self, place: &Place) -> Place {
        place.for_writer(&self.name)
    }
}

impl Runner {
    /// Begins to be one. `now` is in RFC 3339.
    pub(crate) async fn start(place: &Place, named: RunnerName, now: &str) -> Result<Self, Error> {
        let RunnerName { name, lock } = named;
        let place = place.for_writer(&name);
        let file = RunnerFile {
            runner: name.clone(),
            host: host(),
            process: std::process::id(),
            started: now.to_owned(),
            uploads: Vec::new(),
        };
        let uploads = OpenUploads::default();
        write(&place, &file).await?;
        let heartbeat = SpawnedTask::spawn(beat(place.clone(), file, uploads.clone()));
        Ok(Self { name, place, uploads, lock, heartbeat: Some(heartbeat) })
    }

    /// Its name, which no other runner has.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The place, for what it writes.
    pub(crate) fn place(&self) -> &Place {
        &self.place
    }

    /// Its uploads in parts.
    pub(crate) fn uploads(&self) -> &OpenUploads {
        &self.uploads
    }

    /// Ends, with nothing left to do for others.
    pub(crate) async fn end(mut self) -> Result<(), Error> {
        self.heartbeat = None;
        let removed = self.place.delete(&path_of(&self.name)).await;
        if let Some((file, path)) = self.lock.take() {
            drop(std::fs::remove_file(path));
            drop(file);
        }
        removed
    }

    /// Now, by the clock of the place, in microseconds from 1970: not more than [`EVERY`] ago.
    pub(crate) async fn now(&self) -> Result<i64, Error> {
        let own = self.place.modified(&path_of(&self.name)).await?;
        own.ok_or_else(|| {
            Error::new(ErrorKind::Conflict, "another runner took this one to be gone")
                .in_object(self.place.name())
                .with_hint("run again")
        })
    }

    /// All that have a file, without this one.
    pub(crate) async fn others(&self) -> Result<Vec<Found>, Error> {
        let mut found = all(&self.place, self.now().await?).await?;
        found.retain(|found| found.file.runner != self.name);
        Ok(found)
    }
}

/// All that have a file; who is gone is judged by `now`, a time of the place's own clock in microseconds.
pub(crate) async fn all(place: &Place, now: i64) -> Result<Vec<Found>, Error> {
    let mut found = Vec::new();
    for entry in place.list(&format!("{RUNNERS}/"), None).await? {
        let Some(bytes) = place.get(&entry.path).await? else { continue };
        let name = entry.path.rsplit('/').next().and_then(|name| name.strip_suffix(".json")).unwrap_or_default();
        let mut file: RunnerFile = serde_json::from_slice(&bytes).unwrap_or_default();
        // A file that cannot be read is of someone all the same.
        name.clone_into(&mut file.runner);
        let is_old = now.saturating_sub(entry.modified) > GONE_AFTER.as_micros() as i64;
        let (is_gone, is_certain) = match is_locked(name) {
            Some(is_locked) => (!is_locked, true),
            None => (is_old, false),
        };
        found.push(Found { file, is_gone, is_certain });
    }
    Ok(found)
}

/// Removes files that are not whole yet, of runners that were gone before they had a file of their own. Only in directories there
/// are such files.
pub(crate) async fn remove_unfinished(place: &Place, present: &BTreeSet<&str>, now: i64) -> Result<(), Error> {
    for entry in place.list(&format!("{TMP}/"), None).await? {
        let name = entry.path.rsplit('/').next().unwrap_or_default();
        let Some((runner, _)) = name.rsplit_once('-') else { continue };
        let is_old = now.saturating_sub(entry.modified) > GONE_AFTER.as_micros() as i64;
        let is_gone = is_locked(runner).map_or(is_old, |is_locked| !is_locked);
        if is_gone && !present.contains(runner) {
            place.delete(&entry.path).await?;
            if is_locked(runner) == Some(false) {
                drop(std::fs::remove_file(lock_path(runner)));
            }
        }
    }
    Ok(())
}

/// Removes the file of a runner that is gone, once there is nothing left to do for it.
pub(crate) async fn forget(place: &Place, runner: &str) -> Result<(), Error> {
    place.delete(&path_of(runner)).await?;
    if is_locked(runner) == Some(false) {
        drop(std::fs::remove_file(lock_path(runner)));
    }
    Ok(())
}

fn path_of(runner: &str) -> String {
    format!("{RUNNERS}/{runner}.json")
}

async fn write(place: &Place, file: &RunnerFile) -> Result<(), Error> {
    let bytes = serde_json::to_vec(file)
        .map_err(|error| Error::new(ErrorKind::Internal, "a runner cannot be written down").with_source(error))?;
    place.put(&path_of(&file.runner), bytes.into()).await
}

async fn beat(place: Place, mut file: RunnerFile, uploads: OpenUploads) {
    let mut every = tokio::time::interval(EVERY);
    every.tick().await;
    loop {
        let changed = uploads.changed(&file.uploads);
        tokio::select! {
            _ = every.tick() => {}
            () = changed => {}
        }
        file.uploads = uploads.all();
        // If it cannot be written now, perhaps next time; and if never, others take over.
        drop(write(&place, &file).await);
    }
}

fn lock_path(runner: &str) -> PathBuf {
    std::env::temp_dir().join(format!("s3log-{runner}.lock"))
}

/// Takes the lock that shows others on this machine whether this process is there. Without it, they have to wait.
fn lock(runner: &str) -> Option<(File, PathBuf)> {
    let path = lock_path(runner);
    let file = File::create_new(&path).ok()?;
    match file.try_lock() {
        Ok(()) => Some((file, path)),
        Err(_) => {
            drop(std::fs::remove_file(path));
            None
        }
    }
}

/// Whether a runner of this machine still has its lock; `None` when it is of another one.
fn is_locked(runner: &str) -> Option<bool> {
    let file = File::open(lock_path(runner)).ok()?;
    match file.try_lock() {
        Ok(()) => Some(false),
        Err(TryLockError::WouldBlock) => Some(true),
        Err(TryLockError::Error(_)) => None,
    }
}

fn host() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").ok();
    let name = name.or_else(|| std::env::var("HOSTNAME").ok()).or_else(|| std::env::var("COMPUTERNAME").ok());
    name.map_or_else(|| "unknown".to_owned(), |name| name.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Stores;

    #[tokio::test]
    async fn a_runner_is_seen_as_long_as_it_is_there() {
        let directory = tempfile::tempdir().unwrap();
        let place = Place::resolve(&directory.path().display().to_string(), &Stores::default()).await.unwrap();
        let one = start(&place).await;
        let other = start(&place).await;
        assert_ne!(one.name(), other.name());
        let seen = one.others().await.unwrap();
        assert_eq!(seen.len(), 1);
        assert_eq!((seen[0].file.runner.as_str(), seen[0].is_gone), (other.name(), false));
        other.end().await.unwrap();
        assert_eq!(one.others().await.unwrap(), []);
        one.end().await.unwrap();
        assert_eq!(place.list("_s3log/", None).await.unwrap(), []);
    }

    async fn start(place: &Place) -> Runner {
        let now = "2026-01-15T10:00:00Z";
        Runner::start(place, RunnerName::new(now).unwrap(), now).await.unwrap()
    }

    #[tokio::test]
    async fn one_whose_lock_is_free_is_gone_and_one_of_another_machine_when_it_is_silent() {
        let directory = tempfile::tempdir().unwrap();
        let place = Place::resolve(&directory.path().display().to_string(), &Stores::default()).await.unwrap();
        let one = start(&place).await;
        let killed = start(&place).await;
        let name = killed.name().to_owned();
        // As if the process had ended: the lock is free, the files stay.
        drop(killed);
        let seen = one.others().await.unwrap();
        assert_eq!((seen.len(), seen[0].is_gone), (1, true));
        std::fs::remove_file(lock_path(&name)).unwrap();
        assert!(!one.others().await.unwrap()[0].is_gone);
        let later = one.place.modified(&path_of(one.name())).await.unwrap().unwrap() + 200_000_000;
        assert!(all(&place, later).await.unwrap().iter().any(|found| found.file.runner == name && found.is_gone));
        forget(&place, &name).await.unwrap();
        assert_eq!(one.others().await.unwrap(), []);
        one.end().await.unwrap();
    }
}
