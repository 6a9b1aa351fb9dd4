//! Keys of DigitalOcean Spaces and what they are granted, as its API describes them.
//!
//! <https://docs.digitalocean.com/reference/api/reference/spaces-keys/>

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize};

/// What a grant permits.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
#[non_exhaustive]
pub enum Permission {
    /// `read`: list the bucket, read its objects.
    Read,
    /// `readwrite`: also write and delete its objects.
    ReadWrite,
    /// `fullaccess`: everything in every bucket, configuration too.
    FullAccess,
    /// What this version does not know, or nothing at all: the API knows an empty permission too.
    Other(String),
}

impl Permission {
    /// As the API writes it.
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

/// One permission for one bucket.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(expecting = "a grant")]
pub struct Grant {
    /// The bucket; empty for [`Permission::FullAccess`], which is for all.
    #[serde(deserialize_with = "or_empty")]
    pub bucket: String,
    /// What is permitted there.
    pub permission: Permission,
}

impl Grant {
    /// Whether it permits what another grant would, by this permission for this bucket.
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

/// `read on my-bucket`, or `everything in all buckets`.
impl fmt::Display for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.permission {
            Permission::FullAccess if self.bucket.is_empty() => f.write_str("everything in all buckets"),
            _ => write!(f, "{} on {}", self.permission, self.bucket),
        }
    }
}

/// What a key may do, in words: `nothing`, or its grants with commas between them.
pub fn granted<'a>(grants: impl IntoIterator<Item = &'a Grant>) -> String {
    let all: Vec<String> = grants.into_iter().map(Grant::to_string).collect();
    if all.is_empty() { "nothing".to_owned() } else { all.join(", ") }
}

/// A key of an account, without its secret, which the API tells but once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(expecting = "a key")]
pub struct Key {
    /// What people call it; names are not unique.
    #[serde(default, deserialize_with = "or_empty")]
    pub name: String,
    /// The access key id, which requests are signed with.
    pub access_key: String,
    /// What it may do; a key without grants may do nothing.
    #[serde(default, deserialize_with = "or_empty")]
    pub grants: Vec<Grant>,
    /// When it was made, as RFC 3339 writes it.
    #[serde(default)]
    pub created_at: Option<String>,
}

/// `null` for what is empty: so many programs write it.
fn or_empty<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(deserializer: D) -> Result<T, D::Error> {
    Option::deserialize(deserializer).map(Option::unwrap_or_default)
}

/// Whether a text can be the name of a bucket: letters, digits, `.`, `-` and `_`, as the oldest rules of AWS allow.
#[must_use]
pub fn is_bucket_name(text: &str) -> bool {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    let begins = text.bytes().next().is_some_and(|byte| byte.is_ascii_alphanumeric());
    begins && text.len() <= 255 && text.bytes().all(is_part)
}

/// Whether a text can be an access key id: letters, digits, `-` and `_`. What else calls itself one goes into no URL and no
/// command line.
#[must_use]
pub fn is_access_key(text: &str) -> bool {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    !text.is_empty() && text.len() <= 128 && text.bytes().all(is_part)
}
