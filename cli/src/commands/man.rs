//! `s3log man`: the manual page as roff.

use crate::args::{Cli, ManArgs};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::say;

/// Prints the manual page of the program or of one of its commands.
///
/// # Errors
///
/// When there is no such command, or standard output cannot be written.
pub(crate) fn run(arguments: &ManArgs) -> Result<Exit, Failure> {
    let mut command = Cli::syntax();
    command.build();
    let mut page = &command;
    for name in &arguments.of {
        page = page.find_subcommand(name).ok_or_else(|| no_command(page, name))?;
    }
    let mut roff = Vec::new();
    clap_mangen::Man::new(page.clone()).render(&mut roff).map_err(Failure::from_output)?;
    say(roff)?;
    Ok(Exit::Done)
}

fn no_command(parent: &clap::Command, name: &str) -> Failure {
    let names: Vec<&str> = parent.get_subcommands().map(clap::Command::get_name).collect();
    let failure = Failure::usage(format!("no command `{name}`"));
    if names.is_empty() { failure } else { failure.with_hint(format!("commands: {}", names.join(", "))) }
}
