//! Statistics of a run, for `-v`.

use std::time::Duration;

use indicatif::{HumanBytes, HumanCount};
use s3log_engine::session::Session;
use serde::Serialize;

use crate::failure::Failure;
use crate::message::count;
use crate::output::json_line;
use crate::output::time::seconds;

/// Statistics that the session does not have.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Summary {
    /// Rows of all results.
    pub rows: u64,
    /// Time to the first row.
    pub first_row: Option<Duration>,
    /// Total time.
    pub elapsed: Duration,
}

impl Summary {
    /// The statistics as text.
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
                "{}, {}, {}",
                count(requests.list, "LIST request"),
                count(requests.get, "GET request"),
                count(requests.failed, "failed attempt"),
            ));
        }
        if let Some(first_row) = self.first_row {
            parts.push(format!("first row after {:.3} s", first_row.as_secs_f64()));
        }
        format!("{} in {:.3} s", parts.join("; "), self.elapsed.as_secs_f64())
    }

    /// The statistics as one JSON object.
    pub(crate) fn json(&self, session: &Session) -> Result<String, Failure> {
        let read = session.progress().snapshot();
        let requests = session.stores().request_counts();
        let figures = Figures {
            result_rows: self.rows,
            objects_listed: read.objects_total + read.pruned + read.archived,
            objects_pruned: read.pruned,
            objects_archived: read.archived,
            objects: read.objects,
            objects_unreadable: session.progress().unreadable_count(),
            bytes: read.bytes,
            records: read.rows,
            rejects: read.rejects,
            blank_lines: read.blank_lines,
            list_requests: requests.list,
            get_requests: requests.get,
            other_requests: requests.other,
            failed_attempts: requests.failed,
            first_row_seconds: self.first_row.map(seconds),
            seconds: seconds(self.elapsed),
        };
        json_line(&figures, false)
    }
}

/// Names match those of the progress and of other reports.
#[derive(Serialize)]
struct Figures {
    result_rows: u64,
    objects_listed: u64,
    objects_pruned: u64,
    objects_archived: u64,
    objects: u64,
    objects_unreadable: u64,
    bytes: u64,
    records: u64,
    rejects: u64,
    blank_lines: u64,
    list_requests: u64,
    get_requests: u64,
    other_requests: u64,
    failed_attempts: u64,
    first_row_seconds: Option<f64>,
    seconds: f64,
}
