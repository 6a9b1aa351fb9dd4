//! Throughput of decoding lines in memory to record batches, by number of columns and text layout.
//!
//! `cargo bench -p s3log-benches --bench decode`

use std::hint::black_box;
use std::time::Duration;

use arrow::array::{Array as _, AsArray as _, RecordBatch, StringViewArray};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use s3log_benches::cdn;
use s3log_benches::generate::{Generator, Options};
use s3log_engine::decode::{BLOCK_SIZE, Block, BufferPool, LineBlocks, RecordsDecoder};
use s3log_engine::schema::{LogsColumn, Table, TextLayout};

/// Larger than the caches, so that blocks come from memory as in a scan.
const BUFFER_BYTES: usize = 64 << 20;
const SEED: u64 = 1;
const SAMPLES: usize = 20;
const SECONDS: Duration = Duration::from_secs(4);

/// Column sets from none to all.
const WIDTHS: [(&str, &[&str]); 6] = [
    ("none", &[]),
    ("time", &["time"]),
    ("top addresses", &["remote_ip", "bytes_sent"]),
    ("four", &["time", "remote_ip", "key", "http_status"]),
    ("eight", &["bucket", "time", "remote_ip", "operation", "key", "http_status", "bytes_sent", "user_agent"]),
    ("object key", &["object_key"]),
];

fn blocks() -> Vec<Block> {
    blocks_of(&Generator::new(&Options { seed: SEED, ..Options::default() }).buffer(BUFFER_BYTES))
}

fn blocks_of(buffer: &[u8]) -> Vec<Block> {
    let mut blocks = LineBlocks::new(BufferPool::new(BLOCK_SIZE)).without_line_numbers();
    blocks.begin_object("logs/2026-01-15-10-22-41-0123456789ABCDEF", 0);
    let mut cut = Vec::new();
    let mut rest = buffer;
    while !rest.is_empty() {
        rest = &rest[blocks.push(rest)..];
        cut.extend(std::iter::from_fn(|| blocks.next_block()));
    }
    cut.extend(std::iter::from_fn(|| blocks.finish()));
    cut
}

fn positions(names: &[&str]) -> Vec<usize> {
    let schema = Table::Logs.schema(TextLayout::Views);
    names.iter().filter_map(|name| schema.index_of(name).ok()).collect()
}

fn decode_all(blocks: &[Block], columns: &[usize], layout: TextLayout) -> usize {
    decode_table(Table::Logs, blocks, columns, layout)
}

fn decode_table(table: Table, blocks: &[Block], columns: &[usize], layout: TextLayout) -> usize {
    let mut decoder = RecordsDecoder::new(table, columns, layout);
    blocks.iter().filter_map(|block| decoder.decode(block).ok()).map(|batch| black_box(batch).num_rows()).sum()
}

fn bytes(blocks: &[Block]) -> u64 {
    blocks.iter().map(|block| block.bytes().len() as u64).sum()
}

fn widths(criterion: &mut Criterion) {
    let blocks = blocks();
    let mut group = criterion.benchmark_group("decode");
    group.throughput(Throughput::Bytes(bytes(&blocks))).sample_size(SAMPLES).measurement_time(SECONDS);
    for (name, columns) in WIDTHS {
        let columns = positions(columns);
        group.bench_function(name, |bencher| bencher.iter(|| decode_all(&blocks, &columns, TextLayout::Views)));
    }
    let every: Vec<usize> = (0..LogsColumn::COUNT).collect();
    for layout in [TextLayout::Views, TextLayout::Plain] {
        group.bench_with_input(BenchmarkId::new("all", format!("{layout:?}")), &layout, |bencher, layout| {
            bencher.iter(|| decode_all(&blocks, &every, *layout));
        });
    }
    group.finish();
}

/// CDN logs and S3 logs, and `requests` of both, for the same requests; throughput is in bytes of each log.
fn tables(criterion: &mut Criterion) {
    let origin = Generator::new(&Options { seed: SEED, ..Options::default() }).buffer(BUFFER_BYTES);
    let (cdn, origin) = (blocks_of(&cdn::log(&origin)), blocks_of(&origin));
    let mut group = criterion.benchmark_group("tables");
    group.sample_size(SAMPLES).measurement_time(SECONDS);
    let cases: [(&str, Table, &[Block], &[&str]); 8] = [
        ("logs, two columns", Table::Logs, &origin, &["remote_ip", "bytes_sent"]),
        ("requests of logs, two columns", Table::Requests, &origin, &["client_ip", "bytes_sent"]),
        ("cdn, two columns", Table::Cdn, &cdn, &["c_ip", "sc_bytes"]),
        ("requests of cdn, two columns", Table::Requests, &cdn, &["client_ip", "bytes_sent"]),
        ("logs, all", Table::Logs, &origin, &[]),
        ("requests of logs, all", Table::Requests, &origin, &[]),
        ("cdn, all", Table::Cdn, &cdn, &[]),
        ("requests of cdn, all", Table::Requests, &cdn, &[]),
    ];
    for (name, table, blocks, columns) in cases {
        let schema = table.schema(TextLayout::Views);
        let columns: Vec<usize> = match columns {
            [] => (0..schema.fields().len()).collect(),
            some => some.iter().filter_map(|name| schema.index_of(name).ok()).collect(),
        };
        group.throughput(Throughput::Bytes(bytes(blocks)));
        group.bench_function(name, |bencher| {
            bencher.iter(|| decode_table(table, blocks, &columns, TextLayout::Views));
        });
    }
    group.finish();
}

/// Cost of validating every view again, which the decoder's unchecked constructor avoids.
fn text(criterion: &mut Criterion) {
    let blocks = blocks();
    let columns = positions(&["key", "request_uri", "user_agent", "host_id"]);
    let mut decoder = RecordsDecoder::new(Table::Logs, &columns, TextLayout::Views);
    let batches: Vec<RecordBatch> = blocks.iter().filter_map(|block| decoder.decode(block).ok()).collect();
    let mut group = criterion.benchmark_group("text");
    group.throughput(Throughput::Bytes(bytes(&blocks))).sample_size(SAMPLES).measurement_time(SECONDS);
    group.bench_function("decode four columns, views unchecked", |bencher| {
        bencher.iter(|| decode_all(&blocks, &columns, TextLayout::Views));
    });
    group.bench_function("only check the views of four columns", |bencher| {
        bencher.iter(|| batches.iter().filter(|batch| black_box(check(batch))).count());
    });
    group.finish();
}

fn check(batch: &RecordBatch) -> bool {
    batch.columns().iter().all(|column| {
        let views = column.as_string_view();
        let buffers = views.data_buffers().to_vec();
        StringViewArray::try_new(views.views().clone(), buffers, views.nulls().cloned()).is_ok()
    })
}

criterion_group!(benches, widths, tables, text);
criterion_main!(benches);
