//! Optimizer rule that makes scans copy text if an operator above them retains batches.
//!
//! Views into the blocks are fastest as long as batches stream through. A sort, join or window retains batches, and
//! with them every block that a view points into, most of it for columns that were not selected. Below such operators
//! text is copied: they then hold no more than what they were given, memory limits are accurate, and spill files
//! contain no more than needed. An aggregation stores its own values, so operators above it do not matter.

use super::source::S3LogSource;
use datafusion::common::Result;
use datafusion::config::ConfigOptions;
use datafusion::datasource::physical_plan::FileScanConfigBuilder;
use datafusion::datasource::source::DataSourceExec;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::{ExecutionPlan, replace_children_if_necessary};
use std::sync::Arc;

/// The rule. Must run after DataFusion's own physical optimizer rules.
#[derive(Debug, Default)]
pub struct CopyTextUnderBuffers;

/// Operators that pass batches on immediately or retain a small, bounded number.
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

/// Operators that copy what they retain.
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
