//! Interning of repeated texts as numbers.

use datafusion::common::HashMap;
use std::sync::Arc;

/// The number for a missing text.
pub(crate) const NONE: u32 = u32::MAX;

/// Interned texts, numbered from 0 in the order of first use.
#[derive(Debug, Default)]
pub(crate) struct Names {
    numbers: HashMap<Arc<str>, u32>,
    texts: Vec<Arc<str>>,
    /// The last number returned: consecutive records often share values.
    last: u32,
}

impl Names {
    /// The number of a text, and whether it is new.
    pub(crate) fn number(&mut self, text: &str) -> (u32, bool) {
        self.number_at_most(text, usize::MAX).unwrap_or((NONE, false))
    }

    /// The number of a text; `None` for a new one if there are `most` already, since texts chosen by clients must not
    /// exhaust memory.
    pub(crate) fn number_at_most(&mut self, text: &str, most: usize) -> Option<(u32, bool)> {
        if let Some(last) = self.texts.get(self.last as usize)
            && **last == *text
        {
            return Some((self.last, false));
        }
        if let Some(number) = self.numbers.get(text) {
            self.last = *number;
            return Some((*number, false));
        }
        if self.len() >= most {
            return None;
        }
        let text: Arc<str> = text.into();
        let number = u32::try_from(self.texts.len()).unwrap_or(NONE);
        self.numbers.insert(Arc::clone(&text), number);
        self.texts.push(text);
        self.last = number;
        Some((number, true))
    }

    /// The number of an optional text; [`NONE`] if it is missing.
    pub(crate) fn optional(&mut self, text: Option<&str>) -> u32 {
        text.map_or(NONE, |text| self.number(text).0)
    }

    /// The number of a text that is interned already.
    pub(crate) fn find(&self, text: &str) -> Option<u32> {
        self.numbers.get(text).copied()
    }

    /// The text of a number; `None` for [`NONE`].
    pub(crate) fn text(&self, number: u32) -> Option<&str> {
        self.texts.get(number as usize).map(|text| &**text)
    }

    /// The text of a number, empty for [`NONE`].
    pub(crate) fn get(&self, number: u32) -> &str {
        self.text(number).unwrap_or_default()
    }

    /// Number of texts.
    pub(crate) fn len(&self) -> usize {
        self.texts.len()
    }

    /// Interns the texts of `other`. Returns the number here for each number there.
    pub(crate) fn merge(&mut self, other: &Self) -> Vec<u32> {
        other.texts.iter().map(|text| self.number(text).0).collect()
    }
}

/// Generates the two structs with one field per kind of name, and the merge of the first.
macro_rules! kinds {
    ($($kind:ident,)+) => {
        /// Interned texts of each kind.
        #[derive(Debug, Default)]
        pub(crate) struct AllNames {
            $(pub $kind: Names,)+
        }

        /// Maps the numbers of another collector to the numbers here.
        #[derive(Debug)]
        pub(crate) struct Renamings {
            $(pub $kind: Vec<u32>,)+
            /// Offset to add to rows of the trail.
            pub rows: u32,
        }

        impl AllNames {
            /// Interns the names of another collector, whose rows are appended after `rows` rows.
            pub(super) fn merge(&mut self, other: &Self, rows: usize) -> Renamings {
                Renamings {
                    $($kind: self.$kind.merge(&other.$kind),)+
                    rows: u32::try_from(rows).unwrap_or(u32::MAX),
                }
            }
        }
    };
}

kinds! {
    sources,
    addresses,
    requesters,
    buckets,
    operations,
    methods,
    errors,
    agents,
    norms,
    families,
    referers,
    transports,
}

/// Maps a number of another collector to the number here.
pub(crate) fn renamed(numbers: &[u32], number: u32) -> u32 {
    numbers.get(number as usize).copied().unwrap_or(NONE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_keeps_its_number() {
        let mut names = Names::default();
        assert_eq!(names.number("a"), (0, true));
        assert_eq!(names.number("b"), (1, true));
        assert_eq!(names.number("a"), (0, false));
        assert_eq!((names.optional(None), names.text(NONE)), (NONE, None));
        assert_eq!((names.number_at_most("b", 2), names.number_at_most("c", 2)), (Some((1, false)), None));
        let mut others = Names::default();
        others.number("b");
        others.number("c");
        let here = names.merge(&others);
        assert_eq!((here.as_slice(), names.get(2)), ([1, 2].as_slice(), "c"));
        assert_eq!((renamed(&here, 1), renamed(&here, NONE)), (2, NONE));
    }
}
