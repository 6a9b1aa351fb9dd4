//! The command line of s3log: arguments in, text and exit codes out. All the work on logs is in `s3log-engine`.
//!
//! [`run`] is the whole program. `args` knows the syntax, `config` the file with values of flags, `commands` the meaning, `output`
//! the formats of results; `diagnose` turns errors of SQL into words for people.

mod accounting;
mod args;
mod commands;
mod config;
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

use crate::commands::Surroundings;
use crate::config::Unread;
use crate::exit::Exit;
use crate::message::Messages;
use crate::terminal::Colour;

/// Runs the program with its arguments, the first of which is its own name, and returns what it tells its caller.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let (cli, configuration) = match config::read(arguments) {
        Ok(read) => read,
        Err(Unread::Arguments(error)) => {
            // Help is no error: it goes to standard output and ends with 0. A closed pipe is fine here too.
            drop(error.print());
            return if error.use_stderr() { Exit::Usage.into() } else { Exit::Done.into() };
        }
        Err(Unread::File(failure)) => {
            let paint = terminal::paint(Colour::Auto, terminal::stderr_is_terminal());
            Messages::new(paint, false).failure(&failure);
            return failure.exit().into();
        }
    };
    let surroundings = Surroundings::of(&cli.general);
    let exit = match commands::dispatch(cli.command, surroundings, configuration) {
        Ok(exit) => exit,
        Err(failure) => {
            surroundings.messages.failure(&failure);
            failure.exit()
        }
    };
    exit.into()
}
