//! What a run has read, and whether its answer counts as complete.

use std::fmt;

use indicatif::HumanCount;
use s3log_engine::dataset::BatchCounts;
use s3log_engine::scan::{ProgressSnapshot, Unreadable};
use s3log_engine::session::{RejectsNotKept, Session};

use crate::args::RejectLimit;
use crate::exit::Exit;
use crate::message::{Messages, count};

/// Counts of lines by outcome. Displays as `lines = rows + rejects: 12,345 = 12,340 + 5`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Balance {
    /// Lines in the requested time range that are neither blank nor headers.
    pub lines: u64,
    /// Lines that became rows.
    pub rows: u64,
    /// Lines that are not records.
    pub rejects: u64,
    /// Records that were already in the dataset; `None` without deduplication.
    pub duplicates: Option<u64>,
}

impl Balance {
    /// The balance of a conversion. `duplicates` are only included `with_duplicates`.
    pub(crate) fn of_batches(counts: &BatchCounts, with_duplicates: bool) -> Self {
        let BatchCounts { lines, rows, rejects, duplicates, .. } = *counts;
        Self { lines, rows, rejects, duplicates: with_duplicates.then_some(duplicates) }
    }

    /// Whether every line is counted exactly once.
    pub(crate) fn is_even(self) -> bool {
        let sum = self.rows.checked_add(self.rejects);
        sum.and_then(|sum| sum.checked_add(self.duplicates.unwrap_or_default())) == Some(self.lines)
    }
}

impl fmt::Display for Balance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (lines, rows, rejects) = (HumanCount(self.lines), HumanCount(self.rows), HumanCount(self.rejects));
        let sign = if self.is_even() { "=" } else { "≠" };
        match self.duplicates.map(HumanCount) {
            Some(duplicates) => {
                write!(f, "lines = rows + rejects + duplicates: {lines} {sign} {rows} + {rejects} + {duplicates}")
            }
            None => write!(f, "lines = rows + rejects: {lines} {sign} {rows} + {rejects}"),
        }
    }
}

/// Accumulates what the scans of a session read, statement by statement.
#[derive(Debug, Default)]
pub(crate) struct Accounting {
    /// What was read before, and is not judged here.
    base: ProgressSnapshot,
    /// Number of objects that could not be read before: those with a name, and all of them.
    base_unreadable: (usize, u64),
    before: ProgressSnapshot,
    /// The statement with the most rejects: two statements over the same objects meet the same rejects twice.
    worst: Read,
    objects: u64,
    rows: u64,
    /// Lines that belong to a log of another kind.
    others: u64,
    /// Whether any statement read the table `rejects`.
    shown: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Read {
    pub rows: u64,
    pub rejects: u64,
}

impl Accounting {
    /// For what a session reads from now on.
    pub(crate) fn from_now(session: &Session) -> Self {
        let progress = session.progress();
        let (now, unreadable) = (progress.snapshot(), progress.unreadable());
        let base_unreadable = (unreadable.len(), progress.unreadable_count());
        Self { base: now, before: now, base_unreadable, ..Self::default() }
    }

    /// Adds what was read since the last call. `about_rejects`: whether the statement read the table `rejects`.
    pub(crate) fn add(&mut self, now: ProgressSnapshot, about_rejects: bool) {
        self.shown |= about_rejects;
        let read = Read {
            rows: now.rows.saturating_sub(self.before.rows),
            rejects: now.rejects.saturating_sub(self.before.rejects),
        };
        if read.rejects > self.worst.rejects {
            self.worst = read;
        }
        let all = now.since(&self.base);
        (self.objects, self.rows, self.others) = (all.objects, all.rows, all.others);
        self.before = now;
    }

