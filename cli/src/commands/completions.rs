//! `s3log completions`: prints a completion script for a shell.

use crate::args::{Cli, CompletionsArgs};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::say;

/// Prints the completion script.
///
/// # Errors
///
/// When standard output cannot be written.
pub(crate) fn run(arguments: &CompletionsArgs) -> Result<Exit, Failure> {
    // Render into memory first: the generator panics on write errors, and a closed pipe is not a reason to panic.
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut Cli::syntax(), "s3log", &mut script);
    say(script)?;
    Ok(Exit::Done)
}
