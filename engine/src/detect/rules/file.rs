//! Loads rule files: TOML to a [`Rule`], or to an [`Overlay`] that tunes one.
//!
//! All errors in a rule are found here, before any log is read, and reported with file and line. A file with only an
//! id, `enabled` and `[params]` is an overlay; any other is a complete rule.

use super::case::{Case, RawCase};
use super::check;
use super::explain::Template;
use super::parameters::{self, ParamValue, Parameters};
use super::problem::{Problem, closest, hint_of_names};
use super::rule::{Entity, FAMILIES, Overlay, Rule, RuleSource};
use super::shorthand::{self, Match};
use crate::Error;
use crate::detect::finding::Severity;
use crate::detect::tables;
use serde::Deserialize;
use std::collections::BTreeMap;
use toml::Spanned;

/// Top-level keys of a rule file.
const KEYS: [&str; 14] = [
    "id",
    "name",
    "family",
    "severity",
    "entity",
    "mitre",
    "cost",
    "window",
    "enabled",
    "scored",
    "explain",
    "description",
    "samples",
    "sql",
];

/// Tables of a rule file.
const TABLE_KEYS: [&str; 4] = ["params", "files", "match", "test"];

/// The contents of a rule file.
#[derive(Clone, Debug)]
pub enum RuleFile {
    /// A complete rule.
    Rule(Box<Rule>),
    /// Changes to a rule.
    Overlay(Overlay),
}

/// The keys of the file, as parsed.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    id: Option<Spanned<String>>,
    name: Option<Spanned<String>>,
    family: Option<Spanned<String>>,
    severity: Option<Spanned<String>>,
    entity: Option<Spanned<String>>,
    mitre: Option<Vec<Spanned<String>>>,
    cost: Option<Spanned<String>>,
    window: Option<Spanned<String>>,
    enabled: Option<bool>,
    scored: Option<Spanned<bool>>,
    explain: Option<Spanned<String>>,
    description: Option<String>,
    samples: Option<Spanned<String>>,
    sql: Option<Spanned<String>>,
    #[serde(default)]
    params: BTreeMap<String, Spanned<toml::Value>>,
    files: Option<BTreeMap<String, String>>,
    #[serde(rename = "match")]
    pattern: Option<Spanned<Match>>,
    #[serde(default)]
    test: Vec<Spanned<RawCase>>,
}

/// Loads a rule file with the contents `text`.
///
/// # Errors
///
/// Fails if anything is wrong with the file; the error has the line.
pub fn load(source: RuleSource, text: &str) -> Result<RuleFile, Error> {
    let file = File { name: source.file().to_owned(), text };
    let raw: Raw = toml::from_str(text).map_err(|error| file.toml_problem(&error))?;
    let params = file.params(&raw)?;
    let is_overlay = raw.is_overlay();
    let Some(id) = &raw.id else {
        return Err(file.at(
            0,
            Problem::new("there is no `id`").with_hint("a rule begins with an id, such as `id = \"S3D-103\"`"),
        ));
    };
    let is_id = |id: &str| id.starts_with(|first: char| first.is_ascii_alphanumeric()) && id.len() <= 64;
    let in_id = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    if !is_id(id.get_ref()) || !id.get_ref().bytes().all(in_id) {
        let problem = Problem::new(format!("`{}` is not a rule id", id.get_ref().escape_debug()));
        return Err(
            file.at(id.span().start, problem.with_hint("letters, digits, `-`, `_` and `.`, such as \"S3D-103\""))
        );
    }
    if !is_overlay {
        return file.rule(raw, params, source).map(|rule| RuleFile::Rule(Box::new(rule)));
    }
    if raw.enabled.is_none() && params.is_empty() {
        let problem = Problem::new("there is only an id");
        return Err(file.at(
            0,
            problem.with_hint(
                "a rule has `name`, `family`, `severity` and `sql` or [match]; to tune one, add `enabled` or [params]",
            ),
        ));
    }
    let id = id.get_ref().clone();
    Ok(RuleFile::Overlay(Overlay { id, enabled: raw.enabled, params, source: file.name }))
}

