//! A DataFusion session with the tables and functions of this crate.

mod memory;
mod named;
mod options;

pub use self::options::{RemoteExecution, SessionOptions};

use self::memory::LeavingPool;
use self::named::Named;
use crate::dataset::{Converted, DatasetRequests, DatasetStore, DatasetTable, Snapshot};
use crate::decode::LineOptions;
use crate::error::Error;
use crate::scan::{CopyTextUnderBuffers, S3LogFormatFactory, ScanOptions, SourceCounts};
pub use crate::scan::{Progress, ProgressSnapshot, Unreadable};
use crate::schema::{Table, VISITOR_REQUESTS};
use crate::store::{Location, Registry, Stores, lazy_bucket};
use crate::table::{Listing, LogTable, LogTableFactory, RefusedTable, STORED_AS, TABLE_FUNCTION, UnionTable};
#[cfg(feature = "cluster")]
use arrow::array::RecordBatch;
use datafusion::catalog::TableProvider;
use datafusion::common::Result as DataFusionResult;
use datafusion::execution::SessionStateBuilder;
use datafusion::execution::memory_pool::TrackConsumersPool;
use datafusion::execution::object_store::ObjectStoreRegistry;
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
#[cfg(feature = "cluster")]
use datafusion::physical_plan::{ExecutionPlan, collect};
use datafusion::prelude::{SessionConfig, SessionContext};
use object_store::ObjectStore;
use std::collections::HashMap;
use std::num::NonZeroUsize;
use std::sync::atomic::Ordering;
use std::sync::{Arc, LazyLock};

/// A DataFusion session over log objects: the tables `logs`, `cdn`, `requests` and `rejects`, the view
/// `visitor_requests`, the functions of this crate, `CREATE EXTERNAL TABLE … STORED AS S3LOG` and the table function
/// `s3log('…')`.
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
///
/// # Statements of others
///
/// By default SQL can read and write every file that the process can. A server that runs statements of its clients opens
/// the session [without sources in SQL](SessionOptions::without_sources_in_sql), sets a
/// [memory limit](SessionOptions::with_memory_limit), and lets DataFusion refuse everything but queries:
///
/// ```
/// # tokio::runtime::Runtime::new().unwrap().block_on(async {
/// use datafusion::prelude::SQLOptions;
/// # use s3log_engine::session::{Session, SessionOptions};
///
/// # let sources: [String; 0] = [];
/// let options = SessionOptions::new().without_sources_in_sql().with_memory_limit(512 << 20);
/// let session = Session::open(&sources, options).await?;
/// let queries = SQLOptions::new().with_allow_ddl(false).with_allow_dml(false).with_allow_statements(false);
/// let refused = session.context().sql_with_options("COPY (SELECT 1) TO 'file.csv'", queries).await;
/// assert!(refused.is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
pub struct Session {
    context: SessionContext,
    /// The log objects to read for each table.
    raw: HashMap<Table, Raw>,
    /// The sources that are datasets.
    datasets: Vec<Snapshot>,
    /// The sources that are not datasets; local ones as absolute paths.
    raw_sources: Vec<String>,
    progress: Arc<Progress>,
    stores: Arc<Stores>,
    options: SessionOptions,
}

/// Rejects of a dataset that were counted, but not written to any file.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RejectsNotKept {
    /// The name of the dataset.
    pub dataset: String,
    /// Number of such rejects.
    pub rejects: u64,
    /// Number of records in the dataset.
    pub rows: u64,
}

/// The log objects to read for a table.
#[derive(Clone, Debug, Default)]
struct Raw {
    listing: Arc<Listing>,
    /// Objects in buckets that are left out because a dataset already has their rows.
    converted: Option<Converted>,
}

impl Raw {
    /// All objects except those whose rows of this table are in a dataset. A dataset holds one table: if an object has
    /// records of several kinds, the other kinds are nowhere else and must still be read from it.
    async fn without_converted(
        table: Table,
        listing: &Arc<Listing>,
        datasets: &[Snapshot],
        progress: &Progress,
    ) -> Result<Self, Error> {
        let has_rows = |dataset: &&Snapshot| dataset.table == table || table == Table::Rejects;
        let datasets: Vec<_> = datasets.iter().filter(has_rows).collect();
        if datasets.is_empty() || listing.is_empty() {
            return Ok(Self { listing: Arc::clone(listing), converted: None });
        }
        let converted = Converted::of(datasets);
        let mut listing = Listing::clone(listing);
        listing.leave_out(&converted, progress).await?;
        Ok(Self { listing: Arc::new(listing), converted: Some(converted) })
    }
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session").field("objects", &self.object_count()).finish_non_exhaustive()
    }
}

