//! The scan as DataFusion sees it: a `FileSource` that takes projections and filters.

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

/// What happens with a log object that cannot be read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnUnreadable {
    /// The query fails.
    #[default]
    Fail,
    /// The query goes on without it, and [`Progress::unreadable`] names it.
    Report,
}

/// What scans need to know beside the plan.
#[derive(Clone, Debug)]
pub struct ScanOptions {
    pub(crate) lines: LineOptions,
    pub(crate) on_unreadable: OnUnreadable,
    pub(crate) progress: Option<Arc<Progress>>,
    pub(crate) names: NameRules,
    /// Objects whose names say that they hold no record of these times are not read.
    pub(crate) times: Times,
    /// Whether buckets are listed when a scan is planned, to tell what it would read.
    pub(crate) lists_when_planned: Arc<AtomicBool>,
    /// Whether a scan of buckets is planned with a list of the objects that it reads.
    pub(crate) fixes_objects: bool,
    /// Whether what happens is told by metrics, since whoever wants to know it is in another process.
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
    /// How lines are understood.
    #[must_use]
    pub fn with_lines(mut self, lines: LineOptions) -> Self {
        self.lines = lines;
        self
    }

    /// How the names of log objects are understood.
    #[must_use]
    pub fn with_names(mut self, names: NameRules) -> Self {
        self.names = names;
        self
    }

    /// While this is true, buckets are listed when a scan is planned, so that EXPLAIN tells what it would read. They are
    /// listed again when it reads.
    #[must_use]
    pub fn with_listing_when_planned(mut self, lists: Arc<AtomicBool>) -> Self {
        self.lists_when_planned = lists;
        self
    }

    /// Lists buckets when a scan is planned, and reads the objects that there are then: a plan with them can be sent to other
    /// processes.
    #[must_use]
    pub fn with_fixed_objects(mut self, fixes_objects: bool) -> Self {
        self.fixes_objects = fixes_objects;
        self
    }

    /// Tells by metrics of the plan what happens, and goes on without objects that cannot be read.
    #[cfg(feature = "cluster")]
    pub(crate) fn tallying(mut self) -> Self {
        self.tallies = true;
        self
    }

    /// Leaves out objects whose names say that they hold no record of these times. Records of others are not filtered.
    #[must_use]
    pub fn with_object_times(mut self, times: Times) -> Self {
        self.times = times;
        self
    }

    /// Adds what is read to these totals, and reports there what cannot be read instead of failing.
    #[must_use]
    pub fn with_progress(mut self, progress: Arc<Progress>, on_unreadable: OnUnreadable) -> Self {
        self.progress = Some(progress);
        self.on_unreadable = on_unreadable;
        self
    }
}

/// Reads log objects inside a `DataSourceExec`.
///
/// Projections reach the decoder, filters are applied in the scan and are exact, so no filter is left above it.
#[derive(Clone)]
pub struct S3LogSource {
    table: Table,
    table_schema: TableSchema,
    /// The layout of text that the schema has; `None` when it is not the table's.
    layout: Option<TextLayout>,
    projection: SplitProjection,
    predicate: Option<Arc<dyn PhysicalExpr>>,
    copies_text: bool,
    reads_ahead: bool,
    options: ScanOptions,
    /// Who knows the objects, when a table of this crate planned the scan.
    objects: Option<Arc<dyn ListObjects>>,
    /// What they were counted to be, for EXPLAIN.
    counted: Option<Arc<[SourceCounts]>>,
    metrics: ExecutionPlanMetricsSet,
}

impl S3LogSource {
    /// A source of the rows of a table. The file schema must be that of the table, in one of the layouts of text; with
    /// another one the scan fails when it is executed. Columns beside the file schema come from the paths of the files,
    /// as DataFusion's listing tables fill them.
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

    /// The same with these options.
    #[must_use]
    pub fn with_options(mut self, options: ScanOptions) -> Self {
        self.options = options;
        self
    }

