//! `s3log convert`: writes log objects to a dataset.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use indicatif::{HumanBytes, HumanCount};
use s3log_engine::ErrorKind;
use s3log_engine::convert::privacy::{AddressKey, AnonymizeIp, Privacy};
use s3log_engine::convert::{
    ConvertOptions, ConvertPlan, ConvertReport, Recovered, Skipped, Stop, convert, convert_plan,
};
use s3log_engine::dataset::BatchCounts;
use s3log_engine::session::Session;
use serde::Serialize;

use super::session::{at, session_options};
use super::{Surroundings, status};
use crate::accounting::{Balance, NAMED, say_archived, say_names_unused, say_no_record, say_unreadable};
use crate::args::ConvertArgs;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::memory;
use crate::message::{Messages, count};
use crate::output::time::seconds;
use crate::output::{ReportFormat, json_line, say};
use crate::progress::Watch;

/// Converts, and prints what became of every line.
///
/// # Errors
///
/// When nothing, or not everything, could be converted.
pub(crate) async fn run(arguments: ConvertArgs, surroundings: Surroundings, stop: Stop) -> Result<Exit, Failure> {
    let messages = surroundings.messages;
    if let Some(dest) = &arguments.status {
        return status::run(dest, &arguments, surroundings).await;
    }
    let Some(dest) = arguments.to.clone() else {
        return Err(Failure::usage("--to is required: the location of the dataset"));
    };
    // Not a rule of clap, because `S3LOG_DRY_RUN=false` means no --dry-run.
    if arguments.dry_run && arguments.follow.is_some() {
        return Err(Failure::usage("--dry-run and --follow cannot be combined"));
    }
    let options = options(&arguments, &messages)?;
    if let Some(limit) = arguments.max_runtime {
        let stop = stop.clone();
        tokio::spawn(async move {
            tokio::time::sleep(limit.0).await;
            stop.soon();
        });
    }
    let mut lasting = Exit::Done;
    loop {
        let judged = round(&arguments, &dest, &options, &stop, surroundings).await?;
        lasting = lasting.max(judged.lasting);
        let exit = lasting.max(judged.passing);
        let Some(pause) = arguments.follow else { return Ok(exit) };
        if !wait(pause.0, &stop).await {
            return if stop.is_now() { Err(Failure::Interrupted) } else { Ok(exit) };
        }
    }
}

/// Waits for the next round; false if there is none.
async fn wait(pause: Duration, stop: &Stop) -> bool {
    let begin = Instant::now();
    while !stop.is_told() {
        let left = pause.saturating_sub(begin.elapsed());
        if left.is_zero() {
            break;
        }
        tokio::time::sleep(left.min(Duration::from_millis(100))).await;
    }
    !stop.is_told()
}

/// The exit codes that follow from a round.
struct Judged {
    /// Because of what only matters if it is the last one: the next tries log objects again that were not converted, and
    /// may find records.
    passing: Exit,
    /// Because of rejects beyond the limit, which no later round sees again.
    lasting: Exit,
}

impl Judged {
    fn passing(passing: Exit) -> Self {
        Self { passing, lasting: Exit::Done }
    }
}

