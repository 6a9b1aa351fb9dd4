//! Tables whose columns are computed when queried.
//!
//! A rule needs a few columns of a few rows; tables with every column of every row would take most of the memory of a
//! run. So columns are computed from the counts as needed, some thousand rows at a time. Filters are pushed down here
//! too: they are evaluated one after the other, those over cheap columns first, each on the rows that passed the
//! previous ones. The other columns are computed only for the rows that remain.

use arrow::array::{Array as _, ArrayRef, AsArray as _, RecordBatch, RecordBatchOptions};
use arrow::datatypes::{DataType, Schema, SchemaRef};
use arrow::error::ArrowError;
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::stats::Precision;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{DFSchema, Result, Statistics, plan_err};
use datafusion::datasource::TableType;
use datafusion::datasource::source::{DataSource, DataSourceExec};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::utils::split_conjunction;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown};
use datafusion::physical_expr::EquivalenceProperties;
use datafusion::physical_expr::projection::ProjectionExprs;
use datafusion::physical_plan::execution_plan::SchedulingType;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{DisplayFormatType, ExecutionPlan, Partitioning, PhysicalExpr};
use datafusion::prelude::SessionContext;
use std::fmt::{self, Debug, Formatter};
use std::ops::Range;
use std::sync::Arc;

/// Number of rows processed at a time.
const TOGETHER: usize = 8192;
/// Number of iterations before yielding to other tasks, whether or not rows were found.
const TURNS: usize = 16;

/// Rows of a table whose columns are computed on demand.
pub(crate) trait Rows: Debug + Send + Sync {
    fn schema(&self) -> &SchemaRef;

    /// Number of rows.
    fn len(&self) -> usize;

    /// Computes a column, given its index in the schema, for some rows.
    ///
    /// # Errors
    ///
    /// Fails only if Arrow rejects the array, which is not expected.
    fn column(&self, column: usize, rows: &[u32]) -> std::result::Result<ArrayRef, ArrowError>;

    /// Relative cost of computing a value of a column.
    fn cost(&self, column: usize) -> u32;
}

/// The `TableProvider`.
#[derive(Debug)]
pub(crate) struct OnDemand(pub(crate) Arc<dyn Rows>);

#[async_trait]
impl TableProvider for OnDemand {
    fn schema(&self) -> SchemaRef {
        Arc::clone(self.0.schema())
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> Result<Vec<TableProviderFilterPushDown>> {
        Ok(vec![TableProviderFilterPushDown::Exact; filters.len()])
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        _limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let rows = Arc::clone(&self.0);
        let columns = projection.cloned().unwrap_or_else(|| (0..rows.schema().fields().len()).collect());
        let schema = Arc::new(rows.schema().project(&columns)?);
        let conditions = filters.iter().map(|filter| Condition::new(&*rows, state, filter));
        let mut conditions = conditions.collect::<Result<Vec<_>>>()?;
        conditions.sort_by_key(|condition| condition.cost);
        Ok(DataSourceExec::from_data_source(Selection { rows, columns, schema, conditions: conditions.into() }))
    }
}

/// Those of the rows `among` that satisfy all conditions.
fn kept(rows: &dyn Rows, conditions: &[Condition], among: Range<usize>) -> Result<Vec<u32>> {
    let mut chosen: Vec<u32> = (among.start as u32..among.end as u32).collect();
    for condition in conditions {
        if chosen.is_empty() {
            break;
        }
        condition.keep(rows, &mut chosen)?;
    }
    Ok(chosen)
}

/// The rows that satisfy a SQL condition.
///
/// # Errors
///
/// Fails if the SQL is invalid or names an unknown column.
pub(crate) fn rows_where(rows: &dyn Rows, context: &SessionContext, condition: &str) -> Result<Vec<u32>> {
    let expression = context.parse_sql_expr(condition, &DFSchema::try_from(Schema::clone(rows.schema()))?)?;
    let state = context.state();
    let mut conditions = Vec::new();
    for part in split_conjunction(&expression) {
        let condition = Condition::new(rows, &state, part)?;
        if condition.expression.data_type(&condition.schema)? != DataType::Boolean {
            return plan_err!("`{part}` is neither true nor false");
        }
        conditions.push(condition);
    }
    conditions.sort_by_key(|condition| condition.cost);
    let mut chosen = Vec::new();
    for from in (0..rows.len()).step_by(TOGETHER) {
        chosen.append(&mut kept(rows, &conditions, from..rows.len().min(from + TOGETHER))?);
    }
    Ok(chosen)
}

/// A filter on rows.
#[derive(Debug)]
struct Condition {
    expression: Arc<dyn PhysicalExpr>,
    /// The columns that it reads, and their schema.
    columns: Vec<usize>,
    schema: SchemaRef,
    cost: u32,
}

impl Condition {
    fn new(rows: &dyn Rows, state: &dyn Session, filter: &Expr) -> Result<Self> {
        let names = filter.column_refs();
        let mut columns: Vec<usize> =
            names.iter().map(|column| rows.schema().index_of(&column.name)).collect::<std::result::Result<_, _>>()?;
        columns.sort_unstable();
        columns.dedup();
        let schema: Schema = rows.schema().project(&columns)?;
        let expression = state.create_physical_expr(filter.clone(), &DFSchema::try_from(schema.clone())?)?;
        let cost = columns.iter().map(|column| rows.cost(*column)).sum();
        Ok(Self { expression, columns, schema: Arc::new(schema), cost })
    }