impl Session {
    /// Lists local sources and creates the session.
    ///
    /// No log object is read and no bucket is listed yet; both happen when a query runs. Each bucket source is only
    /// asked whether it is a dataset written by [`crate::convert`]. A dataset is read from the files that its ledger
    /// names, and the log objects it was made of are left out of the other sources. With no sources the session has no
    /// tables.
    ///
    /// Queries of this session do not fail on log objects that cannot be read: [`Progress::unreadable`] names them.
    ///
    /// # Errors
    ///
    /// Fails if a source does not exist or holds no log object; the error names it.
    pub async fn open(sources: &[String], options: SessionOptions) -> Result<Self, Error> {
        let stores = Arc::new(Stores::new(options.stores.clone()));
        let Named { datasets, raw, mut raw_sources } =
            Named::sort_out(sources, !options.without_datasets_of_globs, &stores).await?;
        let mut origins = Vec::new();
        if options.with_raw {
            for source in datasets.iter().flat_map(|dataset| &dataset.state.origins) {
                if !raw.contains(source) && !raw_sources.contains(source) {
                    origins.push(source.clone());
                    raw_sources.push(source.clone());
                }
            }
        }
        // Listing large directories takes a while: keep it off the threads that run queries.
        let listed = tokio::task::spawn_blocking(move || Listing::with_origins(&raw, &origins)).await;
        let mut listing = listed.map_err(stopped)??;
        listing.leave_out_files_of(&datasets);
        let progress = Arc::new(Progress::default());
        if let (true, true, Some(error)) = (datasets.is_empty(), listing.is_empty(), listing.first_unreadable()) {
            return Err(error);
        }
        listing.unreadable().for_each(|(name, why)| progress.failed(name, why));
        let has_logs = !listing.is_empty();
        let listing = Arc::new(listing);
        let mut raw = HashMap::new();
        for table in Table::ALL {
            raw.insert(table, Raw::without_converted(table, &listing, &datasets, &progress).await?);
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

    /// A table over datasets and log objects together.
    async fn table(&self, table: Table) -> Result<Arc<dyn TableProvider>, Error> {
        let layout = self.options.layout;
        let mut parts = self.dataset_tables(table).await?;
        if let Some(refused) = self.refused(table, parts.is_empty()) {
            return Ok(Arc::new(refused));
        }
        if !self.listing(table).is_empty() || parts.is_empty() {
            parts.push(Arc::new(self.log_table(table)));
        }
        Ok(match (parts.pop(), parts.is_empty()) {
            (Some(only), true) => only,
            (last, _) => Arc::new(UnionTable::new(table.schema(layout), parts.into_iter().chain(last).collect())),
        })
    }

    /// The parts of a table that datasets provide. `requests` is derived from the rows of datasets that hold another
    /// table.
    async fn dataset_tables(&self, table: Table) -> Result<Vec<Arc<dyn TableProvider>>, Error> {
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
        Ok(parts)
    }

    /// Why a table cannot be queried with these sources, if it cannot. `no_dataset`: no dataset has rows of it.
    fn refused(&self, table: Table, no_dataset: bool) -> Option<RefusedTable> {
        let refused = |message: String, hint| Some(RefusedTable::new(table.schema(self.options.layout), message, hint));
        let no_objects = self.listing(table).is_empty();
        let of_requests = self.datasets.iter().filter(|dataset| dataset.table == Table::Requests).count();
        let are_some_of_others = of_requests < self.datasets.len();
        if table == Table::Requests && are_some_of_others && !no_objects {
            return refused(
                "`requests` cannot be made of a dataset of `logs` or `cdn` and of log objects together: which records of an \
                 object are in the dataset depends on their kind"
                    .to_owned(),
                "convert with --table requests, or query the datasets alone",
            );
        }
        if table == Table::Requests && are_some_of_others && of_requests > 0 {
            return refused(
                "`requests` cannot be made of a dataset of `requests` and of others together: the same records may be in both"
                    .to_owned(),
                "query one of them alone",
            );
        }
        if table != Table::Rejects && no_objects && no_dataset && !self.datasets.is_empty() {
            let held = self.datasets.iter().map(|dataset| dataset.table.name()).collect::<Vec<_>>().join("` and `");
            return refused(
                format!("there is no `{}` here: the dataset holds `{held}`", table.name()),
                "`requests` is made of datasets of `logs`, of `cdn` and of `requests`",
            );
        }
        None
    }

    /// A table over the log objects, without datasets.
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

    /// The names of the datasets among the sources.
    #[must_use]
    pub fn dataset_names(&self) -> Vec<String> {
        self.datasets.iter().map(|dataset| dataset.place.name()).collect()
    }

    /// Datasets whose table `rejects` is incomplete, because rejects were counted but not kept.
    #[must_use]
    pub fn rejects_not_kept(&self) -> Vec<RejectsNotKept> {
        let of = |dataset: &Snapshot| RejectsNotKept {
            dataset: dataset.place.name(),
            rejects: dataset.rejects_not_kept(),
            rows: dataset.state.totals.rows,
        };
        self.datasets.iter().map(of).filter(|dataset| dataset.rejects > 0).collect()
    }

    /// The datasets among the sources whose addresses are anonymised, and how: `truncate`, `keyed` or `drop`.
    #[must_use]
    pub fn anonymized(&self) -> Vec<(String, String)> {
        let datasets = self.datasets.iter().filter(|dataset| dataset.anonymize_ip != "none");
        datasets.map(|dataset| (dataset.place.name(), dataset.anonymize_ip.clone())).collect()
    }

    /// The sources that are not datasets; local ones as absolute paths.
    pub(crate) fn raw_sources(&self) -> Vec<String> {
        self.raw_sources.clone()
    }

    /// The underlying DataFusion session.
    #[must_use]
    pub fn context(&self) -> &SessionContext {
        &self.context
    }

    /// Counts of what the queries of this session have read so far.
    #[must_use]
    pub fn progress(&self) -> &Arc<Progress> {
        &self.progress
    }

    /// Sets whether buckets are listed at planning time, so that EXPLAIN shows what a query would read.
    pub fn list_when_planned(&self, lists: bool) {
        self.options.lists_when_planned.store(lists, Ordering::Relaxed);
    }

    /// The buckets in use, with counts of the requests sent to them.
    #[must_use]
    pub fn stores(&self) -> &Arc<Stores> {
        &self.stores
    }

    /// The sources that are buckets.
    #[must_use]
    pub fn locations(&self) -> &[Location] {
        self.listing(Table::Logs).locations()
    }

    /// Number of log objects in local sources.
    #[must_use]
    pub fn object_count(&self) -> usize {
        self.listing(Table::Logs).object_count()
    }

    /// Total size of the log objects in local sources, in bytes as stored.
    #[must_use]
    pub fn byte_count(&self) -> u64 {
        self.listing(Table::Logs).byte_count()
    }

    /// What is to be read from local sources: files that are not excluded by their names for the time range of the
    /// session.
    #[must_use]
    pub fn file_counts(&self) -> SourceCounts {
        let table = self.log_table(Table::Logs);
        table.sources().count_files(&table.object_times()).into_iter().sum()
    }

    pub(crate) fn threads(&self) -> usize {
        self.options.threads()
    }

    /// Whether plans run in other processes.
    #[cfg(feature = "cluster")]
    pub(crate) fn runs_remotely(&self) -> bool {
        self.options.remote.is_some()
    }

    /// Runs a plan the way queries of this session run.
    #[cfg(feature = "cluster")]
    pub(crate) async fn run_remotely(&self, plan: Arc<dyn ExecutionPlan>) -> Result<Vec<RecordBatch>, Error> {
        let state = self.context.state();
        let plan = match &self.options.remote {
            Some(remote) => remote.hand_over.optimize(plan, state.config_options()),
            None => Ok(plan),
        };
        let rows = async { collect(plan?, self.context.task_ctx()).await };
        rows.await.map_err(|error| Error::of_query(error, "the work stopped"))
    }

    pub(crate) fn lines(&self) -> &LineOptions {
        &self.options.lines
    }
}

/// The view of requests made by clients. A request that the CDN could not answer from its cache is in both logs; the
/// view leaves out the CDN's own request to the bucket.
fn visitor_requests() -> String {
    format!("CREATE VIEW {VISITOR_REQUESTS} AS SELECT * FROM requests WHERE NOT is_cdn_fetch")
}

fn stopped(error: tokio::task::JoinError) -> Error {
    Error::invalid("the listing stopped").with_source(error)
}

fn set_up(error: datafusion::error::DataFusionError) -> Error {
    Error::new(crate::ErrorKind::Internal, "the session cannot be set up").with_source(error)
}

/// Number of memory consumers named in an out-of-memory error.
const NAMED_CONSUMERS: NonZeroUsize = NonZeroUsize::MIN.saturating_add(4);

fn context(options: &SessionOptions, scan: &ScanOptions, stores: &Arc<Stores>) -> DataFusionResult<SessionContext> {
    let config = options.remote.as_ref().map_or_else(SessionConfig::new, |remote| remote.config.clone());
    let mut config = config.with_target_partitions(options.threads()).with_information_schema(true);
    config.options_mut().sql_parser.collect_spans = true;
    // A sum over no rows is NULL, and must not come first in descending order.
    "nulls_last".clone_into(&mut config.options_mut().sql_parser.default_null_ordering);
    let mut runtime = RuntimeEnvBuilder::new().with_object_store_registry(registry(stores));
    if let Some(limit) = options.memory_limit {
        // Fair: a sort and an aggregation in the same plan must both be able to spill.
        let pool = TrackConsumersPool::new(LeavingPool::new(limit, options.threads()), NAMED_CONSUMERS);
        runtime = runtime.with_memory_pool(Arc::new(pool));
    }
    if let Some(folder) = &options.spill_folder {
        runtime = runtime.with_temp_file_path(folder);
    }
    let factory = LogTableFactory::new(options.layout, scan.clone());
    let factory = factory.with_times(options.times).with_stores(Arc::clone(stores));
    let state = SessionStateBuilder::new()
        .with_config(config)
        .with_runtime_env(runtime.build_arc()?)
        .with_default_features()
        .with_physical_optimizer_rule(Arc::new(CopyTextUnderBuffers));
    let state = match &options.remote {
        Some(remote) => (remote.prepare)(state).with_physical_optimizer_rule(Arc::clone(&remote.hand_over)),
        None => state,
    };
    let mut context = SessionContext::new_with_state(state.build());
    if options.without_sources_in_sql {
        crate::functions::register(&mut context)?;
    } else {
        context = context.enable_url_table();
        register(&context, Arc::new(factory))?;
    }
    Ok(context)
}

/// Resolves buckets and files of datasets for plans of this crate.
pub(crate) fn registry(stores: &Arc<Stores>) -> Arc<dyn ObjectStoreRegistry> {
    let datasets = |host: &str, stores: &Arc<Stores>| {
        let store = DatasetStore::of_host(host, |bucket| lazy_bucket(stores, bucket))?;
        Some(Arc::new(store) as Arc<dyn ObjectStore>)
    };
    Arc::new(Registry::new(Arc::clone(stores)).with_scheme(DatasetStore::SCHEME, datasets))
}

/// Registers the functions, the file format, the table factory and the table function of this crate in an existing
/// session.
///
/// The optimizer rule [`CopyTextUnderBuffers`] can only be given to a session that is being built. Without it results
/// are the same, but sorts, joins and windows keep whole blocks of logs in memory.
///
/// ```
/// # tokio::runtime::Runtime::new().unwrap().block_on(async {
/// use datafusion::execution::SessionStateBuilder;
/// use datafusion::prelude::SessionContext;
/// use s3log_engine::{scan::CopyTextUnderBuffers, session, table::LogTableFactory};
/// use std::sync::Arc;
///
/// let state = SessionStateBuilder::new().with_default_features();
/// let state = state.with_physical_optimizer_rule(Arc::new(CopyTextUnderBuffers)).build();
/// let context = SessionContext::new_with_state(state);
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
/// Fails if DataFusion rejects a registration.
pub fn register(context: &SessionContext, tables: Arc<LogTableFactory>) -> DataFusionResult<()> {
    // A session and its clones share their state.
    crate::functions::register(&mut context.clone())?;
    context.register_udtf(TABLE_FUNCTION, Arc::clone(&tables) as _);
    let state = context.state_ref();
    let mut state = state.write();
    state.table_factories_mut().insert(STORED_AS.to_owned(), tables);
    state.register_file_format(Arc::new(S3LogFormatFactory), true)
}
