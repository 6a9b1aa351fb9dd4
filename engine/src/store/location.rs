//! Locations: `s3://bucket/prefix`.

use crate::error::Error;
use std::fmt;

/// A bucket, and a prefix of the names of objects in it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Location {
    bucket: String,
    prefix: String,
}

impl Location {
    /// The URL scheme of locations.
    pub const SCHEME: &'static str = "s3";

    /// Whether `source` has the scheme of locations. It may be invalid nonetheless.
    #[must_use]
    pub fn is_one(source: &str) -> bool {
        source.split_once("://").is_some_and(|(scheme, _)| scheme == Self::SCHEME)
    }

    /// Parses `s3://bucket` or `s3://bucket/prefix`. The prefix may end anywhere in a name. It is taken verbatim:
    /// nothing is decoded, `?` and `*` have no special meaning.
    ///
    /// # Errors
    ///
    /// If the bucket's name is missing or invalid.
    pub fn parse(source: &str) -> Result<Self, Error> {
        let rest = source.split_once("://").filter(|(scheme, _)| *scheme == Self::SCHEME).map(|(_, rest)| rest);
        let Some(rest) = rest else {
            return Err(Error::invalid("it is not a bucket location")
                .in_object(source)
                .with_hint("write a bucket as s3://bucket/prefix"));
        };
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
        if bucket.is_empty() || bucket.starts_with('.') || !bucket.bytes().all(fits) {
            return Err(Error::invalid(format!("`{bucket}` is not a bucket name"))
                .in_object(source)
                .with_hint("write a bucket as s3://bucket/prefix; its name has letters, digits, `-`, `.` and `_`"));
        }
        Ok(Self { bucket: bucket.to_owned(), prefix: prefix.to_owned() })
    }

    /// The name of the bucket.
    #[must_use]
    pub fn bucket(&self) -> &str {
        &self.bucket
    }

    /// The prefix of object names; empty for all objects.
    #[must_use]
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// Whether all objects of `other` are also in this location.
    #[must_use]
    pub fn contains(&self, other: &Self) -> bool {
        self.bucket == other.bucket && other.prefix.starts_with(&self.prefix)
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}/{}", Self::SCHEME, self.bucket, self.prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locations() {
        for (source, expected) in [
            ("s3://logs", Some(("logs", ""))),
            ("s3://logs/", Some(("logs", ""))),
            ("s3://logs/a/2026-01", Some(("logs", "a/2026-01"))),
            ("s3://logs//a", Some(("logs", "/a"))),
            ("s3://my.logs_2/ü %20*", Some(("my.logs_2", "ü %20*"))),
            ("s3://", None),
            ("s3:///a", None),
            ("s3://../a", None),
            ("s3://lo gs/a", None),
            ("gs://logs/a", None),
            ("logs/a", None),
        ] {
            let location = Location::parse(source).ok();
            assert_eq!(location.as_ref().map(|location| (location.bucket(), location.prefix())), expected, "{source}");
        }
    }

    #[test]
    fn one_location_may_contain_another() {
        let location = |source| Location::parse(source).unwrap();
        assert!(location("s3://b/lo").contains(&location("s3://b/logs/2026")));
        assert!(!location("s3://b/logs/2026").contains(&location("s3://b/lo")));
        assert!(!location("s3://b/").contains(&location("s3://c/")));
    }
}
