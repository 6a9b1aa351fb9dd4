//! Arguments of `convert` and `compact`.

use std::path::PathBuf;

use clap::builder::FalseyValueParser;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::parser::ValueSource;
use clap::{ArgAction, ArgMatches, Args, Command, Id, ValueEnum};
use s3log_engine::convert::privacy::AnonymizeIp;
use s3log_engine::convert::{Compression, ConvertOptions, PartitionBy, Shard};
use s3log_engine::schema::Table;

use super::source::source_help;
use super::{BehaviourArgs, GeneralArgs, Size, SourceArgs, Sources, Span, StoreArgs, WhereArgs, WorkArgs};
use crate::output::ReportFormat;

/// Arguments of `convert`.
#[derive(Debug, Args)]
#[command(
    mut_arg("sources", |sources| sources.required_unless_present("status").help(source_help(false, false))),
    mut_arg("since", |since| since.help("Only log objects that may hold records from this time on, which are converted whole: RFC 3339, a date such as 2026-01-31, or a duration before now such as 24h, 7d")),
    mut_arg("until", |until| until.help("Only log objects that may hold records before this time, which are converted whole")),
    override_usage = "s3log convert [OPTIONS] <SOURCE>... --to <DEST>\n       s3log convert --status <DEST>",
    after_help = "\
Run it again to continue where it stopped: a ledger in DEST records which log objects are
converted. It may be killed at any time, and several runs may work at once: every record is in
the dataset exactly once. --since and --until choose log objects by the time in their names;
these are converted completely.

The last line is always `lines = rows + rejects: 12,345 = 12,340 + 5`, with duplicates for --dedupe.

Examples:
  s3log convert s3://my-logs/access/ --to s3://my-lake/access/
  s3log convert logs/ --to dataset/ --rejects rejects/
  s3log convert s3://my-logs/ --since 3d --to s3://my-lake/access/ --max-runtime 50m
  s3log convert --status s3://my-lake/access/
  s3log query \"SELECT count(*) FROM logs\" s3://my-lake/access/"
)]
pub(crate) struct ConvertArgs {
    /// What is read.
    #[command(flatten)]
    pub sources: Sources,

