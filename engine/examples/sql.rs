//! Registers the tables in an existing DataFusion session.
//!
//! `cargo run -p s3log-engine --release --example sql -- DIRECTORY "SELECT …"`

use datafusion::prelude::SessionContext;
use s3log_engine::schema::{Table, TextLayout};
use s3log_engine::table::{Listing, LogTable, LogTableFactory};
use std::sync::Arc;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let source = args.next().ok_or("usage: sql SOURCE [SQL]")?;
    let sql = args
        .next()
        .unwrap_or_else(|| "SELECT operation, count(*) AS requests FROM access GROUP BY 1 ORDER BY 2 DESC".to_owned());

    let context = SessionContext::new();
    // Functions, `CREATE EXTERNAL TABLE … STORED AS S3LOG`, and `s3log('…')`:
    s3log_engine::session::register(&context, Arc::new(LogTableFactory::default()))?;
    // A table created and named explicitly:
    let listing = Arc::new(Listing::list(&[source])?);
    context.register_table("access", Arc::new(LogTable::new(Table::Logs, listing, TextLayout::Views)))?;

    context.sql(&sql).await?.show().await?;
    Ok(())
}