    /// Removes the rows that do not satisfy the condition.
    fn keep(&self, rows: &dyn Rows, chosen: &mut Vec<u32>) -> Result<()> {
        let batch = batch(rows, &self.schema, &self.columns, chosen)?;
        let answers = self.expression.evaluate(&batch)?.into_array(chosen.len())?;
        let answers = answers.as_boolean();
        let mut at = 0;
        chosen.retain(|_| {
            at += 1;
            answers.is_valid(at - 1) && answers.value(at - 1)
        });
        Ok(())
    }
}

fn batch(rows: &dyn Rows, schema: &SchemaRef, columns: &[usize], chosen: &[u32]) -> Result<RecordBatch> {
    let arrays = columns.iter().map(|column| rows.column(*column, chosen)).collect::<std::result::Result<_, _>>()?;
    let options = RecordBatchOptions::new().with_row_count(Some(chosen.len()));
    Ok(RecordBatch::try_new_with_options(Arc::clone(schema), arrays, &options)?)
}

/// A scan of a table.
#[derive(Clone, Debug)]
struct Selection {
    rows: Arc<dyn Rows>,
    columns: Vec<usize>,
    /// Schema of `columns`.
    schema: SchemaRef,
    conditions: Arc<[Condition]>,
}

impl Selection {
    /// The next batch of matching rows, `None` at the end. `next` is the first row not examined yet.
    fn batch(&self, next: &mut usize) -> Result<Option<RecordBatch>> {
        if *next == self.rows.len() {
            return Ok(None);
        }
        let mut chosen: Vec<u32> = Vec::new();
        for _ in 0..TURNS {
            let to = self.rows.len().min(*next + TOGETHER);
            chosen.append(&mut kept(&*self.rows, &self.conditions, *next..to)?);
            *next = to;
            if *next == self.rows.len() || chosen.len() >= TOGETHER / 2 {
                break;
            }
        }
        batch(&*self.rows, &self.schema, &self.columns, &chosen).map(Some)
    }
}

impl DataSource for Selection {
    fn open(&self, _partition: usize, _context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let (selection, mut next) = (self.clone(), 0);
        let batches = std::iter::from_fn(move || selection.batch(&mut next).transpose());
        let stream = RecordBatchStreamAdapter::new(Arc::clone(&self.schema), futures::stream::iter(batches));
        Ok(Box::pin(stream))
    }

    fn fmt_as(&self, _kind: DisplayFormatType, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "rows={}", self.rows.len())?;
        if !self.conditions.is_empty() {
            let conditions: Vec<String> =
                self.conditions.iter().map(|condition| condition.expression.to_string()).collect();
            write!(f, ", predicate={}", conditions.join(" AND "))?;
        }
        Ok(())
    }

    fn output_partitioning(&self) -> Partitioning {
        Partitioning::UnknownPartitioning(1)
    }

    fn eq_properties(&self) -> EquivalenceProperties {
        EquivalenceProperties::new(Arc::clone(&self.schema))
    }

    fn scheduling_type(&self) -> SchedulingType {
        SchedulingType::NonCooperative
    }

    fn partition_statistics(&self, _partition: Option<usize>) -> Result<Arc<Statistics>> {
        // A fifth is also DataFusion's default selectivity of a filter.
        let num_rows = match self.conditions.is_empty() {
            true => Precision::Exact(self.rows.len()),
            false => Precision::Inexact(self.rows.len() / 5),
        };
        Ok(Arc::new(Statistics { num_rows, ..Statistics::new_unknown(&self.schema) }))
    }

    fn with_fetch(&self, _limit: Option<usize>) -> Option<Arc<dyn DataSource>> {
        None
    }

    fn fetch(&self) -> Option<usize> {
        None
    }

    fn try_swapping_with_projection(&self, _projection: &ProjectionExprs) -> Result<Option<Arc<dyn DataSource>>> {
        Ok(None)
    }

