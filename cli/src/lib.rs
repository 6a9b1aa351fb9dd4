//! The command line of s3log: arguments in, text and exit codes out. All the work on logs is in `s3log-engine`.
//!
//! [`run`] is the whole program. `args` knows the syntax, `commands` the meaning, `output` the formats of results;
//! `diagnose` turns errors of SQL into words for people.

mod accounting;
mod args;
mod commands;
mod diagnose;
mod exit;
mod failure;
mod interrupt;
mod memory;
mod message;
mod output;
mod progress;
mod sql_span;
mod statement;
mod summary;
mod terminal;

use std::ffi::OsString;
use std::process::ExitCode;

use crate::args::Cli;
use crate::commands::Surroundings;
use crate::exit::Exit;

/// Runs the program with its arguments, the first of which is its own name, and returns what it tells its caller.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let cli = match Cli::read(arguments) {
        Ok(cli) => cli,
        Err(error) => {
            // Help is no error: it goes to standard output and ends with 0. A closed pipe is fine here too.
            drop(error.print());
            return if error.use_stderr() { Exit::Usage.into() } else { Exit::Done.into() };
        }
    };
    let surroundings = Surroundings::of(&cli.general);
    let exit = match commands::dispatch(cli.command, surroundings) {
        Ok(exit) => exit,
        Err(failure) => {
            surroundings.messages.failure(&failure);
            failure.exit()
        }
    };
    exit.into()
}