    /// The dataset: a directory, or s3://bucket/prefix
    #[arg(
        long,
        env = "S3LOG_TO",
        hide_env_values = true,
        value_name = "DEST",
        required_unless_present = "status",
        help_heading = "Dataset"
    )]
    pub to: Option<String>,

    /// Table to convert: logs, cdn, or requests, which has both
    #[arg(
        long,
        env = "S3LOG_TABLE",
        hide_env_values = true,
        hide_possible_values = true,
        value_name = "TABLE",
        default_value = "logs",
        help_heading = "Dataset"
    )]
    pub table: TableArg,

    /// Show what a dataset contains, and which runs are working on it; converts nothing
    #[arg(
        long,
        env = "S3LOG_STATUS",
        hide_env_values = true,
        value_name = "DEST",
        conflicts_with = "sources",
        help_heading = "Dataset"
    )]
    pub status: Option<String>,

    /// Show what would be converted; writes nothing and reads no log objects
    #[arg(long, env = "S3LOG_DRY_RUN", hide_env_values = true, value_parser = FalseyValueParser::new(), help_heading = "Dataset")]
    pub dry_run: bool,

    /// Folders for the files, by their records: day, or day,bucket
    #[arg(
        long,
        env = "S3LOG_PARTITION_BY",
        hide_env_values = true,
        value_name = "COLUMNS",
        default_value = "day",
        value_parser = partition_by,
        help_heading = "Dataset"
    )]
    pub partition_by: PartitionBy,

    /// Order of the rows of a file; time is the only one
    #[arg(
        long,
        env = "S3LOG_SORT_BY",
        hide_env_values = true,
        value_name = "COLUMN",
        default_value = "time",
        hide_possible_values = true,
        help_heading = "Dataset"
    )]
    pub sort_by: SortBy,

    /// How files look.
    #[command(flatten)]
    pub files: FileArgs,

    /// Keep lines that are not records, as Parquet files in this directory or at this s3://bucket/prefix
    #[arg(long, env = "S3LOG_REJECTS", hide_env_values = true, value_name = "DEST", help_heading = "Dataset")]
    pub rejects: Option<String>,

    /// Skip records that the dataset already has: `record`, by request id, operation, key, time and version id
    #[arg(
        long,
        env = "S3LOG_DEDUPE",
        hide_env_values = true,
        value_name = "IDENTITY",
        hide_possible_values = true,
        help_heading = "Dataset"
    )]
    pub dedupe: Option<Dedupe>,

    /// How to anonymize addresses: none, truncate (to /24 and /48), keyed (encrypted, networks stay networks), drop
    #[arg(
        long,
        env = "S3LOG_ANONYMIZE_IP",
        hide_env_values = true,
        value_name = "HOW",
        default_value = "none",
        value_parser = anonymize_ip,
        help_heading = "Privacy"
    )]
    pub anonymize_ip: AnonymizeIp,

    /// File with the key for `--anonymize-ip keyed`: 64 hexadecimal digits, as `openssl rand -hex 32` prints them
    #[arg(long, env = "S3LOG_IP_KEY", hide_env_values = true, value_name = "FILE", help_heading = "Privacy")]
    pub ip_key: Option<PathBuf>,

    /// Remove signatures and tokens from URIs and referers; false keeps them
    #[arg(
        long,
        env = "S3LOG_REDACT_URI",
        hide_env_values = true,
        value_name = "BOOL",
        default_value_t = true,
        default_missing_value = "true",
        num_args = 0..=1,
        action = ArgAction::Set,
        hide_possible_values = true,
        help_heading = "Privacy"
    )]
    pub redact_uri: bool,

    /// Convert only one share of the log objects, divided by their names: 2/4 is the second of four
    #[arg(long, env = "S3LOG_SHARD", hide_env_values = true, value_name = "I/N", value_parser = shard, help_heading = "Runs")]
    pub shard: Option<Shard>,

    /// Keep looking for new log objects, with pauses such as 5m
    #[arg(
        long,
        env = "S3LOG_FOLLOW",
        hide_env_values = true,
        value_name = "PAUSE",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "5m",
        help_heading = "Runs"
    )]
    pub follow: Option<Span>,

    /// Stop after this time, such as 50m, and commit what was read by then
    #[arg(long, env = "S3LOG_MAX_RUNTIME", hide_env_values = true, value_name = "DURATION", help_heading = "Runs")]
    pub max_runtime: Option<Span>,

    /// Log objects per batch, which is committed as a whole [default: 100,000]
    #[arg(long, env = "S3LOG_BATCH_OBJECTS", hide_env_values = true, value_name = "N", value_parser = clap::value_parser!(u64).range(1..), help_heading = "Runs")]
    pub batch_objects: Option<u64>,

    /// Bytes per batch [default: 8GiB]
    #[arg(long, env = "S3LOG_BATCH_SIZE", hide_env_values = true, value_name = "SIZE", help_heading = "Runs")]
    pub batch_size: Option<Size>,

    /// Which records are read.
    #[command(flatten)]
    pub source: SourceArgs,

    /// How the report looks.
    #[command(flatten)]
    pub report: ReportArgs,

    /// How the work is done.
    #[command(flatten)]
    pub behaviour: BehaviourArgs,
    /// Where it is done.
    #[command(flatten)]
    pub place: WhereArgs,
}

/// Rejects flags that have no effect with `--status`.
/// `conflicts_with` would also reject values from the environment. Variables are set for all runs, so they must not
/// make one fail.
/// # Errors
/// The flags without effect, as clap reports a conflict.
pub(super) fn check_status(given: &ArgMatches, command: &mut Command) -> Result<(), clap::Error> {
    if given.value_source("status").is_none() {
        return Ok(());
    }
    let with_effect: Vec<Id> =
        [ids::<StoreArgs>(), ids::<ReportArgs>(), ids::<GeneralArgs>(), vec!["status".into()]].concat();
    let is_given = |id: &Id| given.value_source(id.as_str()) == Some(ValueSource::CommandLine);
    let arguments = command.get_arguments().filter(|argument| is_given(argument.get_id()));
    let vain = arguments.filter(|argument| !with_effect.contains(argument.get_id()));
    let vain: Vec<String> = vain.map(ToString::to_string).collect();
    if vain.is_empty() {
        return Ok(());
    }
    let status = command.get_arguments().find(|argument| argument.get_id() == "status").map(ToString::to_string);
    let mut error = clap::Error::new(ErrorKind::ArgumentConflict).with_cmd(command);
    error.insert(ContextKind::InvalidArg, ContextValue::String(status.unwrap_or_default()));
    error.insert(ContextKind::PriorArg, ContextValue::Strings(vain));
    error.insert(ContextKind::Usage, ContextValue::StyledStr(command.render_usage()));
    Err(error)
}

/// The flags of a group.
fn ids<A: Args>() -> Vec<Id> {
    A::augment_args(Command::new("")).get_arguments().map(|argument| argument.get_id().clone()).collect()
}

