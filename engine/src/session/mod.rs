//! A DataFusion session with everything of this crate in it.

mod memory;

use self::memory::LeavingPool;
use crate::dataset::{Converted, DatasetRequests, DatasetStore, DatasetTable, Snapshot};
use crate::decode::LineOptions;
use crate::error::Error;
use crate::scan::{CopyTextUnderBuffers, NameRules, OnUnreadable, S3LogFormatFactory, ScanOptions, SourceCounts};
pub use crate::scan::{Progress, ProgressSnapshot, Unreadable};
use crate::schema::{Table, TextLayout, VISITOR_REQUESTS};
use crate::store::{Location, Registry, StoreOptions, Stores, lazy_bucket};
use crate::table::{
    Listing, LogTable, LogTableFactory, RefusedTable, STORED_AS, TABLE_FUNCTION, TimeRange, UnionTable, expanded,
};
#[cfg(feature = "cluster")]
use arrow::array::RecordBatch;
use datafusion::catalog::TableProvider;
use datafusion::common::Result as DataFusionResult;
use datafusion::execution::SessionStateBuilder;
use datafusion::execution::memory_pool::TrackConsumersPool;
use datafusion::execution::object_store::ObjectStoreRegistry;
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
#[cfg(feature = "cluster")]
use datafusion::physical_plan::{ExecutionPlan, collect};
use datafusion::prelude::{SessionConfig, SessionContext};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use object_store::ObjectStore;
use std::collections::{HashMap, HashSet};
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock};

/// How a session is set up.
#[derive(Clone, Debug, Default)]
pub struct SessionOptions {
    memory_limit: Option<usize>,
    threads: Option<usize>,
    times: TimeRange,
    lines: LineOptions,
    layout: TextLayout,
    names: NameRules,
    stores: StoreOptions,
    lists_when_planned: Arc<AtomicBool>,
    with_raw: bool,
    without_datasets_of_globs: bool,
    elsewhere: Option<Elsewhere>,
}

/// How a session is set up whose plans do not run in this process: `crate::cluster` has one.
///
/// Text is plain then, and buckets are listed when a query is planned.
#[derive(Clone)]
pub struct Elsewhere {
    /// What a plan must be like.
    pub config: SessionConfig,
    /// Hands a plan over to whoever runs it; the last rule of the optimizer.
    pub hand_over: Arc<dyn PhysicalOptimizerRule + Send + Sync>,
    /// Adds other rules.
    pub prepare: Arc<dyn Fn(SessionStateBuilder) -> SessionStateBuilder + Send + Sync>,
    /// Partitions that work side by side when nobody says how many.
    pub partitions: usize,
}

impl std::fmt::Debug for Elsewhere {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Elsewhere").field("partitions", &self.partitions).finish_non_exhaustive()
    }
}

impl SessionOptions {
    /// No limit of memory, all cores, all times.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Operators that hold more than this many bytes together spill to disk.
    #[must_use]
    pub fn with_memory_limit(mut self, bytes: usize) -> Self {
        self.memory_limit = Some(bytes);
        self
    }

    /// Partitions that work side by side.
    #[must_use]
    pub fn with_threads(mut self, threads: usize) -> Self {
        self.threads = Some(threads.max(1));
        self
    }

    /// Only records from this instant on: microseconds from 1970 in UTC.
    #[must_use]
    pub fn with_since(mut self, micros: i64) -> Self {
        self.times.since = Some(micros);
        self
    }

    /// Only records before this instant: microseconds from 1970 in UTC.
    #[must_use]
    pub fn with_until(mut self, micros: i64) -> Self {
        self.times.until = Some(micros);
        self
    }

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

    /// How buckets are reached.
    #[must_use]
    pub fn with_stores(mut self, stores: StoreOptions) -> Self {
        self.stores = stores;
        self
    }

    /// Whether log objects that datasets were made of, and are not in them yet, are read, too.
    #[must_use]
    pub fn with_raw(mut self, with_raw: bool) -> Self {
        self.with_raw = with_raw;
        self
    }

