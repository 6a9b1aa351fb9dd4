//! IAM policies: the smallest one that allows the observed requests, and evaluation.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde::ser::Serializer;

use super::usage::{Counts, UseOf};
use crate::keys::operations::{Needs, Operation, Resource};
use crate::policy_pattern::{literal, matches};

/// A statement that allows actions on resources.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Statement {
    /// Action names, such as `s3:GetObject`.
    pub actions: BTreeSet<String>,
    /// ARNs with the wildcards `*` and `?`; `*` alone matches everything.
    pub resources: BTreeSet<String>,
}

/// A policy of allow statements; everything else is denied.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    /// The statements.
    pub statements: Vec<Statement>,
}

/// An action on a resource that a request needs.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Ask {
    pub action: &'static str,
    /// A request may need several: access point and bucket each have their own.
    pub resource: Target,
}

/// The target of an action.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Target {
    /// The account as a whole.
    Account,
    /// A bucket or access point, by ARN.
    Container(String),
    /// Objects in a bucket or behind an access point, by the ARN prefix of their keys.
    Objects(String),
}

/// What a use needs; empty if it needs nothing, or if its needs are unknown.
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
        // The record of a deletion in a batch has a version, whether it was requested, or is just that of the delete
        // marker. Deleting versions for good is not proposed on such grounds.
        ask(action.name(of.of_version && !of.is_in_batch()), operation.resource);
        // The record of a copy's source has the version, whether it was requested, or is just the latest.
        if of.of_version && operation.api.ends_with("(source)") {
            ask(action.name(false), operation.resource);
        }
    }
    // Without permission to list, a missing object gives 403 instead of 404, which breaks programs that check before
    // writing.
    // For a copy, the missing object is the source, whose bucket is not in this record.
    if counts.missing > 0 && operation.resource == Resource::Object && !operation.api.ends_with("(destination)") {
        ask("s3:ListBucket", Resource::Bucket);
    }
    asks
}

/// The smallest policy that allows all of these uses, which must have been allowed. With `folders`, objects are limited
/// per action to the deepest folder common to all keys; otherwise to the bucket.
pub(super) fn smallest<'a>(
    uses: impl IntoIterator<Item = (&'a UseOf, &'a Counts)>,
    partition: &str,
    folders: bool,
) -> Policy {
    let mut keys: BTreeMap<Ask, Option<(String, String)>> = BTreeMap::new();
    for (of, counts) in uses {
        for ask in asks(of, counts, partition) {
            // Records without a key imply no folder: use the whole bucket.
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

/// The common prefix of all texts between `first` and `last`, cut at the last `/` and at the first character that IAM
/// does not accept (outside of Latin-1).
fn common_folder<'a>(first: &'a str, last: &str) -> &'a str {
    let letters = first.char_indices().zip(last.chars());
    let same =
        letters.take_while(|((_, one), other)| one == other && (' '..='\u{FF}').contains(one) && *one != '\u{7F}');
    let slash = same.filter(|((_, letter), _)| *letter == '/').last();
    slash.and_then(|((at, _), _)| first.get(..=at)).unwrap_or_default()
}

impl Policy {
    /// Whether the policy allows an action on a resource: the ARN of an object, bucket or access point, or `*`.
    #[must_use]
    pub fn allows(&self, action: &str, resource: &str) -> bool {
        let names = |patterns: &BTreeSet<String>, text: &str| patterns.iter().any(|pattern| matches(pattern, text));
        self.statements
            .iter()
            .any(|statement| names(&statement.actions, action) && names(&statement.resources, resource))
    }

    /// Whether the policy allows nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.statements.is_empty()
    }

    /// Whether the policy allows everything that a use needs.
    pub(super) fn allows_use(&self, of: &UseOf, counts: &Counts, partition: &str) -> bool {
        asks(of, counts, partition).iter().all(|Ask { action, resource }| match resource {
            Target::Account => self.allows(action, "*"),
            Target::Container(arn) => self.allows(action, arn),
            Target::Objects(before) => {
                // Patterns are prefixes: if the first and last key are allowed, so are all keys between them.
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

/// Serializes as an IAM policy document.
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
