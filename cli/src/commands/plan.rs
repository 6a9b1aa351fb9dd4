//! `s3log plan`: what a query would list, skip and fetch, and what the requests cost.

use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, RecordBatch, UInt64Array};
use s3log_engine::plan::{ScanPlan, plan, plan_all};
use s3log_engine::scan::SourceCounts;
use s3log_engine::session::Session;

use super::Surroundings;
use super::session::source_options;
use crate::accounting::say_names_unused;
use crate::args::PlanArgs;
use crate::diagnose::{Scene, diagnose};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{Output, Shape, batch, optional_texts, texts};
use crate::statement::parse;

/// The built-in prices.
const PRICES: &str = include_str!("prices.toml");

/// Lists the sources and prints what a query would read.
///
/// # Errors
///
/// When the SQL cannot be planned, a source cannot be listed, or prices cannot be read.
pub(crate) async fn run(arguments: PlanArgs, surroundings: Surroundings) -> Result<Exit, Failure> {
    let mut output = Output::open(arguments.output.destination.file(), surroundings.output(&arguments.output))?;
    if arguments.print_prices {
        output.sink().write_all(PRICES.as_bytes()).map_err(Failure::from_output)?;
        output.commit()?;
        return Ok(Exit::Done);
    }
    let prices = Prices::read(arguments.prices.as_deref())?;
    let (sql, sources) = sql_and_sources(arguments.sql_and_sources);
    let session = Session::open(&sources, source_options(&arguments.source)?).await?;
    if let Some(name) = session.dataset_names().into_iter().next() {
        return Err(Failure::failed(format!("{name}: it is a dataset, not log objects"))
            .with_hint("`s3log query \"EXPLAIN …\"` shows which of its files a query reads"));
    }
    let scans = match &sql {
        Some(sql) => scans_of(&session, sql, !sources.is_empty()).await?,
        None => plan_all(&session).await?,
    };
    output.print(Shape::Rows, &table(&scans, &prices)?)?;
    output.commit()?;
    say_names_unused(&session, &surroundings.messages);
    if scans.iter().all(|scan| scan.sources.iter().all(|source| source.objects == 0)) {
        surroundings.messages.note("no log object would be read");
    }
    Ok(Exit::Done)
}

/// The scans of all statements.
async fn scans_of(session: &Session, sql: &str, has_sources: bool) -> Result<Vec<ScanPlan>, Failure> {
    let context = session.context();
    let scene = Scene { sql, context, has_sources };
    let statements = parse(context, sql).map_err(|error| diagnose(&error, scene))?;
    let mut scans = Vec::new();
    for statement in statements {
        let state = context.state();
        let logical = state.statement_to_plan(statement).await.map_err(|error| diagnose(&error, scene))?;
        let physical = state.create_physical_plan(&logical).await.map_err(|error| diagnose(&error, scene))?;
        scans.extend(plan(&physical).await?);
    }
    Ok(scans)
}

/// The first argument is SQL if it contains whitespace and is neither a file nor a URL.
fn sql_and_sources(mut arguments: Vec<String>) -> (Option<String>, Vec<String>) {
    let is_sql = arguments.first().is_some_and(|first| {
        first.contains(char::is_whitespace) && !first.contains("://") && !Path::new(first).exists()
    });
    let sql = is_sql.then(|| arguments.remove(0));
    (sql, arguments)
}