    /// Passes over datasets that globs match, as over those below a directory: for who wants log objects and nothing else.
    #[must_use]
    pub fn without_datasets_of_globs(mut self) -> Self {
        self.without_datasets_of_globs = true;
        self
    }

    /// Runs plans elsewhere.
    #[must_use]
    pub fn with_elsewhere(mut self, elsewhere: Elsewhere) -> Self {
        self.layout = TextLayout::Plain;
        self.elsewhere = Some(elsewhere);
        self
    }

    /// How text is laid out in the tables.
    #[must_use]
    pub fn with_text_layout(mut self, layout: TextLayout) -> Self {
        self.layout = layout;
        self
    }
}

/// A DataFusion session over log objects: tables `logs`, `cdn`, `requests` and `rejects`, the view `visitor_requests`, the functions of
/// this crate, `CREATE EXTERNAL TABLE … STORED AS S3LOG` and the table function `s3log('…')`.
///
/// ```
/// # tokio::runtime::Runtime::new().unwrap().block_on(async {
/// use s3log_engine::session::{Session, SessionOptions};
///
/// # let directory = tempfile::tempdir()?;
/// # let logs = directory.path().display().to_string();
/// # std::fs::write(directory.path().join("log"), "a1b2 photos [15/Jan/2026:10:22:41 +0000] 192.0.2.3 - 3E57 REST.GET.OBJECT k \"GET /k HTTP/1.1\" 200 - 2326 2326 34 33 \"-\" \"-\"\n")?;
/// let session = Session::open(&[logs], SessionOptions::new()).await?;
/// let sums = session.context().sql("SELECT remote_ip, sum(bytes_sent) FROM logs GROUP BY 1").await?.collect().await?;
/// assert_eq!(sums[0].num_rows(), 1);
/// assert_eq!(session.progress().snapshot().rejects, 0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
pub struct Session {
    context: SessionContext,
    /// Log objects of which rows of each table are made.
    raw: HashMap<Table, Raw>,
    /// Sources that are datasets.
    datasets: Vec<Snapshot>,
    /// Sources that are none, local ones by their absolute paths.
    raw_sources: Vec<String>,
    progress: Arc<Progress>,
    stores: Arc<Stores>,
    options: SessionOptions,
}

/// Rejects of a dataset that no file holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RejectsNotKept {
    /// The name of the dataset.
    pub dataset: String,
    /// How many there are.
    pub rejects: u64,
    /// How many lines became records beside them and the rejects that were kept.
    pub rows: u64,
}

/// Log objects of which the rows of a table are made.
#[derive(Clone, Debug, Default)]
struct Raw {
    listing: Arc<Listing>,
    /// Those in buckets that are left out, because a dataset has their rows.
    converted: Option<Converted>,
}

impl Raw {
    /// All of these but those whose rows of this table a dataset has. A dataset holds one table: of log objects of several kinds
    /// it has some records, and the others are nowhere else.
    async fn without_converted(table: Table, listing: &Arc<Listing>, datasets: &[Snapshot]) -> Result<Self, Error> {
        let has_rows = |dataset: &&Snapshot| dataset.table == table || table == Table::Rejects;
        let datasets: Vec<_> = datasets.iter().filter(has_rows).collect();
        if datasets.is_empty() || listing.is_empty() {
            return Ok(Self { listing: Arc::clone(listing), converted: None });
        }
        let converted = Converted::of(datasets);
        let mut listing = Listing::clone(listing);
        listing.leave_out(&converted).await?;
        Ok(Self { listing: Arc::new(listing), converted: Some(converted) })
    }
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session").field("objects", &self.object_count()).finish_non_exhaustive()
    }
}

