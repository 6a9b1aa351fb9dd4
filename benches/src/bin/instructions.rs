//! `instructions`: counts the instructions executed per line, which is reproducible, unlike time.
//!
//! Valgrind's callgrind counts the instructions of this program, once with the work repeated once and once with it
//! repeated three times; half of the difference is the work without its setup. The counts are compared with a stored
//! baseline. Callgrind does not support AVX-512, so the AVX2 parser is measured.

use clap::{Parser, Subcommand};
use s3log_benches::generate::{Generator, Options};
use s3log_engine::decode::{BLOCK_SIZE, Block, BufferPool, LineBlocks, RecordsDecoder};
use s3log_engine::schema::{Table, TextLayout};
use s3log_parser::{Field, FieldSet, Lines, Parser as LineParser, Record};
use std::collections::BTreeMap;
use std::error::Error;
use std::fmt::Write as _;
use std::fs;
use std::hint::black_box;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

/// Count instructions a line with callgrind, and compare with the stored baseline.
#[derive(Debug, Parser)]
#[command(name = "instructions", version, args_conflicts_with_subcommands = true)]
struct Arguments {
    #[command(subcommand)]
    work: Option<Work>,
    /// The stored counts.
    #[arg(long, value_name = "FILE", default_value = "benches/instructions.tsv")]
    baseline: PathBuf,
    /// Store the counts of this build.
    #[arg(long)]
    write: bool,
}

#[derive(Debug, Subcommand)]
enum Work {
    /// Do one of the works, for callgrind to watch.
    #[command(hide = true)]
    Run {
        /// Which.
        name: String,
        /// How often.
        times: u32,
    },
}

/// An increase over the baseline by more than this fraction is a failure.
const TOLERANCE: f64 = 0.03;
/// Size of the input in bytes: enough for all kinds of lines, small enough to be emulated.
const BYTES: usize = 2 << 20;
const SEED: u64 = 1;

/// Name and fields of the parser's work.
const PARSED: [(&str, FieldSet); 3] = [
    ("parse, 27 fields", FieldSet::DOCUMENTED),
    ("parse, 4 fields", FieldSet::of(Field::Time).with(Field::RemoteIp).with(Field::HttpStatus).with(Field::BytesSent)),
    ("parse, record or reject", FieldSet::EMPTY),
];
const HOSTILE: &str = "parse, hostile lines only, 27 fields";
const DECODED: [(&str, Option<&[&str]>); 4] = [
    ("decode, no column", Some(&[])),
    ("decode, remote_ip and bytes_sent", Some(&["remote_ip", "bytes_sent"])),
    ("decode, time and http_status", Some(&["time", "http_status"])),
    ("decode, all columns", None),
];

fn names() -> impl Iterator<Item = &'static str> {
    PARSED.iter().map(|(name, _)| *name).chain([HOSTILE]).chain(DECODED.iter().map(|(name, _)| *name))
}

