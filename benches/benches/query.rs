//! Whole queries over a file, from SQL to rows, run as by the command line.
//!
//! `cargo bench -p s3log-benches --bench query`

use std::io::Write as _;
use std::path::Path;
use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use futures::TryStreamExt as _;
use s3log_benches::generate::{Generator, Options};
use s3log_engine::session::{Session, SessionOptions};
use tokio::runtime::Runtime;

const FILE_BYTES: usize = 256 << 20;
const SEED: u64 = 1;
const SAMPLES: usize = 10;
const SECONDS: Duration = Duration::from_secs(6);

const QUERIES: [(&str, &str); 6] = [
    ("count", "SELECT count(*) FROM logs"),
    ("top addresses", "SELECT remote_ip, sum(bytes_sent), count(*) FROM logs GROUP BY 1 ORDER BY 2 DESC LIMIT 10"),
    (
        "filter",
        "SELECT time, remote_ip, key, http_status FROM logs \
         WHERE http_status = 403 AND operation = 'REST.GET.OBJECT' AND key LIKE '%parquet'",
    ),
    ("by hour and status", "SELECT date_trunc('hour', time), http_status, count(*) FROM logs GROUP BY 1, 2"),
    ("latest ten", "SELECT time, remote_ip, key FROM logs ORDER BY time DESC LIMIT 10"),
    ("everything", "SELECT * FROM logs"),
];

fn write_log(path: &Path) -> std::io::Result<u64> {
    let buffer = Generator::new(&Options { seed: SEED, ..Options::default() }).buffer(FILE_BYTES);
    std::fs::File::create(path)?.write_all(&buffer)?;
    Ok(buffer.len() as u64)
}

/// Runs a query, drops its batches as they arrive, and returns the number of rows.
async fn run(session: &Session, sql: &str) -> datafusion::error::Result<usize> {
    let mut stream = session.context().sql(sql).await?.execute_stream().await?;
    let mut rows = 0;
    while let Some(batch) = stream.try_next().await? {
        rows += batch.num_rows();
    }
    Ok(rows)
}

#[expect(clippy::expect_used, reason = "a bench that cannot be set up has nothing to measure")]
fn queries(criterion: &mut Criterion) {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = directory.path().join("access.log");
    let bytes = write_log(&path).expect("room for the log");
    let runtime = Runtime::new().expect("threads");
    let source = [path.display().to_string()];
    let session = runtime.block_on(Session::open(&source, SessionOptions::new())).expect("the log is there");
    let mut group = criterion.benchmark_group("query");
    group.throughput(Throughput::Bytes(bytes)).sample_size(SAMPLES).measurement_time(SECONDS);
    for (name, sql) in QUERIES {
        group.bench_function(name, |bencher| {
            bencher.iter(|| runtime.block_on(run(&session, sql)).expect("the query runs"));
        });
    }
    group.finish();
}

criterion_group!(benches, queries);
criterion_main!(benches);
