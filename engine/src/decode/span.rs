//! The span of a field: where its text is.

/// Byte range of a text in the block, or in text derived from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) start: u32,
    pub(super) end: u32,
}

impl Span {
    /// A field that the record does not have.
    pub(super) const ABSENT: Self = Self { start: u32::MAX, end: u32::MAX };

    /// The text; `None` if the field is absent or `-`.
    #[inline]
    pub(super) fn text(self, bytes: &[u8]) -> Option<&[u8]> {
        if self == Self::ABSENT {
            return None;
        }
        let text = &bytes[self.start as usize..self.end as usize];
        (text != b"-").then_some(text)
    }
}

/// Offset of `slice` in `text`, of which it must be a part.
pub(super) fn offset_in(text: &[u8], slice: &[u8]) -> u32 {
    (slice.as_ptr() as usize).wrapping_sub(text.as_ptr() as usize) as u32
}