    fn apply_expressions(
        &self,
        f: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        for condition in &*self.conditions {
            if f(&condition.expression)? == TreeNodeRecursion::Stop {
                return Ok(TreeNodeRecursion::Stop);
            }
        }
        Ok(TreeNodeRecursion::Continue)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::tables::column::{Column, Kind, booleans, integers, schema_of, texts};
    use arrow::util::pretty::pretty_format_batches;
    use datafusion::datasource::MemTable;
    use std::sync::atomic::{AtomicUsize, Ordering};

    const COLUMNS: [Column; 3] = [
        ("n", Kind::Integer, "A number."),
        ("even", Kind::Boolean, "Whether it is."),
        ("text", Kind::Text, "As text."),
    ];

    /// A table of numbers from 0.
    #[derive(Debug)]
    struct Counting {
        schema: SchemaRef,
        len: usize,
        /// Number of texts computed.
        texts: AtomicUsize,
    }

    impl Rows for Counting {
        fn schema(&self) -> &SchemaRef {
            &self.schema
        }

        fn len(&self) -> usize {
            self.len
        }

        fn column(&self, column: usize, rows: &[u32]) -> std::result::Result<ArrayRef, ArrowError> {
            Ok(match column {
                0 => integers(rows.iter().map(|row| u64::from(*row))),
                1 => booleans(rows.iter().map(|row| row % 2 == 0)),
                _ => {
                    self.texts.fetch_add(rows.len(), Ordering::Relaxed);
                    texts(rows.iter().map(|row| (row % 5 != 0).then(|| row.to_string())))
                }
            })
        }

        fn cost(&self, column: usize) -> u32 {
            [2, 1, 9][column]
        }
    }

    fn counting(len: usize) -> Arc<Counting> {
        Arc::new(Counting { schema: schema_of(&COLUMNS), len, texts: AtomicUsize::new(0) })
    }

    async fn ask(table: Arc<dyn TableProvider>, sql: &str) -> String {
        let context = SessionContext::new();
        context.register_table("t", table).unwrap();
        let batches = context.sql(sql).await.unwrap().collect().await.unwrap();
        pretty_format_batches(&batches).unwrap().to_string()
    }

    #[tokio::test]
    async fn a_query_gets_what_a_table_in_memory_has() {
        for len in [0, 1, 100, TOGETHER, 2 * TURNS * TOGETHER + 7] {
            let rows: Arc<dyn Rows> = counting(len);
            let all: Vec<u32> = (0..len as u32).collect();
            let batch = batch(&*rows, rows.schema(), &[0, 1, 2], &all).unwrap();
            for sql in [
                "SELECT count(*) FROM t",
                "SELECT count(*) FROM t WHERE even",
                "SELECT text, n FROM t WHERE n % 97 = 3 AND even ORDER BY n",
                "SELECT n FROM t WHERE text LIKE '%77' AND NOT even ORDER BY n",
                "SELECT n FROM t WHERE text IS NULL OR even IS NULL ORDER BY n LIMIT 3",
                "SELECT count(text), sum(n), min(text) FROM t WHERE text > '5' AND n + 1 > 7",
                "SELECT a.text FROM t a JOIN t b ON a.n = b.n + 1 WHERE a.even AND b.n % 1000 = 999 ORDER BY 1",
                "SELECT even, count(*) FROM t WHERE 1 = 2 GROUP BY even",
            ] {
                let memory = MemTable::try_new(batch.schema(), vec![vec![batch.clone()]]).unwrap();
                let expected = ask(Arc::new(memory), sql).await;
                assert_eq!(ask(Arc::new(OnDemand(Arc::clone(&rows))), sql).await, expected, "{len}: {sql}");
            }
        }
    }

    #[test]
    fn a_condition_alone_chooses_rows() {
        let (rows, context) = (counting(2 * TOGETHER), SessionContext::new());
        let found = |condition: &str| rows_where(&*rows, &context, condition);
        assert_eq!(found("even AND n < 10 AND text IS NOT NULL").unwrap(), [2, 4, 6, 8]);
        assert_eq!(found("text = '7' OR n IN (3, 16000)").unwrap(), [3, 7, 16_000]);
        assert_eq!(found("TRUE").unwrap().len(), 2 * TOGETHER);
        for wrong in ["n", "odd", "n <", "even AND text", "n IN (SELECT 1)"] {
            assert!(found(wrong).is_err(), "{wrong}");
        }
    }

    #[tokio::test]
    async fn what_is_expensive_is_made_for_rows_that_are_left() {
        let rows = counting(1000);
        let table = Arc::new(OnDemand(Arc::<Counting>::clone(&rows)));
        ask(table, "SELECT text FROM t WHERE text <> '5' AND even AND n < 100").await;
        // 50 for the condition, and those of the 40 remaining that are not NULL.
        assert_eq!(rows.texts.load(Ordering::Relaxed), 90);
    }
}
