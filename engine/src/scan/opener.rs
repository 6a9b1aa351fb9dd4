//! Opens one log object and streams its batches.

use super::filter::{Filter, positions, true_rows};
use super::object::{LogObject, Origin};
use super::progress::Progress;
use super::reader::{Reader, Source};
use super::source::{OnUnreadable, ScanOptions};
use crate::decode::{Block, BufferPool, Counts, LineBlocks, LogsDecoder, RejectsDecoder, batch};
use crate::error::Error;
use crate::schema::{LogsColumn, RejectsColumn, Table, TextLayout};
use arrow::array::{ArrayRef, RecordBatch, StringViewArray};
use arrow::datatypes::SchemaRef;
use datafusion::common::Result as DataFusionResult;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::{FileOpenFuture, FileOpener};
use datafusion::physical_expr::utils::{collect_columns, conjunction, reassign_expr_columns, split_conjunction};
use datafusion::physical_plan::PhysicalExpr;
use datafusion::physical_plan::metrics::{Count, ExecutionPlanMetricsSet, MetricBuilder};
use futures::{FutureExt as _, StreamExt as _, TryStreamExt as _};
use object_store::ObjectStore;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// What every object of a scan shares.
pub(super) struct LogOpener {
    pub(super) store: Arc<dyn ObjectStore>,
    pub(super) table: Table,
    pub(super) layout: TextLayout,
    /// The columns that leave the scan, by position in the table, in order.
    pub(super) output: Vec<usize>,
    pub(super) predicate: Option<Arc<dyn PhysicalExpr>>,
    /// Whether batches must not point into blocks.
    pub(super) compact: bool,
    pub(super) options: ScanOptions,
    pub(super) pool: BufferPool,
    pub(super) stdin_taken: Arc<AtomicBool>,
    pub(super) metrics: Metrics,
}

/// Shown by EXPLAIN ANALYZE.
#[derive(Clone)]
pub(super) struct Metrics {
    bytes: Count,
    rejects: Count,
    skipped: Count,
    filtered: Count,
}

impl Metrics {
    pub(super) fn new(set: &ExecutionPlanMetricsSet, partition: usize) -> Self {
        let counter = |name: &'static str| MetricBuilder::new(set).counter(name, partition);
        Self {
            bytes: counter("bytes_scanned"),
            rejects: counter("lines_rejected"),
            skipped: counter("objects_skipped_by_predicate"),
            filtered: counter("rows_filtered_in_scan"),
        }
    }
}

impl FileOpener for LogOpener {
    fn open(&self, file: PartitionedFile) -> DataFusionResult<FileOpenFuture> {
        let object = LogObject::of(&file);
        let size = file.object_meta.size;
        let range = file.range.as_ref().map(|range| range.start.max(0) as u64..range.end.max(0) as u64);
        let last_of_object = range.as_ref().is_none_or(|range| range.end >= size);
        let predicate = match &self.predicate {
            None => None,
            Some(predicate) => match about_object(predicate, object.name())? {
                ObjectVerdict::Never => {
                    self.metrics.skipped.add(1);
                    return Ok(futures::future::ready(Ok(futures::stream::empty().boxed())).boxed());
                }
                ObjectVerdict::Test(rest) => rest,
            },
        };
        let decoding = Decoding::new(self, &object, predicate.as_ref())?;
        let pool = self.pool.clone();
        let report = Report {
            object: Arc::clone(object.name()),
            last_of_object,
            on_unreadable: self.options.on_unreadable,
            progress: self.options.progress.clone(),
            metrics: self.metrics.clone(),
        };
        let store = Arc::clone(&self.store);
        let location = file.object_meta.location.clone();
        let stdin_taken = Arc::clone(&self.stdin_taken);
        let max_line = self.options.max_line;
        // Only rejects say where they stand.
        let counts_lines = self.table == Table::Rejects;
        Ok(async move {
            let source = match object.origin() {
                Origin::File(path) => Source::file(path, range, size),
                Origin::Store => Source::store(&store, &location, range, size).await,
                Origin::Stdin if stdin_taken.swap(true, Ordering::Relaxed) => Err(stdin_again()),
                Origin::Stdin => Ok(Some(Source::Stdin(tokio::io::stdin()))),
            };
            let source = match source {
                Ok(Some(source)) => source,
                Ok(None) => {
                    report.done();
                    return Ok(futures::stream::empty().boxed());
                }
                Err(error) => {
                    report.unreadable(error)?;
                    return Ok(futures::stream::empty().boxed());
                }
            };
            let mut blocks = LineBlocks::starting_at(pool, source.start()).with_max_line(max_line);
            if !counts_lines {
                blocks = blocks.without_line_numbers();
            }
            let reader = Reader::new(source, blocks);
            let stream = Batches { reader, decoding, report, ended: false };
            Ok(futures::stream::try_unfold(stream, |mut stream| async move {
                Ok(stream.next().await?.map(|batch| (batch, stream)))
            })
            .into_stream()
            .boxed())
        }
        .boxed())
    }
}

