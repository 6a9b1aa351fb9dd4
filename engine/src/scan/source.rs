//! The scan as a DataFusion `FileSource`, with projection and filter pushdown.

use super::arrivals::ListObjects;
use super::counts::SourceCounts;
use super::names::NameRules;
use super::object::is_planned;
use super::opener::{LogOpener, Metrics, needs_whole_objects};
use super::progress::Progress;
use super::tally::Tally;
use super::times::Times;
use crate::decode::{BLOCK_SIZE, BufferPool, LineOptions};
use crate::error::Error;
use crate::schema::{Table, TextLayout};
use arrow::datatypes::SchemaRef;
use datafusion::common::Result as DataFusionResult;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::config::ConfigOptions;
use datafusion::datasource::physical_plan::{FileGroup, FileGroupPartitioner, FileOpener, FileScanConfig, FileSource};
use datafusion::datasource::projection::{ProjectionOpener, SplitProjection};
use datafusion::datasource::table_schema::TableSchema;
use datafusion::physical_expr::LexOrdering;
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_expr::projection::ProjectionExprs;
use datafusion::physical_expr::utils::{collect_columns, conjunction};
use datafusion::physical_plan::filter_pushdown::{FilterPushdownPropagation, PushedDown};
use datafusion::physical_plan::metrics::ExecutionPlanMetricsSet;
use datafusion::physical_plan::{DisplayFormatType, PhysicalExpr};
use object_store::ObjectStore;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// What to do if a log object cannot be read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum OnUnreadable {
    /// Fail the query.
    #[default]
    Fail,
    /// Continue without the object; [`Progress::unreadable`] names it.
    Report,
}

/// Options of a scan.
#[derive(Clone, Debug)]
pub struct ScanOptions {
    pub(crate) lines: LineOptions,
    pub(crate) on_unreadable: OnUnreadable,
    pub(crate) progress: Option<Arc<Progress>>,
    pub(crate) names: NameRules,
    /// Objects whose names rule out records of these times are skipped.
    pub(crate) times: Times,
    /// Whether to list buckets at planning time, so that EXPLAIN can show counts.
    pub(crate) lists_when_planned: Arc<AtomicBool>,
    /// Whether to list buckets at planning time and fix the objects that are read.
    pub(crate) fixes_objects: bool,
    /// Whether to report through metrics, because the observer is in another process.
    pub(crate) tallies: bool,
}

impl Default for ScanOptions {
    fn default() -> Self {
        Self {
            lines: LineOptions::default(),
            on_unreadable: OnUnreadable::Fail,
            progress: None,
            names: NameRules::default(),
            times: Times::all(),
            lists_when_planned: Arc::default(),
            fixes_objects: false,
            tallies: false,
        }
    }
}

impl ScanOptions {
    /// How lines are parsed.
    #[must_use]
    pub fn with_lines(mut self, lines: LineOptions) -> Self {
        self.lines = lines;
        self
    }

    /// How names of log objects are interpreted.
    #[must_use]
    pub fn with_names(mut self, names: NameRules) -> Self {
        self.names = names;
        self
    }

    /// While the flag is true, buckets are listed at planning time, so that EXPLAIN shows what a query would read. They
    /// are listed again at execution.
    #[must_use]
    pub fn with_listing_when_planned(mut self, lists: Arc<AtomicBool>) -> Self {
        self.lists_when_planned = lists;
        self
    }

    /// Lists buckets at planning time and reads exactly those objects, so that the plan can be sent to other processes.
    #[must_use]
    pub fn with_fixed_objects(mut self, fixes_objects: bool) -> Self {
        self.fixes_objects = fixes_objects;
        self
    }

    /// Reports through metrics of the plan, and continues without objects that cannot be read.
    #[cfg(feature = "cluster")]
    pub(crate) fn tallying(mut self) -> Self {
        self.tallies = true;
        self
    }

