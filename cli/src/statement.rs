//! Runs SQL statement by statement and streams each result to the output.

use std::collections::VecDeque;
use std::io;
use std::time::{Duration, Instant};

use datafusion::error::{DataFusionError, Result};
use datafusion::physical_plan::common::spawn_buffered;
use datafusion::prelude::SessionContext;
use datafusion::sql::parser::{DFParserBuilder, Statement};
use datafusion::sql::sqlparser::dialect::dialect_from_str;
use futures::StreamExt as _;
use s3log_engine::session::Session;

use crate::accounting::Accounting;
use crate::diagnose::{Scene, diagnose};
use crate::failure::Failure;
use crate::output::{Output, Shape};
use crate::progress::Watch;

/// Time for which results are written without noticing Ctrl-C.
const YIELD: Duration = Duration::from_millis(20);

/// Runs the statements of a session.
pub(crate) struct Runner<'a> {
    pub session: &'a Session,
    pub has_sources: bool,
    pub output: &'a mut Output,
    /// Accumulates what is read.
    pub accounting: &'a mut Accounting,
    /// Shows progress; stopped before results are written to a terminal.
    pub watch: &'a mut Watch,
    /// When the first row arrived.
    pub first_row: Option<Instant>,
}

/// Parses the statements of `sql`. Locations in their errors are relative to the start of `sql`.
///
/// # Errors
///
/// On a syntax error; no statement should be run then.
pub(crate) fn parse(context: &SessionContext, sql: &str) -> Result<VecDeque<Statement>> {
    let state = context.state();
    let options = &state.config_options().sql_parser;
    let dialect = dialect_from_str(options.dialect)
        .ok_or_else(|| DataFusionError::Configuration(format!("unknown SQL dialect `{}`", options.dialect)))?;
    let builder = DFParserBuilder::new(sql).with_dialect(dialect.as_ref());
    builder.with_recursion_limit(options.recursion_limit.get()).build()?.parse_statements()
}

impl Runner<'_> {
    /// Runs every statement of `sql` and returns the total number of rows; `None` if there is no statement.
    ///
    /// # Errors
    ///
    /// The first failure; earlier results remain written.
    pub(crate) async fn run(&mut self, sql: &str) -> Result<Option<u64>, Failure> {
        let context = self.session.context();
        let scene = Scene { sql, context, has_sources: self.has_sources };
        let statements = parse(context, sql).map_err(|error| diagnose(&error, scene))?;
        if statements.is_empty() {
            return Ok(None);
        }
        let mut rows = 0;
        for statement in statements {
            let about_rejects = !only_explains(&statement) && names_rejects(context, &statement);
            let result = self.statement(statement).await;
            self.accounting.add(self.session.progress().snapshot(), about_rejects);
            rows += match result {
                Ok(rows) => rows,
                Err(Stop::Sql(error)) => return Err(diagnose(&error, scene)),
                Err(Stop::Output(error)) => return Err(Failure::from_output(error)),
                Err(Stop::Failure(failure)) => return Err(failure),
            };
        }
        Ok(Some(rows))
    }

    async fn statement(&mut self, statement: Statement) -> Result<u64, Stop> {
        let shape = if matches!(statement, Statement::Explain(_)) { Shape::Plan } else { Shape::Rows };
        let context = self.session.context();
        // EXPLAIN shows what would be read, and the objects of a bucket are only known once it is listed.
        self.session.list_when_planned(only_explains(&statement));
        let plan = context.state().statement_to_plan(statement).await?;
        let frame = context.execute_logical_plan(plan).await?;
        // In a task of its own: a query may compute for long without waiting for anything, and signals are noticed here.
        let mut stream = spawn_buffered(frame.execute_stream().await?, 1);
        self.session.list_when_planned(false);
        let schema = stream.schema();
        if schema.fields().is_empty() {
            // SET, CREATE and the like return nothing, but their plans may have to run.
            while let Some(batch) = stream.next().await {
                batch?;
            }
            return Ok(0);
        }
        let terminal = self.output.is_terminal();
        let (mut rows, mut yielded) = (0, Instant::now());
        // Print nothing, not even column names, for a query that fails before its first row.
        let mut next = stream.next().await.transpose()?;
        let mut writer = self.output.writer(shape)?;
        writer.begin(&schema)?;
        while let Some(batch) = next {
            rows += batch.num_rows() as u64;
            if batch.num_rows() > 0 {
                self.first_row.get_or_insert_with(Instant::now);
            }
            if terminal && batch.num_rows() > 0 {
                self.watch.stop();
            }
            writer.write(&batch)?;
            // Writing does not wait for anything, and Ctrl-C is only noticed where something does. Not after each batch:
            // this task would go behind those that it has just woken on its thread, and all other threads would idle.
            if yielded.elapsed() > YIELD {
                tokio::task::yield_now().await;
                yielded = Instant::now();
            }
            next = stream.next().await.transpose()?;
        }
        if terminal {
            self.watch.stop();
        }
        writer.finish()?;
        drop(writer);
        self.output.finished();
        self.output.flush()?;
        Ok(rows)
    }
}

/// Whether a statement only describes a plan, without reading anything.
fn only_explains(statement: &Statement) -> bool {
    matches!(statement, Statement::Explain(explain) if !explain.options.analyze)
}

/// Whether a statement reads the table `rejects`: its author need not be told about rejected lines.
fn names_rejects(context: &SessionContext, statement: &Statement) -> bool {
    let tables = context.state().resolve_table_references(statement).unwrap_or_default();
    tables.iter().any(|table| table.table() == "rejects")
}

enum Stop {
    Sql(DataFusionError),
    Output(io::Error),
    Failure(Failure),
}

impl From<DataFusionError> for Stop {
    fn from(error: DataFusionError) -> Self {
        Self::Sql(error)
    }
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        Self::Output(error)
    }
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Self {
        Self::Failure(failure)
    }
}
