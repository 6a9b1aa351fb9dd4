//! The operator for a plan that runs on a cluster.

use super::client::{Cluster, text_of};
use crate::scan::{Progress, S3LogSource};
use ballista_core::serde::protobuf::JobStageMetrics;
use datafusion::common::tree_node::{TreeNode as _, TreeNodeRecursion};
use datafusion::common::{DataFusionError, Result, internal_err};
use datafusion::datasource::source::DataSourceExec;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::EquivalenceProperties;
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, Partitioning, PhysicalExpr, PlanProperties,
};
use futures::TryStreamExt as _;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

/// Runs its input on a cluster and returns the resulting rows.
#[derive(Debug)]
pub(super) struct ClusterExec {
    input: Arc<dyn ExecutionPlan>,
    cluster: Arc<Cluster>,
    /// Metrics of the last run, for EXPLAIN ANALYZE.
    stages: Arc<Mutex<Vec<JobStageMetrics>>>,
    properties: Arc<PlanProperties>,
}

impl ClusterExec {
    pub(super) fn new(input: Arc<dyn ExecutionPlan>, cluster: Arc<Cluster>) -> Self {
        let properties = PlanProperties::new(
            EquivalenceProperties::new(input.schema()),
            Partitioning::UnknownPartitioning(1),
            EmissionType::Final,
            Boundedness::Bounded,
        );
        Self { input, cluster, stages: Arc::default(), properties: Arc::new(properties) }
    }
}

impl DisplayAs for ClusterExec {
    fn fmt_as(&self, _format: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ClusterExec: {}", self.cluster)?;
        // The operators below did not run in this process; the stages have their metrics.
        let stages = self.stages.lock().unwrap_or_else(PoisonError::into_inner);
        text_of(&stages).lines().try_for_each(|line| write!(f, "\n    {line}"))
    }
}

impl ExecutionPlan for ClusterExec {
    fn name(&self) -> &'static str {
        "ClusterExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn apply_expressions(
        &self,
        _f: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn with_new_children(self: Arc<Self>, mut children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        match (children.pop(), children.is_empty()) {
            (Some(input), true) => Ok(Arc::new(Self::new(input, Arc::clone(&self.cluster)))),
            _ => internal_err!("one plan runs on a cluster"),
        }
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        if partition != 0 {
            return internal_err!("what comes from a cluster is one partition");
        }
        let (cluster, input) = (Arc::clone(&self.cluster), Arc::clone(&self.input));
        let progress = progress_of(&input)?;
        let stages = Arc::clone(&self.stages);
        let rows = async move {
            let answer = cluster.run(input, context, progress).await?;
            *stages.lock().unwrap_or_else(PoisonError::into_inner) = answer.stages;
            Ok::<_, DataFusionError>(answer.rows)
        };
        let rows = futures::stream::once(rows).try_flatten();
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.schema(), rows)))
    }
}

/// The progress to which the scans of a plan report.
fn progress_of(plan: &Arc<dyn ExecutionPlan>) -> Result<Option<Arc<Progress>>> {
    let mut found = None;
    plan.apply(|node| {
        let scan =
            node.downcast_ref::<DataSourceExec>().and_then(DataSourceExec::downcast_to_file_source::<S3LogSource>);
        if let Some((_, source)) = scan {
            found = source.progress().cloned();
        }
        Ok(if found.is_some() { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
    })?;
    Ok(found)
}
