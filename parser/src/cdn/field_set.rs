//! Sets of fields of CDN logs: what a caller wants of each record.

use super::field::Field;
use std::fmt;
use std::ops::BitOr;

/// A set of fields.
///
/// ```
/// use s3log_parser::cdn::{Field, FieldSet};
///
/// let wanted = FieldSet::from_iter([Field::CIp, Field::ScBytes]);
/// assert!(wanted.contains(Field::CIp));
/// assert!(!wanted.contains(Field::CsUriStem));
/// assert_eq!(wanted.len(), 2);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct FieldSet(u64);

impl FieldSet {
    /// Nothing: records are told from other lines, no field of theirs is kept.
    pub const EMPTY: Self = Self(0);
    /// Every field.
    pub const ALL: Self = Self::first(Field::COUNT);

    /// The set of this one field.
    #[inline]
    #[must_use]
    pub const fn of(field: Field) -> Self {
        Self(1 << field as u32)
    }

    /// The first so many fields, at most 63.
    #[inline]
    pub(crate) const fn first(fields: usize) -> Self {
        Self((1 << fields) - 1)
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

    /// What is in both sets.
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

    /// How many fields there are in the set.
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

    /// The fields of the set, in the order of the table.
    pub fn iter(self) -> impl Iterator<Item = Field> {
        Field::ALL.into_iter().filter(move |field| self.contains(*field))
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
        f.debug_set().entries(self.iter().map(Field::name)).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets() {
        let set = FieldSet::of(Field::Time) | FieldSet::of(Field::Asn);
        assert_eq!(format!("{set:?}"), r#"{"time", "asn"}"#);
        assert_eq!(set.iter().collect::<Vec<_>>(), [Field::Time, Field::Asn]);
        assert_eq!(FieldSet::ALL.len(), Field::COUNT);
        assert_eq!(FieldSet::ALL.iter().collect::<FieldSet>(), FieldSet::ALL);
        assert!(FieldSet::ALL.contains_all(set) && !set.contains_all(FieldSet::ALL));
        assert!(set.intersects(FieldSet::of(Field::Asn)) && !set.intersects(FieldSet::of(Field::CIp)));
        assert_eq!(set.intersection(FieldSet::of(Field::Asn)), FieldSet::of(Field::Asn));
        assert!(FieldSet::EMPTY.is_empty());
    }
}
