//! The command line of s3log: arguments in, text and exit codes out. All work on logs is done by `s3log-engine`.
//! [`run`] is the whole program. `args` defines the syntax, `config` reads the configuration file, `commands`
//! implements the commands, `output` writes results, and `diagnose` explains SQL errors.

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

/// Runs the program and returns its exit code. The first argument is the name of the program.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let (cli, configuration) = match config::read(arguments) {
        Ok(read) => read,
        Err(Unread::Arguments(error)) => {
            // Help is not an error: it goes to standard output with exit code 0. A closed pipe is fine, too.
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
