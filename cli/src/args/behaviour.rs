//! How the work is done, and when its result counts as complete.

use std::num::NonZeroUsize;

use clap::Args;
use clap::builder::FalseyValueParser;

use super::{RejectLimit, Size};
use crate::progress::ProgressMode;

/// What the work may use of the machine.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct WorkArgs {
    /// Memory for queries, such as 512MiB or 4GiB; what does not fit is spilled to disk [default: half of the machine's]
    #[arg(long, env = "S3LOG_MEMORY", hide_env_values = true, value_name = "SIZE", help_heading = "Behaviour")]
    pub memory: Option<Size>,

    /// Number of threads [default: one per core]
    #[arg(
        long,
        env = "S3LOG_THREADS",
        hide_env_values = true,
        value_name = "N",
        value_parser = threads,
        help_heading = "Behaviour"
    )]
    pub threads: Option<NonZeroUsize>,
}

/// How the work is done, and when it counts as done.
#[derive(Clone, Debug, Args)]
pub(crate) struct BehaviourArgs {
    /// What the work may use of the machine.
    #[command(flatten)]
    pub work: WorkArgs,

    /// How to show progress on standard error
    #[arg(
        long,
        env = "S3LOG_PROGRESS",
        hide_env_values = true,
        value_name = "MODE",
        default_value = "auto",
        help_heading = "Behaviour"
    )]
    pub progress: ProgressMode,

    /// Exit with code 3 if more lines than this are rejected; a number, or a percentage of all lines [default: no limit]
    #[arg(long, env = "S3LOG_MAX_REJECTS", hide_env_values = true, value_name = "N|P%", help_heading = "Behaviour")]
    pub max_rejects: Option<RejectLimit>,

    /// Allow no rejected lines, unless --max-rejects allows some
    #[arg(long, env = "S3LOG_STRICT", hide_env_values = true, value_parser = FalseyValueParser::new(), help_heading = "Behaviour")]
    pub strict: bool,
}

/// Maximum number of threads: more than any machine has cores, and few enough to be started everywhere.
const MOST_THREADS: usize = 1024;

fn threads(text: &str) -> Result<NonZeroUsize, String> {
    match text.parse() {
        Ok(threads) if threads <= NonZeroUsize::new(MOST_THREADS).unwrap_or(NonZeroUsize::MIN) => Ok(threads),
        _ => Err(format!("it is a number from 1 to {MOST_THREADS}")),
    }
}

impl BehaviourArgs {
    pub(crate) fn reject_limit(&self) -> RejectLimit {
        match (self.max_rejects, self.strict) {
            (Some(limit), _) => limit,
            (None, true) => RejectLimit::Count(0),
            (None, false) => RejectLimit::Unlimited,
        }
    }
}
