//! Sets of CDN log fields, used for projection.

use super::field::Field;
use std::fmt;

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
    /// Every field.
    pub const ALL: Self = Self::first(Field::COUNT);

    /// The first `fields` fields; at most 63.
    #[inline]
    pub(crate) const fn first(fields: usize) -> Self {
        Self((1 << fields) - 1)
    }
}

crate::formats::field_set_methods!();

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
        assert_eq!(set.intersection(FieldSet::of(Field::Asn)), FieldSet::of(Field::Asn));
        assert!(FieldSet::EMPTY.is_empty());
    }
}