    /// Reports what is missing from the answer and returns the exit code that follows.
    pub(crate) fn judge(&self, session: &Session, limit: RejectLimit, messages: &Messages) -> Exit {
        let unreadable = session.progress().unreadable();
        let (known, known_count) = self.base_unreadable;
        let unreadable = unreadable.get(known..).unwrap_or_default();
        let unreadable_count = session.progress().unreadable_count().saturating_sub(known_count);
        say_archived(session.progress().snapshot().since(&self.base).archived, messages);
        if self.base.objects_total == 0 {
            say_names_unused(session, messages);
        }
        let mut exit =
            if self.shown { judge_not_kept(&session.rejects_not_kept(), limit, messages) } else { Exit::Done };
        if unreadable_count > 0 {
            exit = Exit::Incomplete;
            say_unreadable(unreadable, unreadable_count, messages);
        } else if self.objects > 0 && self.rows == 0 {
            exit = Exit::Incomplete;
            say_no_record(self.objects, self.others, messages);
            return exit;
        }
        let exceeded = limit.is_exceeded(self.worst.rows, self.worst.rejects);
        if exceeded || (self.worst.rejects > 0 && !self.shown) {
            say_rejects(self.worst, limit, messages);
        }
        if exceeded { Exit::Incomplete } else { exit }
    }
}

/// Reports datasets whose rejects were counted but not stored. They are still rejects, so the limit applies to them as
/// well.
fn judge_not_kept(datasets: &[RejectsNotKept], limit: RejectLimit, messages: &Messages) -> Exit {
    let hint = "`convert --rejects DEST` keeps the rejects of log objects converted from now on; to query all \
                rejects, use the log objects as the source";
    let mut exit = Exit::Done;
    for RejectsNotKept { dataset, rejects, rows, .. } in datasets {
        let were = if *rejects == 1 { "was" } else { "were" };
        let missing = format!(
            "`{dataset}`: {} {were} counted but not kept, so `rejects` does not contain them",
            count(*rejects, "reject")
        );
        if limit.is_exceeded(*rows, *rejects) {
            exit = Exit::Incomplete;
            messages.incomplete(&format!("{missing}; at most {limit} may be rejected"), Some(hint));
        } else {
            messages.warning(&missing, Some(hint));
        }
    }
    exit
}

/// How many objects or files are listed by name.
pub(crate) const NAMED: usize = 5;

/// Reports the objects that could not be read, `all` of them in number.
pub(crate) fn say_unreadable(unreadable: &[Unreadable], all: u64, messages: &Messages) {
    for object in unreadable.iter().take(NAMED) {
        messages.incomplete(&format!("`{}`: {}", object.object, why(object)), object.hint.as_deref());
    }
    let missing = format!("{} could not be read completely", count(all, "object"));
    let hint = (unreadable.len() > NAMED).then_some("`s3log check` lists all of them");
    messages.incomplete(&format!("{missing}: the answer is incomplete"), hint);
}

/// Notes that names could not be used to skip objects outside of the requested time range.
pub(crate) fn say_names_unused(session: &Session, messages: &Messages) {
    if session.progress().are_names_unused() {
        messages.note(
            "this service does not document how it names log objects, so none was skipped by name; if the names \
             contain the time of delivery, `--layout flat` reads less",
        );
    }
}

/// Warns about archived objects, which are skipped.
pub(crate) fn say_archived(archived: u64, messages: &Messages) {
    if archived > 0 {
        let objects = count(archived, "object");
        let hint = "restore them to read them; objects outside --since and --until are skipped without this warning";
        messages.warning(&format!("{objects} skipped and missing from the answer: archived (Glacier)"), Some(hint));
    }
}

/// Why an object could not be read, without repeating its name.
pub(crate) fn why(unreadable: &Unreadable) -> &str {
    let reason = unreadable.reason.strip_prefix(&unreadable.object);
    reason.and_then(|reason| reason.strip_prefix(": ")).unwrap_or(&unreadable.reason)
}

/// Reports that objects were read but none of them contained a record.
pub(crate) fn say_no_record(objects: u64, others: u64, messages: &Messages) {
    let objects = match objects {
        1 => "1 object was read, but it contains".to_owned(),
        count => format!("{} objects were read, but they contain", HumanCount(count)),
    };
    if others > 0 {
        let hint = "table `logs` reads S3 server access logs, `cdn` reads CDN logs, and `requests` reads both";
        return messages
            .incomplete(&format!("{objects} no records of this table, only logs of another kind"), Some(hint));
    }
    let hint = "are these access logs? `s3log check` shows why each line was rejected";
    messages.incomplete(&format!("{objects} no records"), Some(hint));
}

/// Reports the number of rejects, as an incomplete answer if it exceeds `limit`.
pub(crate) fn say_rejects(read: Read, limit: RejectLimit, messages: &Messages) {
    let lines = match read.rejects {
        1 => "1 line is not a record".to_owned(),
        count => format!("{} lines are not records", HumanCount(count)),
    };
    if limit.is_exceeded(read.rows, read.rejects) {
        let hint = "`s3log check` shows why; `SELECT * FROM rejects` lists the lines";
        messages.incomplete(&format!("{lines}; at most {limit} may be rejected"), Some(hint));
    } else {
        let hint = "`SELECT * FROM rejects` lists them; `s3log check` counts them by reason";
        messages.warning(&format!("{lines} and missing from the answer"), Some(hint));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_balance_shows_when_it_is_wrong() {
        let balance = |lines, duplicates| Balance { lines, rows: 12_340, rejects: 5, duplicates };
        for (balance, text) in [
            (balance(12_345, None), "lines = rows + rejects: 12,345 = 12,340 + 5"),
            (balance(12_346, None), "lines = rows + rejects: 12,346 ≠ 12,340 + 5"),
            (balance(12_346, Some(1)), "lines = rows + rejects + duplicates: 12,346 = 12,340 + 5 + 1"),
            (balance(12_346, Some(0)), "lines = rows + rejects + duplicates: 12,346 ≠ 12,340 + 5 + 0"),
            (
                balance(12_345, Some(u64::MAX)),
                "lines = rows + rejects + duplicates: 12,345 ≠ 12,340 + 5 + 18,446,744,073,709,551,615",
            ),
        ] {
            assert_eq!(balance.to_string(), text);
        }
    }

    #[test]
    fn two_statements_over_the_same_objects_do_not_double_the_rejects() {
        let mut accounting = Accounting::default();
        let mut now = ProgressSnapshot::default();
        (now.objects, now.rows, now.rejects) = (2, 100, 3);
        accounting.add(now, false);
        (now.objects, now.rows, now.rejects) = (4, 200, 6);
        accounting.add(now, false);
        assert_eq!(accounting.worst, Read { rows: 100, rejects: 3 });
    }
}