type Outcome<T> = Result<T, Box<dyn Error>>;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let outcome = match &arguments.work {
        Some(Work::Run { name, times }) => work(name, *times),
        None => compare(&arguments),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn buffer(hostile_percent: f64) -> Vec<u8> {
    Generator::new(&Options { seed: SEED, hostile_percent, ..Options::default() }).buffer(BYTES)
}

/// Repeats the work and prints its number of lines.
fn work(name: &str, times: u32) -> Outcome<()> {
    let lines = if let Some((_, fields)) = PARSED.iter().find(|(parsed, _)| *parsed == name) {
        parse(&buffer(0.0), *fields, times)
    } else if name == HOSTILE {
        parse(&buffer(100.0), FieldSet::DOCUMENTED, times)
    } else if let Some((_, columns)) = DECODED.iter().find(|(decoded, _)| *decoded == name) {
        decode(&buffer(0.0), *columns, times)?
    } else {
        return Err(format!("there is no work `{name}`").into());
    };
    writeln!(std::io::stdout(), "{lines}")?;
    Ok(())
}

fn parse(buffer: &[u8], fields: FieldSet, times: u32) -> usize {
    let mut parser = LineParser::with_fields(fields);
    let mut record = Record::default();
    let mut count = 0;
    for _ in 0..times {
        count = 0;
        let mut lines = Lines::new(buffer);
        while let Some((_, parsed)) = parser.parse_next(&mut lines, &mut record) {
            count += 1;
            let _ = black_box((&record, parsed));
        }
    }
    count
}

/// Decodes the given columns, or all.
fn decode(buffer: &[u8], columns: Option<&[&str]>, times: u32) -> Outcome<usize> {
    let schema = Table::Logs.schema(TextLayout::Views);
    let positions: Vec<usize> = match columns {
        Some(names) => names.iter().map(|name| schema.index_of(name)).collect::<Result<_, _>>()?,
        None => (0..schema.fields().len()).collect(),
    };
    let blocks = blocks(buffer);
    let mut decoder = RecordsDecoder::new(Table::Logs, &positions, TextLayout::Views);
    let mut rows = 0;
    for _ in 0..times {
        rows = 0;
        for block in &blocks {
            rows += black_box(decoder.decode(block)?).num_rows();
        }
    }
    Ok(rows)
}

fn blocks(buffer: &[u8]) -> Vec<Block> {
    let mut blocks = LineBlocks::new(BufferPool::new(BLOCK_SIZE)).without_line_numbers();
    blocks.begin_object("2026-03-03-00-00-00-0123456789ABCDEF", 0);
    let mut cut = Vec::new();
    let mut rest = buffer;
    while !rest.is_empty() {
        rest = &rest[blocks.push(rest)..];
        cut.extend(std::iter::from_fn(|| blocks.next_block()));
    }
    cut.extend(std::iter::from_fn(|| blocks.finish()));
    cut
}

fn compare(arguments: &Arguments) -> Outcome<()> {
    let baseline = if arguments.write { BTreeMap::new() } else { read(&arguments.baseline)? };
    let mut stored = String::new();
    let mut worse = Vec::new();
    let mut out = std::io::stdout().lock();
    writeln!(out, "| work | instructions a line | stored | change |\n| --- | ---: | ---: | ---: |")?;
    for name in names() {
        let (once, lines) = counted(name, 1)?;
        let (thrice, _) = counted(name, 3)?;
        let per_line = (thrice - once) as f64 / 2.0 / lines as f64;
        writeln!(stored, "{name}\t{per_line:.1}")?;
        match baseline.get(name) {
            Some(before) => {
                let change = per_line / before - 1.0;
                writeln!(out, "| {name} | {per_line:.1} | {before:.1} | {:+.1} % |", change * 100.0)?;
                if change > TOLERANCE {
                    worse.push(name);
                }
            }
            None => writeln!(out, "| {name} | {per_line:.1} | | |")?,
        }
    }
    if arguments.write {
        fs::write(&arguments.baseline, stored)?;
    }
    if worse.is_empty() {
        return Ok(());
    }
    Err(format!(
        "more than {} % above the baseline: {}; say why in benches/README.md and store the new counts with --write",
        TOLERANCE * 100.0,
        worse.join(", ")
    )
    .into())
}

fn read(path: &Path) -> Outcome<BTreeMap<String, f64>> {
    let text = fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let lines = text.lines().filter_map(|line| line.split_once('\t'));
    lines.map(|(name, count)| Ok((name.to_owned(), count.parse()?))).collect()
}

/// Runs the work in a child process; returns the instructions of the process and the lines of the work.
fn counted(name: &str, times: u32) -> Outcome<(u64, u64)> {
    let this = std::env::current_exe()?;
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(this)
        .args(["run", name, &times.to_string()])
        .output()
        .map_err(|error| format!("valgrind cannot be started: {error}"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    let collected = said.lines().find_map(|line| line.split_once("Collected :")).map(|(_, count)| count.trim());
    match collected {
        Some(count) if output.status.success() => {
            Ok((count.parse()?, String::from_utf8_lossy(&output.stdout).trim().parse()?))
        }
        _ => Err(format!("valgrind failed at `{name}`:\n{said}").into()),
    }
}
