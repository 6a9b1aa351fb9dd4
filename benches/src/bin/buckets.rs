//! `buckets`: runs the program against a bucket with very many small objects, served by this process with added
//! latency.
//!
//! With a given number of concurrent requests the lower bound is objects × latency / concurrency, which is printed
//! next to the measured time. Server and program share the cores.

use clap::Parser;
use s3log_benches::calendar::push_object_time;
use s3log_benches::generate::{Generator, Options};
use s3log_test_server::Server;
use std::error::Error;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};
use wait4::Wait4 as _;

/// Query a bucket of many small objects behind a latency: seconds beside what is possible, first row, peak memory.
#[derive(Debug, Parser)]
#[command(name = "buckets", version)]
struct Arguments {
    /// The program to measure.
    #[arg(long, value_name = "FILE", default_value = "target/release/s3log")]
    s3log: PathBuf,
    /// Log objects in the bucket.
    #[arg(long, value_name = "N", default_value_t = 100_000)]
    objects: u64,
    /// Lines of each.
    #[arg(long, value_name = "N", default_value_t = 25)]
    lines: u64,
    /// How long the server takes to answer, in milliseconds.
    #[arg(long, value_name = "MS", default_value_t = 20)]
    latency: u64,
    /// Requests under way at once, one row for each.
    #[arg(long, value_name = "N", value_delimiter = ',', default_values_t = [16, 32, 64, 128, 256])]
    concurrency: Vec<u64>,
    /// Leave the bucket standing until this is interrupted, and print how to reach it.
    #[arg(long)]
    serve: bool,
}

/// Number of distinct contents. With a million of them, memory would be measured instead of requests.
const CONTENTS: u64 = 1_000;
/// Seconds between deliveries.
const SPACING: i64 = 30;
/// 2026-01-01.
const FIRST: i64 = 1_767_225_600;
const BUCKET: &str = "logs";

const TOP_IPS: &str =
    "SELECT remote_ip, sum(bytes_sent) AS bytes, count(*) AS requests FROM logs GROUP BY 1 ORDER BY 2 DESC LIMIT 10";
const LIMIT: &str = "SELECT * FROM logs LIMIT 10";

type Outcome<T> = Result<T, Box<dyn Error>>;

fn main() -> ExitCode {
    match run(&Arguments::parse(), &mut std::io::stdout().lock()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments, out: &mut impl Write) -> Outcome<()> {
    let latency = Duration::from_millis(arguments.latency);
    let server = Server::builder().latency(latency).start();
    fill(&server, arguments);
    if arguments.serve {
        for (name, value) in server.environment() {
            writeln!(out, "export {name}={value}")?;
        }
        writeln!(out, "s3log query 'SELECT count(*) FROM logs' s3://{BUCKET}/access/")?;
        out.flush()?;
        loop {
            std::thread::park();
        }
    }
    writeln!(
        out,
        "| query | concurrency | seconds | possible | ratio | CPU s | peak MiB | LIST | GET | most at once |"
    )?;
    writeln!(out, "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |")?;
    for concurrency in &arguments.concurrency {
        let possible = arguments.objects as f64 * latency.as_secs_f64() / *concurrency as f64;
        let figures = measure(arguments, &server, TOP_IPS, *concurrency)?;
        row(out, "top 10 IPs", *concurrency, figures, Some(possible))?;
    }
    for concurrency in &arguments.concurrency {
        let figures = measure(arguments, &server, LIMIT, *concurrency)?;
        row(out, "LIMIT 10", *concurrency, figures, None)?;
    }
    Ok(())
}

fn fill(server: &Server, arguments: &Arguments) {
    let mut generator = Generator::new(&Options { seed: 1, ..Options::default() });
    let contents: Vec<_> = (0..CONTENTS.min(arguments.objects.max(1)))
        .map(|_| {
            let mut content = Vec::new();
            (0..arguments.lines).for_each(|_| generator.line(&mut content));
            bytes::Bytes::from(content)
        })
        .collect();
    server.create_bucket(BUCKET);
    let objects = (0..arguments.objects).map(|at| {
        let mut name = b"access/".to_vec();
        push_object_time(FIRST + at as i64 * SPACING, &mut name);
        let unique = format!("-{:016X}", at.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        (String::from_utf8_lossy(&name).into_owned() + &unique, contents[(at % contents.len() as u64) as usize].clone())
    });
    server.put_all(BUCKET, objects);
}

/// Resource usage and request counts of one finished process.
#[derive(Clone, Copy, Debug)]
struct Figures {
    seconds: f64,
    cpu: f64,
    peak_mib: f64,
    lists: usize,
    gets: usize,
    most_at_once: usize,
}

fn measure(arguments: &Arguments, server: &Server, sql: &str, concurrency: u64) -> Outcome<Figures> {
    server.take_requests();
    let start = Instant::now();
    let mut command = Command::new(&arguments.s3log);
    command.env_clear().envs(server.environment());
    command.args(["query", "-F", "csv", "--progress", "none", sql, &format!("s3://{BUCKET}/access/")]);
    command.arg("--concurrency").arg(concurrency.to_string()).stdout(Stdio::null());
    let child = command.spawn()?;
    let done = child.wait4()?;
    let seconds = start.elapsed().as_secs_f64();
    if !done.status.success() {
        return Err(format!("{}: {}", arguments.s3log.display(), done.status).into());
    }
    let requests = server.take_requests();
    let count = |kind| requests.iter().filter(|request| request.kind == kind).count();
    Ok(Figures {
        seconds,
        cpu: (done.rusage.utime + done.rusage.stime).as_secs_f64(),
        peak_mib: done.rusage.maxrss as f64 / (1 << 20) as f64,
        lists: count(s3log_test_server::Kind::List),
        gets: count(s3log_test_server::Kind::Get),
        most_at_once: server.max_in_flight(),
    })
}

fn row(out: &mut impl Write, query: &str, concurrency: u64, figures: Figures, possible: Option<f64>) -> Outcome<()> {
    let (possible, ratio) = match possible {
        Some(possible) => (format!("{possible:.2}"), format!("{:.2}", figures.seconds / possible)),
        None => (String::new(), String::new()),
    };
    let Figures { seconds, cpu, peak_mib, lists, gets, most_at_once } = figures;
    writeln!(
        out,
        "| {query} | {concurrency} | {seconds:.2} | {possible} | {ratio} | {cpu:.2} | {peak_mib:.0} | {lists} | {gets} | {most_at_once} |"
    )?;
    out.flush()?;
    Ok(())
}