impl Session {
    /// Lists the sources and sets the session up. Reads no log object yet, and lists no bucket: that is done when a query reads
    /// them. A bucket is asked once, whether it is a dataset that [`crate::convert`] made: then its table is the files that its
    /// ledger names, and log objects of other sources that it was made of are left out. Without sources there are no tables,
    /// but everything else.
    ///
    /// Log objects that cannot be read do not stop a query of this session: [`Progress::unreadable`] names them.
    ///
    /// # Errors
    ///
    /// Names a source that does not exist or holds no log object.
    pub async fn open(sources: &[String], options: SessionOptions) -> Result<Self, Error> {
        let stores = Arc::new(Stores::new(options.stores.clone()));
        let Named { datasets, mut raw, mut raw_sources } =
            Named::sort_out(sources, !options.without_datasets_of_globs, &stores).await?;
        if options.with_raw {
            for source in datasets.iter().flat_map(|dataset| &dataset.state.origins) {
                if !raw.contains(source) && !raw_sources.contains(source) {
                    raw.push(source.clone());
                    raw_sources.push(source.clone());
                }
            }
        }
        // Directories of many files take a while: not on the threads that run queries.
        let listed = tokio::task::spawn_blocking(move || Listing::list(&raw)).await;
        let mut listing = listed.map_err(stopped)??;
        listing.leave_out_files_of(&datasets);
        let progress = Arc::new(Progress::default());
        if let (true, true, Some((name, why))) = (datasets.is_empty(), listing.is_empty(), listing.unreadable.first()) {
            return Err(Error::new(why.kind(), why.to_string()).in_object(name));
        }
        listing.unreadable.iter().for_each(|(name, why)| progress.failed(name, why));
        let has_logs = !listing.is_empty();
        let listing = Arc::new(listing);
        let mut raw = HashMap::new();
        for table in Table::ALL {
            raw.insert(table, Raw::without_converted(table, &listing, &datasets).await?);
        }
        let scan = options.scan_options(&progress);
        let context = context(&options, &scan, &stores).map_err(set_up)?;
        let session = Self { context, raw, datasets, raw_sources, progress, stores, options };
        if has_logs || !session.datasets.is_empty() {
            for table in Table::ALL {
                let provider = session.table(table).await?;
                session.context.register_table(table.name(), provider).map_err(set_up)?;
            }
            session.context.sql(&visitor_requests()).await.map_err(set_up)?;
        }
        Ok(session)
    }

    /// A table over everything: datasets, and log objects.
    async fn table(&self, table: Table) -> Result<Arc<dyn TableProvider>, Error> {
        let layout = self.options.layout;
        let mut parts: Vec<Arc<dyn TableProvider>> = Vec::new();
        for dataset in &self.datasets {
            match table {
                Table::Logs | Table::Cdn | Table::Requests => {
                    let is_made = table == Table::Requests && dataset.table != table;
                    if dataset.table != table && !is_made {
                        continue;
                    }
                    let records = DatasetTable::of_records(dataset.table, &dataset.place, &dataset.state, layout)?;
                    let records = records.with_times(self.options.times);
                    parts.push(match is_made {
                        true => Arc::new(DatasetRequests::new(records, layout, self.options.lines.clone())),
                        false => Arc::new(records),
                    });
                }
                Table::Rejects => {
                    for (place, files) in dataset.rejects(&self.stores).await? {
                        parts.push(Arc::new(DatasetTable::of_rejects(&place, files, layout)?));
                    }
                }
            }
        }
        let listing = self.listing(table);
        let is_of_others = |dataset: &Snapshot| table == Table::Requests && dataset.table != table;
        if !listing.is_empty() && self.datasets.iter().any(is_of_others) {
            return Ok(Arc::new(RefusedTable::new(
                table.schema(layout),
                "`requests` cannot be made of a dataset of `logs` or `cdn` and of log objects together: which records of an \
                 object are in the dataset depends on their kind"
                    .to_owned(),
                "convert with --table requests, or ask the datasets alone",
            )));
        }
        let of_requests = self.datasets.iter().filter(|dataset| dataset.table == Table::Requests).count();
        if table == Table::Requests && of_requests > 0 && of_requests < self.datasets.len() {
            let message = "`requests` cannot be made of a dataset of `requests` and of others together: the same records may be in both";
            return Ok(Arc::new(RefusedTable::new(table.schema(layout), message.to_owned(), "ask one of them alone")));
        }
        if listing.is_empty() && parts.is_empty() && table != Table::Rejects && !self.datasets.is_empty() {
            let held = self.datasets.iter().map(|dataset| dataset.table.name()).collect::<Vec<_>>().join("` and `");
            let message = format!("there is no `{}` here: the dataset holds `{held}`", table.name());
            let hint = "`requests` is made of datasets of `logs`, of `cdn` and of `requests`";
            return Ok(Arc::new(RefusedTable::new(table.schema(layout), message, hint)));
        }
        if !listing.is_empty() || parts.is_empty() {
            parts.push(Arc::new(self.log_table(table)));
        }
        Ok(match (parts.pop(), parts.is_empty()) {
            (Some(only), true) => only,
            (last, _) => Arc::new(UnionTable::new(table.schema(layout), parts.into_iter().chain(last).collect())),
        })
    }

