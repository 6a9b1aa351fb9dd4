//! `s3log man`: the manual page as roff.

use std::io::Write as _;

use crate::args::{Cli, ManArgs};
use crate::exit::Exit;
use crate::failure::Failure;

/// Prints the manual page of the program or of one of its commands.
///
/// # Errors
///
/// When there is no such command, or standard output cannot be written.
pub(crate) fn run(arguments: &ManArgs) -> Result<Exit, Failure> {
    let mut command = Cli::syntax();
    command.build();
    let page = match &arguments.of {
        None => command,
        Some(name) => match command.find_subcommand(name) {
            Some(found) => found.clone(),
            None => {
                let names: Vec<&str> = command.get_subcommands().map(clap::Command::get_name).collect();
                return Err(
                    Failure::usage(format!("no command `{name}`")).with_hint(format!("commands: {}", names.join(", ")))
                );
            }
        },
    };
    let mut roff = Vec::new();
    clap_mangen::Man::new(page).render(&mut roff).map_err(Failure::from_output)?;
    let mut stdout = std::io::stdout().lock();
    stdout.write_all(&roff).and_then(|()| stdout.flush()).map_err(Failure::from_output)?;
    Ok(Exit::Done)
}