async fn round(
    arguments: &ConvertArgs,
    dest: &str,
    options: &ConvertOptions,
    stop: &Stop,
    surroundings: Surroundings,
) -> Result<Judged, Failure> {
    let start = Instant::now();
    let messages = surroundings.messages;
    // A glob may match the dataset that is being written.
    let session = session_options(&arguments.source, &arguments.behaviour.work)?.without_datasets_of_globs();
    let session = at(&arguments.place, session, &messages).await?;
    let session = Session::open(&arguments.sources.names, session).await;
    let session = match session {
        // Log objects may still arrive.
        Err(error) if error.kind() == ErrorKind::NotFound && arguments.follow.is_some() => {
            messages.note(&error.to_string());
            return Ok(Judged::passing(Exit::Done));
        }
        opened => opened?,
    };
    if arguments.dry_run {
        // It changes nothing, so it may end at any point.
        let plan = tokio::select! {
            plan = convert_plan(&session, dest, options) => plan?,
            () = stop.told_now() => return Err(Failure::Interrupted),
        };
        say(&match arguments.report.format {
            ReportFormat::Auto | ReportFormat::Text => plan_text(dest, &plan),
            ReportFormat::Json => plan_json(&plan)?,
        })?;
        return Ok(Judged::passing(judge_objects(plan.archived, &plan.skipped, &session, &messages)));
    }
    let mode = surroundings.progress(arguments.behaviour.progress);
    let mut watch = Watch::start(mode, surroundings.stderr, session.progress());
    let report = convert(&session, dest, options, stop).await;
    watch.stop();
    let report = match report {
        Err(error) if error.kind() == ErrorKind::Interrupted => {
            messages.note("stopped; uncommitted work was rolled back and will be converted by the next run");
            return Err(Failure::Interrupted);
        }
        report => report?,
    };
    let text = match arguments.report.format {
        ReportFormat::Auto | ReportFormat::Text => report_text(dest, &report, options.dedupe, start.elapsed()),
        ReportFormat::Json => report_json(&report, start.elapsed())?,
    };
    if surroundings.verbose {
        let requests = session.stores().request_counts();
        messages.note(&format!(
            "{}, {}, {} of other kinds, {}",
            count(requests.list, "LIST request"),
            count(requests.get, "GET request"),
            HumanCount(requests.other),
            count(requests.failed, "failed attempt"),
        ));
    }
    // With --follow, rounds without work print nothing.
    if arguments.follow.is_none() || report.batches > 0 {
        say(&text)?;
    }
    say_recovered(&report.recovered, &messages);
    let objects = judge_objects(report.archived, &report.skipped, &session, &messages);
    let Judged { passing, lasting } = judge_lines(&report, arguments, &messages);
    if report.stopped {
        messages.note("stopped after --max-runtime; run again to continue");
    }
    Ok(Judged { passing: passing.max(objects), lasting })
}

/// Reports what was cleaned up after earlier runs.
fn say_recovered(recovered: &Recovered, messages: &Messages) {
    if !recovered.runners.is_empty() {
        messages.note(&format!(
            "{} did not finish: {} rolled back, {} removed",
            count(recovered.runners.len() as u64, "earlier run"),
            count(recovered.batches, "batch"),
            count(recovered.files_removed, "file"),
        ));
    }
    say_left(&recovered.left, messages);
}

/// Warns about what could not be cleaned up.
pub(super) fn say_left(left: &[String], messages: &Messages) {
    for why in left.iter().take(NAMED) {
        messages.warning(&format!("not everything could be cleaned up: {why}"), None);
    }
    if !left.is_empty() {
        messages.note("the dataset is correct nonetheless; the next run tries again");
    }
}

/// Reports log objects that are not converted, and returns the exit code that follows.
fn judge_objects(archived: u64, skipped: &Skipped, session: &Session, messages: &Messages) -> Exit {
    let mut exit = Exit::Done;
    for (runner, objects) in &skipped.claimed {
        messages.note(&format!(
            "{} left to another run that is converting them: {runner}; `s3log convert --status` shows more",
            count(*objects, "object")
        ));
    }
    say_archived(archived, messages);
    say_names_unused(session, messages);
    if skipped.changed_count > 0 {
        exit = Exit::Incomplete;
        say_changed(&skipped.changed, skipped.changed_count, messages);
    }
    let unreadable = session.progress().unreadable();
    if !unreadable.is_empty() {
        exit = Exit::Incomplete;
        say_unreadable(&unreadable, session.progress().unreadable_count(), messages);
    }
    exit
}

