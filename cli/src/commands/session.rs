//! Sets up sessions from the flags of commands, and reads the files that flags name.
//! Start at [`open`] and [`session_options`].

use std::path::Path;
use std::sync::Arc;

use chrono::Utc;
use indicatif::HumanBytes;
#[cfg(feature = "cluster")]
use s3log_engine::cluster::Cluster;
use s3log_engine::decode::{LineOptions, RequestRules};
use s3log_engine::detect::context::{CidrList, Context};
use s3log_engine::scan::NameRules;
use s3log_engine::session::{Session, SessionOptions};

use super::spill;
use crate::args::{CdnArgs, SourceArgs, Span, WhereArgs, WorkArgs};
use crate::failure::Failure;
use crate::memory;
use crate::message::{Messages, count};
use crate::progress::{MANY_BYTES, MANY_OBJECTS};

/// Opens a session over `sources`, and prints a note if there is much to read.
///
/// # Errors
///
/// When a source cannot be found or listed.
pub(super) async fn open(sources: &[String], options: SessionOptions, messages: &Messages) -> Result<Session, Failure> {
    let session = Session::open(sources, options).await?;
    let files = session.file_counts();
    let (objects, bytes) = (files.objects, files.bytes);
    if objects > MANY_OBJECTS || bytes > MANY_BYTES {
        let objects = count(objects, "object");
        messages.note(&format!("{objects} ({}) to read; `WHERE time …` or --since reads less", HumanBytes(bytes)));
    }
    Ok(session)
}

/// Like [`open`], with plans running at `place`.
///
/// # Errors
///
/// Those of [`open`] and [`at`].
pub(super) async fn open_at(
    place: &WhereArgs,
    sources: &[String],
    options: SessionOptions,
    messages: &Messages,
) -> Result<Session, Failure> {
    open(sources, at(place, options, messages).await?, messages).await
}

/// The options of a session whose plans run at `place`.
///
/// # Errors
///
/// When the cluster cannot be reached.
#[cfg(feature = "cluster")]
pub(super) async fn at(
    place: &WhereArgs,
    options: SessionOptions,
    messages: &Messages,
) -> Result<SessionOptions, Failure> {
    let Some(address) = &place.cluster else { return Ok(options) };
    let cluster = Cluster::connect(address).await?;
    if cluster.executors() == 0 {
        messages.warning("the cluster has no executors yet; work waits until there is one", None);
    }
    Ok(options.with_remote_execution(cluster.remote_execution()))
}

#[cfg(not(feature = "cluster"))]
pub(super) async fn at(
    _place: &WhereArgs,
    options: SessionOptions,
    _messages: &Messages,
) -> Result<SessionOptions, Failure> {
    Ok(options)
}

/// The session options, from the flags about sources and about the machine.
///
/// # Errors
///
/// Those of [`source_options`], or when the folder for what does not fit into memory cannot be created.
pub(super) fn session_options(source: &SourceArgs, work: &WorkArgs) -> Result<SessionOptions, Failure> {
    Ok(with_work(source_options(source)?, work).with_spill_folder(spill::folder()?))
}

/// Adds what the work may use of the machine.
pub(super) fn with_work(options: SessionOptions, work: &WorkArgs) -> SessionOptions {
    let options = options.with_memory_limit(memory_limit(work));
    match work.threads {
        Some(threads) => options.with_threads(threads.get()),
        None => options,
    }
}

/// The memory that the work may use, in bytes.
pub(super) fn memory_limit(work: &WorkArgs) -> usize {
    work.memory.map_or_else(memory::default_limit, |size| size.0)
}

/// The session options, from the flags about sources.
///
/// # Errors
///
/// When flags contradict each other, or a file that they name cannot be read.
pub(super) fn source_options(source: &SourceArgs) -> Result<SessionOptions, Failure> {
    let now = Utc::now();
    let since = source.since.map(|since| since.micros(now));
    let until = source.until.map(|until| until.micros(now));
    if let (Some(since), Some(until)) = (since, until)
        && since >= until
    {
        return Err(Failure::usage("--since must be before --until"));
    }
    let names = NameRules { layout: source.layout.0, max_lateness: source.max_lateness.map(Span::micros) };
    let mut lines = LineOptions::default().with_dialect(source.dialect.0).with_requests(request_rules(&source.cdn)?);
    if !source.cdn.cdn_fields.is_empty() {
        lines = lines.with_cdn_fields(source.cdn.cdn_fields.iter().map(String::as_str));
    }
    let mut options = SessionOptions::new().with_names(names).with_lines(lines).with_stores(source.store.options());
    if let Some(since) = since {
        options = options.with_since(since);
    }
    if let Some(until) = until {
        options = options.with_until(until);
    }
    Ok(options)
}

/// The rules for requests through a CDN, from the flags.
fn request_rules(cdn: &CdnArgs) -> Result<RequestRules, Failure> {
    let rules = RequestRules::default();
    let mut rules = cdn.map.iter().fold(rules, |rules, (host, bucket)| rules.with_bucket(host, bucket));
    let now = Utc::now().timestamp_micros();
    let lists: Vec<CidrList> =
        cdn.cdn_cidr.iter().flatten().map(|path| network_list(path, now)).collect::<Result<_, _>>()?;
    if !lists.is_empty() {
        let networks = lists.iter().fold(Context::new(now), Context::with_cdn);
        rules = rules.with_cdn_addresses(Arc::new(move |address| networks.of(*address).cdn.is_some()));
    }
    Ok(rules)
}

/// Reads a list of networks.
///
/// # Errors
///
/// When the file cannot be read, or is not such a list.
pub(super) fn network_list(path: &Path, now: i64) -> Result<CidrList, Failure> {
    Ok(CidrList::parse(&path.display().to_string(), &read_text(path)?, now)?)
}

/// Reads a text file.
///
/// # Errors
///
/// When it cannot be read.
pub(super) fn read_text(path: &Path) -> Result<String, Failure> {
    let text = std::fs::read_to_string(path);
    let text = text.map_err(|error| Failure::failed(format!("cannot read `{}`: {error}", path.display())))?;
    Ok(without_mark(text))
}

/// Removes a byte order mark, as some editors put at the beginning of text files.
pub(super) fn without_mark(text: String) -> String {
    text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text)
}
