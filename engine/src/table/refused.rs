//! A table that cannot be read with the given sources, and says why when it is queried.

use crate::error::{Error, ErrorKind};
use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::Result as DataFusionResult;
use datafusion::datasource::TableType;
use datafusion::logical_expr::Expr;
use datafusion::physical_plan::ExecutionPlan;
use std::sync::Arc;

/// A table with a schema, whose scans fail.
#[derive(Debug)]
pub(crate) struct RefusedTable {
    schema: SchemaRef,
    message: String,
    hint: &'static str,
}

impl RefusedTable {
    /// Creates a table with this schema; scans of it fail with `message`.
    pub(crate) fn new(schema: SchemaRef, message: String, hint: &'static str) -> Self {
        Self { schema, message, hint }
    }
}

#[async_trait]
impl TableProvider for RefusedTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    async fn scan(
        &self,
        _state: &dyn Session,
        _projection: Option<&Vec<usize>>,
        _filters: &[Expr],
        _limit: Option<usize>,
    ) -> DataFusionResult<Arc<dyn ExecutionPlan>> {
        Err(Error::new(ErrorKind::Unsupported, self.message.clone()).with_hint(self.hint).into())
    }
}