    /// A table over its log objects.
    pub(crate) fn log_table(&self, table: Table) -> LogTable {
        let Raw { listing, converted } = self.raw.get(&table).cloned().unwrap_or_default();
        LogTable::new(table, listing, self.options.layout)
            .with_times(self.options.times)
            .with_options(self.options.scan_options(&self.progress))
            .with_stores(Arc::clone(&self.stores))
            .without(converted)
    }

    fn listing(&self, table: Table) -> &Listing {
        static NONE: LazyLock<Listing> = LazyLock::new(Listing::default);
        self.raw.get(&table).map_or(&NONE, |raw| &*raw.listing)
    }

    /// The names of the sources that are datasets.
    #[must_use]
    pub fn dataset_names(&self) -> Vec<String> {
        self.datasets.iter().map(|dataset| dataset.place.name()).collect()
    }

    /// Datasets whose table `rejects` is not all of their rejects, as these were counted and not kept.
    #[must_use]
    pub fn rejects_not_kept(&self) -> Vec<RejectsNotKept> {
        let of = |dataset: &Snapshot| RejectsNotKept {
            dataset: dataset.place.name(),
            rejects: dataset.rejects_not_kept(),
            rows: dataset.state.totals.rows,
        };
        self.datasets.iter().map(of).filter(|dataset| dataset.rejects > 0).collect()
    }

    /// The sources that are no datasets, local ones by their absolute paths.
    pub(crate) fn raw_sources(&self) -> Vec<String> {
        self.raw_sources.clone()
    }

    /// The DataFusion session.
    #[must_use]
    pub fn context(&self) -> &SessionContext {
        &self.context
    }

    /// What its queries have read so far.
    #[must_use]
    pub fn progress(&self) -> &Arc<Progress> {
        &self.progress
    }

    /// From now on, whether buckets are listed when a query is planned, so that EXPLAIN tells what it would read.
    pub fn list_when_planned(&self, lists: bool) {
        self.options.lists_when_planned.store(lists, Ordering::Relaxed);
    }

    /// The buckets, and what was asked of them.
    #[must_use]
    pub fn stores(&self) -> &Arc<Stores> {
        &self.stores
    }

    /// The sources that are buckets.
    #[must_use]
    pub fn locations(&self) -> &[Location] {
        self.listing(Table::Logs).locations()
    }

    /// How many log objects the sources hold outside of buckets.
    #[must_use]
    pub fn object_count(&self) -> usize {
        self.listing(Table::Logs).object_count()
    }

    /// Their bytes, as stored.
    #[must_use]
    pub fn byte_count(&self) -> u64 {
        self.listing(Table::Logs).byte_count()
    }

    /// What there is to read outside of buckets: files that names do not leave out for the times of the session.
    #[must_use]
    pub fn file_counts(&self) -> SourceCounts {
        let table = self.log_table(Table::Logs);
        table.sources().count_files(&table.object_times()).into_iter().sum()
    }

    pub(crate) fn threads(&self) -> usize {
        self.options.threads()
    }

    /// Whether plans do not run in this process.
    #[cfg(feature = "cluster")]
    pub(crate) fn runs_elsewhere(&self) -> bool {
        self.options.elsewhere.is_some()
    }

