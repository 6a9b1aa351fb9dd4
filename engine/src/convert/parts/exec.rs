//! The operator that writes the parts of a batch, one per partition.

use super::order::Order;
use super::report::Report;
use crate::convert::decoding::transform;
use crate::convert::destination::Destination;
use crate::convert::mark::{Mark, Marked};
use crate::convert::pipeline::{Job, Layout, write_records};
use crate::convert::privacy::Privacy;
use crate::convert::recovery::abort;
use crate::dataset::{OpenUploads, Place};
use crate::decode::LineOptions;
use crate::error::{Error, ErrorKind};
use crate::scan::{Packed, S3LogSource};
use crate::schema::Table;
use crate::store::Stores;
use arrow::array::{ArrayRef, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{Result as DataFusionResult, internal_err};
use datafusion::datasource::physical_plan::FileScanConfig;
use datafusion::datasource::source::DataSourceExec;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::EquivalenceProperties;
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, ExecutionPlanProperties as _, Partitioning, PhysicalExpr,
    PlanProperties,
};
use std::fmt;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, LazyLock};
use tokio::runtime::Handle;

/// The schema of the output: one row per part.
pub(super) static SCHEMA: LazyLock<SchemaRef> =
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
