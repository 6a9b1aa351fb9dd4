//! The reports of the parts of a batch, and what they add up to.

use crate::convert::pipeline::Outcome;
use crate::dataset::DataFile;
use crate::decode::Counts;
use crate::error::{Error, ErrorKind};
use crate::scan::{Progress, Unopened};
use arrow::array::{AsArray as _, RecordBatch};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;

/// The result of a part.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Report {
    /// The name of the first object, which identifies the part.
    first: String,
    files: Vec<DataFile>,
    reject_files: Vec<DataFile>,
    lines: u64,
    blank_lines: u64,
    rows: u64,
    rejects: u64,
    others: u64,
    bytes: u64,
    objects_read: usize,
    failed: Vec<Failed>,
    archived: Vec<usize>,
    spoiled: bool,
}

/// An object that could not be read.
#[derive(Debug, Serialize, Deserialize)]
struct Failed {
    position: usize,
    reason: String,
    hint: Option<String>,
}

impl Report {
    pub(super) fn of(first: String, outcome: Outcome) -> Self {
        // Duplicates are not looked for, and files have random numbers.
        let Outcome {
            files,
            reject_files,
            lines,
            blank_lines,
            rows,
            rejects,
            others,
            duplicates: _,
            bytes,
            objects_read,
            failed,
            archived,
            spoiled,
            next_number: _,
        } = outcome;
        let failed = failed.into_iter().map(|(position, error)| Failed {
            position,
            hint: error.hint().map(str::to_owned),
            reason: error.to_string(),
        });
        let failed = failed.collect();
        Self {
            first,
            files,
            reject_files,
            lines,
            blank_lines,
            rows,
            rejects,
            others,
            bytes,
            objects_read,
            failed,
            archived,
            spoiled,
        }
    }
}

/// Merges the reports of the parts, and adds them to `progress`.
pub(in crate::convert) fn joined(
    parts: &[Vec<Unopened>],
    rows: &[RecordBatch],
    progress: &Progress,
) -> Result<Outcome, Error> {
    let internal = |what: &str| Error::new(ErrorKind::Internal, format!("a part of a batch {what}"));
    let mut begins: HashMap<&str, usize> = HashMap::new();
    let mut begin = 0;
    for part in parts {
        if let Some(first) = part.first() {
            begins.insert(first.object.name(), begin);
        }
        begin += part.len();
    }
    let objects: Vec<&Unopened> = parts.iter().flatten().collect();
    let mut outcome = Outcome::default();
    for text in rows.iter().flat_map(|batch| batch.column(0).as_string::<i32>().iter().flatten()) {
        let report: Report = serde_json::from_str(text)
            .map_err(|error| internal("says nothing that is known here").with_source(error))?;
        let begin = begins.remove(report.first.as_str()).ok_or_else(|| internal("was written twice"))?;
        progress.read(report.bytes);
        progress.objects_done(report.objects_read as u64);
        let archived = report.archived.iter().filter_map(|at| objects.get(begin + at));
        progress.planned_are_archived(report.archived.len() as u64, archived.map(|object| object.size).sum());
        progress.counted(Counts {
            rows: report.rows,
            rejects: report.rejects,
            blank_lines: report.blank_lines,
            others: report.others,
            ..Counts::default()
        });
        outcome.files.extend(report.files);
        outcome.reject_files.extend(report.reject_files);
        outcome.lines += report.lines;
        outcome.blank_lines += report.blank_lines;
        outcome.rows += report.rows;
        outcome.rejects += report.rejects;
        outcome.others += report.others;
        outcome.bytes += report.bytes;
        outcome.objects_read += report.objects_read;
        outcome.spoiled |= report.spoiled;
        outcome.archived.extend(report.archived.into_iter().map(|at| begin + at));
        outcome.failed.extend(report.failed.into_iter().map(|failed| {
            let error = Error::new(ErrorKind::Unreadable, failed.reason);
            let error = match failed.hint {
                Some(hint) => error.with_hint(hint),
                None => error,
            };
            (begin + failed.position, error)
        }));
    }
    match begins.is_empty() {
        true => Ok(outcome),
        false => Err(internal("returned no report")),
    }
}

#[cfg(test)]
mod tests {
    use super::super::exec::SCHEMA;
    use super::super::shared_out;
    use super::super::tests::objects;
    use super::*;
    use arrow::array::{ArrayRef, StringArray};
    use std::sync::Arc;

    #[test]
    fn reports_are_put_together_in_any_order_and_each_part_has_one() {
        let parts = shared_out(objects(&[1, 1, 1, 1]), 2);
        let report = |first: &str, position: usize, rows: u64| {
            let failed = vec![(position, Error::new(ErrorKind::Denied, "no").with_hint("ask"))];
            let outcome = Outcome {
                rows,
                lines: rows,
                others: 2,
                objects_read: 1,
                failed,
                archived: vec![0],
                ..Outcome::default()
            };
            serde_json::to_string(&Report::of(first.to_owned(), outcome)).unwrap()
        };
        let batch = |reports: &[&str]| {
            let column: ArrayRef = Arc::new(StringArray::from_iter_values(reports));
            RecordBatch::try_new(Arc::clone(&SCHEMA), vec![column]).unwrap()
        };
        let (first, second) = (report("0", 1, 3), report("2", 1, 4));
        let (first, second) = (first.as_str(), second.as_str());
        let progress = Progress::default();
        let outcome = joined(&parts, &[batch(&[second]), batch(&[first])], &progress).unwrap();
        assert_eq!((outcome.rows, outcome.objects_read, progress.snapshot().rows), (7, 2, 7));
        assert_eq!((outcome.others, progress.snapshot().others), (4, 4));
        assert_eq!(outcome.failed.iter().map(|(at, _)| *at).collect::<Vec<_>>(), [3, 1]);
        assert_eq!(outcome.failed[0].1.hint(), Some("ask"));
        assert_eq!(outcome.archived, [2, 0]);
        let missing = joined(&parts, &[batch(&[first])], &progress).unwrap_err();
        assert_eq!(missing.to_string(), "a part of a batch returned no report");
        let twice = joined(&parts, &[batch(&[first, second, first])], &progress).unwrap_err();
        assert_eq!(twice.to_string(), "a part of a batch was written twice");
    }
}
