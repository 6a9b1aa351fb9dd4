//! Totals of what scans have read, for progress bars, warnings and exit codes.

use crate::decode::Counts;
use crate::error::Error;
use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};

/// Running totals over all scans of a session. Can be read while queries run.
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

/// Progress of one stage of a query on a cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StageProgress {
    /// Stage number, from 1.
    pub stage: u32,
    /// Number of tasks started.
    pub tasks: usize,
    /// Number of tasks finished.
    pub done: usize,
    /// Whether the stage is finished.
    pub is_done: bool,
}

/// Log objects that could not be read: their number, and descriptions of some.
#[derive(Debug, Default)]
struct Failures {
    known: HashSet<u64>,
    /// Further objects counted by another process.
    more: u64,
    first: Vec<Unreadable>,
}

impl Failures {
    /// Maximum number of descriptions.
    const DESCRIBED: usize = 1_000;
}

/// A log object that could not be read completely.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Unreadable {
    /// The name of the object.
    pub object: String,
    /// The error.
    pub reason: String,
    /// What the user can do about it.
    pub hint: Option<String>,
}

/// The totals of a [`Progress`] at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ProgressSnapshot {
    /// Log objects in all scans planned so far.
    pub objects_total: u64,
    /// Their total size in bytes, as stored.
    pub bytes_total: u64,
    /// Log objects read to the end. An object read in several ranges counts with its last range.
    pub objects: u64,
    /// Bytes read, as stored.
    pub bytes: u64,
    /// Records found.
    pub rows: u64,
    /// Lines found that do not parse as a record.
    pub rejects: u64,
    /// Lines that consist only of spaces, tabs and carriage returns.
    pub blank_lines: u64,
    /// Lines of logs of another kind than the table being read.
    pub others: u64,
    /// Log objects that were listed, but skipped because their names rule out records of the wanted times. Objects that
    /// were not even listed are not included.
    pub pruned: u64,
    /// Log objects that must be restored from an archive before they can be read.
    pub archived: u64,
}

impl ProgressSnapshot {
    /// What was added since an earlier snapshot of the same progress.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        Self {
            objects_total: self.objects_total.saturating_sub(earlier.objects_total),
            bytes_total: self.bytes_total.saturating_sub(earlier.bytes_total),
            objects: self.objects.saturating_sub(earlier.objects),
            bytes: self.bytes.saturating_sub(earlier.bytes),
            rows: self.rows.saturating_sub(earlier.rows),
            rejects: self.rejects.saturating_sub(earlier.rejects),
            blank_lines: self.blank_lines.saturating_sub(earlier.blank_lines),
            others: self.others.saturating_sub(earlier.others),
            pruned: self.pruned.saturating_sub(earlier.pruned),
            archived: self.archived.saturating_sub(earlier.archived),
        }
    }
}

impl Progress {
    /// The current totals.
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

    /// The stages of the query currently running on a cluster.
    #[must_use]
    pub fn stages(&self) -> Vec<StageProgress> {
        self.stages.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    #[cfg(feature = "cluster")]
    pub(crate) fn set_stages(&self, stages: Vec<StageProgress>) {
        *self.stages.lock().unwrap_or_else(PoisonError::into_inner) = stages;
    }

    /// Log objects that could not be read completely, without duplicates, at most 1000.
    #[must_use]
    pub fn unreadable(&self) -> Vec<Unreadable> {
        self.unreadable.lock().unwrap_or_else(PoisonError::into_inner).first.clone()
    }

    /// Number of log objects that could not be read completely.
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

    /// Whether a time range was requested, but no log object could be skipped by name because the meaning of the names
    /// is unknown.
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

    /// Counts objects as archived that were planned, and their size: only the store's answers told.
    pub(crate) fn planned_are_archived(&self, objects: u64, bytes: u64) {
        self.archived(objects);
        let less = |total: &AtomicU64, by: u64| {
            _ = total.fetch_update(Relaxed, Relaxed, |total| Some(total.saturating_sub(by)));
        };
        less(&self.objects_total, objects);
        less(&self.bytes_total, bytes);
    }

    pub(crate) fn failed(&self, object: &str, error: &Error) {
        let describe = || (error.to_string(), error.hint().map(str::to_owned));
        self.unreadable_for(object, describe);
    }

    /// Adds unreadable objects that another process counted without naming them.
    #[cfg(feature = "cluster")]
    pub(crate) fn more_unreadable(&self, objects: u64) {
        self.unreadable.lock().unwrap_or_else(PoisonError::into_inner).more += objects;
    }

    /// Adds an object that another process could not read.
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
