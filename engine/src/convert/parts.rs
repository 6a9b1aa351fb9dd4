//! A batch whose files are written by other processes.
//!
//! One process begins and commits the batch as usual. In between, its log objects are distributed over the partitions
//! of a plan; the task that executes a partition writes files of the batch under unique names, and returns a row that
//! lists them. Files of tasks that were lost, or executed again elsewhere, are in no row: they are not committed, and
//! deleted before the commit.

use super::decoding::transform;
use super::destination::Destination;
use super::mark::{Mark, Marked};
use super::options::{ConvertOptions, PartitionBy};
use super::pipeline::{Job, Layout, Outcome, write_records};
use super::privacy::{AnonymizeIp, Privacy};
use super::recovery::abort;
use crate::dataset::{DataFile, OpenUploads, Place};
use crate::decode::{Counts, LineOptions};
use crate::error::{Error, ErrorKind};
use crate::scan::{OnUnreadable, Packed, Progress, S3LogSource, ScanOptions, Unopened, pack_objects, packed_group};
use crate::schema::{Table, TextLayout};
use crate::session::Session;
use crate::store::Stores;
use arrow::array::{ArrayRef, AsArray as _, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{Result as DataFusionResult, internal_err};
use datafusion::datasource::physical_plan::{FileScanConfig, FileScanConfigBuilder};
use datafusion::datasource::source::DataSourceExec;
use datafusion::datasource::table_schema::TableSchema;
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::EquivalenceProperties;
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, ExecutionPlanProperties as _, Partitioning, PhysicalExpr,
    PlanProperties,
};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, LazyLock};
use tokio::runtime::Handle;

/// Minimum size of a part in bytes as stored, unless batches are configured to be smaller than that per partition:
/// smaller parts would make many small files.
const MIN_PART: u64 = 256 << 20;
/// Default number of log objects of a batch for each partition: as many as one machine fetches in half a minute.
const OBJECTS_PER_PARTITION: u64 = ConvertOptions::BATCH_OBJECTS / 2;

/// What the parts of a batch have in common.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Order {
    /// The place of the dataset.
    dest: String,
    /// The place for rejects, if they are kept.
    rejects: Option<String>,
    /// The runner of the batch, after which incomplete files are named.
    runner: String,
    batch: String,
    /// The path in the dataset of a file that exists as long as files of the batch may be completed.
    mark: String,
    by_bucket: bool,
    target_size: u64,
    compression: String,
    bloom: Vec<String>,
    memory: usize,
    metadata: Vec<(String, String)>,
    redact_uri: bool,
    anonymize_ip: String,
}

impl Order {
    /// The order for an attempt at a batch; `mark` is the path of its mark.
    ///
    /// # Errors
    ///
    /// If an option is not supported across processes, or a path is not UTF-8.
    pub(super) fn new(
        options: &ConvertOptions,
        dest: &Place,
        rejects: Option<&Place>,
        runner: &str,
        partition_by: PartitionBy,
        layout: Layout,
        mark: &str,
    ) -> Result<Self, Error> {
        check(options)?;
        for place in [Some(dest), rejects].into_iter().flatten() {
            if place.directory().is_some_and(|path| path.to_str().is_none()) {
                let error =
                    Error::new(ErrorKind::Unsupported, "a path that is not UTF-8 cannot be sent to other machines");
                return Err(error.in_object(place.name()));
            }
        }
        let privacy = options.privacy.describe();
        Ok(Self {
            dest: dest.name(),
            rejects: rejects.map(Place::name),
            runner: runner.to_owned(),
            mark: mark.to_owned(),
            batch: layout.batch_id,
            by_bucket: partition_by == PartitionBy::DayAndBucket,
            target_size: layout.target_size,
            compression: layout.compression.to_string(),
            bloom: layout.bloom,
            // The budget is for the machine of the runner, and an executor writes several parts at a time.
            memory: layout.memory.min(ConvertOptions::MEMORY),
            metadata: layout.metadata,
            redact_uri: privacy.redact_uri,
            anonymize_ip: privacy.anonymize_ip.to_string(),
        })
    }
}