/// Arguments of `compact`.
#[derive(Debug, Args)]
#[command(after_help = "\
Choose --older-than so that no more records of the merged days are expected; records that still
arrive go into new files, for the next run. Queries that read the dataset meanwhile are not
disturbed: replaced files stay readable for an hour.

Examples:
  s3log compact s3://my-lake/access/
  s3log compact dataset/ --older-than 7d")]
pub(crate) struct CompactArgs {
    /// The dataset: a directory, or s3://bucket/prefix
    #[arg(value_name = "DEST")]
    pub dest: String,

    /// Only days that ended this long ago
    #[arg(
        long,
        env = "S3LOG_OLDER_THAN",
        hide_env_values = true,
        value_name = "DURATION",
        default_value = "3d",
        help_heading = "Dataset"
    )]
    pub older_than: Span,

    /// How files look.
    #[command(flatten)]
    pub files: FileArgs,

    /// Show what would be merged; writes nothing
    #[arg(long, env = "S3LOG_DRY_RUN", hide_env_values = true, value_parser = FalseyValueParser::new(), help_heading = "Dataset")]
    pub dry_run: bool,

    /// How buckets are reached.
    #[command(flatten)]
    pub store: StoreArgs,

    /// How the report looks.
    #[command(flatten)]
    pub report: ReportArgs,

    /// What the work may use of the machine.
    #[command(flatten)]
    pub work: WorkArgs,
}

/// How the files of a dataset look.
#[derive(Clone, Debug, Args)]
pub(crate) struct FileArgs {
    /// About how large a file grows [default: 256MiB]
    #[arg(long, env = "S3LOG_TARGET_SIZE", hide_env_values = true, value_name = "SIZE", help_heading = "Dataset")]
    pub target_size: Option<Size>,

    /// zstd:N (1 to 22), snappy, gzip:N (1 to 9), lz4, none [default: zstd:3; compact: as is]
    #[arg(
        long,
        env = "S3LOG_COMPRESSION",
        hide_env_values = true,
        value_name = "CODEC",
        value_parser = compression,
        help_heading = "Dataset"
    )]
    pub compression: Option<Compression>,

    /// Bloom filters for these columns, which let queries for single values skip files: remote_ip,requester,request_id,key
    #[arg(
        long,
        env = "S3LOG_BLOOM",
        hide_env_values = true,
        value_name = "COLUMNS",
        value_delimiter = ',',
        help_heading = "Dataset"
    )]
    pub bloom: Vec<String>,
}

impl FileArgs {
    /// The options for the engine, with its defaults for flags that are not given.
    pub(crate) fn options(&self) -> ConvertOptions {
        let default = ConvertOptions::default();
        ConvertOptions {
            target_size: self.target_size.map_or(default.target_size, |size| size.0 as u64),
            compression: self.compression.unwrap_or_default(),
            bloom: self.bloom.clone(),
            ..default
        }
    }
}

/// How the report of what was done looks.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct ReportArgs {
    /// Format of the report
    #[arg(
        short = 'F',
        long,
        env = "S3LOG_REPORT_FORMAT",
        hide_env_values = true,
        value_name = "FORMAT",
        default_value = "text",
        help_heading = "Output"
    )]
    pub format: ReportFormat,
}

/// A table of records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum TableArg {
    /// S3 server access log records
    Logs,
    /// CDN records
    Cdn,
    /// Both
    Requests,
}

impl TableArg {
    /// The table as the engine knows it.
    pub(crate) fn table(self) -> Table {
        match self {
            Self::Logs => Table::Logs,
            Self::Cdn => Table::Cdn,
            Self::Requests => Table::Requests,
        }
    }
}

/// An order of rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum SortBy {
    /// By the record's time
    Time,
}

/// When two records are the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Dedupe {
    /// By request id, operation, key, time and version id
    Record,
}

fn partition_by(text: &str) -> Result<PartitionBy, String> {
    in_words(text.parse())
}

fn compression(text: &str) -> Result<Compression, String> {
    in_words(text.parse())
}

fn shard(text: &str) -> Result<Shard, String> {
    in_words(text.parse())
}

fn anonymize_ip(text: &str) -> Result<AnonymizeIp, String> {
    in_words(text.parse())
}

fn in_words<T>(parsed: Result<T, s3log_engine::Error>) -> Result<T, String> {
    parsed.map_err(|error| match error.hint() {
        Some(hint) => format!("{error}: {hint}"),
        None => error.to_string(),
    })
}
