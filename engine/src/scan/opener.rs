//! Opens log objects and streams their batches.

use super::ahead::Events;
use super::arrivals::{Arriving, ListError, Wanted};
use super::filter::{Filter, positions, true_rows};
use super::names::bounds_of;
use super::object::objects_of;
use super::progress::Progress;
use super::reader::{Event, Reader, Unopened};
use super::source::{OnUnreadable, ScanOptions, possible_times};
use super::tally::Tally;
use super::times::Times;
use crate::decode::{Block, BufferPool, Counts, LineBlocks, RecordsDecoder, RejectsDecoder, batch};
use crate::error::Error;
use crate::schema::{LogsColumn, RejectsColumn, Table, TextLayout};
use arrow::array::{ArrayRef, RecordBatch, StringArray, StringViewArray};
use arrow::datatypes::{Schema, SchemaRef};
use datafusion::common::Result as DataFusionResult;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::{FileOpenFuture, FileOpener};
use datafusion::physical_expr::utils::{collect_columns, conjunction, reassign_expr_columns, split_conjunction};
use datafusion::physical_plan::PhysicalExpr;
use datafusion::physical_plan::metrics::{Count, ExecutionPlanMetricsSet, MetricBuilder};
use futures::{FutureExt as _, StreamExt as _, TryStreamExt as _};
use object_store::ObjectStore;
use std::sync::Arc;

/// State shared by all objects of a scan.
pub(super) struct LogOpener {
    pub(super) store: Arc<dyn ObjectStore>,
    pub(super) table: Table,
    pub(super) layout: TextLayout,
    /// The output columns, by position in the table, ascending.
    pub(super) output: Vec<usize>,
    pub(super) predicate: Option<Arc<dyn PhysicalExpr>>,
    /// Whether batches must not point into blocks.
    pub(super) copies_text: bool,
    /// Whether there are fewer objects than partitions.
    pub(super) reads_ahead: bool,
    /// Whether a large object may be read in ranges.
    pub(super) splits: bool,
    pub(super) options: ScanOptions,
    pub(super) pool: BufferPool,
    pub(super) metrics: Metrics,
    /// Set if another process needs the counts.
    pub(super) tally: Option<Tally>,
}

/// Metrics shown by EXPLAIN ANALYZE.
#[derive(Clone)]
pub(super) struct Metrics {
    bytes: Count,
    rejects: Count,
    skipped: Count,
    pruned: Count,
    filtered: Count,
}

impl Metrics {
    pub(super) fn new(set: &ExecutionPlanMetricsSet, partition: usize) -> Self {
        let counter = |name: &'static str| MetricBuilder::new(set).counter(name, partition);
        Self {
            bytes: counter("bytes_scanned"),
            rejects: counter("lines_rejected"),
            skipped: counter("objects_skipped_by_predicate"),
            pruned: counter("objects_pruned_by_name"),
            filtered: counter("rows_filtered_in_scan"),
        }
    }
}

impl FileOpener for LogOpener {
    fn open(&self, file: PartitionedFile) -> DataFusionResult<FileOpenFuture> {
        let (about_object, predicate) = match &self.predicate {
            Some(all) => split(all),
            None => (None, None),
        };
        let decoding = Decoding::new(self, predicate.as_ref())?;
        let mut blocks = LineBlocks::new(self.pool.clone()).with_max_line(self.options.lines.max_line());
        // Only rejects have line numbers.
        if self.table != Table::Rejects {
            blocks = blocks.without_line_numbers();
        }
        let report = Report {
            on_unreadable: self.options.on_unreadable,
            progress: self.options.progress.clone(),
            metrics: self.metrics.clone(),
            tally: self.tally.clone(),
        };
        let work = match arriving(&file)? {
            Some(arriving) => Work::Arriving(arriving, self.wanted(about_object)),
            None => Work::Planned(self.unpruned(objects_of(&file, &self.store), about_object.as_ref())?),
        };
        let (times, splits, reads_ahead) = (self.times(), self.splits, self.reads_ahead);
        // Do not delay rows of a live input by gathering.
        let gathers = self.output.is_empty() && matches!(work, Work::Planned(_)) && !reads_ahead;
        let gathered = gathers.then_some(0);
        Ok(async move {
            let events = match work {
                // Already fetched by separate tasks.
                Work::Arriving(arriving, wanted) => {
                    Events::in_turn(Reader::of_arrivals(arriving.join(&times, splits, wanted)?, blocks))
                }
                Work::Planned(objects) if reads_ahead => Events::ahead(Reader::new(objects, blocks)),
                Work::Planned(objects) => Events::in_turn(Reader::new(objects, blocks)),
            };
            let batches = Batches { events, decoding, report, gathered };
            let stream = futures::stream::try_unfold(batches, |mut batches| async move {
                Ok(batches.next().await?.map(|batch| (batch, batches)))
            });
            Ok(stream.into_stream().boxed())
        }
        .boxed())
    }
}

