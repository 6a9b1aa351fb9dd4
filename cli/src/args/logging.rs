//! Arguments of `logging`.

use clap::builder::{FalseyValueParser, PossibleValue};
use clap::{Args, Subcommand, ValueEnum};
use s3log_engine::logging::KeyFormat;

use super::StoreArgs;
use crate::output::ReportFormat;

/// Arguments of `logging`.
#[derive(Debug, Args)]
#[command(
    subcommand_required = true,
    arg_required_else_help = true,
    after_help = "\
Examples:
  s3log logging status s3://photos
  s3log logging enable s3://photos --target s3://my-logs/photos/
  s3log logging enable s3://photos --target s3://my-logs/photos/ --dry-run
  s3log logging disable s3://photos --endpoint-url https://nyc3.digitaloceanspaces.com"
)]
pub(crate) struct LoggingArgs {
    /// What is to be done.
    #[command(subcommand)]
    pub command: LoggingCommand,
}

/// What `logging` can do.
#[derive(Debug, Subcommand)]
pub(crate) enum LoggingCommand {
    /// Show whether a bucket is logged, where its logs go, whether any arrived, and how to query them
    Status(LoggingStatusArgs),
    /// Turn logging on: check both buckets, write the settings, read them back
    Enable(LoggingEnableArgs),
    /// Turn logging off; delivered log objects stay
    Disable(LoggingDisableArgs),
}

/// Arguments of `logging status`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  s3log logging status s3://photos
  s3log logging status s3://photos -F json | jq .enabled")]
pub(crate) struct LoggingStatusArgs {
    /// Which bucket, and how the answer looks.
    #[command(flatten)]
    pub logged: LoggedArgs,
}

/// Arguments of `logging enable`.
#[derive(Debug, Args)]
#[command(after_help = "\
Before anything is changed, s3log checks that both buckets exist in the same region, that no other
settings exist and, at AWS, that log objects can be delivered into the target. If nothing permits
that, it prints the statement for the target's policy.

Examples:
  s3log logging enable s3://photos --target s3://my-logs/photos/
  s3log logging enable s3://photos --target s3://my-logs          # into s3://my-logs/photos/
  s3log logging enable s3://photos --target s3://my-logs/photos/ --dry-run > logging.xml
  s3log logging enable s3://photos --target s3://my-logs --endpoint-url https://nyc3.digitaloceanspaces.com")]
pub(crate) struct LoggingEnableArgs {
    /// Which bucket, and how the answer looks.
    #[command(flatten)]
    pub logged: LoggedArgs,

    /// Where log objects go: s3://BUCKET/prefix/; without a prefix, names begin with the name of the logged bucket
    #[arg(long, env = "S3LOG_LOGGING_TARGET", hide_env_values = true, value_name = "TARGET", help_heading = "Logging")]
    pub target: String,

    /// How log objects are named: simple, event-time, delivery-time [default: what is set already, else event-time at AWS
    /// and simple elsewhere]
    ///
    /// simple: prefix and time of delivery. event-time, delivery-time: in folders of account, region, bucket and day. With
    /// event-time the day is that of the records, so that --since and --until leave log objects out by their names.
    /// Spaces has nothing to choose.
    #[arg(
        long,
        env = "S3LOG_LOGGING_KEY_FORMAT",
        hide_env_values = true,
        hide_possible_values = true,
        value_name = "FORMAT",
        help_heading = "Logging"
    )]
    pub key_format: Option<KeyFormatArg>,

    /// Drop grants on log objects that the existing settings have; otherwise they are kept
    #[arg(long, env = "S3LOG_LOGGING_DROP_GRANTS", hide_env_values = true, value_parser = FalseyValueParser::new(), help_heading = "Logging")]
    pub drop_grants: bool,

    /// Replace other settings, and proceed even if nothing can be delivered at present
    #[arg(long, env = "S3LOG_LOGGING_FORCE", hide_env_values = true, value_parser = FalseyValueParser::new(), help_heading = "Logging")]
    pub force: bool,

    /// Check everything and print the XML that would be sent; change nothing
    #[arg(long, env = "S3LOG_DRY_RUN", hide_env_values = true, value_parser = FalseyValueParser::new(), help_heading = "Logging")]
    pub dry_run: bool,
}

/// Arguments of `logging disable`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  s3log logging disable s3://photos
  s3log logging disable s3://photos --dry-run")]
pub(crate) struct LoggingDisableArgs {
    /// Which bucket, and how the answer looks.
    #[command(flatten)]
    pub logged: LoggedArgs,

    /// Check, and print the XML that would be sent; change nothing
    #[arg(long, env = "S3LOG_DRY_RUN", hide_env_values = true, value_parser = FalseyValueParser::new(), help_heading = "Logging")]
    pub dry_run: bool,
}

/// The bucket whose logging is shown or changed, and how the answer looks.
#[derive(Clone, Debug, Args)]
pub(crate) struct LoggedArgs {
    /// The bucket that is logged: s3://BUCKET
    #[arg(value_name = "BUCKET")]
    pub bucket: String,

    /// How buckets are reached.
    #[command(flatten)]
    pub store: StoreArgs,

    /// Format of the answer
    #[arg(
        short = 'F',
        long,
        env = "S3LOG_LOGGING_FORMAT",
        hide_env_values = true,
        value_name = "FORMAT",
        default_value = "text",
        help_heading = "Output"
    )]
    pub format: ReportFormat,
}

/// How log objects are named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct KeyFormatArg(pub KeyFormat);

impl ValueEnum for KeyFormatArg {
    fn value_variants<'a>() -> &'a [Self] {
        const { &[Self(KeyFormat::Simple), Self(KeyFormat::EventTime), Self(KeyFormat::DeliveryTime)] }
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(self.0.name()))
    }
}
