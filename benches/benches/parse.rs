//! Throughput of parsing lines in memory, on one core and on all, with the memory bandwidth for comparison.
//!
//! `cargo bench -p s3log-benches --no-default-features --bench parse`

use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use s3log_benches::generate::{Generator, Options};
use s3log_parser::{Field, FieldSet, Lines, Parser, Record, parallel};

/// Larger than the caches, so that lines come from memory as they do in a scan.
const BUFFER_BYTES: usize = 128 << 20;
/// Smaller, because the careful path is slower.
const HOSTILE_BYTES: usize = BUFFER_BYTES / 4;
/// A few hostile lines, so that the careful path is exercised. The share is an assumption.
const USUAL_HOSTILE_PERCENT: f64 = 0.1;
const SEED: u64 = 1;
const SAMPLES: usize = 20;
const SECONDS: Duration = Duration::from_secs(4);

/// The fields of a typical query, traffic by address and hour.
const FOUR_FIELDS: FieldSet =
    FieldSet::of(Field::Time).with(Field::RemoteIp).with(Field::HttpStatus).with(Field::BytesSent);
/// The first field after the time. Records are only distinguished from rejects at the user agent, so a query for this
/// field or for none has to read that far anyway.
const EARLY_FIELD: FieldSet = FieldSet::of(Field::RemoteIp);
/// The last field that is delimited by a quote.
const LATE_FIELD: FieldSet = FieldSet::of(Field::UserAgent);

fn buffer(bytes: usize, hostile_percent: f64) -> Vec<u8> {
    Generator::new(&Options { seed: SEED, hostile_percent, ..Options::default() }).buffer(bytes)
}

/// Counts records and rejects and sums up spans, so that the optimiser cannot remove any of the work.
fn parse_all(buffer: &[u8], fields: FieldSet) -> (usize, usize, usize) {
    parse_with(&mut Parser::with_fields(fields), buffer)
}

fn parse_with(parser: &mut Parser, buffer: &[u8]) -> (usize, usize, usize) {
    let mut record = Record::default();
    let mut found = (0, 0, 0);
    let mut lines = Lines::new(buffer);
    while let Some((_, parsed)) = parser.parse_next(&mut lines, &mut record) {
        match parsed {
            Ok(()) => {
                found.0 += 1;
                found.2 += black_box(&record).line().len();
            }
            Err(error) => {
                found.1 += 1;
                found.2 += error.offset();
            }
        }
    }
    found
}

fn one_core(criterion: &mut Criterion) {
    let buffer = buffer(BUFFER_BYTES, USUAL_HOSTILE_PERCENT);
    let mut group = criterion.benchmark_group("one core");
    group.throughput(Throughput::Bytes(buffer.len() as u64)).sample_size(SAMPLES).measurement_time(SECONDS);
    for (name, fields) in [
        ("27 fields, extra fields, ambiguous", FieldSet::ALL),
        ("27 fields", FieldSet::DOCUMENTED),
        ("4 fields", FOUR_FIELDS),
        ("1 field, late", LATE_FIELD),
        ("1 field, early", EARLY_FIELD),
        ("record or reject", FieldSet::EMPTY),
    ] {
        group.bench_function(name, |bencher| bencher.iter(|| parse_all(&buffer, fields)));
    }
    group.finish();
}

/// All instruction sets of this processor, parsing from the buffer and line by line.
fn lanes(criterion: &mut Criterion) {
    let buffer = buffer(BUFFER_BYTES, USUAL_HOSTILE_PERCENT);
    let mut group = criterion.benchmark_group("lanes");
    group.throughput(Throughput::Bytes(buffer.len() as u64)).sample_size(SAMPLES).measurement_time(SECONDS);
    for (fields, name) in [(FieldSet::DOCUMENTED, "27 fields"), (FOUR_FIELDS, "4 fields")] {
        for (kind, mut parser) in Parser::of_every_kind(fields) {
            group.bench_function(format!("{name}, {kind}"), |bencher| {
                bencher.iter(|| parse_with(&mut parser, &buffer));
            });
        }
    }
    group.bench_function("27 fields, a line at a time", |bencher| {
        let mut parser = Parser::with_fields(FieldSet::DOCUMENTED);
        let mut record = Record::default();
        bencher.iter(|| Lines::new(&buffer).filter(|line| parser.parse_into(line.bytes, &mut record).is_ok()).count());
    });
    group.finish();
}

fn hostile(criterion: &mut Criterion) {
    let buffer = buffer(HOSTILE_BYTES, 100.0);
    let mut group = criterion.benchmark_group("hostile lines only");
    group.throughput(Throughput::Bytes(buffer.len() as u64)).sample_size(SAMPLES).measurement_time(SECONDS);
    group.bench_function("27 fields, extra fields, ambiguous", |bencher| {
        bencher.iter(|| parse_all(&buffer, FieldSet::ALL));
    });
    group.bench_function("record or reject", |bencher| bencher.iter(|| parse_all(&buffer, FieldSet::EMPTY)));
    group.finish();
}

fn all_cores(criterion: &mut Criterion) {
    let buffer = buffer(BUFFER_BYTES, USUAL_HOSTILE_PERCENT);
    let mut group = criterion.benchmark_group("all cores");
    group.throughput(Throughput::Bytes(buffer.len() as u64)).sample_size(SAMPLES).measurement_time(SECONDS);
    for (name, fields) in
        [("27 fields", FieldSet::DOCUMENTED), ("4 fields", FOUR_FIELDS), ("record or reject", FieldSet::EMPTY)]
    {
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                parallel::fold(
                    &buffer,
                    || (Parser::with_fields(fields), Record::default(), 0_usize),
                    |(parser, record, records), line| {
                        *records += usize::from(parser.parse_into(line.bytes, record).is_ok());
                        black_box(&*record);
                    },
                )
                .into_iter()
                .map(|(_, _, records)| records)
                .sum::<usize>()
            });
        });
    }
    group.finish();
}

/// Upper bounds for any parser on this machine.
fn yardsticks(criterion: &mut Criterion) {
    let buffer = buffer(BUFFER_BYTES, 0.0);
    let mut group = criterion.benchmark_group("yardsticks");
    group.throughput(Throughput::Bytes(buffer.len() as u64)).sample_size(SAMPLES).measurement_time(SECONDS);
    group.bench_function("count newlines (memchr)", |bencher| {
        bencher.iter(|| memchr::memchr_iter(b'\n', &buffer).count());
    });
    group.bench_function("split lines (Lines)", |bencher| {
        bencher.iter(|| Lines::new(&buffer).map(|line| black_box(line).bytes.len()).sum::<usize>());
    });
    group.bench_function("validate UTF-8 (simdutf8)", |bencher| {
        bencher.iter(|| simdutf8::basic::from_utf8(&buffer).is_ok());
    });
    group.finish();
}

/// The speed of the generator, which must not become a bottleneck.
fn generator(criterion: &mut Criterion) {
    let bytes = HOSTILE_BYTES;
    let mut generator = Generator::new(&Options::default());
    let mut out = Vec::with_capacity(bytes + 4096);
    let mut group = criterion.benchmark_group("generator");
    group.throughput(Throughput::Bytes(bytes as u64)).sample_size(SAMPLES).measurement_time(SECONDS);
    group.bench_function("27 fields", |bencher| {
        bencher.iter(|| {
            out.clear();
            while out.len() < bytes {
                generator.line(&mut out);
            }
            out.len()
        });
    });
    group.finish();
}

criterion_group!(benches, one_core, lanes, hostile, all_cores, yardsticks, generator);
criterion_main!(benches);
