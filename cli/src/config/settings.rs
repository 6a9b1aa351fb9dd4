//! The contents of a configuration file: top-level keys are flags of every command that has them, a table holds the
//! flags of one command.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::path::Path;

use clap::{Arg, Command};
use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

use super::problem::Problem;
use super::{once, value};
use crate::diagnose::{closest, did_you_mean};
use crate::failure::Failure;

/// Values of flags, each of them valid for its flag.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Settings {
    /// By path of the command that takes the flag, outermost first, then by name of the flag. The path is empty for
    /// global flags at the top level.
    values: BTreeMap<Vec<String>, BTreeMap<String, Vec<OsString>>>,
}

impl Settings {
    /// Reads and validates a file.
    ///
    /// # Errors
    ///
    /// When it cannot be read, or when anything in it is invalid, whatever the command in use.
    pub(super) fn read(file: &Path, syntax: &Command) -> Result<Self, Failure> {
        let text = std::fs::read_to_string(file).map_err(|error| {
            Failure::usage(format!("cannot read the configuration file `{}`: {error}", file.display()))
                .with_hint("use --config '' to run without one")
        })?;
        let folder = file.parent().unwrap_or(Path::new(""));
        Self::parse(&text, folder, syntax).map_err(|problem| problem.in_file(file, &text))
    }

    fn parse(text: &str, folder: &Path, syntax: &Command) -> Result<Self, Problem> {
        let document = DeTable::parse(text).map_err(|error| {
            let at = error.span().map_or(0, |span| span.start);
            Problem::new(at, format!("not TOML: {}", error.message().trim().replace('\n', ", ")))
        })?;
        let mut reader = Reader { folder, syntax, settings: Self::default() };
        reader.table(&[], syntax, document.get_ref())?;
        Ok(reader.settings)
    }

    /// The syntax with these values as defaults of the commands in use (outermost first).
    pub(super) fn apply(&self, syntax: Command, used: &[String]) -> Command {
        self.apply_at(syntax, used, 0)
    }

    fn apply_at(&self, command: Command, used: &[String], depth: usize) -> Command {
        let command = command.mut_args(|flag| match self.of(&flag, used, depth) {
            Some(values) => flag.default_values(values.to_vec()),
            None => flag,
        });
        let Some(name) = used.get(depth) else { return command };
        command.mut_subcommands(|below| match below.get_name() == name {
            true => self.apply_at(below, used, depth + 1),
            false => below,
        })
    }

    /// Whether there is a value for a flag of the innermost command in use.
    pub(super) fn set(&self, flag: &Arg, used: &[String]) -> bool {
        let outermost = if flag.is_global_set() { 0 } else { used.len() };
        self.of(flag, used, outermost).is_some()
    }

    /// The value of a flag of the command at `depth`. Global flags are set at the top level, or in the tables of the
    /// commands in use.
    fn of(&self, flag: &Arg, used: &[String], depth: usize) -> Option<&[OsString]> {
        let name = flag.get_long()?;
        let innermost = if flag.is_global_set() { used.len() } else { depth };
        let mut depths = (depth..=innermost).rev();
        depths.find_map(|depth| Some(self.values.get(used.get(..depth)?)?.get(name)?.as_slice()))
    }
}

struct Reader<'a> {
    folder: &'a Path,
    syntax: &'a Command,
    settings: Settings,
}