/// Checks that the options are supported across processes.
pub(super) fn check(options: &ConvertOptions) -> Result<(), Error> {
    let cannot = |what: &str, hint: &str| Err(Error::new(ErrorKind::Unsupported, what.to_owned()).with_hint(hint));
    if options.dedupe {
        return cannot(
            "duplicates cannot be detected on a cluster, because that requires seeing all records in order",
            "run without --cluster",
        );
    }
    if options.privacy.describe().anonymize_ip == AnonymizeIp::Keyed {
        return cannot(
            "addresses cannot be encrypted on a cluster, because the key is not sent to it",
            "run without --cluster, or use --anonymize-ip truncate or drop",
        );
    }
    Ok(())
}

/// The plan that writes the parts of a batch.
pub(super) fn plan(
    session: &Session,
    table: Table,
    parts: &[Vec<Unopened>],
    order: Order,
) -> Result<Arc<dyn ExecutionPlan>, Error> {
    let groups = parts.iter().map(|part| Ok(packed_group(pack_objects(part)?, session.stores())));
    let groups = groups.collect::<Result<Vec<_>, Error>>()?;
    let options = ScanOptions::default().with_lines(session.lines().clone());
    let options = options.with_progress(Arc::clone(session.progress()), OnUnreadable::Report);
    let source = S3LogSource::new(table, TableSchema::from(table.schema(TextLayout::Plain))).with_options(options);
    let config =
        FileScanConfigBuilder::new(ObjectStoreUrl::local_filesystem(), Arc::new(source)).with_file_groups(groups);
    let scan = DataSourceExec::from_data_source(config.build());
    Ok(Arc::new(PartsExec::new(scan, Arc::new(order))))
}

/// Limits on the objects and bytes of a batch for a number of partitions: those configured, or the defaults raised so
/// that each partition gets work.
pub(super) fn batch_limits(options: &ConvertOptions, partitions: usize) -> (u64, u64) {
    let partitions = partitions as u64;
    let grown = |asked: u64, default: u64, needed: u64| if asked == default { asked.max(needed) } else { asked };
    (
        grown(options.batch_objects, ConvertOptions::BATCH_OBJECTS, partitions * OBJECTS_PER_PARTITION),
        grown(options.batch_bytes, ConvertOptions::BATCH_BYTES, partitions * 2 * MIN_PART),
    )
}

/// How many parts to make of `bytes`, at most `partitions`; `batch` is the limit on the size of a batch in bytes.
pub(super) fn count_of(bytes: u64, batch: u64, partitions: usize) -> usize {
    let least = MIN_PART.min(batch / partitions.max(1) as u64).max(1);
    usize::try_from(bytes / least).unwrap_or(usize::MAX).clamp(1, partitions.max(1))
}

/// Distributes the objects over parts of about the same size, keeping their order.
pub(super) fn shared_out(objects: Vec<Unopened>, parts: usize) -> Vec<Vec<Unopened>> {
    let total: u64 = objects.iter().map(|object| object.size).sum();
    let share = total.div_ceil(parts.max(1) as u64).max(1);
    let mut shared: Vec<Vec<Unopened>> = Vec::with_capacity(parts);
    let mut before = 0;
    for object in objects {
        let part = ((before / share) as usize).min(parts.saturating_sub(1));
        before += object.size;
        if shared.len() <= part && shared.last().is_none_or(|last| !last.is_empty()) {
            shared.push(Vec::new());
        }
        if let Some(last) = shared.last_mut() {
            last.push(object);
        }
    }
    shared
}

