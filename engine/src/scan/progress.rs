//! What scans have read so far, for progress bars, warnings and exit codes.

use crate::decode::Counts;
use crate::error::Error;
use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};

/// Running totals over all scans of a session.
#[derive(Debug, Default)]
pub struct Progress {
    objects_total: AtomicU64,
    bytes_total: AtomicU64,
    objects: AtomicU64,
    bytes: AtomicU64,
    rows: AtomicU64,
    rejects: AtomicU64,
    blank_lines: AtomicU64,
    others: AtomicU64,
    pruned: AtomicU64,
    archived: AtomicU64,
    names_unused: AtomicBool,
    unreadable: Mutex<Failures>,
    stages: Mutex<Vec<StageProgress>>,
}

/// A stage of a query that runs on a cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StageProgress {
    /// Which one; stages are numbered from 1.
    pub stage: u32,
    /// Tasks that were begun.
    pub tasks: usize,
    /// Those that are done.
    pub done: usize,
    /// Whether all is done.
    pub is_done: bool,
}

/// Log objects that could not be read: how many, and some of them.
#[derive(Debug, Default)]
struct Failures {
    known: HashSet<u64>,
    /// Others, which another process counted.
    more: u64,
    first: Vec<Unreadable>,
}

impl Failures {
    /// So many are described.
    const DESCRIBED: usize = 1_000;
}

/// A log object that could not be read, or not to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unreadable {
    /// Its name.
    pub object: String,
    /// Why.
    pub reason: String,
    /// What to do about it.
    pub hint: Option<String>,
}

/// The totals at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ProgressSnapshot {
    /// Log objects of the scans that were planned.
    pub objects_total: u64,
    /// Their bytes, as stored.
    pub bytes_total: u64,
    /// Log objects read to their end. An object that is read in several ranges counts by the last of them.
    pub objects: u64,
    /// Bytes read, as stored.
    pub bytes: u64,
    /// Records found.
    pub rows: u64,
    /// Lines found that are no records.
    pub rejects: u64,
    /// Lines of nothing but spaces, tabs and carriage returns.
    pub blank_lines: u64,
    /// Lines of logs of another kind than the table that was read.
    pub others: u64,
    /// Log objects that were listed, and not read because their names say that they hold no record of the wanted times.
    /// Objects that were not even listed are not among them.
    pub pruned: u64,
    /// Log objects that have to be restored from an archive before they can be read.
    pub archived: u64,
}

impl Progress {
    /// The totals now.
    #[must_use]
    pub fn snapshot(&self) -> ProgressSnapshot {
        ProgressSnapshot {
            objects_total: self.objects_total.load(Relaxed),
            bytes_total: self.bytes_total.load(Relaxed),
            objects: self.objects.load(Relaxed),
            bytes: self.bytes.load(Relaxed),
            rows: self.rows.load(Relaxed),
            rejects: self.rejects.load(Relaxed),
            blank_lines: self.blank_lines.load(Relaxed),
            others: self.others.load(Relaxed),
            pruned: self.pruned.load(Relaxed),
            archived: self.archived.load(Relaxed),
        }
    }

    /// The stages of the query that runs on a cluster now.
    #[must_use]
    pub fn stages(&self) -> Vec<StageProgress> {
        self.stages.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    #[cfg(feature = "cluster")]
    pub(crate) fn set_stages(&self, stages: Vec<StageProgress>) {
        *self.stages.lock().unwrap_or_else(PoisonError::into_inner) = stages;
    }

    /// Log objects that could not be read, or not to their end, each once: the first thousand of them.
    #[must_use]
    pub fn unreadable(&self) -> Vec<Unreadable> {
        self.unreadable.lock().unwrap_or_else(PoisonError::into_inner).first.clone()
    }

    /// How many log objects could not be read, or not to their end.
    #[must_use]
    pub fn unreadable_count(&self) -> u64 {
        let unreadable = self.unreadable.lock().unwrap_or_else(PoisonError::into_inner);
        unreadable.known.len() as u64 + unreadable.more
    }

    pub(crate) fn planned(&self, objects: u64, bytes: u64) {
        self.objects_total.fetch_add(objects, Relaxed);
        self.bytes_total.fetch_add(bytes, Relaxed);
    }

    pub(crate) fn read(&self, bytes: u64) {
        self.bytes.fetch_add(bytes, Relaxed);
    }

    pub(crate) fn counted(&self, counts: Counts) {
        self.rows.fetch_add(counts.rows, Relaxed);
        self.rejects.fetch_add(counts.rejects, Relaxed);
        self.blank_lines.fetch_add(counts.blank_lines, Relaxed);
        self.others.fetch_add(counts.others, Relaxed);
    }

    pub(crate) fn object_done(&self) {
        self.objects_done(1);
    }

    pub(crate) fn objects_done(&self, objects: u64) {
        self.objects.fetch_add(objects, Relaxed);
    }

    /// Whether times were asked for, and names of log objects left nothing out because their service does not say what they
    /// mean.
    #[must_use]
    pub fn are_names_unused(&self) -> bool {
        self.names_unused.load(Relaxed)
    }

    pub(crate) fn names_unused(&self) {
        self.names_unused.store(true, Relaxed);
    }

    pub(crate) fn pruned(&self, objects: u64) {
        self.pruned.fetch_add(objects, Relaxed);
    }

    pub(crate) fn archived(&self, objects: u64) {
        self.archived.fetch_add(objects, Relaxed);
    }

    pub(crate) fn failed(&self, object: &str, error: &Error) {
        let describe = || (error.to_string(), error.hint().map(str::to_owned));
        self.unreadable_for(object, describe);
    }

    /// Objects that another process could not read, and does not name.
    #[cfg(feature = "cluster")]
    pub(crate) fn more_unreadable(&self, objects: u64) {
        self.unreadable.lock().unwrap_or_else(PoisonError::into_inner).more += objects;
    }

    /// Of an object that another process could not read.
    #[cfg(feature = "cluster")]
    pub(crate) fn unreadable_elsewhere(&self, Unreadable { object, reason, hint }: Unreadable) {
        self.unreadable_for(&object, || (reason, hint));
    }

    fn unreadable_for(&self, object: &str, describe: impl FnOnce() -> (String, Option<String>)) {
        let mut unreadable = self.unreadable.lock().unwrap_or_else(PoisonError::into_inner);
        let mut hasher = DefaultHasher::new();
        object.hash(&mut hasher);
        if unreadable.known.insert(hasher.finish()) && unreadable.first.len() < Failures::DESCRIBED {
            let (reason, hint) = describe();
            unreadable.first.push(Unreadable { object: object.to_owned(), reason, hint });
        }
    }
}
