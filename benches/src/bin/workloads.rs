//! `workloads`: compares whole processes, the program and its peers, over logs of about one gigabyte.
//!
//! Each command runs once to warm the page cache and then `--runs` times. The commands of a workload take turns, so
//! that slow phases of the machine affect all of them. Medians are printed; the figures come from the kernel's
//! accounting of the finished process. Peers are Python packages; those not installed are skipped.

use clap::Parser;
use s3log_benches::generate::{Generator, Options};
use s3log_benches::objects::{Packing, write_log};
use std::error::Error;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::Instant;
use wait4::Wait4 as _;

/// Compare whole commands over a large log: CPU seconds, wall seconds, peak memory, medians.
#[derive(Debug, Parser)]
#[command(name = "workloads", version)]
struct Arguments {
    /// The program to measure.
    #[arg(long, value_name = "FILE", default_value = "target/release/s3log")]
    s3log: PathBuf,
    /// Another build of it, measured beside it.
    #[arg(long, value_name = "FILE")]
    before: Option<PathBuf>,
    /// Where the logs are, and are written if they are not there: some 1.7 GB.
    #[arg(long, value_name = "DIR", default_value = "target/workloads")]
    logs: PathBuf,
    /// A Python that has the peers: polars, duckdb, chdb.
    #[arg(long, value_name = "FILE", default_value = "python3")]
    python: PathBuf,
    /// The script with the peers' recipes.
    #[arg(long, value_name = "FILE", default_value = "benches/peers.py")]
    peers: PathBuf,
    /// Runs that count.
    #[arg(long, value_name = "N", default_value_t = 5)]
    runs: usize,
    /// Only the workloads whose names hold this.
    #[arg(long, value_name = "TEXT", default_value = "")]
    only: String,
}

/// Number of lines of the log, about one gigabyte.
const LINES: u64 = 1_600_000;
/// Number of lines that are also written as small objects.
const OBJECT_LINES: usize = 500_000;
const LINES_PER_OBJECT: usize = 25;
const GZIP_OBJECTS: usize = 100;

const COUNT: &str = "SELECT count(*) FROM logs";
const TOP_IPS: &str =
    "SELECT remote_ip, sum(bytes_sent) AS bytes, count(*) AS requests FROM logs GROUP BY 1 ORDER BY 2 DESC LIMIT 10";
const FILTER: &str = "SELECT time, remote_ip, key, http_status FROM logs \
    WHERE http_status = 403 AND operation = 'REST.GET.OBJECT' AND key LIKE '%parquet'";
const HOURLY: &str =
    "SELECT date_trunc('hour', time) AS hour, http_status, count(*) AS requests FROM logs GROUP BY 1, 2 ORDER BY 1, 2";
const ALL: &str = "SELECT * FROM logs";

/// A workload: one query over one log.
struct Workload {
    name: &'static str,
    sql: &'static str,
    /// Output format of the program.
    format: &'static str,
    /// The same question as an argument of `peers.py`; empty if the peers are not asked.
    question: &'static str,
    logs: &'static str,
    /// The same logs as a glob pattern for the peers.
    glob: &'static str,
}

const fn workload(
    name: &'static str,
    (sql, question): (&'static str, &'static str),
    format: &'static str,
    logs: &'static str,
    glob: &'static str,
) -> Workload {
    Workload { name, sql, format, question, logs, glob }
}

/// Not SQL: converts the log to Parquet.
const CONVERT: &str = "convert";
/// Not SQL: runs the detection.
const FLAG: &str = "flag";

const WORKLOADS: [Workload; 12] = [
    workload("count(*)", (COUNT, "count"), "csv", "log", "log"),
    workload("top 10 IPs by bytes", (TOP_IPS, "topip"), "csv", "log", "log"),
    workload("filter on status, operation, key", (FILTER, "filter"), "null", "log", "log"),
    workload("by hour and status", (HOURLY, "hourly"), "csv", "log", "log"),
    workload("SELECT * into nothing", (ALL, ""), "null", "log", "log"),
    workload("top 10 IPs, 20,000 objects", (TOP_IPS, "topip"), "csv", "objects", "objects/*"),
    workload("top 10 IPs, one .gz", (TOP_IPS, "topip"), "csv", "log.gz", "log.gz"),
    workload("top 10 IPs, 100 .gz", (TOP_IPS, "topip"), "csv", "gz", "gz/*"),
    workload("to Parquet, zstd 3", (CONVERT, "parquet"), "", "log", "log"),
    workload("to Parquet, 20,000 objects", (CONVERT, "parquet"), "", "objects", "objects/*"),
    workload("to Parquet, 100 .gz", (CONVERT, "parquet"), "", "gz", "gz/*"),
    workload("flag", (FLAG, ""), "null", "log", "log"),
];

