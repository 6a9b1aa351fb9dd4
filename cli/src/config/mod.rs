//! The configuration file `s3log.toml`: values for flags that neither the command line nor the environment sets.
//! Start at [`read`]. The file becomes default values of clap's arguments before these are parsed. The precedence
//! (flag, environment, file, built-in default) is therefore clap's own, and no other code knows about the file. `place`
//! locates the file, `settings` parses it, `value` converts its values for a flag, and `once` lists the flags that it
//! cannot set.

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

/// Where the settings of a run come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Configuration {
    /// The configuration file.
    pub place: Place,
    /// What set each flag that is not on the command line: a variable or the file. The key is `--flag`.
    origins: BTreeMap<String, String>,
}

impl Configuration {
    /// Replaces `--flag` by the variable or file that set that flag; any other text is returned as it is.
    pub(crate) fn origin<'a>(&'a self, said: &'a str) -> &'a str {
        self.origins.get(said).map_or(said, String::as_str)
    }
}

/// Why arguments and configuration could not be read.
#[derive(Debug)]
pub(crate) enum Unread {
    /// Invalid arguments, or a request for help.
    Arguments(clap::Error),
    /// The configuration file cannot be read or is invalid.
    File(Failure),
}

impl From<clap::Error> for Unread {
    fn from(error: clap::Error) -> Self {
        Self::Arguments(error)
    }
}

/// Parses the program's arguments on top of the configuration file. The first argument is the name of the program.
pub(crate) fn read(arguments: impl IntoIterator<Item = OsString>) -> Result<(Cli, Configuration), Unread> {
    let arguments = with_comments(arguments.into_iter().collect());
    // The first pass determines the file and the command. Help ends here, so it neither shows the contents of the file
    // nor fails because of them. Invalid arguments are reported below.
    let first = Cli::syntax().ignore_errors(true).try_get_matches_from(&arguments)?;
    let used = commands_of(&first);
    let place = Place::of(&first);
    let settings = match &place.file {
        Some(file) if !used.is_empty() => Settings::read(file, &Cli::syntax()).map_err(Unread::File)?,
        _ => Settings::default(),
    };
    let mut syntax = settings.apply(Cli::syntax(), &used);
    let matches = syntax.try_get_matches_from_mut(&arguments).map_err(|error| {
        // Parse again without the file: what clap prints may be help.
        Cli::syntax().try_get_matches_from(&arguments).err().unwrap_or(error)
    })?;
    Cli::check(&matches, &mut syntax)?;
    let cli = Cli::from_arg_matches(&matches).map_err(|error| error.format(&mut syntax))?;
    let origins = origins(&syntax, &matches, &used, &settings, &place);
    Ok((cli, Configuration { place, origins }))
}

/// Keeps SQL that begins with a comment (`-- …`) from being taken for a flag, by a space before it. No name of a flag
/// contains a space.
fn with_comments(mut arguments: Vec<OsString>) -> Vec<OsString> {
    let is_comment = |argument: &OsString| {
        let text = argument.to_string_lossy();
        let name = text.split('=').next().unwrap_or_default();
        text.starts_with("--") && name.contains(char::is_whitespace)
    };
    let flags = arguments.iter_mut().skip(1).take_while(|argument| *argument != "--");
    for argument in flags.filter(|argument| is_comment(argument)) {
        let mut spaced = OsString::from(" ");
        spaced.push(&*argument);
        *argument = spaced;
    }
    arguments
}

/// The commands named by the arguments, outermost first: `keys`, `audit`.
fn commands_of(matches: &ArgMatches) -> Vec<String> {
    let named = std::iter::successors(matches.subcommand(), |(_, matches)| matches.subcommand());
    named.map(|(name, _)| name.to_owned()).collect()
}

/// What set those flags of the current command that are not on the command line.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sql_may_begin_with_a_comment() {
        let texts = ["s3log", "query", "-- all\nSELECT 1", "--output=a b", "--quiet", "--", "-- a"];
        let arguments = with_comments(texts.map(OsString::from).to_vec());
        let expected = ["s3log", "query", " -- all\nSELECT 1", "--output=a b", "--quiet", "--", "-- a"];
        assert_eq!(arguments, expected.map(OsString::from));
    }
}