/// Reports lines that are not records of the dataset, and returns the exit codes that follow.
fn judge_lines(report: &ConvertReport, arguments: &ConvertArgs, messages: &Messages) -> Judged {
    let (counts, others) = (report.counts, report.others);
    let records = counts.rows + counts.duplicates;
    let limit = arguments.behaviour.reject_limit();
    let is_exceeded = limit.is_exceeded(records, counts.rejects);
    let lasting = if is_exceeded { Exit::Incomplete } else { Exit::Done };
    if counts.objects > 0 && records == 0 && counts.rejects + others > 0 {
        say_no_record(counts.objects, others, messages);
        return Judged { passing: Exit::Incomplete, lasting };
    }
    if others > 0 {
        messages.note(&format!(
            "{} of logs of another kind skipped; --table requests converts both kinds, --table cdn converts CDN logs",
            count(others, "line")
        ));
    }
    if counts.rejects > 0 {
        let lines = match counts.rejects {
            1 => "1 line is not a record".to_owned(),
            many => format!("{} lines are not records", HumanCount(many)),
        };
        let hint = match &arguments.rejects {
            Some(place) => format!("they are in {place}; `s3log check` shows why"),
            None => "`s3log check` shows why; --rejects keeps such lines".to_owned(),
        };
        if is_exceeded {
            messages.incomplete(&format!("{lines}; at most {limit} may be rejected"), Some(&hint));
        } else {
            messages.warning(&lines, Some(&hint));
        }
    }
    Judged { passing: Exit::Done, lasting }
}

fn say_changed(changed: &[String], all: u64, messages: &Messages) {
    for name in changed.iter().take(NAMED) {
        messages.incomplete(&format!("`{name}`: it was overwritten after it was converted"), None);
    }
    if all > 0 {
        messages.incomplete(
            &format!("{} changed after they were converted", count(all, "object")),
            Some("the dataset has the records of the earlier version; give new versions other names, or convert into a new dataset"),
        );
    }
}

fn options(arguments: &ConvertArgs, messages: &Messages) -> Result<ConvertOptions, Failure> {
    let key = match (&arguments.ip_key, arguments.anonymize_ip) {
        (Some(path), AnonymizeIp::Keyed) => {
            let (key, warning) = AddressKey::from_file(path)?;
            if let Some(warning) = warning {
                messages.warning(&warning.to_string(), None);
            }
            Some(key)
        }
        (Some(_), _) => return Err(Failure::usage("--ip-key requires --anonymize-ip keyed")),
        (None, AnonymizeIp::Keyed) => {
            return Err(Failure::usage("--anonymize-ip keyed requires --ip-key")
                .with_hint("create a key with `openssl rand -hex 32 > ip.key`, then pass --ip-key ip.key"));
        }
        (None, _) => None,
    };
    let privacy = Privacy::new(arguments.redact_uri, arguments.anonymize_ip, key.as_ref())?;
    let files = arguments.files.options();
    let memory = arguments.behaviour.work.memory.map(|size| size.0);
    Ok(ConvertOptions {
        table: arguments.table.table(),
        partition_by: arguments.partition_by,
        shard: arguments.shard,
        rejects: arguments.rejects.clone(),
        privacy: Arc::new(privacy),
        dedupe: arguments.dedupe.is_some(),
        dedupe_memory: memory.map_or(files.dedupe_memory, |memory| memory / 2),
        memory: memory.unwrap_or_else(|| files.memory.min(memory::default_limit())),
        batch_objects: arguments.batch_objects.unwrap_or(files.batch_objects),
        batch_bytes: arguments.batch_size.map_or(files.batch_bytes, |size| size.0 as u64),
        ..files
    })
}

