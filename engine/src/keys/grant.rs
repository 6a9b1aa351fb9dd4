//! DigitalOcean Spaces keys and their grants, as the API describes them.
//!
//! <https://docs.digitalocean.com/reference/api/reference/spaces-keys/>

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize};

/// The permission of a grant.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
#[non_exhaustive]
pub enum Permission {
    /// `read`: list the bucket and read its objects.
    Read,
    /// `readwrite`: also write and delete its objects.
    ReadWrite,
    /// `fullaccess`: everything in all buckets, including configuration.
    FullAccess,
    /// A permission that this version does not know, or an empty one, which the API also has.
    Other(String),
}

impl Permission {
    /// The permission as the API writes it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Read => "read",
            Self::ReadWrite => "readwrite",
            Self::FullAccess => "fullaccess",
            Self::Other(name) => name,
        }
    }
}

impl From<String> for Permission {
    fn from(name: String) -> Self {
        match name.as_str() {
            "read" => Self::Read,
            "readwrite" => Self::ReadWrite,
            "fullaccess" => Self::FullAccess,
            _ => Self::Other(name),
        }
    }
}

impl From<Permission> for String {
    fn from(permission: Permission) -> Self {
        permission.as_str().to_owned()
    }
}

impl fmt::Display for Permission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A permission for a bucket.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(expecting = "a grant")]
pub struct Grant {
    /// The bucket; empty for [`Permission::FullAccess`], which applies to all buckets.
    #[serde(deserialize_with = "or_empty")]
    pub bucket: String,
    /// The permission.
    pub permission: Permission,
}

impl Grant {
    /// Whether the grant includes the permission `wanted` for `bucket`.
    #[must_use]
    pub fn covers(&self, bucket: &str, wanted: &Permission) -> bool {
        match (&self.permission, wanted) {
            (Permission::FullAccess, _) => true,
            (Permission::ReadWrite, Permission::Read | Permission::ReadWrite)
            | (Permission::Read, Permission::Read) => self.bucket == bucket,
            _ => false,
        }
    }
}

/// Formats as `read on my-bucket`, or `everything in all buckets`.
impl fmt::Display for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.permission {
            Permission::FullAccess if self.bucket.is_empty() => f.write_str("everything in all buckets"),
            _ => write!(f, "{} on {}", self.permission, self.bucket),
        }
    }
}

/// Describes grants in words: `nothing`, or the grants separated by commas.
pub fn granted<'a>(grants: impl IntoIterator<Item = &'a Grant>) -> String {
    let all: Vec<String> = grants.into_iter().map(Grant::to_string).collect();
    if all.is_empty() { "nothing".to_owned() } else { all.join(", ") }
}

/// A key of an account. Its secret is not included: the API returns it only once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(expecting = "a key")]
pub struct Key {
    /// The name; not unique.
    #[serde(default, deserialize_with = "or_empty")]
    pub name: String,
    /// The access key id, which appears in signed requests.
    pub access_key: String,
    /// The grants; without any, the key permits nothing.
    #[serde(default, deserialize_with = "or_empty")]
    pub grants: Vec<Grant>,
    /// Time of creation in RFC 3339.
    #[serde(default)]
    pub created_at: Option<String>,
}

/// Accepts `null` for an empty value, as many programs write it.
fn or_empty<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(deserializer: D) -> Result<T, D::Error> {
    Option::deserialize(deserializer).map(Option::unwrap_or_default)
}

/// Whether a text may be a bucket name: letters, digits, `.`, `-` and `_`, as AWS's original rules allow.
#[must_use]
pub fn is_bucket_name(text: &str) -> bool {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    let begins = text.bytes().next().is_some_and(|byte| byte.is_ascii_alphanumeric());
    begins && text.len() <= 255 && text.bytes().all(is_part)
}

/// Whether a text may be an access key id: letters, digits, `-` and `_`. Anything else must not be put into URLs or
/// command lines.
#[must_use]
pub fn is_access_key(text: &str) -> bool {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    !text.is_empty() && text.len() <= 128 && text.bytes().all(is_part)
}
