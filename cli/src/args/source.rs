//! Which records are read.

use clap::Args;

use super::Moment;

/// Which records are read.
#[derive(Clone, Debug, Args)]
pub(crate) struct SourceArgs {
    /// Only records from this time on: RFC 3339, a date such as 2026-01-31, or a duration before now such as 24h, 7d
    #[arg(long, env = "S3LOG_SINCE", hide_env_values = true, value_name = "TIME", help_heading = "Source")]
    pub since: Option<Moment>,

    /// Only records before this time
    #[arg(long, env = "S3LOG_UNTIL", hide_env_values = true, value_name = "TIME", help_heading = "Source")]
    pub until: Option<Moment>,
}
