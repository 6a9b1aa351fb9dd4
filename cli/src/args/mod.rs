//! The command line: syntax and validation only. `commands` implements the meaning.

mod audit;
mod behaviour;
mod cluster;
mod convert;
mod flag;
mod keys;
mod logging;
mod output;
mod source;
mod value;

use std::path::PathBuf;

use clap::builder::{FalseyValueParser, OsStringValueParser, TypedValueParser as _};
use clap::{ArgMatches, Args, CommandFactory as _, Parser, Subcommand};

pub(crate) use self::audit::{AuditFormat, KeysAuditArgs};
pub(crate) use self::behaviour::{BehaviourArgs, WorkArgs};
pub(crate) use self::cluster::WhereArgs;
#[cfg(feature = "cluster")]
pub(crate) use self::cluster::{ClusterArgs, ClusterCommand, ExecutorArgs, SchedulerArgs};
pub(crate) use self::convert::{CompactArgs, ConvertArgs};
pub(crate) use self::flag::{ContextArgs, DenyArgs, FlagArgs, FlagFormat, RuleArgs, RulesArgs, RulesCommand};
pub(crate) use self::keys::{ApiArgs, KeysArgs, KeysCommand, KeysListArgs, KeysOperationsArgs, KeysRotateArgs};
pub(crate) use self::logging::{LoggingArgs, LoggingCommand, LoggingDisableArgs, LoggingEnableArgs, LoggingStatusArgs};
pub(crate) use self::output::{DestinationArgs, OutputArgs};
pub(crate) use self::source::{CdnArgs, DatasetArgs, SourceArgs, Sources, StoreArgs};
pub(crate) use self::value::{Moment, RejectLimit, Several, SeveralParser, Size, Span};

use self::source::source_help;
use crate::output::ReportFormat;
use crate::terminal::Colour;

/// SQL over S3 server access logs.
#[derive(Debug, Parser)]
#[command(
    name = "s3log",
    version,
    max_term_width = 100,
    subcommand_required = true,
    arg_required_else_help = true,
    after_help = "\
Examples:
  s3log query \"SELECT remote_ip, count(*) FROM logs GROUP BY 1 ORDER BY 2 DESC LIMIT 10\" logs/
  s3log query \"SELECT count(*) FROM logs WHERE http_status = 403\" s3://my-logs/access/ --since 24h
  s3log shell logs/
  s3log flag logs/
  s3log check logs/
  s3log convert s3://my-logs/access/ --to s3://my-lake/access/

Exit codes: 0 done, 1 failed, 2 usage, 3 finished but incomplete,
  4 `flag --fail-on` found something, 130 interrupted"
)]
pub(crate) struct Cli {
    /// What holds for every command.
    #[command(flatten)]
    pub general: GeneralArgs,
    /// The command.
    #[command(subcommand)]
    pub command: Command,
}

impl Cli {
    /// The syntax, including the defaults that are set at run time; `config` parses the arguments with it.
    pub(crate) fn syntax() -> clap::Command {
        let command = Self::command();
        #[cfg(feature = "cluster")]
        let command = cluster::tuned(command);
        without_empty_variables(command)
    }

    /// Checks rules that clap cannot express.
    pub(crate) fn check(matches: &ArgMatches, syntax: &mut clap::Command) -> Result<(), clap::Error> {
        if let Some((name @ "convert", given)) = matches.subcommand()
            && let Some(command) = syntax.find_subcommand_mut(name)
        {
            convert::check_status(given, command)?;
        }
        Ok(())
    }
}

/// Ignores environment variables that are set to nothing, as in a service file with a value left out. Only for the text
/// of NULL and for the configuration file an empty value means something.
fn without_empty_variables(command: clap::Command) -> clap::Command {
    let is_empty = |arg: &clap::Arg| arg.get_env().and_then(std::env::var_os).is_some_and(|value| value.is_empty());
    let means_something = |arg: &clap::Arg| ["null", "config"].contains(&arg.get_id().as_str());
    let command = command.mut_args(|arg| match is_empty(&arg) && !means_something(&arg) {
        // There is no variable without a name.
        true => arg.env("").hide_env(true),
        false => arg,
    });
    command.mut_subcommands(without_empty_variables)
}

