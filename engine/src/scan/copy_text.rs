//! Which scans copy their text: those whose batches an operator above holds on to.
//!
//! Views into the blocks that were read are the fastest as long as batches pass through. A sort, a join or a window holds
//! batches back, and with them every block that a view points into, mostly for columns that nobody asked for. Below such
//! an operator text is copied out: what it holds is then what it was given, memory limits mean what they say, and
//! spilling writes no more than it must. An aggregation keeps values of its own, so what is above it does not matter.

use super::source::S3LogSource;
use datafusion::common::Result;
use datafusion::config::ConfigOptions;
use datafusion::datasource::physical_plan::FileScanConfigBuilder;
use datafusion::datasource::source::DataSourceExec;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::{ExecutionPlan, replace_children_if_necessary};
use std::sync::Arc;

/// The rule, to be added behind those of DataFusion.
#[derive(Debug, Default)]
pub struct CopyTextUnderBuffers;

/// Operators that hand batches on as they come, or within a small bound.
const STREAMING: [&str; 11] = [
    "CoalesceBatchesExec",
    "CoalescePartitionsExec",
    "CooperativeExec",
    "DataSourceExec",
    "FilterExec",
    "GlobalLimitExec",
    "InterleaveExec",
    "LocalLimitExec",
    "ProjectionExec",
    "RepartitionExec",
    "UnionExec",
];

/// Operators that copy what they keep.
const COPYING: [&str; 1] = ["AggregateExec"];

impl PhysicalOptimizerRule for CopyTextUnderBuffers {
    fn optimize(&self, plan: Arc<dyn ExecutionPlan>, _config: &ConfigOptions) -> Result<Arc<dyn ExecutionPlan>> {
        rewrite(plan, false)
    }

    fn name(&self) -> &str {
        "copy_text_under_buffers"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

fn rewrite(plan: Arc<dyn ExecutionPlan>, held_back: bool) -> Result<Arc<dyn ExecutionPlan>> {
    if let Some(scan) = plan.downcast_ref::<DataSourceExec>()
        && let Some((config, source)) = scan.downcast_to_file_source::<S3LogSource>()
    {
        if !held_back {
            return Ok(plan);
        }
        let source = Arc::new(source.clone().copying_text());
        let config = FileScanConfigBuilder::from(config.clone()).with_source(source).build();
        return Ok(DataSourceExec::from_data_source(config));
    }
    let held_back = if COPYING.contains(&plan.name()) { false } else { held_back || !STREAMING.contains(&plan.name()) };
    let children = plan.children().into_iter().map(|child| rewrite(Arc::clone(child), held_back));
    let children = children.collect::<Result<Vec<_>>>()?;
    replace_children_if_necessary(plan, children)
}
