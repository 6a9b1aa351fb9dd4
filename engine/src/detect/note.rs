//! What is found about something that is no source of requests: a bucket, a requester, a site that links to objects.
//!
//! It has no score, and nobody is denied for it: visitors of a site that embeds pictures are innocent of that.

use super::finding::{Sample, Severity};
use crate::Error;
use std::fmt;
use std::str::FromStr;

/// What a rule found about something other than a source.
#[derive(Clone, Debug, PartialEq)]
pub struct Note {
    /// Its name: a bucket, a requester, a host. It may be a client's text.
    pub entity: String,
    /// What it is.
    pub entity_kind: EntityKind,
    /// Id of the rule, such as `S3D-503`.
    pub id: String,
    /// Name of the rule.
    pub name: String,
    /// How bad it is.
    pub severity: Severity,
    /// A sentence with the numbers in it.
    pub explanation: String,
    /// What was measured, and against what: a JSON object.
    pub measured: String,
    /// What the rule shows of it.
    pub evidence: Vec<String>,
    /// A few of the requests.
    pub samples: Vec<Sample>,
}

/// What a note is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum EntityKind {
    /// A bucket.
    Bucket,
    /// A requester.
    Requester,
    /// A host that refers to objects.
    Referer,
    /// A network of which several sources did the same.
    Network,
}

impl EntityKind {
    /// Every kind.
    pub const ALL: [Self; 4] = [Self::Bucket, Self::Requester, Self::Referer, Self::Network];

    /// Its name, in rule files too.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Bucket => "bucket",
            Self::Requester => "requester",
            Self::Referer => "referer",
            Self::Network => "network",
        }
    }
}

impl fmt::Display for EntityKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for EntityKind {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        Self::ALL.into_iter().find(|kind| kind.name().eq_ignore_ascii_case(text)).ok_or_else(|| {
            Error::invalid(format!("`{}` is nothing to make notes about", text.escape_debug()))
                .with_hint(format!("one of: {}", Self::ALL.map(Self::name).join(", ")))
        })
    }
}
