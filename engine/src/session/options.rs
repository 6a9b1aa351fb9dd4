//! How a session is set up, and where its plans run.

use crate::decode::LineOptions;
use crate::scan::{NameRules, OnUnreadable, Progress, ScanOptions};
use crate::schema::TextLayout;
use crate::store::StoreOptions;
use crate::table::TimeRange;
use datafusion::execution::SessionStateBuilder;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::prelude::SessionConfig;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// How a session is set up.
#[derive(Clone, Debug, Default)]
pub struct SessionOptions {
    pub(super) memory_limit: Option<usize>,
    pub(super) threads: Option<usize>,
    pub(super) times: TimeRange,
    pub(super) lines: LineOptions,
    pub(super) layout: TextLayout,
    pub(super) names: NameRules,
    pub(super) stores: StoreOptions,
    pub(super) lists_when_planned: Arc<AtomicBool>,
    pub(super) with_raw: bool,
    pub(super) without_datasets_of_globs: bool,
    pub(super) remote: Option<RemoteExecution>,
}

/// How a session is set up whose plans do not run in this process: `crate::cluster` has one.
///
/// Text is plain then, and buckets are listed when a query is planned.
#[derive(Clone)]
pub struct RemoteExecution {
    /// What a plan must be like.
    pub config: SessionConfig,
    /// Hands a plan over to whoever runs it; the last rule of the optimizer.
    pub hand_over: Arc<dyn PhysicalOptimizerRule + Send + Sync>,
    /// Adds other rules.
    pub prepare: Arc<dyn Fn(SessionStateBuilder) -> SessionStateBuilder + Send + Sync>,
    /// Partitions that work side by side when nobody says how many.
    pub partitions: usize,
}

impl std::fmt::Debug for RemoteExecution {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RemoteExecution").field("partitions", &self.partitions).finish_non_exhaustive()
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

    /// Runs plans in other processes.
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

    /// What scans of such a session are told.
    pub(super) fn scan_options(&self, progress: &Arc<Progress>) -> ScanOptions {
        let options =
            ScanOptions::default().with_progress(Arc::clone(progress), OnUnreadable::Report).with_names(self.names);
        let options = options.with_listing_when_planned(Arc::clone(&self.lists_when_planned));
        options.with_lines(self.lines.clone()).with_fixed_objects(self.remote.is_some())
    }

    /// How many partitions work side by side.
    pub(super) fn threads(&self) -> usize {
        self.threads.unwrap_or_else(|| match &self.remote {
            Some(remote) => remote.partitions,
            None => std::thread::available_parallelism().map_or(1, NonZeroUsize::get),
        })
    }
}