/// Resource usage of one finished process.
#[derive(Clone, Copy, Debug)]
struct Figures {
    cpu: f64,
    wall: f64,
    peak_mib: f64,
}

type Outcome<T> = Result<T, Box<dyn Error>>;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(&arguments, &mut std::io::stdout().lock()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments, out: &mut impl Write) -> Outcome<()> {
    prepare(&arguments.logs)?;
    let peers = installed_peers(arguments)?;
    writeln!(
        out,
        "Medians of {}: CPU s / wall s / peak MiB; behind each other tool how many times our CPU and wall.\n",
        arguments.runs
    )?;
    writeln!(out, "| workload | tool | CPU s | wall s | peak MiB | CPU, times ours | wall, times ours |")?;
    writeln!(out, "| --- | --- | ---: | ---: | ---: | ---: | ---: |")?;
    for Workload { name, sql, format, question, logs, glob } in WORKLOADS {
        if !name.contains(&arguments.only) {
            continue;
        }
        // Each run converts from scratch, so the dataset of the previous one is removed.
        let written = arguments.logs.join("written");
        let ours = |program: &PathBuf| {
            if sql == CONVERT {
                let mut command = Command::new("sh");
                command.args(["-c", r#"rm -rf "$2" && exec "$0" convert --progress none "$1" --to "$2""#]);
                command.arg(program).arg(arguments.logs.join(logs)).arg(&written);
                return command;
            }
            if sql == FLAG {
                let mut command = Command::new(program);
                command.args(["flag", "--progress", "none", "-q", "-F", format]).arg(arguments.logs.join(logs));
                return command;
            }
            let mut command = Command::new(program);
            command.args(["query", "--progress", "none", "-F", format, sql]).arg(arguments.logs.join(logs));
            command
        };
        let mut commands = vec![("s3log".to_owned(), ours(&arguments.s3log))];
        if let Some(before) = &arguments.before {
            commands.push(("s3log before".to_owned(), ours(before)));
        }
        for peer in peers.iter().filter(|_| !question.is_empty()) {
            let mut command = Command::new(&arguments.python);
            command.arg(&arguments.peers).args([peer, question]).arg(arguments.logs.join(glob));
            if sql == CONVERT {
                command.arg(arguments.logs.join(format!("written-{peer}.parquet")));
            }
            commands.push(((*peer).to_owned(), command));
        }
        report(out, name, &measure(commands, arguments.runs)?)?;
        if sql == CONVERT {
            let bytes = |path: PathBuf| Some((path.display().to_string(), fs::metadata(&path).ok()?.len()));
            let theirs = peers.iter().filter_map(|peer| bytes(arguments.logs.join(format!("written-{peer}.parquet"))));
            for (path, bytes) in [("s3log".to_owned(), bytes_below(&written)?)].into_iter().chain(theirs) {
                writeln!(std::io::stderr(), "{name}: {path}: {:.1} MB", bytes as f64 / 1e6)?;
            }
        }
    }
    Ok(())
}

/// Total size of the files of a folder, in bytes.
fn bytes_below(folder: &Path) -> Outcome<u64> {
    let mut bytes = 0;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let metadata = entry.metadata()?;
        bytes += if metadata.is_dir() { bytes_below(&entry.path())? } else { metadata.len() };
    }
    Ok(bytes)
}

/// Prints a row for each tool; `None` marks a failed one.
fn report(out: &mut impl Write, workload: &str, measured: &[(String, Option<Figures>)]) -> Outcome<()> {
    let Some((_, Some(ours))) = measured.first() else { return Err(format!("s3log failed at {workload}").into()) };
    for (tool, figures) in measured {
        match figures {
            Some(Figures { cpu, wall, peak_mib }) => writeln!(
                out,
                "| {workload} | {tool} | {cpu:.2} | {wall:.2} | {peak_mib:.0} | {:.2} | {:.2} |",
                cpu / ours.cpu,
                wall / ours.wall
            )?,
            None => writeln!(out, "| {workload} | {tool} | failed | | | | |")?,
        }
    }
    out.flush()?;
    Ok(())
}

/// Runs all commands in turn; the first round is a warm-up.
fn measure(commands: Vec<(String, Command)>, runs: usize) -> Outcome<Vec<(String, Option<Figures>)>> {
    let mut commands: Vec<_> = commands.into_iter().map(|(tool, command)| (tool, command, Some(Vec::new()))).collect();
    for round in 0..=runs {
        for (_, command, figures) in &mut commands {
            let Some(finished) = figures else { continue };
            match once(command)? {
                Some(figures) if round > 0 => finished.push(figures),
                Some(_) => {}
                None => *figures = None,
            }
        }
    }
    Ok(commands.into_iter().map(|(tool, _, figures)| (tool, figures.map(|figures| medians(&figures)))).collect())
}

/// Runs a command to completion; `None` if it failed.
fn once(command: &mut Command) -> Outcome<Option<Figures>> {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let start = Instant::now();
    let finished = command.spawn().map_err(|error| format!("{command:?}: {error}"))?.wait4()?;
    let wall = start.elapsed().as_secs_f64();
    let usage = finished.rusage;
    let cpu = (usage.utime + usage.stime).as_secs_f64();
    let figures = Figures { cpu, wall, peak_mib: usage.maxrss as f64 / f64::from(1 << 20) };
    Ok(finished.status.success().then_some(figures))
}

fn medians(figures: &[Figures]) -> Figures {
    let median = |of: fn(&Figures) -> f64| {
        let mut values: Vec<f64> = figures.iter().map(of).collect();
        values.sort_by(f64::total_cmp);
        values.get(values.len() / 2).copied().unwrap_or_default()
    };
    Figures { cpu: median(|run| run.cpu), wall: median(|run| run.wall), peak_mib: median(|run| run.peak_mib) }
}

fn installed_peers(arguments: &Arguments) -> Outcome<Vec<&'static str>> {
    let mut installed = Vec::new();
    for peer in ["polars", "duckdb", "chdb"] {
        let mut command = Command::new(&arguments.python);
        command.args(["-c", &format!("import {peer}")]);
        match once(&mut command) {
            Ok(Some(_)) => installed.push(peer),
            _ => writeln!(std::io::stderr(), "note: {peer} is not installed and is left out")?,
        }
    }
    Ok(installed)
}

