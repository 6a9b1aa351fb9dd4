//! Policies of IAM: the smallest that allows what was seen, and whether one allows a request.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde::ser::Serializer;

use super::usage::{Counts, UseOf};
use crate::keys::operations::{Needs, Operation, Resource};
use crate::policy_pattern::{literal, matches};

/// A statement: these actions on these resources.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Statement {
    /// Names of actions: `s3:GetObject`.
    pub actions: BTreeSet<String>,
    /// ARNs, in which `*` and `?` are wildcards; `*` alone is everything.
    pub resources: BTreeSet<String>,
}

/// A policy that allows; what it does not name is denied.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    /// What is allowed.
    pub statements: Vec<Statement>,
}

/// An action on a resource that a request asked for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Ask {
    pub action: &'static str,
    /// Resources that all have to be allowed; an access point and its bucket each have one.
    pub resource: Target,
}

/// What an action is on.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Target {
    /// Everything of an account.
    Account,
    /// A bucket or an access point, by its ARN.
    Container(String),
    /// Objects in a bucket, or behind an access point: what stands before their keys.
    Objects(String),
}

/// What a use asked for; nothing where nothing is needed or nothing is known.
pub(super) fn asks(of: &UseOf, counts: &Counts, partition: &str) -> Vec<Ask> {
    let Needs::Operation(operation) = Operation::needs(&of.operation, of.has_key) else { return Vec::new() };
    let bucket = format!("arn:{partition}:s3:::{}", of.bucket);
    let access_point = of.access_point.as_ref();
    let mut asks = Vec::new();
    let mut ask = |action, resource| match resource {
        Resource::Account => asks.push(Ask { action, resource: Target::Account }),
        Resource::Bucket => {
            asks.push(Ask { action, resource: Target::Container(bucket.clone()) });
            asks.extend(access_point.map(|arn| Ask { action, resource: Target::Container(arn.clone()) }));
        }
        Resource::Object => {
            asks.push(Ask { action, resource: Target::Objects(format!("{bucket}/")) });
            let behind = access_point.map(|arn| format!("{arn}/object/"));
            asks.extend(behind.map(|before| Ask { action, resource: Target::Objects(before) }));
        }
    };
    for action in operation.actions {
        ask(action.name(of.of_version), operation.resource);
        // The record of what was copied has its version, whether that was asked for or is the newest.
        if of.of_version && operation.api.ends_with("(source)") {
            ask(action.name(false), operation.resource);
        }
    }
    // Who may not list gets 403 for what is not there, and a program that looks before it writes would stop.
    if counts.missing > 0 && operation.resource == Resource::Object {
        ask("s3:ListBucket", Resource::Bucket);
    }
    asks
}

/// The smallest policy that allows all of these uses, which must have been allowed. With `folders`, objects only below the deepest
/// folder that all of the keys are in, for each action; else all objects of the bucket.
pub(super) fn smallest<'a>(
    uses: impl IntoIterator<Item = (&'a UseOf, &'a Counts)>,
    partition: &str,
    folders: bool,
) -> Policy {
    let mut keys: BTreeMap<Ask, Option<(String, String)>> = BTreeMap::new();
    for (of, counts) in uses {
        for ask in asks(of, counts, partition) {
            // Records without a key tell of no folder, so the whole bucket it is.
            let range = counts.keys.clone().filter(|_| of.has_key).unwrap_or_default();
            let known = keys.entry(ask).or_insert_with(|| Some(range.clone()));
            *known = known.take().map(|(first, last)| (first.min(range.0), last.max(range.1)));
        }
    }
    let mut by_resource: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (Ask { action, resource }, range) in keys {
        let resource = match resource {
            Target::Account => "*".to_owned(),
            Target::Container(arn) => literal(&arn),
            Target::Objects(before) => {
                let folder = range.filter(|_| folders).map(|(first, last)| common_folder(&first, &last).to_owned());
                format!("{}{}*", literal(&before), literal(&folder.unwrap_or_default()))
            }
        };
        by_resource.entry(resource).or_default().insert(action.to_owned());
    }
    let mut by_actions: BTreeMap<BTreeSet<String>, BTreeSet<String>> = BTreeMap::new();
    for (resource, actions) in by_resource {
        by_actions.entry(actions).or_default().insert(resource);
    }
    let statements = by_actions.into_iter().map(|(actions, resources)| Statement { actions, resources }).collect();
    Policy { statements }
}

/// What all texts between two begin with, up to the last `/`, as far as IAM takes its characters: those of Latin-1.
fn common_folder<'a>(first: &'a str, last: &str) -> &'a str {
    let letters = first.char_indices().zip(last.chars());
    let same =
        letters.take_while(|((_, one), other)| one == other && (' '..='\u{FF}').contains(one) && *one != '\u{7F}');
    let slash = same.filter(|((_, letter), _)| *letter == '/').last();
    slash.and_then(|((at, _), _)| first.get(..=at)).unwrap_or_default()
}

impl Policy {
    /// Whether it allows this action on this resource: an ARN with the key of an object, of a bucket or access point, or `*`.
    #[must_use]
    pub fn allows(&self, action: &str, resource: &str) -> bool {
        let names = |patterns: &BTreeSet<String>, text: &str| patterns.iter().any(|pattern| matches(pattern, text));
        self.statements
            .iter()
            .any(|statement| names(&statement.actions, action) && names(&statement.resources, resource))
    }

    /// Whether it allows nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.statements.is_empty()
    }

    /// Whether it allows all that a use asks for.
    pub(super) fn allows_use(&self, of: &UseOf, counts: &Counts, partition: &str) -> bool {
        asks(of, counts, partition).iter().all(|Ask { action, resource }| match resource {
            Target::Account => self.allows(action, "*"),
            Target::Container(arn) => self.allows(action, arn),
            Target::Objects(before) => {
                // What allows the outermost keys allows those between them: each pattern is a beginning.
                let (first, last) = counts.keys.clone().unwrap_or_default();
                self.allows(action, &format!("{before}{first}")) && self.allows(action, &format!("{before}{last}"))
            }
        })
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Document<'a> {
    version: &'static str,
    statement: Vec<DocumentStatement<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct DocumentStatement<'a> {
    effect: &'static str,
    action: &'a BTreeSet<String>,
    resource: &'a BTreeSet<String>,
}

/// The document as IAM takes it.
impl Serialize for Policy {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let statements = self.statements.iter();
        let statement = statements
            .map(|Statement { actions, resources }| DocumentStatement {
                effect: "Allow",
                action: actions,
                resource: resources,
            })
            .collect();
        Document { version: "2012-10-17", statement }.serialize(serializer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_that_keys_have_in_common() {
        for (first, last, expected) in [
            ("a/b/c", "a/b/d", "a/b/"),
            ("a/b", "a/bc", "a/"),
            ("a/b/", "a/b/", "a/b/"),
            ("ab", "ac", ""),
            ("", "a/b", ""),
            ("é/x", "é/y", "é/"),
            ("é/x", "è/y", ""),
            ("a/\u{4E2D}/x", "a/\u{4E2D}/y", "a/"),
            ("a/\n/x", "a/\n/y", "a/"),
        ] {
            assert_eq!(common_folder(first, last), expected, "{first} {last}");
        }
    }
}