/// What holds for every command.
#[derive(Clone, Debug, Args)]
pub(crate) struct GeneralArgs {
    /// When to use colours; NO_COLOR and CLICOLOR_FORCE are honoured
    #[arg(
        long,
        global = true,
        env = "S3LOG_COLOR",
        hide_env_values = true,
        value_name = "WHEN",
        default_value = "auto",
        help_heading = "General"
    )]
    pub color: Colour,

    /// Print less: no progress, and no warnings that do not change the exit code
    #[arg(short, long, global = true, env = "S3LOG_QUIET", hide_env_values = true, value_parser = FalseyValueParser::new(), help_heading = "General")]
    pub quiet: bool,

    /// Print more: what was read, and how long it took
    #[arg(short, long, global = true, env = "S3LOG_VERBOSE", hide_env_values = true, value_parser = FalseyValueParser::new(), help_heading = "General")]
    pub verbose: bool,

    /// Configuration file with values of flags; flags and environment variables override it; '' for none [default:
    /// s3log/s3log.toml in $XDG_CONFIG_HOME, else in ~/.config]
    #[arg(
        long,
        global = true,
        env = "S3LOG_CONFIG",
        hide_env_values = true,
        value_name = "FILE",
        value_parser = OsStringValueParser::new().map(PathBuf::from),
        help_heading = "General"
    )]
    pub config: Option<PathBuf>,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run SQL over access logs
    Query(QueryArgs),
    /// Run SQL interactively
    Shell(ShellArgs),
    /// Convert log objects into a Parquet dataset, each once; run it again to continue
    Convert(ConvertArgs),
    /// Merge small files of a dataset
    Compact(CompactArgs),
    /// Find suspicious client addresses, with a score and the reasons
    Flag(Box<FlagArgs>),
    /// Read everything, account for every line, and report what was rejected and why
    Check(CheckArgs),
    /// Show what a query would list, skip and fetch, and what that costs; reads no log objects
    Plan(PlanArgs),
    /// Print the columns of the tables: types, units, meaning, examples
    Schema(SchemaArgs),
    /// Print the SQL functions that s3log adds
    Functions(FunctionsArgs),
    /// List, show and test the rules of `flag`
    Rules(RulesArgs),
    /// List, audit and rotate access keys: who may do more than they do
    Keys(Box<KeysArgs>),
    /// Show which credentials, region and endpoint are used, and whether they work
    Doctor(DoctorArgs),
    /// Show whether a bucket is logged, and turn its access log on or off
    Logging(LoggingArgs),
    /// Run a scheduler or an executor of a cluster, for logs beyond one machine
    #[cfg(feature = "cluster")]
    Cluster(ClusterArgs),
    /// Print a completion script for a shell
    Completions(CompletionsArgs),
    /// Print the manual page as roff
    Man(ManArgs),
}

/// Arguments of `query`.
#[derive(Debug, Args)]
#[command(
    override_usage = "s3log query [OPTIONS] <SQL> [SOURCE]...\n       s3log query [OPTIONS] --file <FILE> [SOURCE]...",
    after_help = "\
Examples:
  s3log query \"SELECT 1\"
  s3log query \"SELECT http_status, count(*) FROM logs GROUP BY 1 ORDER BY 1\" logs/
  s3log query \"SELECT * FROM logs WHERE remote_ip = '192.0.2.3'\" --since 7d -o ip.parquet logs/
  s3log query -f report.sql -F markdown logs/2026-01-* logs/2026-02-*
  cat access.gz | s3log query \"SELECT count(*) FROM logs\" -

Tables: logs, cdn, requests, visitor_requests, rejects. `s3log schema` lists their columns."
)]
pub(crate) struct QueryArgs {
    /// SQL to run; statements end with `;`, and `-` reads from standard input
    pub sql: Option<String>,

    /// What is read.
    #[command(flatten)]
    pub sources: Sources,

    /// Read the SQL from this file; all arguments are then sources
    #[arg(short, long, env = "S3LOG_FILE", hide_env_values = true, value_name = "FILE")]
    pub file: Option<PathBuf>,

    /// What is read beside datasets.
    #[command(flatten)]
    pub datasets: DatasetArgs,

    /// Which records are read.
    #[command(flatten)]
    pub source: SourceArgs,
    /// Where results go.
    #[command(flatten)]
    pub output: OutputArgs,
    /// How the work is done.
    #[command(flatten)]
    pub behaviour: BehaviourArgs,
    /// Where it is done.
    #[command(flatten)]
    pub place: WhereArgs,
}

/// Arguments of `shell`.
#[derive(Debug, Args)]
#[command(mut_arg("sources", |sources| sources.help(source_help(false, true))), after_help = "\
Statements end with `;` and may span lines. `.help` lists the commands of the shell.
The history is kept in $XDG_STATE_HOME/s3log/history (~/.local/state/s3log/history).

Examples:
  s3log shell logs/
  s3log shell --since 24h 'logs/2026-*'
  echo 'SELECT count(*) FROM logs;' | s3log shell logs/")]
pub(crate) struct ShellArgs {
    /// What is read.
    #[command(flatten)]
    pub sources: Sources,

    /// What is read beside datasets.
    #[command(flatten)]
    pub datasets: DatasetArgs,

    /// Which records are read.
    #[command(flatten)]
    pub source: SourceArgs,
    /// Where results go.
    #[command(flatten)]
    pub output: OutputArgs,
    /// How the work is done.
    #[command(flatten)]
    pub behaviour: BehaviourArgs,
    /// Where it is done.
    #[command(flatten)]
    pub place: WhereArgs,
}

/// Arguments of `check`.
#[derive(Debug, Args)]
#[command(mut_arg("sources", |sources| sources.required(true).help(source_help(true, false))), after_help = "\
The last line is always `lines = rows + rejects: 12,345 = 12,340 + 5 (blank 0)`: no line is lost.
With --since and --until, records of other times are counted separately; rejects have no time.