    /// Skips objects whose names rule out records of these times. Records outside the times are not filtered.
    #[must_use]
    pub fn with_object_times(mut self, times: Times) -> Self {
        self.times = times;
        self
    }

    /// Adds what is read to these totals. `on_unreadable` decides whether objects that cannot be read are reported
    /// there or fail the query.
    #[must_use]
    pub fn with_progress(mut self, progress: Arc<Progress>, on_unreadable: OnUnreadable) -> Self {
        self.progress = Some(progress);
        self.on_unreadable = on_unreadable;
        self
    }
}

/// A `FileSource` that reads log objects in a `DataSourceExec`.
///
/// Projections are pushed down to the decoder. Filters are applied exactly in the scan, so none remains above it.
#[derive(Clone)]
pub struct S3LogSource {
    table: Table,
    table_schema: TableSchema,
    /// The text layout of the schema; `None` if the schema is not that of the table.
    layout: Option<TextLayout>,
    projection: SplitProjection,
    predicate: Option<Arc<dyn PhysicalExpr>>,
    copies_text: bool,
    reads_ahead: bool,
    options: ScanOptions,
    /// The lister of the objects, if a table of this crate planned the scan.
    objects: Option<Arc<dyn ListObjects>>,
    /// The counts of the objects, for EXPLAIN.
    counted: Option<Arc<[SourceCounts]>>,
    metrics: ExecutionPlanMetricsSet,
}

impl S3LogSource {
    /// Creates a source of the rows of a table. The file schema must be that of the table in one of the text layouts;
    /// with any other schema the scan fails at execution. Columns outside the file schema are filled from the paths of
    /// files, as in DataFusion's listing tables.
    #[must_use]
    pub fn new(table: Table, table_schema: TableSchema) -> Self {
        Self {
            table,
            layout: layout_of(table, table_schema.file_schema()),
            projection: SplitProjection::unprojected(&table_schema),
            table_schema,
            predicate: None,
            copies_text: false,
            reads_ahead: false,
            options: ScanOptions::default(),
            objects: None,
            counted: None,
            metrics: ExecutionPlanMetricsSet::new(),
        }
    }

    /// Sets the options.
    #[must_use]
    pub fn with_options(mut self, options: ScanOptions) -> Self {
        self.options = options;
        self
    }

    /// Adds a filter over the columns of the table, as a conjunction with the existing ones.
    #[must_use]
    pub fn with_predicate(mut self, predicate: Arc<dyn PhysicalExpr>) -> Self {
        self.predicate = Some(conjunction(self.predicate.into_iter().chain([predicate])));
        self
    }

    /// Copies text out of the blocks, for operators that retain many batches: a single view keeps its whole block
    /// alive.
    #[must_use]
    pub fn copying_text(mut self) -> Self {
        self.copies_text = true;
        self
    }

    /// Reads and decompresses objects in separate threads, for scans with fewer objects than partitions.
    #[must_use]
    pub fn reading_ahead(mut self) -> Self {
        self.reads_ahead = true;
        self
    }

    /// Sets the lister of the objects, and their counts if known.
    pub(crate) fn with_objects(mut self, objects: Arc<dyn ListObjects>, counted: Option<Vec<SourceCounts>>) -> Self {
        self.objects = Some(objects);
        self.counted = counted.map(Into::into);
        self
    }

    /// Counts per source what would be read; empty if the scan was not planned by a table of this crate. Lists buckets,
    /// reads no object.
    ///
    /// # Errors
    ///
    /// Fails if a bucket cannot be listed.
    pub async fn count_objects(&self) -> Result<Vec<SourceCounts>, Error> {
        match &self.objects {
            Some(objects) => objects.count(&self.times()).await,
            None => Ok(Vec::new()),
        }
    }

    /// The possible times of wanted records, as far as the predicate currently tells.
    #[must_use]
    pub fn times(&self) -> Times {
        possible_times(self.table, self.predicate.as_ref(), &self.options)
    }