/// The result of a part.
#[derive(Debug, Serialize, Deserialize)]
struct Report {
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
    fn of(first: String, outcome: Outcome) -> Self {
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
pub(super) fn joined(parts: &[Vec<Unopened>], rows: &[RecordBatch], progress: &Progress) -> Result<Outcome, Error> {
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

/// The schema of the output: one row per part.
static SCHEMA: LazyLock<SchemaRef> =
    LazyLock::new(|| Arc::new(Schema::new(vec![Field::new("report", DataType::Utf8, false)])));

/// Writes the objects of each partition of its input, a scan of packed objects, and returns a report in a row.
#[derive(Debug)]
pub(crate) struct PartsExec {
    input: Arc<dyn ExecutionPlan>,
    order: Arc<Order>,
    properties: Arc<PlanProperties>,
}

impl PartsExec {
    pub(crate) fn new(input: Arc<dyn ExecutionPlan>, order: Arc<Order>) -> Self {
        let partitions = Partitioning::UnknownPartitioning(input.output_partitioning().partition_count());
        let equivalences = EquivalenceProperties::new(Arc::clone(&SCHEMA));
        let properties = PlanProperties::new(equivalences, partitions, EmissionType::Final, Boundedness::Bounded);
        Self { input, order, properties: Arc::new(properties) }
    }

    pub(crate) fn order(&self) -> &Order {
        &self.order
    }

    /// The objects of a partition, and their source.
    fn part(&self, partition: usize) -> Option<(Packed, S3LogSource)> {
        let scan = self.input.downcast_ref::<DataSourceExec>()?.data_source().downcast_ref::<FileScanConfig>()?;
        let file = scan.file_groups.get(partition)?.files().first()?;
        let source = scan.file_source().downcast_ref::<S3LogSource>()?;
        Some((file.extension::<Packed>()?.clone(), source.clone()))
    }
}

impl DisplayAs for PartsExec {
    fn fmt_as(&self, _format: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PartsExec: batch={}, dest={}", self.order.batch, self.order.dest)
    }
}

impl ExecutionPlan for PartsExec {
    fn name(&self) -> &'static str {
        "PartsExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn apply_expressions(
        &self,
        _f: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> DataFusionResult<TreeNodeRecursion>,
    ) -> DataFusionResult<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn with_new_children(
        self: Arc<Self>,
        mut children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> DataFusionResult<Arc<dyn ExecutionPlan>> {
        match (children.pop(), children.is_empty()) {
            (Some(input), true) => Ok(Arc::new(Self::new(input, Arc::clone(&self.order)))),
            _ => internal_err!("parts of a batch come from one scan"),
        }
    }

    fn execute(&self, partition: usize, _context: Arc<TaskContext>) -> DataFusionResult<SendableRecordBatchStream> {
        let Some((packed, source)) = self.part(partition) else {
            return internal_err!("the objects of a part are not packed");
        };
        let order = Arc::clone(&self.order);
        let row = async move {
            let report = write_part(&order, &packed, source.table(), source.lines().clone()).await?;
            let text = serde_json::to_string(&report)
                .map_err(|error| Error::new(ErrorKind::Internal, "a report cannot be written").with_source(error))?;
            let column: ArrayRef = Arc::new(StringArray::from_iter_values([text]));
            Ok(RecordBatch::try_new(Arc::clone(&SCHEMA), vec![column])?)
        };
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.schema(), futures::stream::once(row))))
    }
}

async fn write_part(order: &Order, packed: &Packed, table: Table, lines: LineOptions) -> Result<Report, Error> {
    let stores = packed.stores();
    let objects = packed.objects().await?;
    let first = objects.first().map(|object| object.object.name().to_string()).unwrap_or_default();
    // No other attempt and no other part uses the same numbers in names of files.
    let number = random()?;
    let dest = Place::resolve(&order.dest, stores).await?.for_part(&order.runner, number);
    let mark = Mark::new(&dest, &order.mark);
    let written = Written { stores: Arc::clone(stores), uploads: OpenUploads::default() };
    let placed =
        |place: Place| -> Arc<dyn Destination> { Arc::new(Marked::new(place, written.uploads.clone(), mark.clone())) };
    let rejects = match &order.rejects {
        Some(rejects) => {
            let place = Place::resolve(rejects, stores).await?.for_writer_of(&dest);
            Some((placed(place), String::new()))
        }
        None => None,
    };
    let privacy = Arc::new(Privacy::new(order.redact_uri, order.anonymize_ip.parse()?, None)?);
    let job = Job {
        table,
        objects,
        concurrency: stores.options().concurrency,
        threads: 1,
        lines,
        per_block: transform(&privacy, Privacy::apply),
        reject_block: transform(&privacy, Privacy::apply_to_rejects),
        dedupe: None,
        data: placed(dest),
        rejects,
        layout: Layout {
            batch_id: order.batch.clone(),
            by_bucket: order.by_bucket,
            target_size: order.target_size,
            compression: order.compression.parse()?,
            bloom: order.bloom.clone(),
            memory: order.memory,
            metadata: order.metadata.clone(),
            first_number: number,
        },
        progress: Arc::default(),
        stop: Arc::new(AtomicBool::new(false)),
    };
    let outcome = tokio::select! {
        outcome = write_records(job) => outcome,
        error = mark.gone() => Err(error),
    };
    // A spoiled attempt is given up, too.
    if outcome.as_ref().map_or(true, |outcome| outcome.spoiled) {
        give_up(Arc::clone(stores), written.uploads.clone()).await;
    }
    Ok(Report::of(first, outcome?))
}

