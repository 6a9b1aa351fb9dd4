//! Counts of a scan for another process, which sees only the metrics of its plan.
//!
//! A metric whose name starts with `s3log.` is a count of `Progress`, or an unreadable log object: then the name,
//! reason and hint are encoded in the name of the metric, and its value is 1.

#[cfg(feature = "cluster")]
use super::progress::{Progress, Unreadable};
use crate::decode::Counts;
use crate::error::Error;
use datafusion::physical_plan::metrics::{Count, ExecutionPlanMetricsSet, MetricBuilder};
use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

/// Prefix of all metric names.
#[cfg(feature = "cluster")]
const PREFIX: &str = "s3log.";
const OBJECTS: &str = "s3log.objects";
const BYTES: &str = "s3log.bytes";
const ROWS: &str = "s3log.rows";
const REJECTS: &str = "s3log.rejects";
const BLANK_LINES: &str = "s3log.blank_lines";
const OTHERS: &str = "s3log.others";
const ARCHIVED: &str = "s3log.archived";
const UNREADABLE: &str = "s3log.unreadable";
const MORE_UNREADABLE: &str = "s3log.more_unreadable";
/// Separates the parts of a metric name for an unreadable object. It is removed from the parts themselves.
const SEPARATOR: char = '\0';
/// Maximum number of unreadable objects described per partition.
const DESCRIBED: usize = 1_000;

#[derive(Clone)]
pub(super) struct Tally {
    set: ExecutionPlanMetricsSet,
    partition: usize,
    objects: Count,
    bytes: Count,
    rows: Count,
    rejects: Count,
    blank_lines: Count,
    others: Count,
    archived: Count,
    more_unreadable: Count,
    unreadable: Arc<Mutex<HashSet<String>>>,
}

impl Tally {
    pub(super) fn new(set: &ExecutionPlanMetricsSet, partition: usize) -> Self {
        let counter = |name: &'static str| MetricBuilder::new(set).counter(name, partition);
        Self {
            set: set.clone(),
            partition,
            objects: counter(OBJECTS),
            bytes: counter(BYTES),
            rows: counter(ROWS),
            rejects: counter(REJECTS),
            blank_lines: counter(BLANK_LINES),
            others: counter(OTHERS),
            archived: counter(ARCHIVED),
            more_unreadable: counter(MORE_UNREADABLE),
            unreadable: Arc::default(),
        }
    }

    pub(super) fn read(&self, bytes: u64) {
        self.bytes.add(bytes as usize);
    }

    pub(super) fn counted(&self, counts: Counts) {
        self.rows.add(counts.rows as usize);
        self.rejects.add(counts.rejects as usize);
        self.blank_lines.add(counts.blank_lines as usize);
        self.others.add(counts.others as usize);
    }

    pub(super) fn object_done(&self) {
        self.objects.add(1);
    }

    pub(super) fn archived(&self) {
        self.archived.add(1);
    }

    /// Counts an object that could not be read; describes it if there is room.
    pub(super) fn failed(&self, object: &str, error: &Error) {
        let mut known = self.unreadable.lock().unwrap_or_else(PoisonError::into_inner);
        if known.contains(object) {
            return;
        }
        if known.len() == DESCRIBED {
            self.more_unreadable.add(1);
            return;
        }
        known.insert(object.to_owned());
        let parts = [UNREADABLE, object, &error.to_string(), error.hint().unwrap_or_default()];
        let parts = parts.map(|part| part.replace(SEPARATOR, "\u{fffd}"));
        let name = parts.join(&SEPARATOR.to_string());
        MetricBuilder::new(&self.set).counter(name, self.partition).add(1);
    }
}

/// Adds a metric of a scan in another process to the totals. Returns whether it is one of these metrics.
#[cfg(feature = "cluster")]
pub(crate) fn add_to(progress: &Progress, name: &str, value: u64) -> bool {
    if !name.starts_with(PREFIX) {
        return false;
    }
    match name {
        OBJECTS => progress.objects_done(value),
        BYTES => progress.read(value),
        ROWS => progress.counted(Counts { rows: value, ..Counts::default() }),
        REJECTS => progress.counted(Counts { rejects: value, ..Counts::default() }),
        BLANK_LINES => progress.counted(Counts { blank_lines: value, ..Counts::default() }),
        OTHERS => progress.counted(Counts { others: value, ..Counts::default() }),
        // Their size is not told.
        ARCHIVED => progress.planned_are_archived(value, 0),
        MORE_UNREADABLE => progress.more_unreadable(value),
        _ => {
            let mut parts = name.split(SEPARATOR).skip(1).map(str::to_owned);
            if let (Some(object), Some(reason)) = (parts.next(), parts.next()) {
                let hint = parts.next().filter(|hint| !hint.is_empty());
                progress.unreadable_elsewhere(Unreadable { object, reason, hint });
            }
        }
    }
    true
}

#[cfg(all(test, feature = "cluster"))]
mod tests {
    use super::*;
    use crate::error::ErrorKind;

    #[test]
    fn what_was_counted_elsewhere_arrives() {
        let set = ExecutionPlanMetricsSet::new();
        let tally = Tally::new(&set, 3);
        tally.read(10);
        tally.counted(Counts { rows: 5, rejects: 2, blank_lines: 1, headers: 6, others: 4 });
        tally.object_done();
        tally.archived();
        let error = Error::new(ErrorKind::Denied, "it may\0not be read").with_hint("ask");
        tally.failed("s3://logs/a", &error);
        tally.failed("s3://logs/a", &error);
        MetricBuilder::new(&set).counter("bytes_scanned", 3).add(7);
        let progress = Progress::default();
        let metrics = set.clone_inner();
        let taken: Vec<bool> = metrics
            .iter()
            .map(|metric| add_to(&progress, metric.value().name(), metric.value().as_usize() as u64))
            .collect();
        assert_eq!(taken.iter().filter(|taken| !**taken).count(), 1);
        let found = progress.snapshot();
        assert_eq!((found.rows, found.rejects, found.blank_lines, found.others), (5, 2, 1, 4));
        assert_eq!((found.bytes, found.objects, found.archived), (10, 1, 1));
        assert_eq!(progress.unreadable_count(), 1);
        let unreadable = &progress.unreadable()[0];
        assert_eq!(unreadable.object, "s3://logs/a");
        assert_eq!(unreadable.reason, "it may\u{fffd}not be read");
        assert_eq!(unreadable.hint.as_deref(), Some("ask"));
    }

    #[test]
    fn objects_that_cannot_be_read_are_described_up_to_a_limit() {
        let set = ExecutionPlanMetricsSet::new();
        let tally = Tally::new(&set, 0);
        let error = Error::new(ErrorKind::Unreadable, "no");
        (0..DESCRIBED + 7).for_each(|number| tally.failed(&number.to_string(), &error));
        let progress = Progress::default();
        for metric in set.clone_inner().iter() {
            add_to(&progress, metric.value().name(), metric.value().as_usize() as u64);
        }
        assert_eq!(progress.unreadable_count(), DESCRIBED as u64 + 7);
    }
}