    /// The same with one more filter, over the columns of the table.
    #[must_use]
    pub fn with_predicate(mut self, predicate: Arc<dyn PhysicalExpr>) -> Self {
        self.predicate = Some(conjunction(self.predicate.into_iter().chain([predicate])));
        self
    }

    /// The same with texts copied out of the blocks that were read, for operators that hold on to many batches: a view
    /// keeps its whole block alive, however little of it is wanted.
    #[must_use]
    pub fn copying_text(mut self) -> Self {
        self.copies_text = true;
        self
    }

    /// The same with objects read, and unpacked, by threads beside the tasks that decode: for fewer objects than partitions.
    #[must_use]
    pub fn reading_ahead(mut self) -> Self {
        self.reads_ahead = true;
        self
    }

    /// The same with who knows the objects, and what they were counted to be, if they were.
    pub(crate) fn with_objects(mut self, objects: Arc<dyn ListObjects>, counted: Option<Vec<SourceCounts>>) -> Self {
        self.objects = Some(objects);
        self.counted = counted.map(Into::into);
        self
    }

    /// Counts what would be read, source by source; nothing when somebody else planned the scan. Lists buckets, reads no
    /// object.
    ///
    /// # Errors
    ///
    /// When a bucket cannot be listed.
    pub async fn count_objects(&self) -> Result<Vec<SourceCounts>, Error> {
        match &self.objects {
            Some(objects) => objects.count(&self.times()).await,
            None => Ok(Vec::new()),
        }
    }

    /// The instants that a wanted record can have, as far as the predicate tells now.
    #[must_use]
    pub fn times(&self) -> Times {
        possible_times(self.table, self.predicate.as_ref(), &self.options)
    }

    /// The table that is read.
    #[must_use]
    pub fn table(&self) -> Table {
        self.table
    }

    /// The layout of its text.
    #[cfg(feature = "cluster")]
    pub(crate) fn layout(&self) -> TextLayout {
        self.layout.unwrap_or_default()
    }

    /// Who wants to know what is read.
    #[cfg(feature = "cluster")]
    pub(crate) fn progress(&self) -> Option<&Arc<Progress>> {
        self.options.progress.as_ref()
    }

    #[cfg(feature = "cluster")]
    pub(crate) fn lines(&self) -> &LineOptions {
        &self.options.lines
    }

    /// Whether texts are copied out of blocks.
    #[cfg(feature = "cluster")]
    pub(crate) fn copies_text(&self) -> bool {
        self.copies_text
    }

    /// Whether a big object may be read in ranges.
    pub(crate) fn splits_objects(&self) -> bool {
        let mut columns = self.projection.file_indices.clone();
        if let Some(predicate) = &self.predicate {
            columns.extend(collect_columns(predicate).iter().map(Column::index));
        }
        !needs_whole_objects(self.table, &columns)
    }
}

/// Rejects have no time of their own; for them the times of objects count.
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
            // Its own: a buffer that another core wrote last is in that one's cache.
            pool: BufferPool::new(BLOCK_SIZE),
            metrics: Metrics::new(&self.metrics, partition),
            tally: self.options.tallies.then(|| Tally::new(&self.metrics, partition)),
        };
        ProjectionOpener::try_new(self.projection.clone(), Arc::new(opener), self.table_schema.file_schema())
    }

    fn table_schema(&self) -> &TableSchema {
        &self.table_schema
    }

    /// Blocks decide how many rows a batch has; DataFusion splits what is too large.
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

    fn fmt_extra(&self, _format: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, ", table={}", self.table.name())?;
        if let Some(objects) = &self.objects {
            write!(f, ", {}", objects.summary(&self.times(), self.counted.as_deref()))?;
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
        // What the tables of this crate planned is cut already, by what they know of each object. Of other files it is
        // not known here which are compressed: the opener reads those as a whole whatever their ranges say.
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
        // Columns that come from paths are not known here.
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
