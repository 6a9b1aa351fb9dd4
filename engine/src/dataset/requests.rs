//! The table `requests` over a dataset of `logs` or `cdn`.

use super::table::DatasetTable;
use crate::decode::{LineOptions, RequestsOfRows};
use crate::schema::{Table, TextLayout};
use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::{Result as DataFusionResult, internal_err};
use datafusion::datasource::TableType;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown};
use datafusion::physical_expr::EquivalenceProperties;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, ExecutionPlanProperties as _, Partitioning, PlanProperties,
};
use futures::StreamExt as _;
use std::fmt;
use std::sync::Arc;

/// Derives `requests` from the records of a dataset.
#[derive(Debug)]
pub(crate) struct DatasetRequests {
    records: DatasetTable,
    layout: TextLayout,
    lines: LineOptions,
}

impl DatasetRequests {
    /// A table over the records of a dataset of `logs` or `cdn`.
    pub(crate) fn new(records: DatasetTable, layout: TextLayout, lines: LineOptions) -> Self {
        Self { records, layout, lines }
    }
}

#[async_trait]
impl TableProvider for DatasetRequests {
    fn schema(&self) -> SchemaRef {
        Table::Requests.schema(self.layout)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> DataFusionResult<Arc<dyn ExecutionPlan>> {
        let every: Vec<usize> = (0..self.schema().fields().len()).collect();
        let columns = projection.unwrap_or(&every);
        let rows = RequestsOfRows::new(self.records.table(), columns, self.layout, self.lines.clone());
        // `time` has the same values in all tables, so filters on it can prune files. All other filters are applied
        // above.
        let is_about_time = |filter: &&Expr| filter.column_refs().iter().all(|column| column.name == "time");
        let about_time: Vec<Expr> = filters.iter().filter(is_about_time).cloned().collect();
        let records = self.records.scan(state, Some(&rows.needed().to_vec()), &about_time, limit).await?;
        Ok(Arc::new(RequestsExec::new(records, Arc::new(rows))))
    }

    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> DataFusionResult<Vec<TableProviderFilterPushDown>> {
        Ok(vec![TableProviderFilterPushDown::Inexact; filters.len()])
    }
}

/// Converts rows of another table into rows of `requests`.
#[derive(Debug)]
pub(crate) struct RequestsExec {
    input: Arc<dyn ExecutionPlan>,
    rows: Arc<RequestsOfRows>,
    properties: Arc<PlanProperties>,
}

impl RequestsExec {
    pub(crate) fn new(input: Arc<dyn ExecutionPlan>, rows: Arc<RequestsOfRows>) -> Self {
        let partitions = Partitioning::UnknownPartitioning(input.output_partitioning().partition_count());
        let equivalences = EquivalenceProperties::new(Arc::clone(rows.schema()));
        let properties = PlanProperties::new(equivalences, partitions, input.pipeline_behavior(), input.boundedness());
        Self { input, rows, properties: Arc::new(properties) }
    }

    /// The conversion of rows.
    #[cfg(feature = "cluster")]
    pub(crate) fn rows(&self) -> &RequestsOfRows {
        &self.rows
    }
}

impl DisplayAs for RequestsExec {
    fn fmt_as(&self, _format: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RequestsExec")
    }
}

impl ExecutionPlan for RequestsExec {
    fn name(&self) -> &'static str {
        "RequestsExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        vec![true]
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn apply_expressions(
        &self,
        _f: &mut dyn FnMut(
            &Arc<dyn datafusion::physical_plan::PhysicalExpr>,
        ) -> DataFusionResult<datafusion::common::tree_node::TreeNodeRecursion>,
    ) -> DataFusionResult<datafusion::common::tree_node::TreeNodeRecursion> {
        Ok(datafusion::common::tree_node::TreeNodeRecursion::Continue)
    }

    fn with_new_children(
        self: Arc<Self>,
        mut children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> DataFusionResult<Arc<dyn ExecutionPlan>> {
        match (children.pop(), children.is_empty()) {
            (Some(input), true) => Ok(Arc::new(Self::new(input, Arc::clone(&self.rows)))),
            _ => internal_err!("rows of requests come from one input"),
        }
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> DataFusionResult<SendableRecordBatchStream> {
        let rows = Arc::clone(&self.rows);
        let schema = Arc::clone(rows.schema());
        let made = self.input.execute(partition, context)?.map(move |batch| Ok(rows.make(&batch?)?));
        Ok(Box::pin(RecordBatchStreamAdapter::new(schema, made)))
    }
}
