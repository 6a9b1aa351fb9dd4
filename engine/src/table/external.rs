//! Naming tables in SQL: `CREATE EXTERNAL TABLE … STORED AS S3LOG`, and the table function `s3log(…)`.

use super::listing::Listing;
use super::provider::LogTable;
use crate::error::Error;
use crate::scan::{ScanOptions, TimeRange};
use crate::schema::{Table, TextLayout};
use crate::store::Stores;
use async_trait::async_trait;
use datafusion::catalog::{Session, TableFunctionArgs, TableFunctionImpl, TableProvider, TableProviderFactory};
use datafusion::common::{Result as DataFusionResult, ScalarValue};
use datafusion::logical_expr::{CreateExternalTable, Expr};
use std::sync::Arc;

/// The format name for `STORED AS`.
pub const STORED_AS: &str = "S3LOG";

/// The name of the table function.
pub const TABLE_FUNCTION: &str = "s3log";

/// Creates tables over log objects from the name of a source:
/// `CREATE EXTERNAL TABLE t STORED AS S3LOG LOCATION 'logs/'`, with `OPTIONS ('table' 'rejects')` for rejected lines, and
/// `SELECT … FROM s3log('logs/')` or `s3log('logs/', 'rejects')`.
#[derive(Clone, Debug, Default)]
pub struct LogTableFactory {
    layout: TextLayout,
    times: TimeRange,
    options: ScanOptions,
    stores: Arc<Stores>,
}

impl LogTableFactory {
    /// Creates a factory of tables with the given text layout and scan options.
    #[must_use]
    pub fn new(layout: TextLayout, options: ScanOptions) -> Self {
        Self { layout, times: TimeRange::default(), options, stores: Arc::default() }
    }

    /// Restricts all tables to a time range, see [`LogTable::with_times`].
    #[must_use]
    pub fn with_times(mut self, times: TimeRange) -> Self {
        self.times = times;
        self
    }

    /// Sets how buckets are accessed. By default they are accessed as the `aws` command line would.
    #[must_use]
    pub fn with_stores(mut self, stores: Arc<Stores>) -> Self {
        self.stores = stores;
        self
    }

    fn table(&self, table: Table, sources: &[String]) -> Result<Arc<dyn TableProvider>, Error> {
        let table = LogTable::new(table, Arc::new(Listing::list(sources)?), self.layout);
        let table = table.with_times(self.times).with_options(self.options.clone());
        Ok(Arc::new(table.with_stores(Arc::clone(&self.stores))))
    }
}

#[async_trait]
impl TableProviderFactory for LogTableFactory {
    async fn create(
        &self,
        _state: &dyn Session,
        command: &CreateExternalTable,
    ) -> DataFusionResult<Arc<dyn TableProvider>> {
        if !command.schema.fields().is_empty() {
            return Err(Error::invalid(format!("a table stored as {STORED_AS} takes no columns"))
                .with_hint("leave the columns out: they are always the same, see `s3log schema`")
                .into());
        }
        let mut table = Table::Logs;
        for (key, value) in &command.options {
            match key.trim_start_matches("format.") {
                "table" => table = table_named(value)?,
                other => {
                    return Err(Error::invalid(format!("a table stored as {STORED_AS} has no option `{other}`"))
                        .with_hint("the only option is `table`, with `logs`, `cdn`, `requests` or `rejects`")
                        .into());
                }
            }
        }
        Ok(self.table(table, &command.locations)?)
    }
}

impl TableFunctionImpl for LogTableFactory {
    fn call_with_args(&self, args: TableFunctionArgs<'_, '_>) -> DataFusionResult<Arc<dyn TableProvider>> {
        let texts: Option<Vec<&str>> = args.exprs().iter().map(text_literal).collect();
        match texts.as_deref() {
            Some([source]) => Ok(self.table(Table::Logs, &[(*source).to_owned()])?),
            Some([source, table]) => Ok(self.table(table_named(table)?, &[(*source).to_owned()])?),
            _ => Err(Error::invalid(format!("`{TABLE_FUNCTION}` takes a source, and a table if it is not `logs`"))
                .with_hint(format!("for example {TABLE_FUNCTION}('logs/') or {TABLE_FUNCTION}('logs/', 'rejects')"))
                .into()),
        }
    }
}

fn text_literal(expr: &Expr) -> Option<&str> {
    match expr {
        Expr::Literal(ScalarValue::Utf8(text) | ScalarValue::Utf8View(text) | ScalarValue::LargeUtf8(text), _) => {
            text.as_deref()
        }
        _ => None,
    }
}

fn table_named(name: &str) -> Result<Table, Error> {
    Table::from_name(name).ok_or_else(|| {
        let names: Vec<_> = Table::ALL.into_iter().map(Table::name).collect();
        Error::invalid(format!("there is no table `{name}` of log objects"))
            .with_hint(format!("the tables are {}", names.join(", ")))
    })
}