fn report_text(dest: &str, report: &ConvertReport, dedupe: bool, elapsed: Duration) -> String {
    let counts = &report.counts;
    let mut text = String::new();
    let mut line = |heading: &str, what: String| {
        // Writing into a String cannot fail.
        let _ = writeln!(text, "{heading:<10} {what}");
    };
    line(
        "dataset",
        format!("{dest}: {} in {}", count(report.dataset_rows, "row"), count(report.dataset_files, "file")),
    );
    let mut objects = format!("{} converted, {}", HumanCount(counts.objects), HumanBytes(counts.bytes));
    if report.skipped.converted > 0 {
        let _ = write!(objects, "; {} already there", HumanCount(report.skipped.converted));
    }
    line("objects", objects);
    line("files", format!("{} written, {}", HumanCount(report.files), HumanBytes(report.file_bytes)));
    line("time", format!("{:.3} s", elapsed.as_secs_f64()));
    let _ = writeln!(text, "{}", Balance::of_batches(counts, dedupe));
    text
}

fn report_json(report: &ConvertReport, elapsed: Duration) -> Result<String, Failure> {
    let figures = ReportFigures {
        counts: report.counts,
        batches: report.batches,
        files: report.files,
        file_bytes: report.file_bytes,
        skipped: SkippedFigures::of(&report.skipped),
        objects_unreadable: report.unreadable,
        objects_archived: report.archived,
        objects_pruned: report.pruned,
        dataset_rows: report.dataset_rows,
        dataset_files: report.dataset_files,
        stopped: report.stopped,
        seconds: seconds(elapsed),
    };
    Ok(json_line(&figures, false)? + "\n")
}

/// The JSON report. `rows` and `dataset_rows` count rows of files, as in `compact` and `--status`.
#[derive(Serialize)]
struct ReportFigures {
    /// Objects, bytes, lines, rows, rejects and duplicates, as recorded in the ledger.
    #[serde(flatten)]
    counts: BatchCounts,
    batches: u64,
    files: u64,
    file_bytes: u64,
    #[serde(flatten)]
    skipped: SkippedFigures,
    objects_unreadable: u64,
    objects_archived: u64,
    objects_pruned: u64,
    dataset_rows: u64,
    dataset_files: u64,
    stopped: bool,
    seconds: f64,
}

/// The JSON report of `--dry-run`.
#[derive(Serialize)]
struct PlanFigures {
    exists: bool,
    objects: u64,
    bytes: u64,
    batches: u64,
    #[serde(flatten)]
    skipped: SkippedFigures,
    objects_unreadable: u64,
    objects_archived: u64,
    objects_pruned: u64,
}

/// Log objects that are not converted, by reason.
#[derive(Serialize)]
struct SkippedFigures {
    objects_already_converted: u64,
    objects_changed: u64,
    objects_claimed_by_others: u64,
    objects_of_other_shards: u64,
}

impl SkippedFigures {
    fn of(skipped: &Skipped) -> Self {
        Self {
            objects_already_converted: skipped.converted,
            objects_changed: skipped.changed_count,
            objects_claimed_by_others: skipped.claimed.values().sum(),
            objects_of_other_shards: skipped.other_shards,
        }
    }
}

fn plan_text(dest: &str, plan: &ConvertPlan) -> String {
    let state = if plan.exists { "" } else { " (new)" };
    format!(
        "{:<10} {dest}{state}\n{:<10} {} to convert, {}, in {}; {} already there\n",
        "dataset",
        "objects",
        HumanCount(plan.objects),
        HumanBytes(plan.bytes),
        count(plan.batches, "batch"),
        HumanCount(plan.skipped.converted),
    )
}

fn plan_json(plan: &ConvertPlan) -> Result<String, Failure> {
    let figures = PlanFigures {
        exists: plan.exists,
        objects: plan.objects,
        bytes: plan.bytes,
        batches: plan.batches,
        skipped: SkippedFigures::of(&plan.skipped),
        objects_unreadable: plan.unreadable,
        objects_archived: plan.archived,
        objects_pruned: plan.pruned,
    };
    Ok(json_line(&figures, false)? + "\n")
}
