//! The single pass over the logs.

use super::collect::input::{COLUMNS, Input};
use super::collect::{Collector, SharedParts};
use super::tables::{events_schema, requests::events_batch};
use crate::error::{Error, ErrorKind};
use crate::session::Session;
use crate::time_units::MICROS_PER_DAY;
use arrow::array::RecordBatch;
use arrow::ipc::writer::FileWriter;
use datafusion::execution::spill_file::SpillFile;
use datafusion::physical_plan::{ExecutionPlan, displayable, execute_stream_partitioned};
use futures::StreamExt as _;
use std::collections::BTreeMap;
use std::fs::File;
use std::sync::Arc;
use tokio::task::JoinSet;

/// Number of requests buffered before they are written.
const TOGETHER: usize = 65_536;

/// What the pass must keep.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Wanted {
    /// Every request, for rules that read `s3_events`.
    pub every: bool,
    /// Separate counts for each day.
    pub by_day: bool,
}

/// The result of the pass.
pub(super) struct Passed {
    /// Keyed by days since the Unix epoch; a single entry if days were not to be separated.
    pub days: BTreeMap<i32, Collector>,
    /// Files of `s3_events`.
    pub events: Vec<Arc<dyn SpillFile>>,
    /// The physical plan of the scan.
    pub plan: String,
}

/// State of one partition.
struct Part {
    shared: SharedParts,
    wanted: Wanted,
    days: BTreeMap<i32, Collector>,
    events: Option<Events>,
}

/// The counts of a partition by day, and its file of `s3_events`.
type Counted = (BTreeMap<i32, Collector>, Option<Arc<dyn SpillFile>>);

/// A file of `s3_events`.
struct Events {
    file: Arc<dyn SpillFile>,
    writer: FileWriter<File>,
}

fn cannot_write(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::new(ErrorKind::Unwritable, "the table `s3_events` cannot be written to a temporary file")
        .with_source(error)
        .with_hint("rules that read `s3_events` need room on disk; `s3log rules list` tells which do")
}

impl Part {
    fn add(&mut self, batch: &RecordBatch) -> Result<(), Error> {
        let input = Input::new(batch)?;
        let day = |row: usize| if self.wanted.by_day { input.time(row).div_euclid(MICROS_PER_DAY) as i32 } else { 0 };
        let new = || Collector::new(self.shared.clone(), self.wanted.every);
        let mut from = 0;
        while from < batch.num_rows() {
            // Process runs of rows of the same day.
            let to = (from + 1..batch.num_rows()).find(|row| day(*row) != day(from)).unwrap_or(batch.num_rows());
            self.days.entry(day(from)).or_insert_with(new).add(&input, from..to);
            from = to;
        }
        self.write_events(TOGETHER)
    }

    /// Writes the requests of collectors that hold at least `at_least`.
    fn write_events(&mut self, at_least: usize) -> Result<(), Error> {
        let Some(events) = &mut self.events else { return Ok(()) };
        for collector in self.days.values_mut() {
            if collector.waiting() >= at_least
                && let Some(trail) = collector.take_every()
            {
                events.writer.write(&events_batch(collector, &trail)?).map_err(cannot_write)?;
            }
        }
        Ok(())
    }

    fn finish(mut self) -> Result<Counted, Error> {
        self.write_events(1)?;
        let file = match self.events {
            Some(mut events) => {
                events.writer.finish().map_err(cannot_write)?;
                Some(events.file)
            }
            None => None,
        };
        Ok((self.days, file))
    }
}

/// Reads all requests of a session once.
pub(super) async fn pass(session: &Session, shared: &SharedParts, wanted: Wanted) -> Result<Passed, Error> {
    let context = session.context();
    let requests = context.table("requests").await.map_err(failed)?;
    let plan = requests.select_columns(&COLUMNS).map_err(failed)?.create_physical_plan().await.map_err(failed)?;
    let shown = displayable(plan.as_ref() as &dyn ExecutionPlan).indent(false).to_string();
    let task = context.task_ctx();
    let streams = execute_stream_partitioned(plan, Arc::clone(&task)).map_err(failed)?;
    let mut parts = JoinSet::new();
    for mut stream in streams {
        let mut part = Part { shared: shared.clone(), wanted, days: BTreeMap::new(), events: None };
        if wanted.every {
            let file = task.runtime_env().disk_manager.create_tmp_file("s3_events").map_err(failed)?;
            let path = file.path().ok_or_else(|| cannot_write("there is no place for files"))?;
            let writer = FileWriter::try_new(File::create(path).map_err(cannot_write)?, &events_schema());
            part.events = Some(Events { file, writer: writer.map_err(cannot_write)? });
        }
        parts.spawn(async move {
            while let Some(batch) = stream.next().await {
                part.add(&batch.map_err(failed)?)?;
            }
            part.finish()
        });
    }
    let mut passed = Passed { days: BTreeMap::new(), events: Vec::new(), plan: shown };
    while let Some(part) = parts.join_next().await {
        let (days, events) =
            part.map_err(|error| Error::new(ErrorKind::Internal, "a part of the pass died").with_source(error))??;
        passed.events.extend(events);
        for (day, collector) in days {
            match passed.days.entry(day) {
                std::collections::btree_map::Entry::Vacant(place) => {
                    place.insert(collector);
                }
                std::collections::btree_map::Entry::Occupied(mut mine) => mine.get_mut().merge(collector),
            }
        }
    }
    for collector in passed.days.values_mut() {
        collector.requesters.settle();
    }
    Ok(passed)
}

/// Converts a DataFusion error, preserving an error of this crate inside of it.
pub(super) fn failed(error: datafusion::error::DataFusionError) -> Error {
    Error::of_query(error, "the requests cannot be read")
}