    /// Runs a plan where those of queries run.
    #[cfg(feature = "cluster")]
    pub(crate) async fn run_elsewhere(&self, plan: Arc<dyn ExecutionPlan>) -> Result<Vec<RecordBatch>, Error> {
        let state = self.context.state();
        let plan = match &self.options.elsewhere {
            Some(elsewhere) => elsewhere.hand_over.optimize(plan, state.config_options()),
            None => Ok(plan),
        };
        let rows = async { collect(plan?, self.context.task_ctx()).await };
        rows.await.map_err(|error| Error::of_query(error, "the work stopped"))
    }

    /// How lines are understood.
    pub(crate) fn lines(&self) -> &LineOptions {
        &self.options.lines
    }
}

impl SessionOptions {
    fn scan_options(&self, progress: &Arc<Progress>) -> ScanOptions {
        let options =
            ScanOptions::default().with_progress(Arc::clone(progress), OnUnreadable::Report).with_names(self.names);
        let options = options.with_listing_when_planned(Arc::clone(&self.lists_when_planned));
        options.with_lines(self.lines.clone()).with_fixed_objects(self.elsewhere.is_some())
    }

    fn threads(&self) -> usize {
        self.threads.unwrap_or_else(|| match &self.elsewhere {
            Some(elsewhere) => elsewhere.partitions,
            None => std::thread::available_parallelism().map_or(1, NonZeroUsize::get),
        })
    }
}

/// The view of requests that clients made: through a CDN a request that the cache could not answer is in both logs.
fn visitor_requests() -> String {
    format!("CREATE VIEW {VISITOR_REQUESTS} AS SELECT * FROM requests WHERE NOT is_cdn_fetch")
}

/// Sources in buckets that are asked at once whether they are datasets: a list may name very many.
const ASKED_AT_ONCE: usize = 32;

/// What the sources name.
struct Named {
    /// Each of them once.
    datasets: Vec<Snapshot>,
    /// What is no dataset, with the lines of lists in place of these.
    raw: Vec<String>,
    /// Sources that name something else than datasets, local ones by their absolute paths.
    raw_sources: Vec<String>,
}

impl Named {
    async fn sort_out(sources: &[String], globs: bool, stores: &Stores) -> Result<Self, Error> {
        let given = sources.to_vec();
        let lists = move || given.iter().map(|source| expanded(source, globs)).collect::<Result<Vec<_>, Error>>();
        let lists = tokio::task::spawn_blocking(lists).await.map_err(stopped)??;
        let finds: Vec<_> = lists.iter().flatten().map(|source| Snapshot::open_if_dataset(source, stores)).collect();
        let found: Vec<_> = stream::iter(finds).buffered(ASKED_AT_ONCE).try_collect().await?;
        let mut found = found.into_iter();
        let mut named = Self { datasets: Vec::new(), raw: Vec::new(), raw_sources: Vec::new() };
        let mut places = HashSet::new();
        for (source, list) in sources.iter().zip(lists) {
            let before = named.raw.len();
            for (source, dataset) in list.into_iter().zip(&mut found) {
                match dataset {
                    Some(dataset) if places.insert(dataset.place.full_name()) => named.datasets.push(dataset),
                    Some(_) => {}
                    None => named.raw.push(source),
                }
            }
            if named.raw.len() > before {
                named.raw_sources.push(absolute(source));
            }
        }
        Ok(named)
    }
}

fn stopped(error: tokio::task::JoinError) -> Error {
    Error::invalid("the listing stopped").with_source(error)
}

/// A local source from the root on, so that it means the same everywhere on the machine.
fn absolute(source: &str) -> String {
    let (mark, path) = match source.strip_prefix('@') {
        Some(list) => ("@", list),
        None => ("", source),
    };
    if source == "-" || source == "@-" || source.contains("://") {
        return source.to_owned();
    }
    std::path::absolute(path).map_or_else(|_| source.to_owned(), |path| format!("{mark}{}", path.display()))
}