/// Writes what is missing: the log, its first lines as small objects, and the compressed log as one object and as
/// many.
fn prepare(folder: &Path) -> Outcome<()> {
    fs::create_dir_all(folder)?;
    let log = folder.join("log");
    write_new(&log, |to| {
        let mut generator = Generator::new(&Options { lines: LINES, ..Options::default() });
        Ok(write_log(&mut generator, LINES, Packing::Plain, to)?)
    })?;
    let objects = folder.join("objects");
    if !objects.exists() {
        fs::create_dir(&objects)?;
        let mut lines = BufReader::new(File::open(&log)?);
        for number in 0..OBJECT_LINES / LINES_PER_OBJECT {
            let mut object = Vec::new();
            for _ in 0..LINES_PER_OBJECT {
                lines.read_until(b'\n', &mut object)?;
            }
            fs::write(objects.join(format!("2026-03-03-00-00-00-{number:016X}")), object)?;
        }
    }
    write_new(&folder.join("log.gz"), |to| Ok(Packing::Gzip.copy(File::open(&log)?, to)?))?;
    let many = folder.join("gz");
    if !many.exists() {
        fs::create_dir(&many)?;
        let share = fs::metadata(&log)?.len() / GZIP_OBJECTS as u64 + 1;
        let mut lines = BufReader::new(File::open(&log)?);
        for number in 0..GZIP_OBJECTS {
            let mut piece = Vec::new();
            while (piece.len() as u64) < share && lines.read_until(b'\n', &mut piece)? > 0 {}
            fs::write(many.join(format!("2026-03-03-00-00-00-{number:016X}.gz")), Packing::Gzip.pack(&piece)?)?;
        }
    }
    Ok(())
}

/// Writes a file that gets its final name only when it is complete.
fn write_new(path: &Path, fill: impl FnOnce(&mut BufWriter<File>) -> Outcome<()>) -> Outcome<()> {
    if path.exists() {
        return Ok(());
    }
    let unfinished = path.with_extension("unfinished");
    let mut to = BufWriter::new(File::create(&unfinished)?);
    fill(&mut to)?;
    to.into_inner()?.sync_all()?;
    Ok(fs::rename(&unfinished, path)?)
}
