//! Runners: processes that write into a dataset, including those that have died.
//!
//! Each runner has a file in the dataset, `_s3log/runners/<name>.json`, which it rewrites every [`EVERY`]. If the file
//! is older than [`GONE_AFTER`], by the clock of the place itself, the runner is considered gone. To detect processes
//! killed on the same machine without this delay, each runner also holds a lock on a file in the machine's temporary
//! folder, which the operating system releases when the process ends.
//!
//! A runner that is mistaken for gone does no harm: its batch has been abandoned in the ledger, so it cannot commit it
//! any more.

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

/// Interval of the heartbeat.
const EVERY: Duration = Duration::from_secs(15);
/// Age of a heartbeat at which a runner is considered gone.
const GONE_AFTER: Duration = Duration::from_secs(120);

/// This process as a writer of the dataset.
#[derive(Debug)]
pub(crate) struct Runner {
    name: String,
    place: Place,
    uploads: OpenUploads,
    lock: Option<(File, PathBuf)>,
    heartbeat: Option<SpawnedTask<()>>,
}

/// The contents of a runner's file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RunnerFile {
    pub(crate) runner: String,
    pub(crate) host: String,
    pub(crate) process: u32,
    /// When it started, in RFC 3339 by its own clock.
    pub(crate) started: String,
    /// Multipart uploads in progress: locations and upload ids.
    #[serde(default)]
    pub(crate) uploads: Vec<(String, String)>,
}

/// A runner found in the dataset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) file: RunnerFile,
    /// Whether it is considered gone.
    pub(crate) is_gone: bool,
    /// Whether `is_gone` is certain, because its lock on this machine was checked. A runner that was merely silent may
    /// come back.
    pub(crate) is_certain: bool,
}

/// A name for a runner, locked on this machine: files written under it are cleaned up once the process is gone.
pub(crate) struct RunnerName {
    name: String,
    lock: Option<(File, PathBuf)>,
}

impl RunnerName {
    /// A unique name. `now` is in RFC 3339.
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

    /// The place to write to before the runner has a file of its own.
    pub(crate) fn place(&self, place: &Place) -> Place {
        place.for_writer(&self.name)
    }
}

impl Runner {
    /// Registers the runner and starts its heartbeat. `now` is in RFC 3339.
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

    /// The unique name of the runner.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The place to write to.
    pub(crate) fn place(&self) -> &Place {
        &self.place
    }

    /// The multipart uploads of this runner.
    pub(crate) fn uploads(&self) -> &OpenUploads {
        &self.uploads
    }

    /// Deregisters the runner: it has left nothing for others to clean up.
    pub(crate) async fn end(mut self) -> Result<(), Error> {
        self.heartbeat = None;
        let removed = self.place.delete(&path_of(&self.name)).await;
        if let Some((file, path)) = self.lock.take() {
            drop(std::fs::remove_file(path));
            drop(file);
        }
        removed
    }

    /// The time of the last heartbeat by the clock of the place, in microseconds since the Unix epoch; normally at most
    /// [`EVERY`] ago.
    pub(crate) async fn now(&self) -> Result<i64, Error> {
        let own = self.place.modified(&path_of(&self.name)).await?;
        own.ok_or_else(|| {
            Error::new(ErrorKind::Conflict, "another runner considered this one dead")
                .in_object(self.place.name())
                .with_hint("run again")
        })
    }

    /// All other runners that have a file.
    pub(crate) async fn others(&self) -> Result<Vec<Found>, Error> {
        let mut found = all(&self.place, self.now().await?).await?;
        found.retain(|found| found.file.runner != self.name);
        Ok(found)
    }
}

/// All runners that have a file. Whether one is gone is judged by `now`, a time by the clock of the place in
/// microseconds since the Unix epoch.
pub(crate) async fn all(place: &Place, now: i64) -> Result<Vec<Found>, Error> {
    let mut found = Vec::new();
    for entry in place.list(&format!("{RUNNERS}/"), None).await? {
        let Some(bytes) = place.get(&entry.path).await? else { continue };
        let name = entry.path.rsplit('/').next().and_then(|name| name.strip_suffix(".json")).unwrap_or_default();
        let mut file: RunnerFile = serde_json::from_slice(&bytes).unwrap_or_default();
        // A file that cannot be parsed still belongs to a runner.
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

/// Deletes incomplete files of runners that died before they had a file of their own. Only directories contain such
/// files.
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

/// Deletes the file of a runner that is gone, once everything of it is cleaned up.
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
        // A failed write is retried with the next heartbeat; if all fail, others take over.
        drop(write(&place, &file).await);
    }
}

fn lock_path(runner: &str) -> PathBuf {
    std::env::temp_dir().join(format!("s3log-{runner}.lock"))
}

/// Takes the lock that tells other processes on this machine that this one is alive. Without it, they wait for
/// [`GONE_AFTER`].
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

/// Whether the runner's lock on this machine is held; `None` if it has none here.
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
        // As if the process had died: the lock is released, the files remain.
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
