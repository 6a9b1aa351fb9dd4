//! Records that were located, field by field, whatever format they are of.

use super::span::Span;
use std::marker::PhantomData;

/// A field of one of the formats.
pub(super) trait AnyField: Copy {
    /// How many there are.
    const COUNT: usize;

    /// Its position, from 0.
    fn position(self) -> usize;
}

impl AnyField for s3log_parser::Field {
    const COUNT: usize = Self::COUNT;

    fn position(self) -> usize {
        self.index()
    }
}

impl AnyField for s3log_parser::cdn::Field {
    const COUNT: usize = Self::COUNT;

    fn position(self) -> usize {
        self.index()
    }
}

/// Where the wanted fields of records stand; used again for the next block.
#[derive(Debug)]
pub(super) struct FieldRows<F> {
    pub(super) rows: usize,
    spans: Vec<Vec<Span>>,
    /// In microseconds from 1970 in UTC.
    pub(super) times: Vec<i64>,
    /// How many rows there are up to the end of each part of the block.
    pub(super) part_ends: Vec<u32>,
    fields: PhantomData<F>,
}

impl<F: AnyField> Default for FieldRows<F> {
    fn default() -> Self {
        let spans = (0..F::COUNT).map(|_| Vec::new()).collect();
        Self { rows: 0, spans, times: Vec::new(), part_ends: Vec::new(), fields: PhantomData }
    }
}

impl<F: AnyField> FieldRows<F> {
    pub(super) fn spans(&self, field: F) -> &[Span] {
        &self.spans[field.position()]
    }

    #[inline]
    pub(super) fn push_span(&mut self, field: F, span: Span) {
        self.spans[field.position()].push(span);
    }

    pub(super) fn clear(&mut self) {
        self.rows = 0;
        self.spans.iter_mut().for_each(Vec::clear);
        self.times.clear();
        self.part_ends.clear();
    }

    /// Says that the block's parts up to this number end.
    pub(super) fn end_parts(&mut self, end: usize) {
        self.part_ends.resize(end, self.rows as u32);
    }
}
