//! A key that replaces another one.
//!
//! Grants of a key cannot be changed (the API can only rename a key), so rotation means a second key besides the first.

use serde::Serialize;

use super::grant::{Grant, Key, Permission};
use crate::error::{Error, ErrorKind};

/// A key to be created, as requested from the API.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Replacement {
    /// The name.
    pub name: String,
    /// The grants.
    pub grants: Vec<Grant>,
}

impl Replacement {
    /// A replacement for `old`: with its grants unless others are given, and with its name plus a number unless another
    /// is given.
    ///
    /// # Errors
    ///
    /// Fails in the same cases as [`check`](Self::check), or if something to be copied is not understood.
    pub fn of(old: &Key, name: Option<&str>, grants: Option<Vec<Grant>>) -> Result<Self, Error> {
        let name = match name {
            Some(name) => name.to_owned(),
            None if old.name.trim().is_empty() => {
                return Err(Error::invalid(format!("the key {} has no name to derive a new one from", old.access_key))
                    .with_hint("name the new key with --name NAME"));
            }
            None => numbered(&old.name),
        };
        let is_copied = grants.is_none();
        let replacement = Self { name, grants: grants.unwrap_or_else(|| old.grants.clone()) };
        replacement.check_name()?;
        match replacement.check_grants() {
            Err(error) if is_copied => Err(Error::new(
                error.kind(),
                format!("the grants of {} cannot be given to another key: {error}", old.access_key),
            )
            .with_hint("choose its grants with --grant BUCKET=read or --full-access")),
            checked => checked.map(|()| replacement),
        }
    }

    /// Whether the API would accept the key, as far as documented.
    ///
    /// # Errors
    ///
    /// Fails for full access together with grants for buckets, two grants for one bucket, a grant without a bucket, an
    /// unknown permission, or an empty name.
    pub fn check(&self) -> Result<(), Error> {
        self.check_name()?;
        self.check_grants()
    }

    fn check_name(&self) -> Result<(), Error> {
        if self.name.trim().is_empty() || self.name.contains(char::is_control) {
            return Err(Error::invalid("a key needs a name, of one line and without control characters")
                .with_hint("name the new key with --name NAME"));
        }
        Ok(())
    }

    fn check_grants(&self) -> Result<(), Error> {
        let is_full = |grant: &&Grant| grant.permission == Permission::FullAccess;
        let full = self.grants.iter().filter(is_full).count();
        if full > 0 && self.grants.len() > 1 {
            return Err(Error::new(ErrorKind::Unsupported, "full access cannot be combined with other grants")
                .with_hint("a key has either full access to all buckets or grants for single buckets"));
        }
        for (at, grant) in self.grants.iter().enumerate() {
            let bucket = &grant.bucket;
            match &grant.permission {
                Permission::FullAccess if !bucket.is_empty() => {
                    return Err(Error::invalid(format!("full access is to all buckets, not to `{bucket}`")));
                }
                Permission::FullAccess => {}
                Permission::Other(name) => {
                    return Err(Error::new(
                        ErrorKind::Unsupported,
                        format!("unknown permission `{name}` for `{bucket}`"),
                    ));
                }
                Permission::Read | Permission::ReadWrite if bucket.is_empty() => {
                    return Err(Error::invalid("a grant needs the name of a bucket"));
                }
                Permission::Read | Permission::ReadWrite => {}
            }
            if self.grants.iter().take(at).any(|other| other.bucket == *bucket) {
                return Err(Error::invalid(format!("there are two grants for the bucket `{bucket}`")));
            }
        }
        Ok(())
    }

    /// The grants that exceed those of `old`.
    #[must_use]
    pub fn wider_than(&self, old: &Key) -> Vec<&Grant> {
        let covered = |wanted: &Grant| old.grants.iter().any(|has| has.covers(&wanted.bucket, &wanted.permission));
        self.grants.iter().filter(|wanted| !covered(wanted)).collect()
    }

    /// The body of the request: `{"name":"…","grants":[{"bucket":"…","permission":"read"}]}`.
    ///
    /// # Errors
    ///
    /// Fails only if serialization fails, which is not expected.
    pub fn body(&self) -> Result<String, Error> {
        serde_json::to_string(self)
            .map_err(|error| Error::new(ErrorKind::Internal, "a request cannot be written").with_source(error))
    }
}

