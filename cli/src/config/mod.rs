//! The configuration file `s3log.toml`: what flags are where neither the command line nor the environment says anything.
//!
//! [`read`] is the way in. The file becomes defaults of clap's arguments before these are parsed, so that the order (flag,
//! environment, file, default) is clap's own, and nothing behind it knows that there is a file. `place` says which file it
//! is, `settings` what stands in it, `value` what a flag makes of that, `once` which flags cannot be set.

mod once;
mod place;
mod problem;
mod settings;
mod value;

use std::collections::BTreeMap;
use std::ffi::OsString;

use clap::parser::ValueSource;
use clap::{ArgMatches, Command, FromArgMatches as _};

pub(crate) use self::place::Place;
use self::settings::Settings;
use crate::args::Cli;
use crate::failure::Failure;

/// Where settings of a run come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Configuration {
    /// The file.
    pub place: Place,
    /// What decided flags that are not on the command line: a variable or the file, by `--flag`.
    origins: BTreeMap<String, String>,
}

impl Configuration {
    /// What really decided a setting that is said to come from a flag; anything else is passed on.
    pub(crate) fn origin<'a>(&'a self, said: &'a str) -> &'a str {
        self.origins.get(said).map_or(said, String::as_str)
    }
}

/// Why the program does not know what it is asked for.
#[derive(Debug)]
pub(crate) enum Unread {
    /// Arguments are wrong, or ask for help.
    Arguments(clap::Error),
    /// The configuration file cannot be read, or is wrong.
    File(Failure),
}

impl From<clap::Error> for Unread {
    fn from(error: clap::Error) -> Self {
        Self::Arguments(error)
    }
}

/// Reads the arguments of the program, the first of which is its own name, over what the configuration file says.
pub(crate) fn read(arguments: impl IntoIterator<Item = OsString>) -> Result<(Cli, Configuration), Unread> {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    // A first look says which file, and for which command. Help ends here, so that it never shows what is in the file, nor
    // fails by it; what is wrong with arguments is told below.
    let first = Cli::syntax().ignore_errors(true).try_get_matches_from(&arguments)?;
    let used = commands_of(&first);
    let place = Place::of(&first);
    let settings = match &place.file {
        Some(file) if !used.is_empty() => Settings::read(file, &Cli::syntax()).map_err(Unread::File)?,
        _ => Settings::default(),
    };
    let mut syntax = settings.apply(Cli::syntax(), &used);
    let matches = syntax.try_get_matches_from_mut(&arguments).map_err(|error| {
        // The same without the file: what is printed then may be help.
        Cli::syntax().try_get_matches_from(&arguments).err().unwrap_or(error)
    })?;
    Cli::check(&matches, &mut syntax)?;
    let cli = Cli::from_arg_matches(&matches).map_err(|error| error.format(&mut syntax))?;
    let origins = origins(&syntax, &matches, &used, &settings, &place);
    Ok((cli, Configuration { place, origins }))
}

/// The commands that arguments name, from the outermost on: `keys`, `audit`.
fn commands_of(matches: &ArgMatches) -> Vec<String> {
    let named = std::iter::successors(matches.subcommand(), |(_, matches)| matches.subcommand());
    named.map(|(name, _)| name.to_owned()).collect()
}

/// What decided the flags of the command in use that are not on the command line.
fn origins(
    syntax: &Command,
    matches: &ArgMatches,
    used: &[String],
    settings: &Settings,
    place: &Place,
) -> BTreeMap<String, String> {
    let (mut command, mut matches) = (syntax, matches);
    for name in used {
        if let (Some(below), Some(found)) = (command.find_subcommand(name), matches.subcommand_matches(name)) {
            (command, matches) = (below, found);
        }
    }
    let file = place.file.as_deref().and_then(|file| file.file_name()).unwrap_or_default().to_string_lossy();
    let decided = command.get_arguments().filter_map(|flag| {
        let (name, variable) = (flag.get_long()?, flag.get_env()?);
        let origin = match matches.value_source(flag.get_id().as_str())? {
            ValueSource::EnvVariable => variable.to_string_lossy().into_owned(),
            ValueSource::DefaultValue if settings.set(flag, used) => file.clone().into_owned(),
            _ => return None,
        };
        Some((format!("--{name}"), origin))
    });
    decided.collect()
}
