//! Shell commands that are not SQL: they start with a dot and end with the line.

use std::path::PathBuf;

use clap::ValueEnum as _;

use crate::diagnose::did_you_mean;
use crate::failure::Failure;
use crate::output::Format;

/// Their names, for completion.
pub(crate) const NAMES: [&str; 9] =
    [".functions", ".help", ".mode", ".output", ".quit", ".read", ".schema", ".tables", ".timer"];

/// What `.help` prints.
pub(crate) const HELP: &str = "\
.help             show this help
.tables           the tables
.schema [TABLE]   the columns of a table, or of all
.functions        the functions
.mode FORMAT      format of results: auto, table, csv, tsv, json, ndjson, markdown, line, parquet, arrow, null
.output [FILE]    write results to a file, which is complete after the next .output or at exit; without FILE, to the screen
.read FILE        run the SQL of a file
.timer on|off     show how long each statement took
.quit             exit; so does Ctrl-D

A statement ends with `;` and may span lines. Ctrl-C cancels it.";

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Dot {
    /// `.help`
    Help,
    /// `.tables`
    Tables,
    /// `.schema [TABLE]`
    Schema(Option<String>),
    /// `.functions`
    Functions,
    /// `.mode FORMAT`
    Mode(Format),
    /// `.output [FILE]`
    Output(Option<PathBuf>),
    /// `.read FILE`
    Read(PathBuf),
    /// `.timer on|off`
    Timer(bool),
    /// `.quit`
    Quit,
}

impl Dot {
    /// Parses a line; a trailing `;` is ignored.
    ///
    /// # Errors
    ///
    /// When there is no such command, or its argument is missing or invalid.
    pub(crate) fn parse(line: &str) -> Result<Self, Failure> {
        let line = line.trim().trim_end_matches(';').trim_end();
        let (name, argument) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
        let argument = argument.trim();
        let argument = if argument.is_empty() { None } else { Some(argument) };
        let needed =
            || argument.ok_or_else(|| Failure::usage(format!("`{name}` needs an argument")).with_hint("see `.help`"));
        Ok(match name {
            ".help" | ".h" | ".?" => Self::Help,
            ".tables" => Self::Tables,
            ".schema" => Self::Schema(argument.map(str::to_owned)),
            ".functions" => Self::Functions,
            ".mode" => Self::Mode(Format::from_str(needed()?, true).map_err(|_| {
                Failure::usage(format!("no format `{}`", argument.unwrap_or_default())).with_hint("see `.help`")
            })?),
            ".output" => Self::Output(argument.map(PathBuf::from)),
            ".read" => Self::Read(PathBuf::from(needed()?)),
            ".timer" => match needed()? {
                "on" => Self::Timer(true),
                "off" => Self::Timer(false),
                _ => return Err(Failure::usage("`.timer` is `on` or `off`")),
            },
            ".quit" | ".exit" | ".q" => Self::Quit,
            other => {
                let hint = did_you_mean(other, NAMES.into_iter()).unwrap_or_else(|| "see `.help`".to_owned());
                return Err(Failure::usage(format!("no command `{other}`")).with_hint(hint));
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands() {
        let parsed = |line| Dot::parse(line).unwrap();
        assert_eq!(parsed(".tables;"), Dot::Tables);
        assert_eq!(parsed(".schema  logs "), Dot::Schema(Some("logs".to_owned())));
        assert_eq!(parsed(".mode ndjson"), Dot::Mode(Format::Ndjson));
        assert_eq!(parsed(".output my file.csv"), Dot::Output(Some(PathBuf::from("my file.csv"))));
        assert_eq!(parsed(".output"), Dot::Output(None));
        assert_eq!(parsed(".timer on"), Dot::Timer(true));
        assert_eq!(parsed(".exit"), Dot::Quit);
    }

    #[test]
    fn mistakes_are_usage() {
        for line in [".tabels", ".mode xml", ".mode", ".read", ".timer maybe", ".x"] {
            assert_eq!(Dot::parse(line).unwrap_err().exit(), crate::exit::Exit::Usage, "{line}");
        }
    }

    #[test]
    fn every_name_is_a_command_and_in_the_help() {
        for name in NAMES {
            let argument = if name == ".mode" { "csv" } else { "on" };
            assert!(Dot::parse(&format!("{name} {argument}")).is_ok(), "{name}");
            assert!(HELP.contains(name), "{name}");
        }
    }
}