/// The multipart uploads of a part. On drop, those in progress are aborted, since the task may be cancelled at any
/// point.
struct Written {
    stores: Arc<Stores>,
    uploads: OpenUploads,
}

impl Drop for Written {
    fn drop(&mut self) {
        if !self.uploads.all().is_empty()
            && let Ok(runtime) = Handle::try_current()
        {
            runtime.spawn(give_up(Arc::clone(&self.stores), self.uploads.clone()));
        }
    }
}

async fn give_up(stores: Arc<Stores>, uploads: OpenUploads) {
    uploads.close();
    // What cannot be aborted is left to the lifecycle rules of the bucket.
    drop(abort(&stores, &uploads).await);
}

/// A random number, unique in practice.
fn random() -> Result<u64, Error> {
    let mut random = [0; 8];
    getrandom::fill(&mut random).map_err(|error| {
        Error::new(ErrorKind::Internal, "the machine gives no random numbers")
            .with_source(std::io::Error::other(error.to_string()))
    })?;
    // Leaves room to count up from it.
    Ok(u64::from_le_bytes(random) >> 16)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scan::LogObject;

    fn objects(sizes: &[u64]) -> Vec<Unopened> {
        let object = |(at, size): (usize, &u64)| Unopened {
            object: LogObject::file(at.to_string(), at.to_string().into()),
            size: *size,
            range: None,
        };
        sizes.iter().enumerate().map(object).collect()
    }

    fn sizes(parts: &[Vec<Unopened>]) -> Vec<Vec<u64>> {
        parts.iter().map(|part| part.iter().map(|object| object.size).collect()).collect()
    }

    #[test]
    fn parts_have_about_the_same_size_and_keep_the_order() {
        for (of, parts, expected) in [
            (&[1, 1, 1, 1][..], 2, vec![vec![1, 1], vec![1, 1]]),
            (&[9, 1, 1, 1], 2, vec![vec![9], vec![1, 1, 1]]),
            (&[1, 1, 1, 9], 2, vec![vec![1, 1, 1, 9]]),
            (&[0, 0, 0], 2, vec![vec![0, 0, 0]]),
            (&[5], 4, vec![vec![5]]),
            (&[5, 5, 0], 2, vec![vec![5], vec![5, 0]]),
            (&[], 4, vec![]),
        ] {
            assert_eq!(sizes(&shared_out(objects(of), parts)), expected, "{of:?}");
        }
        let batch = ConvertOptions::BATCH_BYTES;
        assert_eq!(count_of(0, batch, 8), 1);
        assert_eq!(count_of(3 * MIN_PART, batch, 8), 3);
        assert_eq!(count_of(100 * MIN_PART, batch, 8), 8);
        // Small batches are distributed, too, if they are configured.
        assert_eq!(count_of(1000, 1000, 4), 4);
        let options = ConvertOptions::default();
        assert_eq!(batch_limits(&options, 2), (ConvertOptions::BATCH_OBJECTS, batch));
        assert_eq!(batch_limits(&options, 64), (3_200_000, 64 * 2 * MIN_PART));
        assert_eq!(batch_limits(&ConvertOptions { batch_bytes: 7, ..options }, 64).1, 7);
    }

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
