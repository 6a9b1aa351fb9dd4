//! Lint: possible improvements to valid rules.

use super::file::near_family;
use super::parameters;
use super::rule::Rule;
use crate::detect::finding::Severity;
use std::fmt;

/// The severity of a remark.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// Could be improved.
    Warning,
    /// Probably not what was intended.
    Error,
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Warning => "warning",
            Self::Error => "error",
        })
    }
}

/// A remark about a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Lint {
    /// Id of the rule.
    pub rule: String,
    /// The file of the rule.
    pub file: String,
    /// The severity.
    pub level: Level,
    /// What is wrong, and what to do about it.
    pub message: String,
}

/// Formats as `S3D-103: warning: it has no test that fires`.
impl fmt::Display for Lint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}: {}", self.rule, self.level, self.message)
    }
}

/// The remarks about a rule.
pub(super) fn lint(rule: &Rule) -> Vec<Lint> {
    let mut remarks = Vec::new();
    let mut remark = |level: Level, message: String| {
        remarks.push(Lint { rule: rule.id.clone(), file: rule.source.file().to_owned(), level, message });
    };
    // The SQL of a loaded rule is valid.
    let mut used = parameters::names_of(&rule.sql).unwrap_or_default();
    used.extend(rule.explain.parameters().map(str::to_owned));
    used.extend(rule.samples.iter().flat_map(|condition| parameters::names_of(condition).unwrap_or_default()));
    for name in rule.params.keys().filter(|name| !used.contains(*name)) {
        remark(Level::Error, format!("the parameter `{name}` is not used: write `${name}` in the SQL, or take it out"));
    }
    if !rule.tests.iter().any(|test| test.fires()) {
        remark(Level::Warning, "it has no test that fires: add a [[test]] with rows that it has to find".to_owned());
    }
    if !rule.tests.iter().any(|test| !test.fires()) {
        remark(Level::Warning, "it has no test that does not fire: add a [[test]] with `expect = []`".to_owned());
    }
    if rule.explain.as_str().is_empty() {
        remark(Level::Warning, "it has no `explain`: readers do not learn what it found".to_owned());
    }
    if rule.description.is_empty() {
        remark(Level::Warning, "it has no `description`: say what fires, what does not, and why".to_owned());
    }
    if rule.mitre.is_empty() && rule.severity > Severity::Info {
        remark(Level::Warning, "it has no `mitre`: name the techniques that it finds".to_owned());
    }
    if let Some(near) = near_family(&rule.family) {
        remark(Level::Warning, format!("its family `{}` is its own; `{near}` is probably meant", rule.family));
    }
    if rule.checked.wildcard {
        remark(Level::Warning, "its SQL returns `*`: name the columns, so that `explain` can be checked".to_owned());
    }
    if let Some(function) = &rule.checked.of_the_moment {
        remark(
            Level::Warning,
            format!("its SQL calls `{function}`: the same log gives a different result on every run"),
        );
    }
    if let Some(function) = &rule.checked.unordered {
        remark(
            Level::Warning,
            format!("its SQL calls `{function}` without an order: the same log gives a different result on every run"),
        );
    }
    if rule.checked.tables.contains("s3_events") {
        remark(
            Level::Warning,
            "it reads `s3_events`, which holds every request: `s3_trail` has all that is not ordinary".to_owned(),
        );
    }
    if !rule.from_match && !rule.checked.wildcard {
        match rule.checked.highest {
            Some(highest) if highest <= 1.0 + 1e-9 => {}
            Some(highest) => remark(
                Level::Warning,
                format!("its confidence can reach {highest:.2}, and what is above 1 is cut: write `least(0.95, …)`"),
            ),
            None => remark(
                Level::Warning,
                "its confidence has no bound, and what is above 1 is cut: write `least(0.95, …)`".to_owned(),
            ),
        }
    }
    remarks
}
