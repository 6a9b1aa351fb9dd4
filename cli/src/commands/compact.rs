//! `s3log compact`: merges small files of a dataset.

use std::time::{Duration, Instant};

use chrono::Utc;
use indicatif::{HumanBytes, HumanCount};
use s3log_engine::ErrorKind;
use s3log_engine::convert::{CompactOptions, CompactReport, ConvertOptions, Stop, compact};
use s3log_engine::session::{Session, SessionOptions};
use serde::Serialize;

use super::Surroundings;
use super::convert::say_left;
use super::session::{memory_limit, with_work};
use crate::args::CompactArgs;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::message::count;
use crate::output::time::seconds;
use crate::output::{ReportFormat, json_line, say};

/// Merges files, and prints what was done.
///
/// # Errors
///
/// When nothing, or not everything, could be merged.
pub(crate) async fn run(arguments: CompactArgs, surroundings: Surroundings, stop: Stop) -> Result<Exit, Failure> {
    let start = Instant::now();
    let messages = surroundings.messages;
    let options = with_work(SessionOptions::new().with_stores(arguments.store.options()), &arguments.work);
    let session = Session::open(&[], options).await?;
    let files = &arguments.files;
    let options = CompactOptions {
        until: Utc::now().timestamp_micros().saturating_sub(arguments.older_than.micros()),
        target_size: files.options().target_size,
        memory: ConvertOptions::MEMORY.min(memory_limit(&arguments.work)),
        compression: files.compression,
        bloom: Some(files.bloom.clone()).filter(|columns| !columns.is_empty()),
        dry_run: arguments.dry_run,
    };
    let report = match compact(&session, &arguments.dest, &options, &stop).await {
        Err(error) if error.kind() == ErrorKind::Interrupted => {
            messages.note("stopped; uncommitted work was rolled back");
            return Err(Failure::Interrupted);
        }
        report => report?,
    };
    say(&match arguments.report.format {
        ReportFormat::Auto | ReportFormat::Text => text(&arguments.dest, &report, arguments.dry_run, start.elapsed()),
        ReportFormat::Json => json(&report, start.elapsed())?,
    })?;
    say_left(&report.recovered.left, &messages);
    if report.claimed > 0 {
        messages.note(&format!("{} left to another run that is merging them", count(report.claimed, "file")));
    }
    Ok(Exit::Done)
}

fn text(dest: &str, report: &CompactReport, dry_run: bool, elapsed: Duration) -> String {
    if report.replaced == 0 {
        return format!("{dest}: nothing to merge\n");
    }
    let rows = count(report.rows, "row");
    let (replaced, bytes) = (count(report.replaced, "file"), HumanBytes(report.replaced_bytes));
    if dry_run {
        return format!("{dest}: {replaced} of {rows}, {bytes}, would become {}\n", HumanCount(report.files));
    }
    format!(
        "{dest}: {replaced} of {rows}, {bytes}, became {}, {}, in {:.3} s\n",
        HumanCount(report.files),
        HumanBytes(report.file_bytes),
        elapsed.as_secs_f64(),
    )
}

fn json(report: &CompactReport, elapsed: Duration) -> Result<String, Failure> {
    let figures = Figures {
        files_replaced: report.replaced,
        bytes_replaced: report.replaced_bytes,
        files: report.files,
        file_bytes: report.file_bytes,
        rows: report.rows,
        files_claimed_by_others: report.claimed,
        files_removed: report.removed,
        stopped: report.stopped,
        seconds: seconds(elapsed),
    };
    Ok(json_line(&figures, false)? + "\n")
}

/// The JSON report.
#[derive(Serialize)]
struct Figures {
    files_replaced: u64,
    bytes_replaced: u64,
    files: u64,
    file_bytes: u64,
    rows: u64,
    files_claimed_by_others: u64,
    files_removed: u64,
    stopped: bool,
    seconds: f64,
}
