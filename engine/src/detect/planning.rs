//! Planning of rule queries.
//!
//! There are dozens of queries, mostly over small in-memory tables, and for a typical log planning takes longer than
//! execution. So only the optimizer rules that are required for correctness or reduce rows are used, not those for
//! files, many partitions and limits: this reduces the time for a log of 2,000 lines from 0.28 s to 0.23 s.

use super::distinct::CountHashes;
use super::gathered::GatherTexts;
use super::pass::failed;
use crate::error::Error;
use datafusion::execution::SessionStateBuilder;
use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::optimizer::Optimizer;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_optimizer::combine_partial_final_agg::CombinePartialFinalAggregate;
use datafusion::physical_optimizer::ensure_coop::EnsureCooperative;
use datafusion::physical_optimizer::ensure_requirements::EnsureRequirements;
use datafusion::physical_optimizer::join_selection::JoinSelection;
use datafusion::physical_optimizer::output_requirements::OutputRequirements;
use datafusion::physical_optimizer::projection_pushdown::ProjectionPushdown;
use datafusion::physical_optimizer::sanity_checker::SanityCheckPlan;
use datafusion::physical_optimizer::update_aggr_exprs::OptimizeAggregateOrder;
use datafusion::prelude::{SessionConfig, SessionContext};
use std::sync::Arc;

/// Optimizer rules that are slow and have no benefit here: expressions are cheap, and no column is a struct.
const LEFT_OUT: [&str; 4] = [
    "common_sub_expression_eliminate",
    "eliminate_duplicated_expr",
    "extract_leaf_expressions",
    "push_down_leaf_projections",
];

/// A session for rules: each query uses one thread, and several run concurrently.
pub(super) fn rules_context(runtime: Arc<RuntimeEnv>) -> Result<SessionContext, Error> {
    let mut config = SessionConfig::new().with_target_partitions(1).with_information_schema(false);
    "nulls_last".clone_into(&mut config.options_mut().sql_parser.default_null_ordering);
    let mut rules = Optimizer::new().rules;
    rules.retain(|rule| !LEFT_OUT.contains(&rule.name()));
    let state = SessionStateBuilder::new()
        .with_config(config)
        .with_runtime_env(runtime)
        .with_default_features()
        .with_optimizer_rules(rules)
        .with_optimizer_rule(Arc::new(CountHashes::new()))
        .with_optimizer_rule(Arc::new(GatherTexts::new()))
        .with_physical_optimizer_rules(physical_rules())
        .build();
    let mut context = SessionContext::new_with_state(state);
    crate::functions::register(&mut context).map_err(failed)?;
    Ok(context)
}

/// In DataFusion's order.
fn physical_rules() -> Vec<Arc<dyn PhysicalOptimizerRule + Send + Sync>> {
    vec![
        Arc::new(OutputRequirements::new_add_mode()),
        Arc::new(JoinSelection::new()),
        Arc::new(EnsureRequirements::new()),
        Arc::new(CombinePartialFinalAggregate::new()),
        Arc::new(OptimizeAggregateOrder::new()),
        Arc::new(ProjectionPushdown::new()),
        Arc::new(OutputRequirements::new_remove_mode()),
        Arc::new(EnsureCooperative::new()),
        Arc::new(SanityCheckPlan::new()),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use datafusion::physical_optimizer::optimizer::PhysicalOptimizer;

    #[test]
    fn what_is_left_out_would_be_there() {
        let names: Vec<_> = Optimizer::new().rules.iter().map(|rule| rule.name().to_owned()).collect();
        for name in LEFT_OUT {
            assert!(names.iter().any(|found| found == name), "{name} is none of {names:?}");
        }
    }

    /// If DataFusion's rules change, decide again which of them are required for correctness.
    #[test]
    fn physical_rules_are_those_that_are_known() {
        let known = [
            "OutputRequirements",
            "aggregate_statistics",
            "join_selection",
            "LimitedDistinctAggregation",
            "FilterPushdown",
            "WindowTopN",
            "EnsureRequirements",
            "CombinePartialFinalAggregate",
            "OptimizeAggregateOrder",
            "ProjectionPushdown",
            "OutputRequirements",
            "LimitAggregation",
            "LimitPushPastWindows",
            "HashJoinBuffering",
            "LimitPushdown",
            "TopKRepartition",
            "ProjectionPushdown",
            "PushdownSort",
            "EnsureCooperative",
            "FilterPushdown(Post)",
            "SanityCheckPlan",
        ];
        let rules = PhysicalOptimizer::new().rules;
        let names: Vec<_> = rules.iter().map(|rule| rule.name()).collect();
        assert_eq!(names, known);
    }
}
