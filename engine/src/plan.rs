//! What a query would list and read, without reading it.

use crate::error::{Error, ErrorKind};
use crate::scan::{S3LogSource, SourceCounts};
use crate::session::Session;
use datafusion::common::tree_node::{TreeNode as _, TreeNodeRecursion};
use datafusion::datasource::physical_plan::FileScanConfig;
use datafusion::datasource::source::DataSourceExec;
use datafusion::physical_plan::ExecutionPlan;
use std::sync::Arc;

/// One scan of a physical plan.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ScanPlan {
    /// The table that is read.
    pub table: &'static str,
    /// Time range used for pruning by object name: `from..until` in RFC 3339, empty if unbounded.
    pub times: String,
    /// What is read, per source.
    pub sources: Vec<SourceCounts>,
}

/// Counts what each scan of a plan would read. Lists the sources, but reads no log object.
///
/// # Errors
///
/// Fails if a bucket cannot be listed.
pub async fn plan(plan: &Arc<dyn ExecutionPlan>) -> Result<Vec<ScanPlan>, Error> {
    let mut scans: Vec<S3LogSource> = Vec::new();
    let visited = plan.apply(|node| {
        let config = node.downcast_ref::<DataSourceExec>().and_then(|exec| exec.data_source().downcast_ref());
        if let Some(source) = config.and_then(|config: &FileScanConfig| config.file_source().downcast_ref()) {
            scans.push(S3LogSource::clone(source));
        }
        Ok(TreeNodeRecursion::Continue)
    });
    visited.map_err(|error| Error::new(ErrorKind::Internal, "the plan cannot be read").with_source(error))?;
    let mut plans = Vec::with_capacity(scans.len());
    for scan in scans {
        let times = scan.times();
        let times_text = if times.is_all() { String::new() } else { times.to_string() };
        plans.push(ScanPlan { table: scan.table().name(), times: times_text, sources: scan.count_objects().await? });
    }
    Ok(plans)
}

/// Counts what a scan of all records in the session's time range would read.
///
/// # Errors
///
/// Fails if a bucket cannot be listed.
pub async fn plan_all(session: &Session) -> Result<Vec<ScanPlan>, Error> {
    let cannot = |error| Error::new(ErrorKind::Internal, "the scan cannot be planned").with_source(error);
    let everything = session.context().table("logs").await.map_err(cannot)?;
    let physical = everything.create_physical_plan().await.map_err(cannot)?;
    plan(&physical).await
}
