//! `s3log check`: reads everything and accounts for every line.

use std::time::Instant;

use indicatif::HumanBytes;
use s3log_engine::check::{CheckOptions, check};

use super::session::{open, session_options};
use super::{Surroundings, account};
use crate::accounting::{Read, say_archived, say_names_unused, say_no_record, say_rejects, say_unreadable};
use crate::args::CheckArgs;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::Output;
use crate::progress::Watch;

/// Prints the report and returns whether every line is accounted for.
///
/// # Errors
///
/// When the sources cannot be read, or the numbers of lines do not add up.
pub(crate) async fn run(arguments: CheckArgs, surroundings: Surroundings) -> Result<Exit, Failure> {
    let start = Instant::now();
    let messages = surroundings.messages;
    let json = arguments.format.is_json(arguments.destination.file(), "check")?;
    let mut output = Output::open(arguments.destination.file(), surroundings.prose())?;
    let options = session_options(&arguments.source, &arguments.behaviour.work)?.without_datasets_of_globs();
    let session = open(&arguments.sources.names, options, &messages).await?;
    let mode = surroundings.progress(arguments.behaviour.progress);
    let mut watch = Watch::start(mode, surroundings.stderr, session.progress());
    watch.announce_large(&session, messages);
    let examples_per_reason = if json { 3 } else { 1 };
    let report = check(&session, CheckOptions { examples_per_reason }).await;
    watch.stop();
    let report = report?;
    if json {
        account::print_json(&report, &mut output)?;
    } else {
        account::print(&report, &mut output)?;
    }
    output.commit()?;
    if surroundings.verbose {
        messages.note(&format!("{} in {:.3} s", HumanBytes(report.bytes), start.elapsed().as_secs_f64()));
    }

    if !account::balance(&report).is_even() {
        return Err(Failure::failed("the account does not add up: lines were lost or counted twice")
            .with_hint("this is a bug; please report it with the log object that triggers it"));
    }
    let mut exit = Exit::Done;
    say_archived(report.archived, &messages);
    say_names_unused(&session, &messages);
    if !report.unreadable.is_empty() {
        exit = Exit::Incomplete;
        say_unreadable(&report.unreadable, session.progress().unreadable_count(), &messages);
    }
    // Whether these are access logs, and how many rejects they have, does not depend on the requested time range.
    let read = Read { rows: report.rows + report.cdn_rows + report.other_times, rejects: report.rejects };
    let limit = arguments.behaviour.reject_limit();
    if report.unreadable.is_empty() && report.objects > 0 && read.rows == 0 {
        exit = Exit::Incomplete;
        say_no_record(report.objects, 0, &messages);
    } else if limit.is_exceeded(read.rows, read.rejects) {
        exit = Exit::Incomplete;
        say_rejects(read, limit, &messages);
    }
    Ok(exit)
}
