//! A rule, and an overlay that tunes one.

use super::case::Case;
use super::check::Checked;
use super::explain::Template;
use super::parameters::{self, ParamValue, Parameters};
use super::problem::{Problem, hint_of_names};
use crate::Error;
use crate::detect::finding::Severity;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

/// Families of the shipped rules. Within a family only the strongest evidence counts. A rule may define a family of its
/// own.
pub const FAMILIES: [&str; 8] = ["recon", "spoof", "auth", "identity", "exfil", "impact", "cost", "intel"];

/// The kind of entity that the rows of a rule are about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Entity {
    /// A source of requests: an address, or a /64 network.
    #[default]
    Src,
    /// A requester.
    Requester,
    /// A host whose pages embed objects.
    Referer,
    /// A bucket.
    Bucket,
}

impl Entity {
    /// All entities.
    pub const ALL: [Self; 4] = [Self::Src, Self::Requester, Self::Referer, Self::Bucket];

    /// The column that identifies the entity in the rule's result, which is also its name in rule files.
    #[must_use]
    pub fn column(self) -> &'static str {
        match self {
            Self::Src => "src",
            Self::Requester => "requester",
            Self::Referer => "referer",
            Self::Bucket => "bucket",
        }
    }
}

impl fmt::Display for Entity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.column())
    }
}

/// The origin of a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RuleSource {
    /// A file of the shipped catalogue.
    Shipped(&'static str),
    /// A file of the user.
    File(String),
}

impl RuleSource {
    /// The name of the file.
    #[must_use]
    pub fn file(&self) -> &str {
        match self {
            Self::Shipped(name) => name,
            Self::File(name) => name,
        }
    }
}

impl fmt::Display for RuleSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Shipped(_) => f.pad("shipped"),
            Self::File(name) => f.pad(name),
        }
    }
}

/// A rule: a query, and the interpretation of its rows.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Rule {
    /// The id, such as `S3D-103`.
    pub id: String,
    /// A short title.
    pub name: String,
    /// The family. Within a family only the strongest evidence counts.
    pub family: String,
    /// Severity, assuming that the evidence is right.
    pub severity: Severity,
    /// The kind of entity that its rows are about.
    pub entity: Entity,
    /// Ids of MITRE ATT&CK techniques.
    pub mitre: Vec<String>,
    /// Cost class, one of the letters A to D or S; see the catalogue.
    pub cost: Option<String>,
    /// Maximum duration of the activity that it detects.
    pub window: Option<Duration>,
    /// Whether the rule runs.
    pub enabled: bool,
    /// Whether its confidence contributes to the score.
    pub scored: bool,
    /// The template of the explanation.
    pub explain: Template,
    /// Background and rationale.
    pub description: String,
    /// Condition on `s3_trail`, with `$name` for parameters, that selects sample requests for its findings. Without it,
    /// any request that a finding may be about can be a sample.
    pub samples: Option<String>,
    /// The query, with `$name` for parameters. For a `[match]`, the SQL it was compiled to.
    pub sql: String,
    /// Whether the query was compiled from a `[match]`.
    pub from_match: bool,
    /// Values of the parameters.
    pub params: Parameters,
    /// Lists that the rule depends on, by the name it uses for them.
    pub files: BTreeMap<String, String>,
    /// Inline tests.
    pub tests: Vec<Case>,
    /// The origin of the rule.
    pub source: RuleSource,
    /// Files that tuned the rule.
    pub tuned_by: Vec<String>,
    /// Facts about the query.
    pub(super) checked: Checked,
}

impl Rule {
    /// The query with parameters substituted.
    ///
    /// # Errors
    ///
    /// Fails if a parameter has no value, which is also checked when the rule is loaded.
    pub fn query(&self) -> Result<String, Error> {
        parameters::substitute(&self.sql, &self.params)
            .map_err(|problem| problem.without_place().in_object(format!("rule {}", self.id)))
    }

    /// The condition in [`Self::samples`] with parameters substituted.
    ///
    /// # Errors
    ///
    /// Fails if a parameter has no value.
    pub fn samples_condition(&self) -> Result<Option<String>, Error> {
        let condition = self.samples.as_deref().map(|condition| parameters::substitute(condition, &self.params));
        condition.transpose().map_err(|problem| problem.without_place().in_object(format!("rule {}", self.id)))
    }

    /// Tables that the query reads.
    #[must_use]
    pub fn tables(&self) -> &BTreeSet<String> {
        &self.checked.tables
    }

    /// Applies an overlay: parameters, and whether the rule runs.
    ///
    /// # Errors
    ///
    /// Fails if the overlay names a parameter that the rule does not have, or gives it a value of another type.
    pub fn tune(&mut self, overlay: &Overlay) -> Result<(), Error> {
        for (name, (value, line)) in &overlay.params {
            let place = |problem: Problem| problem.in_file(&overlay.source, *line);
            let Some(current) = self.params.get_mut(name) else {
                let problem = Problem::new(format!("{} has no parameter `{name}`", self.id));
                return Err(place(problem.with_hint(hint_of_names(name, self.params.keys().map(String::as_str)))));
            };
            *current = match (&*current, value) {
                (ParamValue::Float(_), ParamValue::Integer(number)) => ParamValue::Float(*number as f64),
                (current, value) if current.kind() == value.kind() => value.clone(),
                (current, value) => {
                    let message = format!("`{name}` of {} is {}, not {}", self.id, current.kind(), value.kind());
                    return Err(place(Problem::new(message).with_hint(format!("the rule has `{name} = {current}`"))));
                }
            };
        }
        self.enabled = overlay.enabled.unwrap_or(self.enabled);
        self.tuned_by.push(overlay.source.clone());
        Ok(())
    }
}

/// Changes to an existing rule.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Overlay {
    /// Id of the rule.
    pub id: String,
    /// Whether the rule runs; `None` leaves it unchanged.
    pub enabled: Option<bool>,
    /// New values of parameters, each with its line.
    pub(super) params: BTreeMap<String, (ParamValue, usize)>,
    /// The name of the file.
    pub source: String,
}