Examples:
  s3log check logs/
  s3log check --strict logs/ || echo 'some lines are not records'
  s3log check --format json logs/ | jq .reasons")]
pub(crate) struct CheckArgs {
    /// What is read.
    #[command(flatten)]
    pub sources: Sources,

    /// Which records are read.
    #[command(flatten)]
    pub source: SourceArgs,

    /// Where it goes.
    #[command(flatten)]
    pub destination: DestinationArgs,

    /// Format of the account [default: by the extension of --output, else text]
    #[arg(
        short = 'F',
        long,
        env = "S3LOG_CHECK_FORMAT",
        hide_env_values = true,
        value_name = "FORMAT",
        default_value = "auto",
        hide_default_value = true,
        help_heading = "Output"
    )]
    pub format: ReportFormat,

    /// How the work is done.
    #[command(flatten)]
    pub behaviour: BehaviourArgs,
}

/// Arguments of `plan`.
#[derive(Debug, Args)]
#[command(
    override_usage = "s3log plan [OPTIONS] [SQL] [SOURCE]...",
    after_help = "\
Without SQL, it shows what reading everything between --since and --until takes. The first argument
is SQL if it contains a space.

Examples:
  s3log plan s3://my-logs/access/ --since 7d
  s3log plan \"SELECT count(*) FROM logs WHERE time >= '2026-01-15'\" s3://my-logs/access/
  s3log plan -F json s3://my-logs/ | jq '.[].get_requests'"
)]
pub(crate) struct PlanArgs {
    /// SQL (optional) and sources
    #[arg(
        value_name = "SQL|SOURCE",
        required_unless_present = "print_prices",
        help = format!("SQL (optional) and sources. {}", source_help(false, false))
    )]
    pub sql_and_sources: Vec<String>,

    /// Which records are read.
    #[command(flatten)]
    pub source: SourceArgs,

    /// Prices of requests, by service: a file of the same form as `s3log plan --print-prices` prints
    #[arg(long, env = "S3LOG_PRICES", hide_env_values = true, value_name = "FILE", help_heading = "Output")]
    pub prices: Option<PathBuf>,

    /// Print the prices that are used, and exit
    #[arg(long, env = "S3LOG_PRINT_PRICES", hide_env_values = true, value_parser = FalseyValueParser::new(), conflicts_with = "sql_and_sources", help_heading = "Output")]
    pub print_prices: bool,

    /// Where results go.
    #[command(flatten)]
    pub output: OutputArgs,
}

/// Arguments of `doctor`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  s3log doctor
  s3log doctor s3://my-logs/access/ --profile audit
  s3log doctor s3://my-logs/ --endpoint-url https://nyc3.digitaloceanspaces.com")]
pub(crate) struct DoctorArgs {
    /// Bucket to check them against: lists one object and reads its first byte
    #[arg(value_name = "SOURCE")]
    pub source: Option<String>,

    /// How buckets are reached.
    #[command(flatten)]
    pub store: StoreArgs,

    /// Where results go.
    #[command(flatten)]
    pub output: OutputArgs,
}

/// Arguments of `schema`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  s3log schema
  s3log schema logs
  s3log schema logs -F markdown")]
pub(crate) struct SchemaArgs {
    /// Only this table
    pub table: Option<String>,

    /// Where results go.
    #[command(flatten)]
    pub output: OutputArgs,
}

/// Arguments of `functions`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  s3log functions
  s3log functions -F json

All functions of DataFusion are available as well: `s3log query \"SHOW FUNCTIONS\"`.")]
pub(crate) struct FunctionsArgs {
    /// Where results go.
    #[command(flatten)]
    pub output: OutputArgs,
}

/// Arguments of `completions`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  s3log completions bash > ~/.local/share/bash-completion/completions/s3log
  s3log completions zsh > \"${fpath[1]}/_s3log\"
  s3log completions fish > ~/.config/fish/completions/s3log.fish")]
pub(crate) struct CompletionsArgs {
    /// The shell
    pub shell: clap_complete::Shell,
}

/// Arguments of `man`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  s3log man | man -l -
  s3log man query > /usr/local/share/man/man1/s3log-query.1")]
pub(crate) struct ManArgs {
    /// The page of this command instead of the page of s3log, such as `query` or `keys audit`
    #[arg(value_name = "COMMAND")]
    pub of: Vec<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_definition_is_sound() {
        Cli::syntax().debug_assert();
    }

    #[test]
    fn every_flag_has_an_environment_variable() {
        fn look(command: &clap::Command) {
            for flag in command.get_arguments().filter(|argument| !argument.is_positional()) {
                let variable = flag.get_env().and_then(|name| name.to_str()).unwrap_or_default();
                assert!(variable.starts_with("S3LOG_"), "--{} of {}", flag.get_id(), command.get_name());
            }
            command.get_subcommands().for_each(look);
        }
        look(&Cli::syntax());
    }
}