/// The shared queue of objects, if the file stands for one.
fn arriving(file: &PartitionedFile) -> Result<Option<Arriving>, Error> {
    #[cfg(feature = "cluster")]
    if let Some(packed) = file.extension::<super::packed::Packed>() {
        return packed.arriving().map(Some);
    }
    Ok(file.extension::<Arriving>().cloned())
}

/// The source of a file's objects.
enum Work {
    Planned(Vec<Unopened>),
    Arriving(Arriving, Wanted),
}

impl LogOpener {
    fn times(&self) -> Times {
        possible_times(self.table, self.predicate.as_ref(), &self.options)
    }

    /// The objects that are not excluded by their names.
    fn unpruned(&self, objects: Vec<Unopened>, about_object: Option<&Predicate>) -> DataFusionResult<Vec<Unopened>> {
        let before = objects.len();
        let mut objects = match about_object {
            Some(predicate) => wanted_by_name(predicate, objects, self.layout)?,
            None => objects,
        };
        self.metrics.skipped.add(before - objects.len());
        let times = self.times();
        if !times.is_all() && self.options.names.prune() {
            let before = objects.len();
            objects.retain(|unopened| bounds_of(self.options.names, unopened.object.name()).meet(&times));
            self.metrics.pruned.add(before - objects.len());
            if let Some(progress) = &self.options.progress {
                progress.pruned((before - objects.len()) as u64);
            }
        }
        Ok(objects)
    }

    /// A filter for pages of a listing, from the part of the predicate that only reads `log_object`.
    fn wanted(&self, about_object: Option<Predicate>) -> Wanted {
        let (skipped, layout) = (self.metrics.skipped.clone(), self.layout);
        Box::new(move |objects| {
            let Some(predicate) = &about_object else { return Ok(objects) };
            let before = objects.len();
            let wanted = wanted_by_name(predicate, objects, layout).map_err(|error| {
                Error::invalid("the condition on `log_object` cannot be evaluated").with_source(error)
            })?;
            skipped.add(before - wanted.len());
            Ok(wanted)
        })
    }
}

type Predicate = Arc<dyn PhysicalExpr>;

/// Splits a predicate into the part that only reads `log_object`, which can be evaluated before an object is opened,
/// and the rest.
fn split(predicate: &Predicate) -> (Option<Predicate>, Option<Predicate>) {
    let is_about_object = |part: &&Predicate| {
        let columns = collect_columns(part);
        !columns.is_empty() && columns.iter().all(|asked| asked.name() == LogsColumn::LogObject.name())
    };
    let (about_object, about_rows): (Vec<_>, Vec<_>) =
        split_conjunction(predicate).into_iter().partition(is_about_object);
    let and = |parts: Vec<&Predicate>| (!parts.is_empty()).then(|| conjunction(parts.into_iter().map(Arc::clone)));
    (and(about_object), and(about_rows))
}