/// What a predicate says of an object by its name alone.
enum ObjectVerdict {
    /// None of its rows can be wanted.
    Never,
    /// Rows must be tested for what is left of it.
    Test(Option<Arc<dyn PhysicalExpr>>),
}

/// Tests the parts of a predicate that only ask for `log_object` before the object is opened.
fn about_object(predicate: &Arc<dyn PhysicalExpr>, name: &str) -> DataFusionResult<ObjectVerdict> {
    let column = LogsColumn::LogObject.name();
    let mut rest = Vec::new();
    for part in split_conjunction(predicate) {
        let columns = collect_columns(part);
        if columns.is_empty() || columns.iter().any(|asked| asked.name() != column) {
            rest.push(Arc::clone(part));
            continue;
        }
        let array: ArrayRef = Arc::new(StringViewArray::from_iter_values([name]));
        let one = RecordBatch::try_from_iter([(column, array)])?;
        let part = reassign_expr_columns(Arc::clone(part), one.schema_ref())?;
        if true_rows(&part, &one)?.true_count() == 0 {
            return Ok(ObjectVerdict::Never);
        }
    }
    Ok(ObjectVerdict::Test((!rest.is_empty()).then(|| conjunction(rest))))
}

/// Blocks of one object on their way into batches.
struct Batches {
    reader: Reader,
    decoding: Decoding,
    report: Report,
    ended: bool,
}

impl Batches {
    /// The next batch that holds rows; `None` at the end of the object.
    async fn next(&mut self) -> DataFusionResult<Option<RecordBatch>> {
        while !self.ended {
            // A filter may drop everything for long: other tasks must get their turn, and the query must stay stoppable.
            tokio::task::coop::consume_budget().await;
            let block = self.reader.next_block().await;
            let read = self.reader.take_read();
            self.report.read(read);
            match block {
                Ok(Some(block)) => {
                    let (batch, counts) = self.decoding.decode(&block)?;
                    self.report.counted(counts, batch.num_rows(), self.decoding.filters());
                    if batch.num_rows() > 0 {
                        return Ok(Some(batch));
                    }
                }
                Ok(None) => {
                    self.ended = true;
                    self.report.done();
                }
                // What was read before the damage is still in the reader.
                Err(error) => self.report.unreadable(error)?,
            }
        }
        Ok(None)
    }
}

/// From a block to a batch of the wanted columns and rows.
enum Decoding {
    Logs { decoder: Box<LogsDecoder>, filter: Option<Filter>, output: Vec<usize>, schema: SchemaRef, compact: bool },
    Rejects { decoder: RejectsDecoder, filter: Option<Arc<dyn PhysicalExpr>>, output: Vec<usize> },
}

