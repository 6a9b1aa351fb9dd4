//! Decodes blocks of lines into batches. This stage runs in parallel.

use super::partition::{self, Part};
use super::privacy::Privacy;
use crate::decode::{Block, Counts, LineOptions, RecordsDecoder, RejectsDecoder};
use crate::error::Error;
use crate::schema::{RejectsColumn, Table, TextLayout};
use arrow::array::RecordBatch;
use std::sync::{Arc, Mutex, PoisonError};

/// A transformation of batches that keeps their schema and number of rows.
pub(crate) type PerBlock = Arc<dyn Fn(RecordBatch) -> Result<RecordBatch, Error> + Send + Sync>;

/// The transformation of every batch of records or rejects, if there is one.
pub(super) fn transform(
    privacy: &Arc<Privacy>,
    apply: fn(&Privacy, RecordBatch) -> Result<RecordBatch, Error>,
) -> Option<PerBlock> {
    let privacy = Arc::clone(privacy);
    (!privacy.is_off()).then(|| Arc::new(move |batch| apply(&privacy, batch)) as PerBlock)
}

/// The contents of a block.
#[derive(Debug)]
pub(super) struct Decoded {
    pub(super) records: Records,
    pub(super) rejects: Option<RecordBatch>,
    pub(super) counts: Counts,
    /// Lines including blank ones, counted by their ends.
    pub(super) line_ends: u64,
    /// Size of the block.
    pub(super) bytes: usize,
}

/// The records of a block.
#[derive(Debug)]
pub(super) enum Records {
    /// Not split by partition.
    Whole(RecordBatch),
    /// Split by partition.
    Split(Vec<Part>),
}

/// Decodes blocks, several at a time.
pub(super) struct Decoding {
    pub(super) table: Table,
    pub(super) lines: LineOptions,
    pub(super) wants_rejects: bool,
    pub(super) per_block: Option<PerBlock>,
    pub(super) reject_block: Option<PerBlock>,
    /// `Some` to split records by day, with `true` also by bucket. `None` if they must be looked at in order first.
    pub(super) splits: Option<bool>,
    /// Idle decoders, kept for their buffers.
    pub(super) decoders: Mutex<Vec<RecordsDecoder>>,
}

impl Decoding {
    pub(super) fn decode(&self, block: &Block) -> Result<Decoded, Error> {
        let mut decoder = self.decoder();
        let before = decoder.counts();
        let batch = decoder.decode(block);
        let counts = decoder.counts() - before;
        self.decoders.lock().unwrap_or_else(PoisonError::into_inner).push(decoder);
        let batch = match &self.per_block {
            Some(transform) => transform(batch?)?,
            None => batch?,
        };
        let records = match self.splits {
            Some(by_bucket) => Records::Split(partition::split(batch, by_bucket)?),
            None => Records::Whole(batch),
        };
        let rejects = match self.wants_rejects && counts.rejects > 0 {
            true => Some(self.rejects(block)?),
            false => None,
        };
        debug_assert!(rejects.iter().all(|rejects| rejects.num_rows() as u64 == counts.rejects));
        Ok(Decoded { records, rejects, counts, line_ends: line_ends(block), bytes: block.bytes().len() })
    }

    fn decoder(&self) -> RecordsDecoder {
        let waiting = self.decoders.lock().unwrap_or_else(PoisonError::into_inner).pop();
        waiting.unwrap_or_else(|| {
            let columns: Vec<_> = (0..self.table.schema(TextLayout::Views).fields().len()).collect();
            RecordsDecoder::new(self.table, &columns, TextLayout::Views)
                .with_options(&self.lines)
                .with_copied_text(true)
                .without_equal_object_keys()
        })
    }

    fn rejects(&self, block: &Block) -> Result<RecordBatch, Error> {
        let columns: Vec<_> = (0..RejectsColumn::ALL.len()).collect();
        let decoder = RejectsDecoder::new(&columns, TextLayout::Views).with_options(&self.lines).for_table(self.table);
        let batch = decoder.with_copied_text(true).decode(block)?;
        match &self.reject_block {
            Some(transform) => transform(batch),
            None => Ok(batch),
        }
    }
}

/// Number of lines in a block, counted independently of the parser.
fn line_ends(block: &Block) -> u64 {
    if block.too_long().is_some() {
        return 1;
    }
    let ends = |bytes: &[u8]| {
        memchr::memchr_iter(b'\n', bytes).count() as u64 + u64::from(bytes.last().is_some_and(|byte| *byte != b'\n'))
    };
    block.part_bytes().map(|(_, bytes)| ends(bytes)).sum()
}
