//! Findings about entities other than sources of requests: a bucket, a requester, a site that links to objects.
//!
//! They have no score and never lead to a deny entry: the visitors of a site that embeds images are not to blame for
//! it.

use super::finding::{Sample, Severity};
use crate::Error;
use std::fmt;
use std::str::FromStr;

/// What a rule found about an entity other than a source.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Note {
    /// Name of the bucket, requester or host. May be controlled by a client.
    pub entity: String,
    /// The kind of entity.
    pub entity_kind: EntityKind,
    /// Id of the rule, such as `S3D-503`.
    pub id: String,
    /// Name of the rule.
    pub name: String,
    /// Severity, assuming that the evidence is right.
    pub severity: Severity,
    /// Explanation as a sentence, with figures.
    pub explanation: String,
    /// A JSON object with the measured values and their thresholds.
    pub measured: String,
    /// Evidence selected by the rule.
    pub evidence: Vec<String>,
    /// Some of the requests.
    pub samples: Vec<Sample>,
}

/// The kind of entity that a note is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum EntityKind {
    /// A bucket.
    Bucket,
    /// A requester.
    Requester,
    /// A host in the referers of requests for objects.
    Referer,
    /// A network with several sources that did the same.
    Network,
}

impl EntityKind {
    /// All kinds.
    pub const ALL: [Self; 4] = [Self::Bucket, Self::Requester, Self::Referer, Self::Network];

    /// The kind's name, also used in rule files.
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
