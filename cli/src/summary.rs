//! What a run did, in figures: for `-v`.

use std::time::Duration;

use indicatif::{HumanBytes, HumanCount};
use s3log_engine::session::Session;

use crate::message::count;

/// The figures of a run that its session does not have.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Summary {
    /// Rows of all results.
    pub rows: u64,
    /// How long it took to the first of them.
    pub first_row: Option<Duration>,
    /// How long everything took.
    pub elapsed: Duration,
}

impl Summary {
    /// For people.
    pub(crate) fn sentence(&self, session: &Session) -> String {
        let read = session.progress().snapshot();
        let mut parts = vec![format!(
            "{} from {}, {}, {}, {}",
            count(self.rows, "row"),
            count(read.objects, "object"),
            HumanBytes(read.bytes),
            count(read.rows, "record"),
            count(read.rejects, "reject"),
        )];
        if read.pruned + read.archived > 0 {
            let listed = count(read.objects_total + read.pruned + read.archived, "object");
            let (pruned, archived) = (HumanCount(read.pruned), HumanCount(read.archived));
            parts.push(format!("{listed} listed, {pruned} pruned by name, {archived} archived"));
        }
        let requests = session.stores().request_counts();
        if requests.list + requests.get > 0 {
            parts.push(format!(
                "{}, {}, {} retried",
                count(requests.list, "LIST request"),
                count(requests.get, "GET request"),
                requests.failed
            ));
        }
        if let Some(first_row) = self.first_row {
            parts.push(format!("first row after {:.3} s", first_row.as_secs_f64()));
        }
        format!("{} in {:.3} s", parts.join("; "), self.elapsed.as_secs_f64())
    }

    /// For programs: one JSON object.
    pub(crate) fn json(&self, session: &Session) -> String {
        let read = session.progress().snapshot();
        let requests = session.stores().request_counts();
        let first_row = self.first_row.map_or_else(|| "null".to_owned(), |at| format!("{:.3}", at.as_secs_f64()));
        let numbers = [
            ("rows", self.rows),
            ("objects_listed", read.objects_total + read.pruned + read.archived),
            ("objects_pruned", read.pruned),
            ("objects_archived", read.archived),
            ("objects_read", read.objects),
            ("objects_unreadable", session.progress().unreadable_count()),
            ("bytes", read.bytes),
            ("records", read.rows),
            ("rejects", read.rejects),
            ("blank_lines", read.blank_lines),
            ("list_requests", requests.list),
            ("get_requests", requests.get),
            ("other_requests", requests.other),
            ("retries", requests.failed),
        ];
        let numbers: Vec<_> = numbers.iter().map(|(name, number)| format!("\"{name}\":{number}")).collect();
        let seconds = self.elapsed.as_secs_f64();
        format!("{{{},\"first_row_seconds\":{first_row},\"seconds\":{seconds:.3}}}", numbers.join(","))
    }
}