impl Reader<'_> {
    fn table(&mut self, path: &[String], command: &Command, table: &DeTable<'_>) -> Result<(), Problem> {
        let mut entries: Vec<_> = table.iter().collect();
        entries.sort_by_key(|(key, _)| key.span().start);
        let (tables, flags): (Vec<_>, Vec<_>) = entries.into_iter().partition(|(_, value)| value.get_ref().is_table());
        // Flags first, because the tables of commands override them.
        for (key, value) in flags {
            self.flag(path, command, key, value)?;
        }
        for (key, value) in tables {
            let name: &str = key.get_ref();
            let below = command.get_subcommands().find(|below| below.get_name() == name);
            let (Some(below), Some(table)) = (below, value.get_ref().as_table()) else {
                return Err(no_command(path, command, key));
            };
            self.table(&[path, &[name.to_owned()]].concat(), below, table)?;
        }
        Ok(())
    }

    fn flag(
        &mut self,
        path: &[String],
        command: &Command,
        key: &Spanned<DeString<'_>>,
        value: &Spanned<DeValue<'_>>,
    ) -> Result<(), Problem> {
        let name: &str = key.get_ref();
        if let Some(what) = once::what(name) {
            let hint = format!("{what} can only be set on the command line");
            return Err(
                Problem::new(key.span().start, format!("`{name}` cannot be set in a file")).with_hint(Some(hint))
            );
        }
        let mut takers = Vec::new();
        find_takers(path, command, name, &mut takers);
        if takers.is_empty() {
            takers.extend(self.of_program().find(|flag| is_called(flag, name)).map(|flag| (path.to_vec(), flag)));
        }
        if takers.is_empty() {
            return Err(self.no_flag(path, command, key));
        }
        let (mut accepted, mut refused) = (Vec::new(), None);
        for (taker, flag) in takers {
            match value::texts(value, flag, self.folder) {
                Ok(texts) => accepted.push((taker, texts)),
                Err(problem) => refused = refused.or(Some((taker, problem))),
            }
        }
        match (refused, accepted.first()) {
            (None, _) => {}
            (Some((_, problem)), None) => return Err(problem),
            (Some((taker, problem)), Some((fits, _))) => {
                let hint = format!("a table such as [{}] sets it for one command", fits.join("."));
                return Err(problem.of_command(&taker).with_hint(Some(hint)));
            }
        }
        for (taker, texts) in accepted {
            self.settings.values.entry(taker).or_default().insert(name.to_owned(), texts);
        }
        Ok(())
    }

    /// Global flags, which every command has.
    fn of_program(&self) -> impl Iterator<Item = &Arg> {
        self.syntax.get_arguments().filter(|flag| flag.is_global_set())
    }

    fn no_flag(&self, path: &[String], command: &Command, key: &Spanned<DeString<'_>>) -> Problem {
        let name: &str = key.get_ref();
        let message = match path {
            [] => format!("no command has a flag `--{name}`"),
            path => format!("`s3log {}` has no flag `--{name}`", path.join(" ")),
        };
        let mut others = Vec::new();
        find_takers(&[], self.syntax, name, &mut others);
        let others: Vec<String> = others.iter().map(|(path, _)| format!("`s3log {}`", path.join(" "))).collect();
        let mut known = BTreeSet::new();
        find_flags(command, &mut known);
        known.extend(self.of_program().filter_map(Arg::get_long));
        known.retain(|flag| once::what(flag).is_none());
        let hint = if !others.is_empty() {
            Some(format!("these have it: {}", others.join(", ")))
        } else if command.get_subcommands().any(|below| below.get_name() == name) {
            let table = [path, &[name.to_owned()]].concat().join(".");
            Some(format!("settings for that command go into a table, [{table}]"))
        } else {
            did_you_mean(name, known.iter().copied())
        };
        Problem::new(key.span().start, message).with_hint(hint)
    }
}

fn no_command(path: &[String], command: &Command, key: &Spanned<DeString<'_>>) -> Problem {
    let name: &str = key.get_ref();
    let message = match path {
        [] => format!("there is no command `{name}`"),
        path => format!("`s3log {}` has no command `{name}`", path.join(" ")),
    };
    let mut flags = BTreeSet::new();
    find_flags(command, &mut flags);
    let hint = if flags.contains(name) {
        Some(format!("`{name}` is a flag; it takes a value, not a table"))
    } else {
        let names = command.get_subcommands().map(Command::get_name);
        closest(name, names.collect::<Vec<_>>().into_iter()).map(|meant| format!("did you mean [{meant}]?"))
    };
    Problem::new(key.span().start, message).with_hint(hint)
}

/// Finds the flags of this name in a command and its subcommands, each with the path of its command.
fn find_takers<'a>(path: &[String], command: &'a Command, name: &str, found: &mut Vec<(Vec<String>, &'a Arg)>) {
    found.extend(command.get_arguments().find(|flag| is_called(flag, name)).map(|flag| (path.to_vec(), flag)));
    for below in command.get_subcommands() {
        find_takers(&[path, &[below.get_name().to_owned()]].concat(), below, name, found);
    }
}

fn find_flags<'a>(command: &'a Command, found: &mut BTreeSet<&'a str>) {
    found.extend(command.get_arguments().filter_map(Arg::get_long));
    command.get_subcommands().for_each(|below| find_flags(below, found));
}

fn is_called(flag: &Arg, name: &str) -> bool {
    flag.get_long() == Some(name)
}

#[cfg(test)]
mod tests;