/// One row per source of a scan.
fn table(scans: &[ScanPlan], prices: &Prices) -> Result<RecordBatch, Failure> {
    let rows = || scans.iter().flat_map(|scan| scan.sources.iter().map(move |source| (scan, source)));
    let numbers = |of: &dyn Fn(&SourceCounts) -> Option<u64>| -> ArrayRef {
        Arc::new(rows().map(|(_, source)| of(source)).collect::<UInt64Array>())
    };
    let times = rows().map(|(scan, _)| Some(&scan.times).filter(|times| !times.is_empty()));
    let cost = Float64Array::from_iter(rows().map(|(_, source)| prices.cost(source)));
    batch([
        ("source", texts(rows().map(|(_, source)| &source.source))),
        ("table", texts(rows().map(|(scan, _)| scan.table))),
        ("times", optional_texts(times)),
        ("listed", numbers(&|source| Some(source.listed))),
        ("pruned_by_name", numbers(&|source| Some(source.pruned))),
        ("archived", numbers(&|source| source.is_bucket.then_some(source.archived))),
        ("objects", numbers(&|source| Some(source.objects))),
        ("bytes", numbers(&|source| Some(source.bytes))),
        ("list_requests", numbers(&|source| source.is_bucket.then_some(source.list_requests))),
        ("get_requests", numbers(&|source| source.is_bucket.then_some(source.get_requests))),
        ("usd", Arc::new(cost) as ArrayRef),
    ])
}

/// Prices of requests, by service.
#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Prices {
    service: Vec<Service>,
}

#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Service {
    #[expect(dead_code, reason = "it is for people who read the file")]
    name: String,
    host: String,
    list_per_1000: f64,
    get_per_1000: f64,
}

impl Prices {
    fn read(file: Option<&Path>) -> Result<Self, Failure> {
        let name = file.map_or_else(|| "prices.toml".into(), Path::to_string_lossy);
        let text = match file {
            Some(path) => std::fs::read_to_string(path)
                .map_err(|error| Failure::failed(format!("cannot read prices from `{name}`: {error}")))?,
            None => PRICES.to_owned(),
        };
        toml::from_str(&text).map_err(|error| {
            Failure::failed(format!("cannot read prices from `{name}`: {}", error.to_string().trim_end()))
                .with_hint("`s3log plan --print-prices` prints a file of the right form")
        })
    }

    /// The cost in US dollars; `None` for files and for services without prices.
    fn cost(&self, source: &SourceCounts) -> Option<f64> {
        if !source.is_bucket {
            return None;
        }
        let host = source.endpoint.as_deref().map_or("amazonaws.com", s3log_engine::store::host_of);
        let is_of = |service: &&Service| {
            host.strip_suffix(service.host.as_str()).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
        };
        let service = self.service.iter().find(is_of)?;
        let thousands = |requests: u64| requests as f64 / 1_000.0;
        let cost = thousands(source.list_requests) * service.list_per_1000
            + thousands(source.get_requests) * service.get_per_1000;
        // Rounded to a millionth of a dollar.
        Some((cost * 1e6).round() / 1e6)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(endpoint: Option<&str>) -> SourceCounts {
        let mut source = SourceCounts::default();
        (source.is_bucket, source.endpoint) = (true, endpoint.map(str::to_owned));
        (source.list_requests, source.get_requests) = (1_000, 1_000_000);
        source
    }

    #[test]
    fn prices_by_service() {
        let prices = Prices::read(None).unwrap();
        for (endpoint, cost) in [
            (None, Some(0.405)),
            (Some("https://s3.eu-west-1.amazonaws.com"), Some(0.405)),
            (Some("https://nyc3.digitaloceanspaces.com"), Some(0.0)),
            (Some("https://notamazonaws.com"), None),
            (Some("http://127.0.0.1:9000"), None),
        ] {
            assert_eq!(prices.cost(&source(endpoint)), cost, "{endpoint:?}");
        }
        assert_eq!(prices.cost(&SourceCounts::default()), None);
    }

    #[test]
    fn sql_is_told_from_sources() {
        let split = |arguments: &[&str]| sql_and_sources(arguments.iter().map(ToString::to_string).collect());
        assert_eq!(split(&["SELECT 1", "s3://a"]), (Some("SELECT 1".to_owned()), vec!["s3://a".to_owned()]));
        assert_eq!(split(&["s3://a/b c"]), (None, vec!["s3://a/b c".to_owned()]));
        assert_eq!(split(&["logs"]), (None, vec!["logs".to_owned()]));
    }
}