    /// The table being read.
    #[must_use]
    pub fn table(&self) -> Table {
        self.table
    }

    #[cfg(feature = "cluster")]
    pub(crate) fn layout(&self) -> TextLayout {
        self.layout.unwrap_or_default()
    }

    #[cfg(feature = "cluster")]
    pub(crate) fn progress(&self) -> Option<&Arc<Progress>> {
        self.options.progress.as_ref()
    }

    #[cfg(feature = "cluster")]
    pub(crate) fn lines(&self) -> &LineOptions {
        &self.options.lines
    }

    /// Whether text is copied out of blocks.
    #[cfg(feature = "cluster")]
    pub(crate) fn copies_text(&self) -> bool {
        self.copies_text
    }

    /// Whether a large object may be read in ranges.
    pub(crate) fn splits_objects(&self) -> bool {
        let mut columns = self.projection.file_indices.clone();
        if let Some(predicate) = &self.predicate {
            columns.extend(collect_columns(predicate).iter().map(Column::index));
        }
        !needs_whole_objects(self.table, &columns)
    }
}

/// The times to prune by. Rejects have no time of their own; for them only the times of objects count.
pub(super) fn possible_times(table: Table, predicate: Option<&Arc<dyn PhysicalExpr>>, options: &ScanOptions) -> Times {
    match predicate {
        Some(predicate) if table.has_time() => Times::of(predicate).and(&options.times),
        _ => options.times.clone(),
    }
}

fn layout_of(table: Table, schema: &SchemaRef) -> Option<TextLayout> {
    let fits = |layout: &TextLayout| {
        let expected = table.schema(*layout);
        let mut pairs = expected.fields().iter().zip(schema.fields());
        expected.fields().len() == schema.fields().len()
            && pairs.all(|(a, b)| a.name() == b.name() && a.data_type() == b.data_type())
    };
    [TextLayout::Views, TextLayout::Plain].into_iter().find(fits)
}

impl FileSource for S3LogSource {
    fn create_file_opener(
        &self,
        object_store: Arc<dyn ObjectStore>,
        _config: &FileScanConfig,
        partition: usize,
    ) -> DataFusionResult<Arc<dyn FileOpener>> {
        let layout = self.layout.ok_or_else(|| {
            Error::invalid(format!("the columns are not those of table `{}`", self.table.name()))
                .with_hint("leave the columns out: they are always the same")
        })?;
        let opener = LogOpener {
            store: object_store,
            table: self.table,
            layout,
            output: self.projection.file_indices.clone(),
            predicate: self.predicate.clone(),
            copies_text: self.copies_text,
            reads_ahead: self.reads_ahead,
            splits: self.splits_objects(),
            options: self.options.clone(),
            // One pool per partition: a buffer last written by another core would be in that core's cache.
            pool: BufferPool::new(BLOCK_SIZE),
            metrics: Metrics::new(&self.metrics, partition),
            tally: self.options.tallies.then(|| Tally::new(&self.metrics, partition)),
        };
        ProjectionOpener::try_new(self.projection.clone(), Arc::new(opener), self.table_schema.file_schema())
    }

    fn table_schema(&self) -> &TableSchema {
        &self.table_schema
    }

    /// Ignored: blocks determine the size of batches, and DataFusion splits larger ones.
    fn with_batch_size(&self, _batch_size: usize) -> Arc<dyn FileSource> {
        Arc::new(self.clone())
    }

    fn filter(&self) -> Option<Arc<dyn PhysicalExpr>> {
        self.predicate.clone()
    }

    fn projection(&self) -> Option<&ProjectionExprs> {
        Some(&self.projection.source)
    }

    fn metrics(&self) -> &ExecutionPlanMetricsSet {
        &self.metrics
    }

    fn file_type(&self) -> &str {
        "s3log"
    }

