//! `s3log convert --status`: what a dataset contains, and who is writing to it.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use indicatif::{HumanBytes, HumanCount};
use s3log_engine::dataset::{DataFile, DatasetStatus, FileDefect, status};
use s3log_engine::store::Stores;

use super::Surroundings;
use crate::accounting::{Balance, NAMED};
use crate::args::ConvertArgs;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::message::{Messages, count};
use crate::output::time::rfc3339;
use crate::output::{ReportFormat, json_page, say};

/// Prints the status.
///
/// # Errors
///
/// When there is no dataset, or it cannot be read.
pub(crate) async fn run(dest: &str, arguments: &ConvertArgs, surroundings: Surroundings) -> Result<Exit, Failure> {
    let stores = Stores::new(arguments.source.store.options());
    let status = status(dest, &stores).await?;
    say(&match arguments.report.format {
        ReportFormat::Auto | ReportFormat::Text => text(&status),
        ReportFormat::Json => json(&status, surroundings.stdout.is_some())?,
    })?;
    say_defects(&status.defects, &surroundings.messages);
    for runner in status.runners.iter().filter(|runner| runner.is_gone) {
        surroundings.messages.note(&format!(
            "the run {} on {} did not finish; the next run rolls back what it left",
            runner.runner, runner.host
        ));
    }
    Ok(if status.defects.is_empty() { Exit::Done } else { Exit::Incomplete })
}

/// Reports data files that are not as they were written.
fn say_defects(defects: &[FileDefect], messages: &Messages) {
    for FileDefect { file, found, .. } in defects.iter().take(NAMED) {
        let what = match found {
            None => "it is missing".to_owned(),
            Some(found) => format!("it has {}, and was written with {}", count(*found, "byte"), HumanCount(file.bytes)),
        };
        messages.incomplete(&format!("`{}`: {what}", file.path), None);
    }
    if !defects.is_empty() {
        let rows = defects.iter().map(|defect| defect.file.rows).sum();
        let files = count(defects.len() as u64, "file");
        messages.incomplete(
            &format!("{files} missing or damaged, with {}", count(rows, "row")),
            Some("restore them from a copy, or convert the log objects into a new dataset; `-F json` has them in `defects`"),
        );
    }
}

fn text(status: &DatasetStatus) -> String {
    let counts = &status.counts;
    let mut text = String::new();
    let mut line = |heading: &str, what: String| {
        // Writing into a String cannot fail.
        let _ = writeln!(text, "{heading:<12} {what}");
    };
    line("dataset", status.place.clone());
    let settings = &status.settings;
    line("begun", format!("{} by {}", settings.created_at, settings.created_by));
    let privacy = if settings.redact_uri { "no signatures and tokens in URIs" } else { "URIs as they were" };
    line(
        "holds",
        format!(
            "table {}, by {}; addresses: {}; {privacy}",
            settings.table,
            settings.partition_by.join(", "),
            settings.anonymize_ip
        ),
    );
    let days: BTreeSet<_> = status.files.iter().filter_map(|file| file.path.split('/').next()).collect();
    let bytes: u64 = status.files.iter().map(|file| file.bytes).sum();
    let rows: u64 = status.files.iter().map(|file| file.rows).sum();
    line(
        "files",
        format!(
            "{}, {}, {}, {}",
            HumanCount(status.files.len() as u64),
            HumanBytes(bytes),
            count(rows, "row"),
            count(days.len() as u64, "day")
        ),
    );
    if let Some((first, last)) = times(&status.files) {
        line("times", format!("{first} to {last}"));
    }
    line("log objects", format!("{} converted, {}", HumanCount(counts.objects), HumanBytes(counts.bytes)));
    for (place, files) in &status.reject_files {
        line("rejects in", format!("{place}: {}", count(files.len() as u64, "file")));
    }
    line(
        "ledger",
        format!(
            "{}, {} after the last checkpoint; {} of log objects, {}",
            count(status.records, "record"),
            HumanCount(status.records_to_read),
            count(status.lists, "list"),
            HumanBytes(status.list_bytes),
        ),
    );
    for open in &status.open {
        let takes = count(open.takes, if open.compacts { "file" } else { "log object" });
        let gone = if status.runners.iter().any(|runner| runner.runner == open.runner && !runner.is_gone) {
            ""
        } else {
            ", which is gone"
        };
        line("open", format!("{takes} since {} by {}{gone}", open.since, open.runner));
    }
    for runner in status.runners.iter().filter(|runner| !runner.is_gone) {
        line(
            "runner",
            format!("{} on {}, process {}, since {}", runner.runner, runner.host, runner.process, runner.started),
        );
    }
    let _ = writeln!(text, "{}", Balance::of_batches(counts, counts.duplicates > 0));
    text
}

fn times(files: &[DataFile]) -> Option<(String, String)> {
    let first = files.iter().map(|file| file.min_time).min()?;
    let last = files.iter().map(|file| file.max_time).max()?;
    Some((rfc3339(first), rfc3339(last)))
}

fn json(status: &DatasetStatus, terminal: bool) -> Result<String, Failure> {
    let file = |file: &DataFile| {
        serde_json::json!({
            "path": file.path, "rows": file.rows, "bytes": file.bytes,
            "min_time": rfc3339(file.min_time), "max_time": rfc3339(file.max_time),
        })
    };
    let defect = |defect: &FileDefect| serde_json::json!({ "file": file(&defect.file), "found": defect.found });
    let open = |open: &s3log_engine::dataset::OpenBatchStatus| {
        serde_json::json!({
            "batch": open.batch, "runner": open.runner, "since": open.since, "takes": open.takes, "compacts": open.compacts,
        })
    };
    let runner = |runner: &s3log_engine::dataset::RunnerStatus| {
        serde_json::json!({
            "runner": runner.runner, "host": runner.host, "process": runner.process, "started": runner.started,
            "is_gone": runner.is_gone,
        })
    };
    let rejects: serde_json::Map<_, _> = status
        .reject_files
        .iter()
        .map(|(place, files)| (place.clone(), files.iter().map(file).collect::<Vec<_>>().into()))
        .collect();
    let value = serde_json::json!({
        "place": status.place,
        "settings": status.settings,
        "counts": status.counts,
        "batches": status.batches,
        "ledger": {
            "records": status.records, "records_to_read": status.records_to_read,
            "lists": status.lists, "list_bytes": status.list_bytes,
        },
        "open": status.open.iter().map(open).collect::<Vec<_>>(),
        "runners": status.runners.iter().map(runner).collect::<Vec<_>>(),
        "files": status.files.iter().map(file).collect::<Vec<_>>(),
        "defects": status.defects.iter().map(defect).collect::<Vec<_>>(),
        "reject_files": rejects,
    });
    Ok(json_page(&value, terminal)? + "\n")
}