/// `backup` becomes `backup-2`, `backup-2` becomes `backup-3`.
fn numbered(name: &str) -> String {
    if let Some((stem, number)) = name.rsplit_once('-')
        && number.bytes().all(|byte| byte.is_ascii_digit())
        && !number.starts_with('0')
        && let Some(next) = number.parse::<u32>().ok().and_then(|number| number.checked_add(1))
    {
        return format!("{stem}-{next}");
    }
    format!("{name}-2")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn grant(bucket: &str, permission: &str) -> Grant {
        Grant { bucket: bucket.to_owned(), permission: permission.to_owned().into() }
    }

    fn key(grants: &[(&str, &str)]) -> Key {
        Key {
            name: "backup".to_owned(),
            access_key: "DO00EXAMPLE".to_owned(),
            grants: grants.iter().map(|(bucket, permission)| grant(bucket, permission)).collect(),
            created_at: None,
        }
    }

    #[test]
    fn names_count_on() {
        for (name, next) in [
            ("backup", "backup-2"),
            ("backup-2", "backup-3"),
            ("backup-9", "backup-10"),
            ("backup-", "backup--2"),
            ("backup-02", "backup-02-2"),
            ("backup-4294967295", "backup-4294967295-2"),
            ("7", "7-2"),
        ] {
            assert_eq!(numbered(name), next);
        }
    }

    #[test]
    fn a_replacement_is_what_the_old_key_was() {
        let replacement = Replacement::of(&key(&[("logs", "read"), ("data", "readwrite")]), None, None).unwrap();
        assert_eq!(
            replacement.body().unwrap(),
            r#"{"name":"backup-2","grants":[{"bucket":"logs","permission":"read"},{"bucket":"data","permission":"readwrite"}]}"#
        );
        assert_eq!(Replacement::of(&key(&[]), Some("x"), None).unwrap().body().unwrap(), r#"{"name":"x","grants":[]}"#);
        assert!(Replacement::of(&Key { name: " ".to_owned(), ..key(&[]) }, None, None).is_err());
    }

    #[test]
    fn what_the_api_would_refuse_is_not_sent() {
        for (grants, expected) in [
            (&[("", "fullaccess"), ("logs", "read")][..], "full access cannot be combined with other grants"),
            (&[("logs", "fullaccess")], "full access is to all buckets, not to `logs`"),
            (&[("", "read")], "a grant needs the name of a bucket"),
            (&[("logs", "read"), ("logs", "readwrite")], "there are two grants for the bucket `logs`"),
            (&[("logs", "")], "unknown permission `` for `logs`"),
            (&[("logs", "list")], "unknown permission `list` for `logs`"),
        ] {
            let given = Replacement::of(&key(&[]), None, Some(key(grants).grants)).unwrap_err();
            assert_eq!(given.to_string(), expected);
            let copied = Replacement::of(&key(grants), None, None).unwrap_err();
            assert_eq!(
                copied.to_string(),
                format!("the grants of DO00EXAMPLE cannot be given to another key: {expected}")
            );
        }
        for name in ["", " ", "a\nb", "\u{1b}"] {
            assert!(Replacement::of(&key(&[]), Some(name), None).is_err(), "{name:?}");
        }
    }

    #[test]
    fn wider_is_what_the_old_key_may_not_do() {
        for (old, new, wider) in [
            (&[("a", "read")][..], &[("a", "read")][..], 0),
            (&[("a", "readwrite")], &[("a", "read")], 0),
            (&[("a", "read")], &[("a", "readwrite")], 1),
            (&[("a", "read")], &[("b", "read")], 1),
            (&[("a", "read")], &[("a", "read"), ("b", "read")], 1),
            (&[], &[("a", "read")], 1),
            (&[], &[], 0),
            (&[("a", "readwrite")], &[("", "fullaccess")], 1),
            (&[("", "fullaccess")], &[("a", "readwrite"), ("b", "read")], 0),
            (&[("", "fullaccess")], &[("", "fullaccess")], 0),
            (&[("a", "list")], &[("a", "list")], 1),
        ] {
            let replacement = Replacement { name: String::new(), grants: key(new).grants };
            assert_eq!(replacement.wider_than(&key(old)).len(), wider, "{old:?} {new:?}");
        }
    }

    fn grants() -> impl Strategy<Value = Vec<Grant>> {
        proptest::collection::vec(
            ("[a-c]?", "read|readwrite|fullaccess|").prop_map(|(bucket, permission)| grant(&bucket, &permission)),
            0..4,
        )
    }

    proptest! {
        /// A valid copy never has wider grants, and full access is never exceeded.
        #[test]
        fn a_copy_is_never_wider(grants in grants(), other in grants()) {
            let old = Key { grants, ..key(&[]) };
            if let Ok(copy) = Replacement::of(&old, None, None) {
                prop_assert_eq!(copy.wider_than(&old), Vec::<&Grant>::new());
            }
            let wanted = Replacement { name: String::new(), grants: other };
            let all = key(&[("", "fullaccess")]);
            prop_assert_eq!(wanted.wider_than(&all), Vec::<&Grant>::new());
        }
    }
}
