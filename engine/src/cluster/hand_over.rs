//! Decides which part of a plan runs on a cluster: everything that reads logs or datasets. Operators that write or
//! explain stay local, so that output files are created on the client.

use super::client::Cluster;
use super::exec::ClusterExec;
use crate::dataset::DatasetStore;
use crate::scan::S3LogSource;
use datafusion::common::Result;
use datafusion::common::tree_node::{Transformed, TreeNode as _};
use datafusion::config::ConfigOptions;
use datafusion::datasource::physical_plan::{FileGroup, FileScanConfig, FileScanConfigBuilder};
use datafusion::datasource::sink::DataSinkExec;
use datafusion::datasource::source::DataSourceExec;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::analyze::AnalyzeExec;
use datafusion::physical_plan::coalesce_partitions::CoalescePartitionsExec;
use datafusion::physical_plan::{ExecutionPlan, replace_children_if_necessary};
use std::sync::Arc;

/// Optimizer rule that moves plans to a cluster. Must be the last rule of a session.
#[derive(Debug)]
pub struct RunOnCluster {
    cluster: Arc<Cluster>,
}

impl RunOnCluster {
    /// Creates the rule for a cluster.
    #[must_use]
    pub fn new(cluster: Arc<Cluster>) -> Self {
        Self { cluster }
    }

    fn hand_over(&self, plan: Arc<dyn ExecutionPlan>) -> Result<Arc<dyn ExecutionPlan>> {
        if plan.is::<DataSinkExec>() || plan.is::<AnalyzeExec>() {
            let children = plan.children().into_iter().map(|child| self.hand_over(Arc::clone(child)));
            let children = children.collect::<Result<Vec<_>>>()?;
            return replace_children_if_necessary(plan, children);
        }
        if !reads_logs(&plan)? {
            return Ok(plan);
        }
        Ok(Arc::new(ClusterExec::new(portable(ungathered(plan))?, Arc::clone(&self.cluster))))
    }
}

impl PhysicalOptimizerRule for RunOnCluster {
    fn optimize(&self, plan: Arc<dyn ExecutionPlan>, _config: &ConfigOptions) -> Result<Arc<dyn ExecutionPlan>> {
        self.hand_over(plan)
    }

    fn name(&self) -> &str {
        "run_on_cluster"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

/// Removes a final merge of partitions: the client fetches all partitions one by one anyway, and merging them on the
/// cluster would add a stage.
fn ungathered(plan: Arc<dyn ExecutionPlan>) -> Arc<dyn ExecutionPlan> {
    match plan.downcast_ref::<CoalescePartitionsExec>() {
        Some(gathered) if gathered.fetch().is_none() => Arc::clone(gathered.input()),
        _ => plan,
    }
}

fn scan_of(plan: &Arc<dyn ExecutionPlan>) -> Option<&FileScanConfig> {
    plan.downcast_ref::<DataSourceExec>()?.data_source().downcast_ref::<FileScanConfig>()
}

fn is_of_dataset(config: &FileScanConfig) -> bool {
    config.object_store_url.as_str().starts_with(DatasetStore::SCHEME)
}

/// Whether a plan reads logs or datasets. Any other plan finishes locally before a cluster would have received it.
fn reads_logs(plan: &Arc<dyn ExecutionPlan>) -> Result<bool> {
    plan.exists(|node| {
        let is_wanted = |config: &FileScanConfig| config.file_source().is::<S3LogSource>() || is_of_dataset(config);
        Ok(scan_of(node).is_some_and(is_wanted))
    })
}

/// Removes per-file statistics of datasets: they have already been used, and would be most of what is sent.
fn portable(plan: Arc<dyn ExecutionPlan>) -> Result<Arc<dyn ExecutionPlan>> {
    let without = plan.transform_up(|node| {
        let Some(config) = scan_of(&node).filter(|config| is_of_dataset(config)) else {
            return Ok(Transformed::no(node));
        };
        let groups = config.file_groups.iter().map(|group| {
            let files = group.files().iter().cloned().map(|mut file| {
                file.statistics = None;
                file
            });
            FileGroup::new(files.collect())
        });
        let groups = groups.collect();
        let config = FileScanConfigBuilder::from(config.clone()).with_file_groups(groups).build();
        let scan: Arc<dyn ExecutionPlan> = DataSourceExec::from_data_source(config);
        Ok(Transformed::yes(scan))
    });
    Ok(without?.data)
}
