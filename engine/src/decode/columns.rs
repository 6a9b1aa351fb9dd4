//! Builds columns from located fields: what all tables have in common.

use super::block::Block;
use super::span::{Span, offset_in};
use super::text::{self, Text, TextBuilder};
use crate::error::Error;
use crate::schema::{TextLayout, UTC};
use arrow::array::{ArrayRef, Int64Array, ListArray, NullBufferBuilder, TimestampMicrosecondArray};
use arrow::buffer::{BooleanBuffer, Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow::datatypes::Field as ArrowField;
use s3log_parser::value::number;
use std::borrow::Cow;
use std::sync::Arc;

/// The data and options for building columns.
#[derive(Clone, Copy)]
pub(super) struct Build<'a> {
    pub(super) block: &'a Block,
    /// What spans point into: the block, or text derived from it.
    pub(super) buffer: &'a Buffer,
    /// The bytes of `buffer`.
    pub(super) bytes: &'a [u8],
    /// Whether `bytes` is known to be valid UTF-8.
    pub(super) is_utf8: bool,
    pub(super) layout: TextLayout,
    /// Whether text is copied, so that the buffer can be released.
    pub(super) copies_text: bool,
    /// Whether `object_key` is NULL if it equals `key`.
    pub(super) omits_equal_keys: bool,
}

impl Build<'_> {
    /// A builder for text that is not all part of the buffer.
    pub(super) fn text_builder(&self, rows: usize) -> TextBuilder {
        let builder = TextBuilder::new(self.layout, rows, self.is_utf8);
        if self.copies_text { builder.copying() } else { builder }
    }

    /// A text column from spans.
    pub(super) fn texts(&self, spans: impl ExactSizeIterator<Item = Span> + Clone) -> Result<ArrayRef, Error> {
        if self.layout == TextLayout::Views {
            let views = match self.copies_text {
                false => text::views_of_spans(spans.clone(), self.buffer, self.is_utf8),
                true => text::copies_of_spans(spans.clone(), self.buffer, self.is_utf8),
            };
            if let Some(views) = views {
                return Ok(views);
            }
        }
        let mut builder = self.text_builder(spans.len());
        for span in spans {
            builder.push(span.text(self.bytes).map_or(Text::Null, |text| Text::Borrowed(text, span.start)));
        }
        Ok(builder.finish(self.buffer)?)
    }

    /// A text column that is computed row by row: `push` must add one value per row.
    pub(super) fn made_texts(
        &self,
        rows: impl ExactSizeIterator<Item = usize>,
        mut push: impl FnMut(usize, &mut TextBuilder),
    ) -> Result<ArrayRef, Error> {
        let mut builder = self.text_builder(rows.len());
        for row in rows {
            push(row, &mut builder);
        }
        Ok(builder.finish(self.buffer)?)
    }

    /// A column of lists of text. `push` adds the items of a row and returns their number; `None` is a NULL list.
    pub(super) fn lists(
        &self,
        rows: impl ExactSizeIterator<Item = usize>,
        mut push: impl FnMut(usize, &mut TextBuilder) -> Option<i32>,
    ) -> Result<ArrayRef, Error> {
        let mut builder = self.text_builder(0);
        let mut nulls = NullBufferBuilder::new(rows.len());
        let mut offsets = Vec::with_capacity(rows.len() + 1);
        offsets.push(0);
        let mut items = 0;
        for row in rows {
            let pushed = push(row, &mut builder);
            nulls.append(pushed.is_some());
            items += pushed.unwrap_or(0);
            offsets.push(items);
        }
        let item = Arc::new(ArrowField::new_list_field(self.layout.data_type(), true));
        let offsets = OffsetBuffer::new(ScalarBuffer::from(offsets));
        Ok(Arc::new(ListArray::try_new(item, offsets, builder.finish(self.buffer)?, nulls.finish())?))
    }

    /// A text that is part of the buffer.
    pub(super) fn borrowed<'t>(&self, text: &'t [u8]) -> Text<'t> {
        Text::Borrowed(text, offset_in(self.bytes, text))
    }

    /// Adds a decoded text: borrowed if it is part of the buffer.
    pub(super) fn push(&self, text: Cow<'_, [u8]>, builder: &mut TextBuilder) {
        match text {
            Cow::Borrowed(text) => builder.push(self.borrowed(text)),
            Cow::Owned(text) => builder.push(Text::Made(&text)),
        }
    }

    /// A timestamp column.
    pub(super) fn times(&self, micros: impl ExactSizeIterator<Item = i64>) -> ArrayRef {
        let values: ScalarBuffer<i64> = micros.collect();
        Arc::new(TimestampMicrosecondArray::new(values, None).with_timezone(UTC))
    }

    /// An integer column.
    pub(super) fn integers(&self, spans: impl ExactSizeIterator<Item = Span>) -> ArrayRef {
        self.numbers(spans, number::parse)
    }

    /// An integer column with values parsed by `parse`.
    pub(super) fn numbers(
        &self,
        mut spans: impl ExactSizeIterator<Item = Span>,
        parse: impl Fn(&[u8]) -> Option<i64>,
    ) -> ArrayRef {
        let count = spans.len();
        let mut values = Vec::with_capacity(count);
        let valid = BooleanBuffer::collect_bool(count, |_| {
            let value = spans.next().and_then(|span| span.text(self.bytes)).and_then(&parse);
            values.push(value.unwrap_or_default());
            value.is_some()
        });
        let nulls = Some(NullBuffer::new(valid)).filter(|nulls| nulls.null_count() > 0);
        Arc::new(Int64Array::new(ScalarBuffer::from(values), nulls))
    }

    /// A column of object names. `part_ends` has the number of rows up to the end of each part of the block.
    pub(super) fn names(&self, part_ends: &[u32], rows: impl ExactSizeIterator<Item = usize>) -> ArrayRef {
        let mut part = 0;
        let part_of = rows.map(|row| {
            while part_ends[part] as usize <= row {
                part += 1;
            }
            part
        });
        text::names_of_parts(self.layout, self.block, part_of)
    }
}
