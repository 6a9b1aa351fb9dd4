//! Sets of fields, used for projection.

use crate::field::Field;
use std::fmt;

/// A set of fields. It can also contain two properties of a record that are not fields: its extra fields and its
/// ambiguity.
///
/// ```
/// use s3log_parser::{Field, FieldSet};
///
/// let wanted = FieldSet::from_iter([Field::RemoteIp, Field::BytesSent]);
/// assert!(wanted.contains(Field::RemoteIp));
/// assert!(!wanted.contains(Field::Key));
/// assert_eq!(wanted.len(), 2);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct FieldSet(u32);

impl FieldSet {
    /// Text after the last documented field, or in place of one whose format it does not have; see
    /// [`Record::extra_fields`](crate::Record::extra_fields).
    pub const EXTRA_FIELDS: Self = Self(1 << Field::COUNT);
    /// Whether the record could have been split in another way; see
    /// [`Record::is_ambiguous`](crate::Record::is_ambiguous).
    pub const AMBIGUOUS: Self = Self(1 << (Field::COUNT + 1));
    /// Every field, the extra fields and the ambiguity.
    pub const ALL: Self = Self((1 << (Field::COUNT + 2)) - 1);
    /// Every field that AWS documents, without extra fields and ambiguity.
    pub const DOCUMENTED: Self = Self((1 << Field::COUNT) - 1);

    /// One past the index of the last documented field in the set; 0 if there is none.
    #[inline]
    pub(crate) const fn end(self) -> usize {
        (u32::BITS - (self.0 & Self::DOCUMENTED.0).leading_zeros()) as usize
    }
}

crate::formats::field_set_methods!();

impl fmt::Debug for FieldSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let facts = [(Self::EXTRA_FIELDS, "extra_fields"), (Self::AMBIGUOUS, "ambiguous")];
        f.debug_set()
            .entries(self.iter().map(Field::name))
            .entries(facts.iter().filter(|(fact, _)| self.contains_all(*fact)).map(|(_, name)| name))
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn end_is_behind_the_last_wanted_field() {
        assert_eq!(FieldSet::EMPTY.end(), 0);
        assert_eq!(FieldSet::AMBIGUOUS.end(), 0);
        assert_eq!(FieldSet::of(Field::BucketOwner).end(), 1);
        assert_eq!(FieldSet::from_iter([Field::RemoteIp, Field::Bucket]).end(), 4);
        assert_eq!(FieldSet::ALL.end(), 27);
    }

    #[test]
    fn debug_names_what_is_in() {
        let set = FieldSet::of(Field::Key) | FieldSet::AMBIGUOUS;
        assert_eq!(format!("{set:?}"), r#"{"key", "ambiguous"}"#);
        assert_eq!(set.len(), 2);
        assert_eq!(set.iter().collect::<Vec<_>>(), [Field::Key]);
    }
}
