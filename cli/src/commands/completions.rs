//! `s3log completions`: a script that completes commands and flags in a shell.

use std::io::Write as _;

use crate::args::{Cli, CompletionsArgs};
use crate::exit::Exit;
use crate::failure::Failure;

/// Prints the script.
///
/// # Errors
///
/// When standard output cannot be written.
pub(crate) fn run(arguments: &CompletionsArgs) -> Result<Exit, Failure> {
    // Into memory first: the generator panics when it cannot write, and a closed pipe is no reason to.
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut Cli::syntax(), "s3log", &mut script);
    let mut stdout = std::io::stdout().lock();
    stdout.write_all(&script).and_then(|()| stdout.flush()).map_err(Failure::from_output)?;
    Ok(Exit::Done)
}