/// The objects for whose names the predicate is true.
fn wanted_by_name(
    predicate: &Arc<dyn PhysicalExpr>,
    objects: Vec<Unopened>,
    layout: TextLayout,
) -> DataFusionResult<Vec<Unopened>> {
    let names = objects.iter().map(|unopened| unopened.object.name());
    let names: ArrayRef = match layout {
        TextLayout::Views => Arc::new(StringViewArray::from_iter_values(names)),
        TextLayout::Plain => Arc::new(StringArray::from_iter_values(names)),
    };
    let names = RecordBatch::try_from_iter([(LogsColumn::LogObject.name(), names)])?;
    let predicate = reassign_expr_columns(Arc::clone(predicate), names.schema_ref())?;
    let wanted = true_rows(&predicate, &names)?;
    let objects = objects.into_iter().zip(wanted.values());
    Ok(objects.filter_map(|(object, wanted)| wanted.then_some(object)).collect())
}

/// Converts blocks of objects to batches.
struct Batches {
    events: Events,
    decoding: Decoding,
    report: Report,
    /// Number of gathered rows without columns (as for `count(*)`), to be emitted as one batch.
    gathered: Option<usize>,
}

/// Target number of gathered rows per batch; DataFusion splits larger batches.
const BATCH_ROWS: usize = 8192;

impl Batches {
    /// The next batch with at least one row; `None` at the end of the last object.
    async fn next(&mut self) -> DataFusionResult<Option<RecordBatch>> {
        loop {
            // A filter may drop all rows for a long time: yield to other tasks, and stay cancellable.
            tokio::task::coop::consume_budget().await;
            let (event, read) = self.events.next().await?;
            self.report.read(read);
            match event {
                Some(Event::Block(block)) => {
                    let (batch, counts) = self.decoding.decode(&block)?;
                    self.report.counted(counts, batch.num_rows(), self.decoding.filters());
                    let rows = batch.num_rows();
                    match &mut self.gathered {
                        Some(gathered) => {
                            *gathered += rows;
                            // The next block has about as many rows.
                            if *gathered + rows > BATCH_ROWS {
                                return self.take_gathered();
                            }
                        }
                        None if rows > 0 => return Ok(Some(batch)),
                        None => {}
                    }
                }
                Some(Event::Done(object)) => self.report.done(&object),
                Some(Event::Failed(object, error)) => self.report.unreadable(&object, error)?,
                Some(Event::Archived(object)) => self.report.archived(&object),
                Some(Event::Unlisted(failed)) => self.report.unlisted(failed)?,
                None => return self.take_gathered(),
            }
        }
    }

    fn take_gathered(&mut self) -> DataFusionResult<Option<RecordBatch>> {
        let rows = self.gathered.as_mut().map_or(0, std::mem::take);
        if rows == 0 {
            return Ok(None);
        }
        Ok(Some(batch(Arc::new(Schema::empty()), Vec::new(), rows).map_err(Error::from)?))
    }
}

/// Converts a block to a batch of the wanted columns and rows.
enum Decoding {
    Records {
        decoder: Box<RecordsDecoder>,
        filter: Option<Filter>,
        output: Vec<usize>,
        schema: SchemaRef,
        copies_text: bool,
    },
    Rejects {
        decoder: Box<RejectsDecoder>,
        filter: Option<Arc<dyn PhysicalExpr>>,
        output: Vec<usize>,
    },
}

impl Decoding {
    fn new(opener: &LogOpener, predicate: Option<&Arc<dyn PhysicalExpr>>) -> DataFusionResult<Self> {
        let all = opener.table.schema(opener.layout);
        // Columns used only by the predicate on the object's name need not be decoded.
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
        Ok(match opener.table {
            Table::Logs | Table::Cdn | Table::Requests => {
                let decoder =
                    RecordsDecoder::new(opener.table, &columns, opener.layout).with_options(&opener.options.lines);
                let filter = predicate.map(|predicate| Filter::new(predicate, &decoded)).transpose()?;
                Self::Records { decoder: Box::new(decoder), filter, output, schema, copies_text: opener.copies_text }
            }
            Table::Rejects => {
                let decoder = RejectsDecoder::new(&columns, opener.layout);
                let decoder = decoder.with_options(&opener.options.lines).with_copied_text(opener.copies_text);
                let filter =
                    predicate.map(|predicate| reassign_expr_columns(Arc::clone(predicate), &decoded)).transpose()?;
                Self::Rejects { decoder: Box::new(decoder), filter, output }
            }
        })
    }