impl Decoding {
    fn new(
        opener: &LogOpener,
        object: &LogObject,
        predicate: Option<&Arc<dyn PhysicalExpr>>,
    ) -> DataFusionResult<Self> {
        let all = opener.table.schema(opener.layout);
        // What only the object's name decided need not be decoded any more.
        let mut columns = opener.output.clone();
        if let Some(predicate) = predicate {
            columns.extend(positions(predicate, &all)?);
        }
        columns.sort_unstable();
        columns.dedup();
        let is_output = |(at, column): (usize, &usize)| opener.output.contains(column).then_some(at);
        let output: Vec<usize> = columns.iter().enumerate().filter_map(is_output).collect();
        let decoded: SchemaRef = Arc::new(all.project(&columns)?);
        let schema: SchemaRef = Arc::new(decoded.project(&output)?);
        let name = Arc::clone(object.name());
        let max_line = opener.options.max_line;
        Ok(match opener.table {
            Table::Logs => {
                let mut decoder = LogsDecoder::new(&columns, opener.layout).with_max_line(max_line);
                decoder.set_log_object(name);
                let filter = predicate.map(|predicate| Filter::new(predicate, &decoded)).transpose()?;
                Self::Logs { decoder: Box::new(decoder), filter, output, schema, compact: opener.compact }
            }
            Table::Rejects => {
                let decoder = RejectsDecoder::new(&columns, opener.layout);
                let mut decoder = decoder.with_max_line(max_line).with_compact(opener.compact);
                decoder.set_log_object(name);
                let filter =
                    predicate.map(|predicate| reassign_expr_columns(Arc::clone(predicate), &decoded)).transpose()?;
                Self::Rejects { decoder, filter, output }
            }
        })
    }

    fn filters(&self) -> bool {
        match self {
            Self::Logs { filter, .. } => filter.is_some(),
            Self::Rejects { filter, .. } => filter.is_some(),
        }
    }

    fn decode(&mut self, block: &Block) -> DataFusionResult<(RecordBatch, Counts)> {
        match self {
            Self::Logs { decoder, filter, output, schema, compact } => {
                let before = decoder.counts();
                let rows = decoder.locate(block);
                let counts = decoder.counts() - before;
                let selected = match filter {
                    Some(filter) => filter.select(decoder, block, rows)?,
                    None => super::filter::Selected::All,
                };
                let arrays = decoder.arrays(block, output, selected.for_output(rows, *compact))?;
                let batch = batch(Arc::clone(schema), arrays, selected.count(rows)).map_err(Error::from)?;
                Ok((batch, counts))
            }
            Self::Rejects { decoder, filter, output } => {
                let before = decoder.counts();
                let mut batch = decoder.decode(block)?;
                let counts = decoder.counts() - before;
                if let Some(filter) = filter {
                    batch = arrow::compute::filter_record_batch(&batch, &true_rows(filter, &batch)?)?;
                }
                Ok((batch.project(output)?, counts))
            }
        }
    }
}

/// Tells the session and the metrics what happens to an object.
struct Report {
    object: Arc<str>,
    last_of_object: bool,
    on_unreadable: OnUnreadable,
    progress: Option<Arc<Progress>>,
    metrics: Metrics,
}

impl Report {
    fn read(&self, bytes: u64) {
        self.metrics.bytes.add(bytes as usize);
        if let Some(progress) = &self.progress {
            progress.read(bytes);
        }
    }

    fn counted(&self, counts: Counts, kept: usize, filters: bool) {
        self.metrics.rejects.add(counts.rejects as usize);
        if filters {
            self.metrics.filtered.add((counts.rows as usize).saturating_sub(kept));
        }
        if let Some(progress) = &self.progress {
            progress.counted(counts);
        }
    }

    fn done(&self) {
        if let Some(progress) = &self.progress
            && self.last_of_object
        {
            progress.object_done();
        }
    }

    /// Goes on without the object, or fails, as the scan was told.
    fn unreadable(&self, error: Error) -> DataFusionResult<()> {
        match (&self.progress, self.on_unreadable) {
            (Some(progress), OnUnreadable::Report) => {
                progress.failed(&self.object, &error);
                Ok(())
            }
            _ => Err(error.in_object(&*self.object).into()),
        }
    }
}

fn stdin_again() -> Error {
    Error::new(crate::ErrorKind::Unsupported, "standard input can be read only once, and this query reads it again")
        .with_hint("save it to a file first")
}

/// Whether any column says where in its object a row stands, which a range of it cannot know.
pub(crate) fn needs_whole_objects(table: Table, columns: &[usize]) -> bool {
    let needs = |column: &usize| RejectsColumn::ALL.get(*column) == Some(&RejectsColumn::LineNumber);
    table == Table::Rejects && columns.iter().any(needs)
}
