//! Sets of fields: what a caller wants of each record.

use crate::field::Field;
use std::fmt;
use std::ops::BitOr;

/// A set of fields, and of the two facts of a record that are no field: its extra fields and its ambiguity.
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
    /// Nothing: records are told from other lines, no field of theirs is kept.
    pub const EMPTY: Self = Self(0);
    /// What stands behind the last documented field, or in the place of one without being it.
    pub const EXTRA_FIELDS: Self = Self(1 << Field::COUNT);
    /// Whether the record could have been split otherwise.
    pub const AMBIGUOUS: Self = Self(1 << (Field::COUNT + 1));
    /// Every field, the extra fields and the ambiguity.
    pub const ALL: Self = Self((1 << (Field::COUNT + 2)) - 1);
    /// Every field that AWS documents.
    pub const DOCUMENTED: Self = Self((1 << Field::COUNT) - 1);

    /// The set of this one field.
    #[inline]
    #[must_use]
    pub const fn of(field: Field) -> Self {
        Self(1 << field as u32)
    }

    /// Whether the field is in the set.
    #[inline]
    #[must_use]
    pub const fn contains(self, field: Field) -> bool {
        self.0 & (1 << field as u32) != 0
    }

    /// Whether everything in `other` is in this set.
    #[inline]
    #[must_use]
    pub const fn contains_all(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether anything in `other` is in this set.
    #[inline]
    #[must_use]
    pub const fn intersects(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// This set and `other`.
    #[inline]
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// What is in this set and in `other`.
    #[inline]
    #[must_use]
    pub const fn intersection(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// This set with one more field.
    #[inline]
    #[must_use]
    pub const fn with(self, field: Field) -> Self {
        self.union(Self::of(field))
    }

    /// How many fields and facts there are in the set.
    #[inline]
    #[must_use]
    pub const fn len(self) -> usize {
        self.0.count_ones() as usize
    }

    /// Whether the set is empty.
    #[inline]
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The fields of the set, in the order of the line.
    pub fn iter(self) -> impl Iterator<Item = Field> {
        Field::ALL.into_iter().filter(move |field| self.contains(*field))
    }

    /// Number of the last field of the line that is wanted, plus one; 0 when no field is.
    #[inline]
    pub(crate) const fn end(self) -> usize {
        (u32::BITS - (self.0 & Self::DOCUMENTED.0).leading_zeros()) as usize
    }
}

impl BitOr for FieldSet {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        self.union(other)
    }
}

impl FromIterator<Field> for FieldSet {
    fn from_iter<I: IntoIterator<Item = Field>>(fields: I) -> Self {
        fields.into_iter().fold(Self::EMPTY, Self::with)
    }
}

impl From<Field> for FieldSet {
    fn from(field: Field) -> Self {
        Self::of(field)
    }
}

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