fn set_up(error: datafusion::error::DataFusionError) -> Error {
    Error::new(crate::ErrorKind::Internal, "the session cannot be set up").with_source(error)
}

/// Consumers of memory that an error names when it runs out.
const NAMED_CONSUMERS: NonZeroUsize = NonZeroUsize::MIN.saturating_add(4);

fn context(options: &SessionOptions, scan: &ScanOptions, stores: &Arc<Stores>) -> DataFusionResult<SessionContext> {
    let config = options.elsewhere.as_ref().map_or_else(SessionConfig::new, |elsewhere| elsewhere.config.clone());
    let mut config = config.with_target_partitions(options.threads()).with_information_schema(true);
    config.options_mut().sql_parser.collect_spans = true;
    // Sums of nothing are NULL and must not lead every list of the largest ones.
    "nulls_last".clone_into(&mut config.options_mut().sql_parser.default_null_ordering);
    let mut runtime = RuntimeEnvBuilder::new().with_object_store_registry(registry(stores));
    if let Some(limit) = options.memory_limit {
        // Fair: a sort and an aggregation in one plan must both be able to spill.
        let pool = TrackConsumersPool::new(LeavingPool::new(limit, options.threads()), NAMED_CONSUMERS);
        runtime = runtime.with_memory_pool(Arc::new(pool));
    }
    let factory = LogTableFactory::new(options.layout, scan.clone()).with_stores(Arc::clone(stores));
    let factory = Arc::new(factory);
    let state = SessionStateBuilder::new()
        .with_config(config)
        .with_runtime_env(runtime.build_arc()?)
        .with_default_features()
        .with_physical_optimizer_rule(Arc::new(CopyTextUnderBuffers))
        .with_table_factory(STORED_AS.to_owned(), Arc::clone(&factory) as _);
    let state = match &options.elsewhere {
        Some(elsewhere) => (elsewhere.prepare)(state).with_physical_optimizer_rule(Arc::clone(&elsewhere.hand_over)),
        None => state,
    };
    let context = SessionContext::new_with_state(state.build()).enable_url_table();
    register(&context, factory)?;
    Ok(context)
}

/// What finds buckets, and the files of datasets, for plans of this crate.
pub(crate) fn registry(stores: &Arc<Stores>) -> Arc<dyn ObjectStoreRegistry> {
    let datasets = |host: &str, stores: &Arc<Stores>| {
        let store = DatasetStore::of_host(host, |bucket| lazy_bucket(stores, bucket))?;
        Some(Arc::new(store) as Arc<dyn ObjectStore>)
    };
    Arc::new(Registry::new(Arc::clone(stores)).with_scheme(DatasetStore::SCHEME, datasets))
}

/// Puts the functions of this crate, the format and the ways to name tables of logs into someone's own session.
///
/// ```
/// # tokio::runtime::Runtime::new().unwrap().block_on(async {
/// use datafusion::prelude::SessionContext;
/// use s3log_engine::{session, table::LogTableFactory};
/// use std::sync::Arc;
///
/// let context = SessionContext::new();
/// session::register(&context, Arc::new(LogTableFactory::default()))?;
/// # let directory = tempfile::tempdir()?;
/// # std::fs::write(directory.path().join("log"), "no record\n")?;
/// # let location = directory.path().display();
/// context.sql(&format!("CREATE EXTERNAL TABLE access STORED AS S3LOG LOCATION '{location}'")).await?;
/// assert_eq!(context.sql("SELECT uri_method(request_uri) FROM access").await?.count().await?, 0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
///
/// # Errors
///
/// What DataFusion reports of registrations.
pub fn register(context: &SessionContext, tables: Arc<LogTableFactory>) -> DataFusionResult<()> {
    // A session and its clones share their state.
    crate::functions::register(&mut context.clone())?;
    context.register_udtf(TABLE_FUNCTION, Arc::clone(&tables) as _);
    let state = context.state_ref();
    let mut state = state.write();
    state.table_factories_mut().insert(STORED_AS.to_owned(), tables);
    state.register_file_format(Arc::new(S3LogFormatFactory), true)
}
