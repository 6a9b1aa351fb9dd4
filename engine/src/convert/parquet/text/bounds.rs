//! Minimum and maximum text of a page or a column chunk.

use parquet::data_type::ByteArray;
use parquet::file::statistics::{Statistics, ValueStatistics};

/// Bounds of texts by their bytes, the order of strings in Parquet.
#[derive(Clone, Debug, Default)]
pub(super) struct Bounds {
    least: Vec<u8>,
    greatest: Vec<u8>,
    /// The first eight bytes of both as numbers, which decide most comparisons. `None` if there are no texts.
    heads: Option<(u64, u64)>,
}

impl Bounds {
    #[inline]
    pub(super) fn add(&mut self, text: &[u8]) {
        let head = head(text);
        let Some((least, greatest)) = self.heads else { return self.begin(text) };
        if head < least || head == least && text < self.least.as_slice() {
            self.heads = Some((head, greatest));
            self.least.clear();
            self.least.extend_from_slice(text);
        } else if head > greatest || head == greatest && text > self.greatest.as_slice() {
            self.heads = Some((least, head));
            self.greatest.clear();
            self.greatest.extend_from_slice(text);
        }
    }

    #[cold]
    fn begin(&mut self, text: &[u8]) {
        self.heads = Some((head(text), head(text)));
        for bound in [&mut self.least, &mut self.greatest] {
            bound.clear();
            bound.extend_from_slice(text);
        }
    }

    pub(super) fn add_all(&mut self, other: &Self) {
        if let Some((least, greatest)) = other.get() {
            self.add(least);
            self.add(greatest);
        }
    }

    /// Minimum and maximum; `None` if there are no texts.
    pub(super) fn get(&self) -> Option<(&[u8], &[u8])> {
        self.heads.map(|_| (self.least.as_slice(), self.greatest.as_slice()))
    }

    pub(super) fn clear(&mut self) {
        self.heads = None;
    }

    /// The bounds for the page index, truncated to `most` bytes.
    pub(super) fn cut(&self, most: Option<usize>) -> Option<(Vec<u8>, Vec<u8>)> {
        self.get().map(|(least, greatest)| (floor(least, most).0, ceiling(greatest, most).0))
    }

    /// The bounds as statistics, truncated to `most` bytes.
    pub(super) fn statistics(&self, nulls: u64, most: Option<usize>) -> Statistics {
        let bounds = self.get().map(|(least, greatest)| (floor(least, most), ceiling(greatest, most)));
        let (least, greatest) = bounds.unzip();
        let (least, is_least) = least.map(|(bound, is_exact)| (ByteArray::from(bound), is_exact)).unzip();
        let (greatest, is_greatest) = greatest.map(|(bound, is_exact)| (ByteArray::from(bound), is_exact)).unzip();
        let statistics = ValueStatistics::new(least, greatest, None, Some(nulls), false)
            .with_min_is_exact(is_least.unwrap_or_default())
            .with_max_is_exact(is_greatest.unwrap_or_default());
        Statistics::ByteArray(statistics)
    }
}

/// The first eight bytes, padded with zeros, as a number with the same order.
#[inline]
fn head(text: &[u8]) -> u64 {
    match text.first_chunk() {
        Some(head) => u64::from_be_bytes(*head),
        None => text.iter().zip([56, 48, 40, 32, 24, 16, 8]).map(|(byte, shift)| u64::from(*byte) << shift).sum(),
    }
}

/// A lower bound of `text` with at most `most` bytes, and whether it is exact.
pub(super) fn floor(text: &[u8], most: Option<usize>) -> (Vec<u8>, bool) {
    match most.filter(|most| text.len() > *most) {
        Some(most) => (text[..boundary(text, most)].to_vec(), false),
        None => (text.to_vec(), true),
    }
}

/// An upper bound of `text`, with at most `most` bytes if there is one, and whether it is exact.
pub(super) fn ceiling(text: &[u8], most: Option<usize>) -> (Vec<u8>, bool) {
    let Some(most) = most.filter(|most| text.len() > *most) else { return (text.to_vec(), true) };
    let kept = std::str::from_utf8(&text[..boundary(text, most)]).unwrap_or_default();
    for (at, char) in kept.char_indices().rev() {
        let next = char::from_u32(char as u32 + 1).filter(|next| next.len_utf8() == char.len_utf8());
        if let Some(next) = next {
            return (format!("{}{next}", &kept[..at]).into_bytes(), false);
        }
    }
    // No text with this prefix can be incremented.
    (text.to_vec(), true)
}

/// The last character boundary at or before `most`.
fn boundary(text: &[u8], most: usize) -> usize {
    (0..=most).rev().find(|at| text.get(*at).is_none_or(|byte| byte & 0xc0 != 0x80)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_cut_off_makes_bounds_wider() {
        let of = |text: &str| {
            let text = text.as_bytes();
            let string = |(bound, exact): (Vec<u8>, bool)| (String::from_utf8(bound).unwrap(), exact);
            (string(floor(text, Some(4))), string(ceiling(text, Some(4))))
        };
        let cases = [
            ("abcd", ("abcd", true), ("abcd", true)),
            ("abcde", ("abcd", false), ("abce", false)),
            ("abcñ", ("abc", false), ("abd", false)),
            ("ab\u{d7ff}", ("ab", false), ("ac", false)),
            ("a\u{d7ff}b", ("a\u{d7ff}", false), ("b", false)),
            ("abc\u{7f}x", ("abc\u{7f}", false), ("abd", false)),
            ("\u{10ffff}x", ("\u{10ffff}", false), ("\u{10ffff}x", true)),
        ];
        for (text, least, greatest) in cases {
            let owned = |(bound, exact): (&str, bool)| (bound.to_owned(), exact);
            assert_eq!(of(text), (owned(least), owned(greatest)), "{text}");
        }
    }

    proptest! {
        #[test]
        fn bounds_are_those_of_all_texts(texts in prop::collection::vec("[a-c\0é]{0,12}", 0..20), cut in 4_usize..12) {
            let mut bounds = Bounds::default();
            for text in &texts {
                bounds.add(text.as_bytes());
            }
            let least = texts.iter().map(String::as_bytes).min();
            let greatest = texts.iter().map(String::as_bytes).max();
            prop_assert_eq!(bounds.get(), least.zip(greatest));
            for text in &texts {
                let text = text.as_bytes();
                let ((floor, is_floor), (ceiling, is_ceiling)) = (floor(text, Some(cut)), ceiling(text, Some(cut)));
                prop_assert!(floor.as_slice() <= text && text <= ceiling.as_slice());
                prop_assert_eq!((is_floor, is_ceiling), (floor == text, ceiling == text));
                prop_assert!(std::str::from_utf8(&floor).is_ok() && std::str::from_utf8(&ceiling).is_ok());
            }
        }
    }
}
