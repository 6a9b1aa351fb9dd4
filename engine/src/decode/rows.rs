//! Located records of any format, field by field: the step between parsing and arrays.
//!
//! Spans are stored by field rather than by record, so that each column is built in one tight loop, and only for the
//! rows that passed the filter.

use super::span::Span;
use std::marker::PhantomData;

/// A field of a log format.
pub(super) trait AnyField: Copy {
    /// Number of fields.
    const COUNT: usize;

    /// Index of the field, from 0.
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

/// The spans of the wanted fields of records. Reused for the next block.
#[derive(Debug)]
pub(super) struct FieldRows<F> {
    pub(super) rows: usize,
    spans: Vec<Vec<Span>>,
    /// In microseconds since the Unix epoch (UTC).
    pub(super) times: Vec<i64>,
    /// Number of rows up to the end of each part of the block.
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

    /// Marks the end of the block's first `end` parts.
    pub(super) fn end_parts(&mut self, end: usize) {
        self.part_ends.resize(end, self.rows as u32);
    }
}
