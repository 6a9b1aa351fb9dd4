//! Text columns: views into the block, or copies.
//!
//! Views are built without validation. A block is validated as UTF-8 once (or each wanted field, if few are wanted),
//! and a field begins and ends next to an ASCII byte, so a slice of valid text is valid text. Arrow's checked
//! constructor would validate every view again. Invalid text is written with U+FFFD to a separate buffer.

use super::block::{Block, Part};
use super::span::Span;
use crate::schema::TextLayout;
use arrow::array::NullBufferBuilder;
use arrow::array::{ArrayRef, ByteView, StringArray, StringViewArray, builder::make_view};
use arrow::buffer::{BooleanBuffer, Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow::error::ArrowError;
use std::sync::Arc;

/// Texts up to this length are stored in the view itself.
const INLINE: usize = 12;

/// Buffer indexes in an array of views: the block, and newly written text.
const BLOCK: u32 = 0;
const WRITTEN: u32 = 1;

/// A value of a text column under construction.
#[derive(Clone, Copy, Debug)]
pub(super) enum Text<'a> {
    Null,
    /// A part of the block, and its offset.
    Borrowed(&'a [u8], u32),
    /// Text that is not part of the block.
    Made(&'a [u8]),
}

/// Builds one text column.
pub(super) struct TextBuilder {
    layout: TextLayout,
    /// Whether texts of the block become views into it; otherwise they are copied.
    borrows: bool,
    /// Whether the whole block is known to be valid UTF-8.
    block_is_utf8: bool,
    nulls: NullBufferBuilder,
    views: Vec<u128>,
    /// Plain layout: all text. Views: text that is not part of the block.
    written: Vec<u8>,
    offsets: Vec<i32>,
}

impl TextBuilder {
    pub(super) fn new(layout: TextLayout, rows: usize, block_is_utf8: bool) -> Self {
        let (views, offsets) = match layout {
            TextLayout::Views => (Vec::with_capacity(rows), Vec::new()),
            TextLayout::Plain => {
                let mut offsets = Vec::with_capacity(rows + 1);
                offsets.push(0);
                (Vec::new(), offsets)
            }
        };
        let nulls = NullBufferBuilder::new(rows);
        Self { layout, borrows: true, block_is_utf8, nulls, views, written: Vec::new(), offsets }
    }

    /// Copies text instead of pointing into the block, since every view would keep it alive: for few rows out of many.
    pub(super) fn copying(mut self) -> Self {
        self.borrows = false;
        self
    }

    #[inline]
    pub(super) fn push(&mut self, text: Text<'_>) {
        match text {
            Text::Null => self.push_null(),
            Text::Borrowed(bytes, at) => {
                self.nulls.append_non_null();
                if !self.block_is_utf8 && !is_utf8(bytes) {
                    self.write(String::from_utf8_lossy(bytes).as_bytes());
                } else if self.layout == TextLayout::Views && self.borrows {
                    self.views.push(make_view(bytes, BLOCK, at));
                } else {
                    self.write(bytes);
                }
            }
            Text::Made(bytes) => {
                self.nulls.append_non_null();
                if is_utf8(bytes) {
                    self.write(bytes);
                } else {
                    self.write(String::from_utf8_lossy(bytes).as_bytes());
                }
            }
        }
    }

    #[inline]
    fn push_null(&mut self) {
        self.nulls.append_null();
        match self.layout {
            TextLayout::Views => self.views.push(0),
            TextLayout::Plain => self.offsets.push(self.written.len() as i32),
        }
    }

    /// Writes valid UTF-8 to the separate buffer.
    fn write(&mut self, text: &[u8]) {
        match self.layout {
            TextLayout::Views => {
                let at = self.written.len() as u32;
                if text.len() > INLINE {
                    self.written.extend_from_slice(text);
                }
                self.views.push(make_view(text, WRITTEN, at));
            }
            TextLayout::Plain => {
                self.written.extend_from_slice(text);
                self.offsets.push(self.written.len() as i32);
            }
        }
    }

    /// Finishes the column; `block` is what borrowed text is part of.
    pub(super) fn finish(mut self, block: &Buffer) -> Result<ArrayRef, ArrowError> {
        let nulls = self.nulls.finish();
        match self.layout {
            TextLayout::Views => {
                let mut buffers = vec![if self.borrows { block.clone() } else { Buffer::default() }];
                if !self.written.is_empty() {
                    buffers.push(Buffer::from_vec(self.written));
                }
                Ok(Arc::new(views(self.views, buffers, nulls)))
            }
            TextLayout::Plain => {
                let offsets = OffsetBuffer::new(ScalarBuffer::from(self.offsets));
                Ok(Arc::new(StringArray::try_new(offsets, Buffer::from_vec(self.written), nulls)?))
            }
        }
    }
}

/// A column of views into the block without a [`TextBuilder`], as most columns are. `None` if the block is not known to
/// be UTF-8 and one of the texts is invalid.
pub(super) fn views_of_spans(
    spans: impl ExactSizeIterator<Item = Span>,
    block: &Buffer,
    block_is_utf8: bool,
) -> Option<ArrayRef> {
    let (texts, nulls) = texts_of_spans(spans, block, block_is_utf8, |_, view| view)?;
    Some(Arc::new(views(texts, vec![block.clone()], nulls)))
}

/// Like [`views_of_spans`], but copies the texts into one contiguous buffer, so that the block can be released.
pub(super) fn copies_of_spans(
    spans: impl ExactSizeIterator<Item = Span> + Clone,
    block: &Buffer,
    block_is_utf8: bool,
) -> Option<ArrayRef> {
    let lengths = spans.clone().map(|span| (span.end - span.start) as usize);
    let mut written = Vec::with_capacity(lengths.filter(|length| *length > INLINE).sum());
    let (texts, nulls) = texts_of_spans(spans, block, block_is_utf8, |text, view| {
        if text.len() <= INLINE {
            return view;
        }
        let offset = written.len() as u32;
        written.extend_from_slice(text);
        ByteView { offset, ..ByteView::from(view) }.as_u128()
    })?;
    Some(Arc::new(views(texts, vec![Buffer::from_vec(written)], nulls)))
}

/// The views of the texts, mapped by `place`, and their nulls. `None` if one of the texts is not valid UTF-8.
#[inline(always)]
fn texts_of_spans(
    mut spans: impl ExactSizeIterator<Item = Span>,
    block: &Buffer,
    block_is_utf8: bool,
    mut place: impl FnMut(&[u8], u128) -> u128,
) -> Option<(Vec<u128>, Option<NullBuffer>)> {
    let rows = spans.len();
    let bytes = block.as_slice();
    let mut texts = Vec::with_capacity(rows);
    let mut fits = true;
    let valid = BooleanBuffer::collect_bool(rows, |_| {
        let span = spans.next().unwrap_or(Span::ABSENT);
        let text = span.text(bytes);
        texts.push(text.map_or(0, |text| {
            fits &= block_is_utf8 || is_utf8(text);
            place(text, view(bytes, text, span.start))
        }));
        text.is_some()
    });
    let nulls = Some(NullBuffer::new(valid)).filter(|nulls| nulls.null_count() > 0);
    fits.then_some((texts, nulls))
}

/// Equivalent to Arrow's `make_view` for a text of the block, but without branching on the length of short texts: they
/// are read with a single 16-byte load.
#[inline(always)]
fn view(bytes: &[u8], text: &[u8], at: u32) -> u128 {
    let length = text.len() as u32;
    match text.first_chunk() {
        Some(prefix) if text.len() > INLINE => {
            let prefix = u32::from_le_bytes(*prefix);
            ByteView { length, prefix, buffer_index: BLOCK, offset: at }.as_u128()
        }
        _ => match bytes[at as usize..].first_chunk() {
            Some(sixteen) => {
                let beyond = u128::MAX << (8 * length);
                (u128::from_le_bytes(*sixteen) & !beyond) << 32 | u128::from(length)
            }
            None => make_view(text, BLOCK, at),
        },
    }
}

/// A column of object names, given the index of the part of the block for each row.
pub(super) fn names_of_parts(
    layout: TextLayout,
    block: &Block,
    parts: impl ExactSizeIterator<Item = usize>,
) -> ArrayRef {
    let names = block.parts().iter().map(Part::log_object);
    match layout {
        TextLayout::Views => {
            let mut written = Vec::new();
            let of_parts = names.map(|name| {
                let at = written.len() as u32;
                written.extend_from_slice(name.as_bytes());
                make_view(name.as_bytes(), BLOCK, at)
            });
            let of_parts: Vec<u128> = of_parts.collect();
            Arc::new(views(parts.map(|part| of_parts[part]).collect(), vec![Buffer::from_vec(written)], None))
        }
        TextLayout::Plain => {
            let names: Vec<_> = names.collect();
            Arc::new(StringArray::from_iter_values(parts.map(|part| names[part])))
        }
    }
}

fn views(views: Vec<u128>, buffers: Vec<Buffer>, nulls: Option<NullBuffer>) -> StringViewArray {
    debug_assert!(
        views.iter().all(|view| {
            let view = ByteView::from(*view);
            view.length as usize <= INLINE
                || std::str::from_utf8(
                    &buffers[view.buffer_index as usize][view.offset as usize..][..view.length as usize],
                )
                .is_ok()
        }),
        "every view must lie in its buffer and be valid UTF-8"
    );
    // SAFETY: every view was made by `make_view` or `view` from a slice of the buffer it names, at the offset it names
    // (inline views name none), and that slice was checked to be valid UTF-8, either by itself or as a part of the
    // block next to ASCII bytes. `nulls` has as many entries as there are views, as both are built together.
    #[expect(unsafe_code, reason = "validating each view again halves the speed of decoding: see benches, decode/text")]
    unsafe {
        StringViewArray::new_unchecked(ScalarBuffer::from(views), buffers, nulls)
    }
}

/// Whether a single field is valid UTF-8. Nearly all are ASCII.
#[inline]
pub(super) fn is_utf8(bytes: &[u8]) -> bool {
    bytes.is_ascii() || simdutf8::basic::from_utf8(bytes).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::{BufferPool, LineBlocks};
    use arrow::array::{Array, AsArray};

    fn column(
        layout: TextLayout,
        block: &'static [u8],
        texts: &[Text<'_>],
        block_is_utf8: bool,
    ) -> Vec<Option<String>> {
        let mut builder = TextBuilder::new(layout, texts.len(), block_is_utf8);
        for text in texts {
            builder.push(*text);
        }
        let array = builder.finish(&Buffer::from(bytes::Bytes::from_static(block))).unwrap();
        assert_eq!(array.data_type(), &layout.data_type());
        match layout {
            TextLayout::Views => array.as_string_view().iter().map(|text| text.map(str::to_owned)).collect(),
            TextLayout::Plain => array.as_string::<i32>().iter().map(|text| text.map(str::to_owned)).collect(),
        }
    }

    #[test]
    fn both_layouts_say_the_same() {
        const BLOCK: &[u8] = b"short and something of more than twelve bytes, \xFFnot UTF-8 in this place";
        let texts = [
            Text::Borrowed(&BLOCK[..5], 0),
            Text::Null,
            Text::Borrowed(&BLOCK[10..45], 10),
            Text::Borrowed(&BLOCK[47..], 47),
            Text::Made(b"made of more than twelve bytes"),
            Text::Made(b"\xC3("),
            Text::Borrowed(b"", 3),
        ];
        let views = column(TextLayout::Views, BLOCK, &texts, false);
        assert_eq!(views, column(TextLayout::Plain, BLOCK, &texts, false));
        assert_eq!(
            views.iter().map(Option::as_deref).collect::<Vec<_>>(),
            [
                Some("short"),
                None,
                Some("something of more than twelve bytes"),
                Some("\u{FFFD}not UTF-8 in this place"),
                Some("made of more than twelve bytes"),
                Some("\u{FFFD}("),
                Some(""),
            ]
        );
    }

    #[test]
    fn views_borrow_the_block() {
        let block = Buffer::from(b"something of more than twelve bytes".as_slice());
        let mut builder = TextBuilder::new(TextLayout::Views, 1, true);
        builder.push(Text::Borrowed(&block, 0));
        let array = builder.finish(&block).unwrap();
        let array = array.as_string_view();
        assert_eq!(array.value(0).as_ptr(), block.as_ptr());
        assert_eq!(array.data_buffers().len(), 1);
    }

    #[test]
    fn compact_columns_let_go_of_the_block() {
        let block = Buffer::from(b"something of more than twelve bytes".as_slice());
        let mut builder = TextBuilder::new(TextLayout::Views, 1, true).copying();
        builder.push(Text::Borrowed(&block[..20], 0));
        let array = builder.finish(&block).unwrap();
        assert_eq!(array.as_string_view().value(0), "something of more th");
        assert!(array.as_string_view().data_buffers().iter().map(Buffer::len).sum::<usize>() < block.len());
    }

    #[test]
    fn views_of_spans_are_those_of_arrow() {
        let block = Buffer::from(b"a bb - twelve bytes thirteen byte and even more bytes".as_slice());
        let end = block.len() as u32;
        let texts = |block_is_utf8| {
            let all = (0..end).flat_map(|start| (start..=end).map(move |end| Span { start, end }));
            let spans: Vec<_> = all.chain([Span::ABSENT]).collect();
            let array = views_of_spans(spans.iter().copied(), &block, block_is_utf8).unwrap();
            array.to_data().validate_full().unwrap();
            let expected = spans.iter().map(|span| span.text(&block).map(|text| std::str::from_utf8(text).unwrap()));
            assert!(array.as_string_view().iter().eq(expected));
            array.null_count()
        };
        assert_eq!((texts(true), texts(false)), (2, 2), "one dash and one that is absent");
        let block = Buffer::from("\u{fc}".as_bytes());
        let whole = Span { start: 0, end: 2 };
        assert!(views_of_spans([whole].into_iter(), &block, false).is_some());
        assert!(copies_of_spans([whole].into_iter(), &block, false).is_some());
        assert!(copies_of_spans([Span { start: 0, end: 1 }].into_iter(), &block, false).is_none());
        assert!(views_of_spans([Span { start: 0, end: 1 }].into_iter(), &block, false).is_none());
    }

    #[test]
    fn copies_of_spans_say_the_same_and_let_go_of_the_block() {
        let block = Buffer::from(b"a bb - twelve bytes thirteen byte and even more bytes".as_slice());
        let end = block.len() as u32;
        let all = (0..end).flat_map(|start| (start..=end).map(move |end| Span { start, end }));
        let spans: Vec<_> = all.chain([Span::ABSENT]).collect();
        for block_is_utf8 in [true, false] {
            let views = views_of_spans(spans.iter().copied(), &block, block_is_utf8).unwrap();
            let copies = copies_of_spans(spans.iter().copied(), &block, block_is_utf8).unwrap();
            copies.to_data().validate_full().unwrap();
            assert_eq!(&views, &copies);
            let copies = copies.as_string_view();
            assert!(copies.data_buffers().iter().all(|buffer| buffer.as_ptr() != block.as_ptr()));
        }
    }

    #[test]
    fn names() {
        let mut blocks = LineBlocks::new(BufferPool::new(64));
        for name in ["short", "a name of more than twelve bytes", "another"] {
            blocks.begin_object(name, 0);
            blocks.push(b"line\n");
        }
        let block = blocks.finish().unwrap();
        for layout in [TextLayout::Views, TextLayout::Plain] {
            let array = names_of_parts(layout, &block, [0, 1, 1, 2].into_iter());
            let texts = (0..4).map(|row| arrow::util::display::array_value_to_string(&array, row).unwrap());
            let long = "a name of more than twelve bytes";
            assert_eq!(texts.collect::<Vec<_>>(), ["short", long, long, "another"]);
        }
    }
}
