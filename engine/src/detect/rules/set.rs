//! Sets of rules: the shipped ones, overridden by a user's own.

use super::catalogue;
use super::file::{RuleFile, load};
use super::lint::{self, Lint};
use super::problem::did_you_mean;
use super::rule::{Overlay, Rule, RuleSource};
use crate::error::{Error, ErrorKind};
use std::collections::{BTreeMap, BTreeSet};

/// Rules by id.
#[derive(Clone, Debug, Default)]
pub struct RuleSet {
    rules: BTreeMap<String, Rule>,
}

impl RuleSet {
    /// The rules shipped with the program.
    ///
    /// # Errors
    ///
    /// None in a released program: tests load all of them.
    pub fn shipped() -> Result<Self, Error> {
        let mut set = Self::default();
        let files = catalogue::FILES.iter().map(|(name, text)| (RuleSource::Shipped(name), *text));
        match set.add(files).into_iter().next() {
            None => Ok(set),
            Some(error) => Err(error),
        }
    }

    /// Adds the files of a directory, given as name and text. A rule with an existing id replaces that rule; a file
    /// with only `enabled` and `[params]` tunes it.
    ///
    /// # Errors
    ///
    /// Fails on the first invalid file (see [`load`]), or if two files of the directory concern the same rule.
    pub fn with_directory(self, files: Vec<(String, String)>) -> Result<Self, Error> {
        let (set, errors) = self.with_what_loads(files);
        let more = errors.len().saturating_sub(1);
        match errors.into_iter().next() {
            None => Ok(set),
            Some(error) if more == 0 => Err(error),
            Some(error) => {
                let hint = error.hint().unwrap_or("fix it").to_owned();
                Err(error.with_hint(format!("{hint}; {more} more files are wrong: `s3log rules lint` lists them")))
            }
        }
    }

    /// Like [`RuleSet::with_directory`], but skips invalid files and returns their errors.
    #[must_use]
    pub fn with_what_loads(mut self, files: Vec<(String, String)>) -> (Self, Vec<Error>) {
        let files = files.iter().map(|(name, text)| (RuleSource::File(name.clone()), text.as_str()));
        let errors = self.add(files);
        (self, errors)
    }

    /// Adds the files of one directory: complete rules first, so that the order of files does not matter.
    fn add<'a>(&mut self, files: impl Iterator<Item = (RuleSource, &'a str)>) -> Vec<Error> {
        let mut errors = Vec::new();
        let mut overlays: BTreeMap<String, Overlay> = BTreeMap::new();
        let mut own: BTreeMap<String, String> = BTreeMap::new();
        let twice = |id: &str, file: &str, other: &str| {
            Error::invalid(format!("{id} is also defined in {other}"))
                .in_object(file)
                .with_hint("a directory may have only one file per rule; remove one of them")
        };
        for (source, text) in files {
            let file = source.file().to_owned();
            match load(source, text) {
                Err(error) => errors.push(error),
                Ok(RuleFile::Rule(rule)) => match own.get(&rule.id) {
                    Some(other) => errors.push(twice(&rule.id, &file, other)),
                    None => {
                        own.insert(rule.id.clone(), file);
                        self.rules.insert(rule.id.clone(), *rule);
                    }
                },
                Ok(RuleFile::Overlay(overlay)) => match overlays.get(&overlay.id) {
                    Some(other) => errors.push(twice(&overlay.id, &file, &other.source)),
                    None => drop(overlays.insert(overlay.id.clone(), overlay)),
                },
            }
        }
        for (id, overlay) in overlays {
            match self.rules.get_mut(&id) {
                Some(rule) => errors.extend(rule.tune(&overlay).err()),
                None => errors.push(self.unknown(&id).in_object(overlay.source)),
            }
        }
        errors
    }

    /// The rule with this id, ignoring case.
    ///
    /// # Errors
    ///
    /// Fails if there is none; the hint suggests a similar one.
    pub fn get(&self, id: &str) -> Result<&Rule, Error> {
        let found = self.rules.get(id).or_else(|| self.iter().find(|rule| rule.id.eq_ignore_ascii_case(id)));
        found.ok_or_else(|| self.unknown(id).of_kind(ErrorKind::Argument))
    }

    fn unknown(&self, id: &str) -> Error {
        let near = did_you_mean(id, self.rules.keys().map(String::as_str));
        let hint = near.unwrap_or_else(|| "`s3log rules list` lists them".to_owned());
        Error::invalid(format!("there is no rule `{}`", id.escape_debug())).with_hint(hint)
    }

    /// All rules, sorted by id.
    pub fn iter(&self) -> impl Iterator<Item = &Rule> {
        self.rules.values()
    }

    /// The rules that run, sorted by id.
    pub fn enabled(&self) -> impl Iterator<Item = &Rule> {
        self.iter().filter(|rule| rule.enabled)
    }

    /// Tables read by the rules that run.
    #[must_use]
    pub fn tables(&self) -> BTreeSet<&str> {
        self.enabled().flat_map(|rule| rule.tables().iter().map(String::as_str)).collect()
    }

    /// Number of rules.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rules.len()
    }

    /// Whether there are no rules.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// Possible improvements to the rules, sorted by rule id.
    #[must_use]
    pub fn lint(&self) -> Vec<Lint> {
        self.iter().flat_map(lint::lint).collect()
    }
}

#[cfg(test)]
mod tests;
