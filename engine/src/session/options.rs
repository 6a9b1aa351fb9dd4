//! Options of a session, and remote execution.

use crate::decode::LineOptions;
use crate::scan::{NameRules, OnUnreadable, Progress, ScanOptions};
use crate::schema::TextLayout;
use crate::store::StoreOptions;
use crate::table::TimeRange;
use datafusion::execution::SessionStateBuilder;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::prelude::SessionConfig;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// Options of a [`Session`](super::Session).
#[derive(Clone, Debug, Default)]
pub struct SessionOptions {
    pub(super) memory_limit: Option<usize>,
    pub(super) spill_folder: Option<PathBuf>,
    pub(super) threads: Option<usize>,
    pub(super) times: TimeRange,
    pub(super) lines: LineOptions,
    pub(super) layout: TextLayout,
    pub(super) names: NameRules,
    pub(super) stores: StoreOptions,
    pub(super) lists_when_planned: Arc<AtomicBool>,
    pub(super) with_raw: bool,
    pub(super) without_datasets_of_globs: bool,
    pub(super) without_sources_in_sql: bool,
    pub(super) remote: Option<RemoteExecution>,
}

/// Options for a session whose plans run in other processes, as `crate::cluster` does.
///
/// Such a session uses plain text ([`TextLayout::Plain`]) and lists buckets at planning time.
#[derive(Clone)]
pub struct RemoteExecution {
    /// The session configuration that plans need.
    pub config: SessionConfig,
    /// Optimizer rule that hands a plan over to the remote executor; runs last.
    pub hand_over: Arc<dyn PhysicalOptimizerRule + Send + Sync>,
    /// Adds further rules to the session state.
    pub prepare: Arc<dyn Fn(SessionStateBuilder) -> SessionStateBuilder + Send + Sync>,
    /// Number of partitions unless [`SessionOptions::with_threads`] sets it.
    pub partitions: usize,
}

impl std::fmt::Debug for RemoteExecution {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RemoteExecution").field("partitions", &self.partitions).finish_non_exhaustive()
    }
}

impl SessionOptions {
    /// The defaults: no memory limit, all cores, all times.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Memory limit in bytes for all operators together; beyond it they spill to disk.
    #[must_use]
    pub fn with_memory_limit(mut self, bytes: usize) -> Self {
        self.memory_limit = Some(bytes);
        self
    }

    /// Directory for what does not fit into memory; by default one within the system's temporary directory. It must
    /// exist.
    #[must_use]
    pub fn with_spill_folder(mut self, folder: impl Into<PathBuf>) -> Self {
        self.spill_folder = Some(folder.into());
        self
    }

    /// Number of partitions processed in parallel, at least 1.
    #[must_use]
    pub fn with_threads(mut self, threads: usize) -> Self {
        self.threads = Some(threads.max(1));
        self
    }

    /// Only records at or after this instant, in microseconds since the Unix epoch (UTC).
    #[must_use]
    pub fn with_since(mut self, micros: i64) -> Self {
        self.times.since = Some(micros);
        self
    }

    /// Only records before this instant, in microseconds since the Unix epoch (UTC).
    #[must_use]
    pub fn with_until(mut self, micros: i64) -> Self {
        self.times.until = Some(micros);
        self
    }

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

    /// How buckets are accessed.
    #[must_use]
    pub fn with_stores(mut self, stores: StoreOptions) -> Self {
        self.stores = stores;
        self
    }

    /// Whether to also read log objects from the sources of datasets that are not converted yet.
    #[must_use]
    pub fn with_raw(mut self, with_raw: bool) -> Self {
        self.with_raw = with_raw;
        self
    }

    /// Ignores datasets matched by globs, as those below a directory are: only log objects are read.
    #[must_use]
    pub fn without_datasets_of_globs(mut self) -> Self {
        self.without_datasets_of_globs = true;
        self
    }

    /// Does not let SQL name further sources: there is no table function `s3log('…')`, no `STORED AS S3LOG`, and a file
    /// name is no table. For statements of somebody who must not read every file that this process can read; see
    /// [`Session`](super::Session#statements-of-others).
    #[must_use]
    pub fn without_sources_in_sql(mut self) -> Self {
        self.without_sources_in_sql = true;
        self
    }

    /// Runs plans in other processes. Sets the text layout to [`TextLayout::Plain`].
    #[must_use]
    pub fn with_remote_execution(mut self, remote: RemoteExecution) -> Self {
        self.layout = TextLayout::Plain;
        self.remote = Some(remote);
        self
    }

    /// How text is laid out in the tables.
    #[must_use]
    pub fn with_text_layout(mut self, layout: TextLayout) -> Self {
        self.layout = layout;
        self
    }

    /// The scan options of the session.
    pub(super) fn scan_options(&self, progress: &Arc<Progress>) -> ScanOptions {
        let options =
            ScanOptions::default().with_progress(Arc::clone(progress), OnUnreadable::Report).with_names(self.names);
        let options = options.with_listing_when_planned(Arc::clone(&self.lists_when_planned));
        options.with_lines(self.lines.clone()).with_fixed_objects(self.remote.is_some())
    }

    pub(super) fn threads(&self) -> usize {
        self.threads.unwrap_or_else(|| match &self.remote {
            Some(remote) => remote.partitions,
            None => std::thread::available_parallelism().map_or(1, NonZeroUsize::get),
        })
    }
}
