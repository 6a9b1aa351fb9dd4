//! Where results go, and how they look.

use std::path::{Path, PathBuf};

use clap::Args;
use clap::builder::FalseyValueParser;

use crate::output::Format;

/// Where results go.
#[derive(Clone, Debug, Args)]
pub(crate) struct DestinationArgs {
    /// Write to this file instead of standard output; it appears once it is complete
    #[arg(short, long, env = "S3LOG_OUTPUT", hide_env_values = true, value_name = "FILE", help_heading = "Output")]
    pub output: Option<PathBuf>,
}

impl DestinationArgs {
    /// The output file, if one was given.
    pub(crate) fn file(&self) -> Option<&Path> {
        self.output.as_deref()
    }
}

/// Where results go, and how they look.
#[derive(Clone, Debug, Args)]
pub(crate) struct OutputArgs {
    /// Where they go.
    #[command(flatten)]
    pub destination: DestinationArgs,

    /// Format of results
    #[arg(
        short = 'F',
        long,
        env = "S3LOG_FORMAT",
        hide_env_values = true,
        value_name = "FORMAT",
        default_value = "auto",
        help_heading = "Output"
    )]
    pub format: Format,

    /// Omit the header with the column names (table, csv, tsv)
    #[arg(long, env = "S3LOG_NO_HEADER", hide_env_values = true, value_parser = FalseyValueParser::new(), help_heading = "Output")]
    pub no_header: bool,

    /// Text for NULL [default: nothing in csv, \N in tsv, NULL in table, markdown and line]
    #[arg(long, env = "S3LOG_NULL", hide_env_values = true, value_name = "STR", help_heading = "Output")]
    pub null: Option<String>,
}
