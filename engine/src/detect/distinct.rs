//! Optimizes `count(DISTINCT text)` for very many groups.
//!
//! DataFusion counts the distinct texts of each group in a map with a large initial capacity, and rules group by
//! source: tens of thousands of groups with a handful of keys each. Counting hashes in sets that start empty saves 500
//! MB for one rule over a log of 1.6 million requests.

use super::collect::sketch::hash_of;
use datafusion::arrow::array::{Array as _, AsArray as _, Int64Array};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::DataType;
use datafusion::common::tree_node::Transformed;
use datafusion::common::{Result, utils::take_function_args};
use datafusion::logical_expr::{
    Aggregate, ColumnarValue, Expr, ExprSchemable as _, LogicalPlan, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl,
    Signature, Volatility,
};
use datafusion::optimizer::{ApplyOrder, OptimizerConfig, OptimizerRule};
use std::sync::Arc;

/// Rewrites aggregates to count hashes instead of texts.
#[derive(Debug)]
pub(super) struct CountHashes {
    fingerprint: ScalarUDF,
}

impl CountHashes {
    pub(super) fn new() -> Self {
        let signature = Signature::string(1, Volatility::Immutable);
        Self { fingerprint: ScalarUDF::new_from_impl(Fingerprint { signature }) }
    }

    /// The aggregate rewritten to hashes, if it counts distinct texts.
    fn of_hashes(&self, expression: Expr, input: &LogicalPlan) -> Result<Transformed<Expr>> {
        let name = expression.schema_name().to_string();
        let Expr::AggregateFunction(mut function) = expression else { return Ok(Transformed::no(expression)) };
        let is_count = function.func.name() == "count" && function.params.distinct;
        let is_text = match function.params.args.as_slice() {
            [argument] if is_count => argument.get_type(input.schema())?.is_string(),
            _ => false,
        };
        if !is_text {
            return Ok(Transformed::no(Expr::AggregateFunction(function)));
        }
        function.params.args = vec![self.fingerprint.call(function.params.args)];
        Ok(Transformed::yes(Expr::AggregateFunction(function).alias(name)))
    }
}

impl OptimizerRule for CountHashes {
    fn name(&self) -> &str {
        "count_hashes"
    }

    fn apply_order(&self) -> Option<ApplyOrder> {
        Some(ApplyOrder::TopDown)
    }

    fn supports_rewrite(&self) -> bool {
        true
    }

    fn rewrite(&self, plan: LogicalPlan, _config: &dyn OptimizerConfig) -> Result<Transformed<LogicalPlan>> {
        let LogicalPlan::Aggregate(aggregate) = plan else { return Ok(Transformed::no(plan)) };
        let rewritten: Vec<_> = aggregate
            .aggr_expr
            .iter()
            .map(|expression| self.of_hashes(expression.clone(), &aggregate.input))
            .collect::<Result<_>>()?;
        if rewritten.iter().all(|expression| !expression.transformed) {
            return Ok(Transformed::no(LogicalPlan::Aggregate(aggregate)));
        }
        let expressions = rewritten.into_iter().map(|expression| expression.data).collect();
        let aggregate = Aggregate::try_new(aggregate.input, aggregate.group_expr, expressions)?;
        Ok(Transformed::yes(LogicalPlan::Aggregate(aggregate)))
    }
}

/// The hash of a text as a function.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Fingerprint {
    signature: Signature,
}

impl ScalarUDFImpl for Fingerprint {
    fn name(&self) -> &str {
        "fingerprint"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arguments: &[DataType]) -> Result<DataType> {
        Ok(DataType::Int64)
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [texts] = take_function_args(self.name(), &arguments.args)?;
        let texts = cast(&texts.to_array(arguments.number_rows)?, &DataType::Utf8View)?;
        let texts = texts.as_string_view();
        let hash = |row: usize| texts.is_valid(row).then(|| hash_of(&[texts.value(row).as_bytes()]).cast_signed());
        let hashes: Int64Array = (0..texts.len()).map(hash).collect();
        Ok(ColumnarValue::Array(Arc::new(hashes)))
    }
}

#[cfg(test)]
mod tests {
    use crate::detect::planning::rules_context;
    use datafusion::arrow::util::pretty::pretty_format_batches;
    use datafusion::execution::runtime_env::RuntimeEnv;
    use std::sync::Arc;

    #[tokio::test]
    async fn counts_are_what_they_were() {
        let context = rules_context(Arc::new(RuntimeEnv::default())).unwrap();
        let sql = "SELECT g, count(DISTINCT t) AS texts, count(DISTINCT n) AS numbers, count(*) AS all, \
                   count(DISTINCT t) FILTER (WHERE n > 1) AS some \
                   FROM (VALUES ('a', 'x', 1), ('a', 'y', 2), ('a', 'x', 3), ('b', NULL, 1), ('b', '', 2)) AS v (g, t, n) \
                   GROUP BY g HAVING count(DISTINCT t) > 0 ORDER BY g";
        let frame = context.sql(sql).await.unwrap();
        let plan = frame.clone().into_optimized_plan().unwrap().to_string();
        assert!(plan.contains("fingerprint("), "{plan}");
        let rows = pretty_format_batches(&frame.collect().await.unwrap()).unwrap().to_string();
        assert!(rows.contains("| a | 2     | 3       | 3   | 2    |"), "{rows}");
        assert!(rows.contains("| b | 1     | 2       | 2   | 1    |"), "{rows}");
    }
}
