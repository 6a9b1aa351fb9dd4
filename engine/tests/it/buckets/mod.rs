//! Buckets: on a server in this process, on an independent implementation, and behind a proxy that injects faults.

mod faults;
mod listing;
mod pruning;

use arrow::array::AsArray as _;
use arrow::datatypes::Int64Type;
use bytes::Bytes;
use s3log_engine::Error;
use s3log_engine::scan::NameRules;
use s3log_engine::session::{Session, SessionOptions};
use s3log_engine::store::StoreOptions;
use s3log_test_server::{Kind, Request, Server};
use std::time::Duration;

/// 2026-01-15T00:00:00Z, in seconds since the Unix epoch.
const DAY_15: i64 = 1_768_435_200;
const DAY: i64 = 86_400;
const HOUR: i64 = 3_600;
const MICROS: i64 = 1_000_000;

/// A record with this time and key.
fn record(seconds: i64, key: &str) -> String {
    let time = calendar(seconds);
    format!(
        "a1b2 photos [{time} +0000] 192.0.2.3 - 3E57427F3EXAMPLE REST.GET.OBJECT {key} \"GET /{key} HTTP/1.1\" 200 - 2326 \
         2326 34 33 \"-\" \"curl/8.4.0\" -\n"
    )
}

/// The format `15/Jan/2026:10:22:41`.
fn calendar(seconds: i64) -> String {
    chrono::DateTime::from_timestamp(seconds, 0).unwrap().format("%d/%b/%Y:%H:%M:%S").to_string()
}

/// The name `2026-01-15-10-22-41-` followed by `unique` as 16 digits.
fn name(seconds: i64, unique: u64) -> String {
    let time = chrono::DateTime::from_timestamp(seconds, 0).unwrap().format("%Y-%m-%d-%H-%M-%S");
    format!("{time}-{:016X}", unique.wrapping_mul(0x9E37_79B9_7F4A_7C15))
}

/// The name in the folders of its day.
fn partitioned(source: &str, seconds: i64, unique: u64) -> String {
    let day = chrono::DateTime::from_timestamp(seconds, 0).unwrap().format("%Y/%m/%d");
    format!("{source}/{day}/{}", name(seconds, unique))
}

/// A public server with a bucket `logs`.
fn server() -> Server {
    let server = Server::builder().anonymous().start();
    server.create_bucket("logs");
    server
}

fn put(server: &Server, key: &str, content: impl Into<Bytes>) {
    server.put("logs", key, content);
}

/// Options for an endpoint: unsigned requests, few attempts.
fn stores(endpoint: &str) -> StoreOptions {
    StoreOptions {
        endpoint_url: Some(endpoint.to_owned()),
        unsigned: true,
        max_attempts: Some(3),
        // Longer than any delay on a busy machine.
        patience: Duration::from_secs(10),
        ..StoreOptions::default()
    }
}

async fn open(endpoint: &str, sources: &[&str], options: SessionOptions) -> Session {
    open_by(stores(endpoint), sources, options).await
}

async fn open_by(stores: StoreOptions, sources: &[&str], options: SessionOptions) -> Session {
    let sources: Vec<_> = sources.iter().map(ToString::to_string).collect();
    Session::open(&sources, options.with_stores(stores).with_threads(3)).await.unwrap()
}

/// The first number of a result.
async fn number(session: &Session, sql: &str) -> Result<i64, Error> {
    let batches = match session.context().sql(sql).await {
        Ok(frame) => frame.collect().await,
        Err(error) => Err(error),
    };
    let batches = batches.map_err(|error| match Error::find(&error) {
        Some(found) => Error::new(found.kind(), found.to_string()).with_hint(found.hint().unwrap_or("-")),
        None => panic!("{error}"),
    })?;
    Ok(batches[0].column(0).as_primitive::<Int64Type>().value(0))
}

/// The keys of all records, sorted.
async fn keys(session: &Session, condition: &str) -> Vec<String> {
    let sql = format!("SELECT key FROM logs WHERE {condition} ORDER BY key");
    let batches = session.context().sql(&sql).await.unwrap().collect().await.unwrap();
    let columns = batches.iter().map(|batch| batch.column(0).as_string_view());
    columns.flat_map(|column| column.iter().map(|key| key.unwrap().to_owned()).collect::<Vec<_>>()).collect()
}

/// The number of requests of a kind.
fn count(requests: &[Request], kind: Kind) -> usize {
    requests.iter().filter(|request| request.kind == kind).count()
}

fn rules(layout: s3log_engine::scan::Layout, lateness: Option<i64>) -> NameRules {
    NameRules { layout, max_lateness: lateness.map(|seconds| seconds * MICROS) }
}