    fn fmt_extra(&self, format: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let summary = self.objects.as_ref().map(|objects| objects.summary(&self.times(), self.counted.as_deref()));
        if matches!(format, DisplayFormatType::TreeRender) {
            // Each line is a key and a value, divided by the first `=`.
            writeln!(f, "table={}", self.table.name())?;
            summary.filter(|summary| !summary.is_empty()).map_or(Ok(()), |summary| writeln!(f, "reads={summary}"))?;
            if self.copies_text {
                writeln!(f, "text=copied")?;
            }
            return self.predicate.as_ref().map_or(Ok(()), |predicate| writeln!(f, "predicate={predicate}"));
        }
        write!(f, ", table={}", self.table.name())?;
        if let Some(summary) = summary {
            write!(f, ", {summary}")?;
        }
        if self.copies_text {
            f.write_str(", text=copied")?;
        }
        match &self.predicate {
            Some(predicate) => write!(f, ", predicate={predicate}"),
            None => Ok(()),
        }
    }

    fn repartitioned(
        &self,
        target_partitions: usize,
        repartition_file_min_size: usize,
        output_ordering: Option<LexOrdering>,
        config: &FileScanConfig,
    ) -> DataFusionResult<Option<FileScanConfig>> {
        // Files planned by the tables of this crate are already split where possible. For other files it is not yet
        // known which are compressed: the opener reads those as a whole, whatever their ranges say.
        let is_planned = |group: &FileGroup| group.iter().any(is_planned);
        let unsplittable = config.file_compression_type.is_compressed() || !self.splits_objects();
        if unsplittable || config.file_groups.iter().any(is_planned) {
            return Ok(None);
        }
        let groups = FileGroupPartitioner::new()
            .with_target_partitions(target_partitions)
            .with_repartition_file_min_size(repartition_file_min_size)
            .with_preserve_order_within_groups(output_ordering.is_some())
            .repartition_file_groups(&config.file_groups);
        Ok(groups.map(|groups| {
            let mut config = config.clone();
            config.file_groups = groups;
            config
        }))
    }

    fn try_pushdown_filters(
        &self,
        filters: Vec<Arc<dyn PhysicalExpr>>,
        _config: &ConfigOptions,
    ) -> DataFusionResult<FilterPushdownPropagation<Arc<dyn FileSource>>> {
        // Partition columns from paths are not known here.
        let file_schema = self.table_schema.file_schema();
        let of_table = |filter: &Arc<dyn PhysicalExpr>| super::filter::positions(filter, file_schema).is_ok();
        let pushed: Vec<_> =
            filters.iter().map(|filter| if of_table(filter) { PushedDown::Yes } else { PushedDown::No }).collect();
        let propagation = FilterPushdownPropagation::with_parent_pushdown_result(pushed);
        let taken: Vec<_> = filters.into_iter().filter(of_table).collect();
        if taken.is_empty() {
            return Ok(propagation);
        }
        let source = self.clone().with_predicate(conjunction(taken));
        Ok(propagation.with_updated_node(Arc::new(source) as Arc<dyn FileSource>))
    }

    fn try_pushdown_projection(&self, projection: &ProjectionExprs) -> DataFusionResult<Option<Arc<dyn FileSource>>> {
        let merged = self.projection.source.try_merge(projection)?;
        let projection = SplitProjection::new(self.table_schema.file_schema(), &merged);
        Ok(Some(Arc::new(Self { projection, ..self.clone() })))
    }

    fn apply_expressions(
        &self,
        f: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> DataFusionResult<TreeNodeRecursion>,
    ) -> DataFusionResult<TreeNodeRecursion> {
        for expr in self.predicate.iter().chain(self.projection.source.iter().map(|projected| &projected.expr)) {
            match f(expr)? {
                TreeNodeRecursion::Stop => return Ok(TreeNodeRecursion::Stop),
                TreeNodeRecursion::Continue | TreeNodeRecursion::Jump => {}
            }
        }
        Ok(TreeNodeRecursion::Continue)
    }
}