impl Raw {
    /// Whether only keys of overlays are set.
    fn is_overlay(&self) -> bool {
        let texts = [
            &self.name,
            &self.family,
            &self.severity,
            &self.entity,
            &self.cost,
            &self.window,
            &self.explain,
            &self.samples,
            &self.sql,
        ];
        texts.into_iter().all(Option::is_none)
            && self.mitre.is_none()
            && self.scored.is_none()
            && self.description.is_none()
            && self.files.is_none()
            && self.pattern.is_none()
            && self.test.is_empty()
    }
}

/// Name and text of the file, for messages.
struct File<'a> {
    name: String,
    text: &'a str,
}

impl File<'_> {
    /// The line of a byte offset, from 1.
    fn line(&self, byte: usize) -> usize {
        self.text.as_bytes().iter().take(byte).filter(|byte| **byte == b'\n').count() + 1
    }

    fn at(&self, byte: usize, problem: Problem) -> Error {
        problem.in_file(&self.name, self.line(byte))
    }

    /// An error within a text that begins at this byte. A multi-line text begins on the line after its quotes.
    fn within(&self, byte: usize, problem: Problem) -> Error {
        let text = self.text.get(byte..).unwrap_or_default();
        let begins_below = ["\"\"\"\n", "\"\"\"\r\n", "'''\n", "'''\r\n"].iter().any(|quotes| text.starts_with(quotes));
        problem.in_file(&self.name, self.line(byte) + usize::from(begins_below))
    }

    /// Converts a TOML error, suggesting the name that was probably meant.
    fn toml_problem(&self, error: &toml::de::Error) -> Error {
        let message = error.message().trim().replace('\n', ", ");
        let start = error.span().map_or(0, |span| span.start);
        let problem = Problem::new(message.clone());
        let Some((_, rest)) = message.split_once("unknown field `") else {
            return self.at(
                start,
                problem.with_hint("the file is TOML: texts between quotes, every key above the first [table]"),
            );
        };
        let (key, expected) = rest.split_once('`').unwrap_or((rest, ""));
        let names: Vec<&str> = expected.split('`').skip(1).step_by(2).collect();
        let problem = Problem::new(format!("`{key}` is not a known key here"));
        let hint = if KEYS.contains(&key) && !names.contains(&"sql") {
            format!("`{key}` stands above the first [table]")
        } else {
            hint_of_names(key, names.into_iter())
        };
        self.at(start, problem.with_hint(hint))
    }

    fn params(&self, raw: &Raw) -> Result<BTreeMap<String, (ParamValue, usize)>, Error> {
        let mut params = BTreeMap::new();
        for (name, value) in &raw.params {
            let start = value.span().start;
            let (name, line) = (name.as_str(), self.line(start));
            if KEYS.contains(&name) || TABLE_KEYS.contains(&name) {
                let problem = Problem::new(format!("`{name}` stands in [params], and is a key of the file"));
                return Err(self.at(start, problem.with_hint("in TOML every key stands above the first [table]")));
            }
            if !parameters::is_name(name) {
                let problem = Problem::new(format!("`{}` is not a parameter name", name.escape_debug()));
                return Err(self.at(start, problem.with_hint("small letters, digits and `_`, a letter first")));
            }
            let Some(value) = ParamValue::of_toml(value.get_ref()) else {
                let problem = Problem::new(format!("the parameter `{name}` has no value that SQL can compare with"));
                return Err(self.at(start, problem.with_hint("a number, a text, true or false")));
            };
            params.insert(name.to_owned(), (value, line));
        }
        Ok(params)
    }

    /// The value of a required key.
    fn required(&self, key: &str, value: Option<Spanned<String>>) -> Result<Spanned<String>, Error> {
        match value {
            Some(value) if !value.get_ref().trim().is_empty() => Ok(value),
            Some(value) => {
                Err(self.at(value.span().start, Problem::new(format!("`{key}` is empty")).with_hint(what_is(key))))
            }
            None => Err(self.at(0, Problem::new(format!("there is no `{key}`")).with_hint(what_is(key)))),
        }
    }

    fn rule(&self, raw: Raw, params: BTreeMap<String, (ParamValue, usize)>, source: RuleSource) -> Result<Rule, Error> {
        let params: Parameters = params.into_iter().map(|(name, (value, _))| (name, value)).collect();
        let id = self.required("id", raw.id)?.into_inner();
        let name = self.required("name", raw.name)?.into_inner();
        let family = self.family(self.required("family", raw.family)?)?;
        let severity = self.required("severity", raw.severity)?;
        let severity =
            severity.get_ref().parse::<Severity>().map_err(|error| self.at(severity.span().start, of_error(&error)))?;
        let entity = self.entity(raw.entity)?;
        let scored = self.scored(raw.scored, severity, entity)?;
        let mitre = self.mitre(raw.mitre.unwrap_or_default())?;
        let cost = self.cost(raw.cost)?;
        let (sql, first, from_match) = self.sql(raw.sql, raw.pattern.as_ref(), entity)?;
        let in_sql = |problem: Problem| if from_match { self.at(first, problem) } else { self.within(first, problem) };
        let query = parameters::substitute(&sql, &params).map_err(in_sql)?;
        let checked = check::check(&query, &tables::names()).map_err(in_sql)?;
        for column in [entity.column(), "confidence"] {
            if !checked.more_columns && !checked.columns.iter().any(|name| name == column) {
                let problem = Problem::new(format!("the SQL does not return `{column}`"));
                return Err(in_sql(
                    problem.with_hint(format!("a rule about `{entity}` returns `{entity}` and `confidence`")),
                ));
            }
        }
        let explain = match raw.explain {
            None => Template::default(),
            Some(text) => {
                let template = Template::parse(text.get_ref());
                let checks = |template: Template| {
                    template.check(&checked.columns, checked.more_columns, &params).map(|()| template)
                };
                template.and_then(checks).map_err(|problem| self.at(text.span().start, problem))?
            }
        };
        let samples = self.samples(raw.samples, &params)?;
        let within = raw.pattern.as_ref().and_then(|pattern| pattern.get_ref().within());
        let window = match &raw.window {
            Some(text) => {
                let problem = || self.at(text.span().start, shorthand::no_window("window", text.get_ref()));
                Some(humantime::parse_duration(text.get_ref()).map_err(|_| problem())?)
            }
            // Lengths without a table are rejected by the compiler.
            None => within.and_then(|within| humantime::parse_duration(within).ok()),
        };
        Ok(Rule {
            id,
            name,
            family,
            severity,
            entity,
            mitre,
            cost,
            window,
            enabled: raw.enabled.unwrap_or(true),
            scored,
            explain,
            description: raw.description.unwrap_or_default().trim().to_owned(),
            samples,
            sql,
            from_match,
            params,
            files: raw.files.unwrap_or_default(),
            tests: self.tests(raw.test, entity)?,
            source,
            tuned_by: Vec::new(),
            checked,
        })
    }

    fn samples(&self, samples: Option<Spanned<String>>, params: &Parameters) -> Result<Option<String>, Error> {
        let Some(samples) = samples else { return Ok(None) };
        let at = |problem: Problem| self.at(samples.span().start, problem);
        let condition = shorthand::expression("samples", samples.get_ref()).map_err(at)?;
        parameters::substitute(condition, params).map_err(at)?;
        Ok(Some(condition.to_owned()))
    }

    fn family(&self, family: Spanned<String>) -> Result<String, Error> {
        let name = family.get_ref();
        if name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_')) {
            return Ok(family.into_inner());
        }
        let problem = Problem::new(format!("`{}` is not a family name", name.escape_debug()));
        let hint = format!("small letters, digits, `-` and `_`; shipped rules have: {}", FAMILIES.join(", "));
        Err(self.at(family.span().start, problem.with_hint(hint)))
    }

    fn entity(&self, entity: Option<Spanned<String>>) -> Result<Entity, Error> {
        let Some(entity) = entity else { return Ok(Entity::default()) };
        let name = entity.get_ref().as_str();
        Entity::ALL.into_iter().find(|entity| entity.column() == name).ok_or_else(|| {
            let problem = Problem::new(format!("a rule cannot be about `{}`", name.escape_debug()));
            self.at(
                entity.span().start,
                problem.with_hint(hint_of_names(name, Entity::ALL.iter().map(|entity| entity.column()))),
            )
        })
    }

    fn scored(&self, scored: Option<Spanned<bool>>, severity: Severity, entity: Entity) -> Result<bool, Error> {
        let has_score = matches!(entity, Entity::Src | Entity::Requester);
        match scored {
            Some(scored) if *scored.get_ref() && !has_score => {
                let problem = Problem::new(format!("a rule about `{entity}` is not scored"));
                Err(self.at(scored.span().start, problem.with_hint("only addresses have a score; leave `scored` out")))
            }
            Some(scored) => Ok(scored.into_inner()),
            None => Ok(has_score && severity != Severity::Info),
        }
    }

    fn mitre(&self, techniques: Vec<Spanned<String>>) -> Result<Vec<String>, Error> {
        let digits = |text: &str, len: usize| text.len() == len && text.bytes().all(|byte| byte.is_ascii_digit());
        let is_technique = |text: &str| {
            let Some(number) = text.strip_prefix('T') else { return false };
            number
                .split_once('.')
                .map_or_else(|| digits(number, 4), |(number, sub)| digits(number, 4) && digits(sub, 3))
        };
        if let Some(wrong) = techniques.iter().find(|technique| !is_technique(technique.get_ref())) {
            let problem = Problem::new(format!("`{}` is not a MITRE ATT&CK technique", wrong.get_ref().escape_debug()));
            return Err(self.at(wrong.span().start, problem.with_hint("such as \"T1595\" or \"T1595.003\"")));
        }
        Ok(techniques.into_iter().map(Spanned::into_inner).collect())
    }

    fn cost(&self, cost: Option<Spanned<String>>) -> Result<Option<String>, Error> {
        let Some(cost) = cost else { return Ok(None) };
        if matches!(cost.get_ref().as_str(), "A" | "B" | "C" | "D" | "S") {
            return Ok(Some(cost.into_inner()));
        }
        let problem = Problem::new(format!("`{}` is not a cost class", cost.get_ref().escape_debug()));
        Err(self.at(
            cost.span().start,
            problem.with_hint("A one pass, B a join, C windows over sorted rows, D history, S sequences"),
        ))
    }

    /// The query, the byte offset of its source, and whether it comes from a `[match]`.
    fn sql(
        &self,
        sql: Option<Spanned<String>>,
        pattern: Option<&Spanned<Match>>,
        entity: Entity,
    ) -> Result<(String, usize, bool), Error> {
        let either = "a rule has either `sql`, or a table [match]";
        match (sql, pattern) {
            (Some(sql), None) => {
                let start = sql.span().start;
                Ok((sql.into_inner(), start, false))
            }
            (None, Some(pattern)) => {
                let start = pattern.span().start;
                let sql = pattern.get_ref().compile(entity).map_err(|problem| self.at(start, problem))?;
                Ok((sql, start, true))
            }
            (Some(_), Some(pattern)) => {
                Err(self.at(pattern.span().start, Problem::new("both `sql` and [match] are given").with_hint(either)))
            }
            (None, None) => Err(self.at(0, Problem::new("neither `sql` nor [match] is given").with_hint(either))),
        }
    }

    fn tests(&self, tests: Vec<Spanned<RawCase>>, entity: Entity) -> Result<Vec<Case>, Error> {
        let mut cases: Vec<Case> = Vec::with_capacity(tests.len());
        for test in tests {
            let start = test.span().start;
            let at = |byte: Option<usize>, problem: Problem| self.at(byte.unwrap_or(start), problem);
            let case = test.into_inner().case(entity).map_err(|(byte, problem)| at(byte, problem))?;
            if cases.iter().any(|other| other.name == case.name) {
                let problem = Problem::new(format!("two tests are called `{}`", case.name.escape_debug()));
                return Err(at(None, problem.with_hint("give each a name of its own")));
            }
            cases.push(case);
        }
        Ok(cases)
    }
}

/// A description of a key with an example.
fn what_is(key: &str) -> &'static str {
    match key {
        "id" => "such as `id = \"S3D-103\"`",
        "name" => "a short title, such as `name = \"Sensitive file probing\"`",
        "family" => "recon, spoof, auth, identity, exfil, impact, cost, intel, or one of your own",
        _ => "info, low, medium, high or critical",
    }
}

/// Converts an error of another module to a problem in the file.
fn of_error(error: &Error) -> Problem {
    let problem = Problem::new(error.to_string());
    match error.hint() {
        Some(hint) => problem.with_hint(hint),
        None => problem,
    }
}

/// The shipped family that was probably meant.
pub(super) fn near_family(family: &str) -> Option<&'static str> {
    if FAMILIES.contains(&family) { None } else { closest(family, FAMILIES.into_iter()) }
}

#[cfg(test)]
mod tests;