    fn filters(&self) -> bool {
        match self {
            Self::Records { filter, .. } => filter.is_some(),
            Self::Rejects { filter, .. } => filter.is_some(),
        }
    }

    fn decode(&mut self, block: &Block) -> DataFusionResult<(RecordBatch, Counts)> {
        match self {
            Self::Records { decoder, filter, output, schema, copies_text } => {
                let before = decoder.counts();
                let rows = decoder.locate(block);
                let counts = decoder.counts() - before;
                let selected = match filter {
                    Some(filter) => filter.select(decoder, block, rows)?,
                    None => super::filter::Selected::All,
                };
                let arrays = decoder.arrays(block, output, selected.for_output(rows, *copies_text))?;
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

/// Reports the outcome of objects to the session and the metrics.
struct Report {
    on_unreadable: OnUnreadable,
    progress: Option<Arc<Progress>>,
    metrics: Metrics,
    tally: Option<Tally>,
}

impl Report {
    fn read(&self, bytes: u64) {
        self.metrics.bytes.add(bytes as usize);
        if let Some(progress) = &self.progress {
            progress.read(bytes);
        }
        if let Some(tally) = &self.tally {
            tally.read(bytes);
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
        if let Some(tally) = &self.tally {
            tally.counted(counts);
        }
    }

    fn done(&self, object: &Unopened) {
        // Of an object read in ranges, only the last one counts.
        let is_last = object.range.as_ref().is_none_or(|range| range.end >= object.size);
        if !is_last {
            return;
        }
        if let Some(progress) = &self.progress {
            progress.object_done();
        }
        if let Some(tally) = &self.tally {
            tally.object_done();
        }
    }

    fn archived(&self, object: &Unopened) {
        // Of an object read in ranges, only the first one counts.
        let is_first = object.range.as_ref().is_none_or(|range| range.start == 0);
        if !is_first {
            return;
        }
        if let Some(progress) = &self.progress {
            progress.planned_are_archived(1, object.size);
        }
        if let Some(tally) = &self.tally {
            tally.archived();
        }
    }

    /// Continues with what was listed, or fails, depending on the options; fails if nothing was listed.
    fn unlisted(&self, failed: ListError) -> DataFusionResult<()> {
        match (&self.progress, self.on_unreadable) {
            (Some(progress), OnUnreadable::Report) if !failed.is_fatal => {
                let name = failed.error.object().unwrap_or_default().to_owned();
                progress.failed(&name, &failed.error);
                Ok(())
            }
            _ => Err(failed.error.into()),
        }
    }

    /// Continues without the object, or fails, depending on the options.
    fn unreadable(&self, object: &Unopened, error: Error) -> DataFusionResult<()> {
        if let Some(tally) = &self.tally {
            tally.failed(object.object.name(), &error);
            return Ok(());
        }
        match (&self.progress, self.on_unreadable) {
            (Some(progress), OnUnreadable::Report) => {
                progress.failed(object.object.name(), &error);
                Ok(())
            }
            _ if error.object().is_some() => Err(error.into()),
            _ => Err(error.in_object(&**object.object.name()).into()),
        }
    }
}

/// Whether any column holds a position in the object that is unknown when a range is read.
pub(crate) fn needs_whole_objects(table: Table, columns: &[usize]) -> bool {
    let needs = |column: &usize| RejectsColumn::ALL.get(*column) == Some(&RejectsColumn::LineNumber);
    table == Table::Rejects && columns.iter().any(needs)
}
